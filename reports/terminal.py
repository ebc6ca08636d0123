"""The reports in a terminal: one function per report makes its rows printable. Nothing is computed here."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from curate import judges
from curate.counted import counted
from curate.cutoffs import cutoffs_in_words
from curate.denoise.judge_quality import JudgeQuality

from . import answers
from .captions import CAPTIONS, TITLES
from .document import Document, Tile
from .figures import at_least, between, decimals, number, percent, ranks, span
from .page import DIM, TITLE, Page
from .report_rows import Overview, Report, ReportRow
from .sections import labels
from .tables import all_fit, records, table

SIGNS = {"all": " ", "taken away": "-", "left over": "=", "of these": "   "}
FEW_LINES, MANY_LINES = 2, 6
PAGE_IS_WIDE = 96
INDENT = 2
UNJUDGED = ("unjudged", "false negatives", "95 % interval", "denoised", "by people", "unscored")
PARTS = {
    "false_negatives": "false negatives",
    "pseudo_positives": "pseudo-positives",
    "uncertain": "uncertain",
    "duplicates": "duplicates of a positive",
}
APART = {"judged_irrelevant": "were judged not relevant by people", "unscored": "are unscored"}
COMPARED = {
    "enough": "queries with {negatives} or more",
    "hard_negatives": "hard negatives",
    "judged_irrelevant": "   judged by people",
    "false_negatives": "false negatives",
    "pseudo_positives": "pseudo-positives",
    "uncertain": "uncertain",
    "unscored": "unscored",
    "negative_below": "hard negative below",
    "positive_above": "false negative above",
    "duplicate_above": "duplicate above",
    "depth": "depth",
    "candidates": "candidates",
    "scorer_id": "scorer",
    "calibration_id": "calibration",
}
SHORTEST_BAR = 4
VERDICTS = ("irrelevant", "uncertain", "relevant")
FIRST_HIGHER = ("uncertain_irrelevant", "relevant_irrelevant", "relevant_uncertain")
SECOND_HIGHER = ("irrelevant_uncertain", "irrelevant_relevant", "uncertain_relevant")


def show_report(page: Page, *found: Report, lines: int = MANY_LINES) -> None:
    """Print one report, or several about the same, below a line with its run, scorer and cutoffs."""
    if found[0].setting:
        page.print(Text(setting_line(found[0].setting)))
    for report in found:
        page.print(*([Text()] if report.setting else []), block(page, report, lines))


def print_audit(audit: dict[str, list[ReportRow]], parameters: ReportRow) -> None:
    """Print the rows of several reports on stdout. The report `setting` names what the others refer to."""
    page, setting = Page(), audit["setting"][0]
    for name, rows in audit.items():
        if name != "setting":
            page.print(Text(), block(page, Report(name, parameters, setting, rows), FEW_LINES))


def show_overview(page: Page, overview: Overview) -> None:
    """Print all reports of an overview, from the collection to the pseudo-labels."""
    page.print(collection(page, overview))
    setting = next((found.setting for found in overview.reports.values() if found.setting), None)
    if setting:
        page.print(Text(setting_line(setting)))
    if "headline" in overview.reports:
        page.print(Text(), first_screen(page, overview))
    for name, found in overview.reports.items():
        if name in RENDERERS and worth_showing(found):
            page.print(Text(), block(page, found, FEW_LINES))
    if overview.next:
        # A line that only the terminal breaks can be copied whole.
        page.console.print(Text(f"\nNext: {overview.next}", style=TITLE), soft_wrap=True)


def first_screen(page: Page, overview: Overview) -> RenderableType:
    """Return how many of the top-k were false negatives, and whether that can be trusted."""
    headline = overview.reports["headline"]
    shown = answers.tiles(overview)
    grid = Table.grid(padding=(0, 2, 0, 0))
    for column in ({"no_wrap": page.width >= PAGE_IS_WIDE}, {}, {"overflow": "fold"}):
        grid.add_column(**column)
    for tile in shown:
        told = tile.advice if tile.advice and tile.state in ("care", "bad", "unknown") else ""
        if tile.interval:
            told = f"95 % interval {tile.interval}. {told}".rstrip()
        grid.add_row(page.text(tile.title), page.text(_signed(tile), TITLE), page.text(told, DIM))
    return Group(
        page.text(f"How many of the top {headline.setting['depth']} were false negatives?", TITLE),
        Padding(page.text(answers.answer(overview.reports)), (0, 0, 0, 2)),
        page.text("Can you trust that?", TITLE),
        Padding(page.text(answers.trust(shown)), (0, 0, 0, 2)),
        Padding(grid, (0, 0, 0, 2)),
    )


def _signed(tile: Tile) -> str:
    sign = {"good": "+", "care": "!", "bad": "x", "unknown": "?", "plain": " "}[tile.state]
    return f"{sign} {tile.value}"


def show_document(page: Page, document: Document) -> None:
    """Print a document: the answer, what it is about, and the tables of its sections."""
    page.print(page.text(document.question, TITLE), page.text(document.answer))
    page.print(*(page.text(f"{name}: {value}", DIM) for name, value in document.about))
    for section in document.sections:
        page.print(Text(), page.text(section.title, TITLE))
        page.print(*([page.text(section.lead)] if section.lead else []))
        for figure in section.figures:
            page.print(Padding(table(page, figure.table.heads, figure.table.rows), (0, 0, 0, INDENT)))
        page.print(*([page.text(section.how, DIM)] if section.how else []))


def worth_showing(found: Report) -> bool:
    """Return whether the overview shows the report. A single retriever has no comparison."""
    fewest = {"judge": 0, "false_negatives_by_retriever": 2}  # of a judge without rows, nothing is known
    return len(found.rows) >= fewest.get(found.name, 1)


def block(page: Page, found: Report, lines: int) -> RenderableType:
    """Return a report with its title above and its explanation below."""
    title = TITLES.get(found.name, found.name)
    about = {**found.parameters, **found.setting}
    if found.setting:
        about["scorer_id"] = judges.in_words(found.setting)
    caption = CAPTIONS.get(found.name, "").format_map(about)
    renderer = {**ALONE, **RENDERERS}.get(found.name, generic)
    body = renderer(page, found, lines) if found.rows or found.name == "judge" else Text("(no rows)")
    return Group(Text(title, style=TITLE), Padding(body, (0, 0, 0, 2), expand=False), page.text(caption, DIM))


def setting_line(setting: ReportRow) -> str:
    """Return the run, scorer and cutoffs in words."""
    queries = counted(setting["queries"], f"{setting['split']} queries")
    cuts = cutoffs_in_words(setting, "relevant")
    scale = f" ({judges.scale_in_words(setting)})" if judges.scale_in_words(setting) else ""
    return (
        f"Run {setting['run_id']} ({setting['retriever']}, {queries}): the top {setting['depth']} are judged by "
        f"{judges.in_words(setting)}{scale}. Cutoffs '{setting['cutoffs']}': {cuts}.{_stops(setting)}"
    )


def _stops(setting: ReportRow) -> str:
    if not setting["enough"] or setting["split"] != "train":
        return ""
    return (
        f" Scoring of a query stopped at {counted(setting['enough'], 'hard negatives')} (--enough): deeper "
        "candidates are unscored, and those that are scored belong to queries with few negatives."
    )


def collection(page: Page, overview: Overview) -> RenderableType:
    """Return a summary of what was loaded."""
    loaded = overview.reports["collection"].rows[0]
    of_splits = (f"{number(row['queries'])} {row['split']}" for row in overview.reports["splits"].rows)
    queries = f"{counted(loaded['queries'], 'queries')} ({', '.join(of_splits) or 'none'})"
    positives = counted(loaded["positives"], "labelled positives")
    lines = [f"{counted(loaded['passages'], 'passages')}, {queries}, {positives}."]
    if loaded["annotations"] or loaded["rejects"]:
        rejects = counted(loaded["rejects"], "rejected input rows")
        lines.append(f"{counted(loaded['annotations'], 'annotations')}, {rejects}.")
    return page.text(" ".join(lines), TITLE)


def bars(page: Page, heads: list[str], rows: Iterable[tuple[list[str], list[float | None]]]) -> Table:
    """Return a table of cells and, if there is room, one bar per share. `heads` names all columns.

    On a narrow page, names of columns are wrapped between words, and so is the first column.
    """
    rows = list(rows)
    shares = max((len(of_row) for _, of_row in rows), default=0)
    first_bar = len(heads) - shares
    texts = [[head, *(values[i] for values, _ in rows if values)] for i, head in enumerate(heads[:first_bar])]
    widths = [max(map(cell_len, column)) for column in texts]
    if sum(width + 2 for width in widths) > page.width - INDENT:
        widths[1:] = [max(map(cell_len, [*head.split(), *cells])) for head, *cells in texts[1:]]
    room = (page.width - INDENT - sum(width + 2 for width in widths)) // max(shares, 1) - 2
    cells = min(room, 12 if page.width < PAGE_IS_WIDE else 24)
    if cells < max([SHORTEST_BAR, *map(len, heads[first_bar:])]):
        heads, cells = heads[:first_bar], 0
    drawn = [(values, [page.bar(share, cells) for share in of_row] if cells else []) for values, of_row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(heads), header_style=DIM)
    for i, head in enumerate(heads):
        fixed = widths[i] if 0 < i < first_bar else None
        table.add_column(head, justify="right" if fixed else "left", width=fixed, overflow="fold")
    for values, of_row in drawn:
        table.add_row(*(page.text(value) for value in values), *of_row)
    return table


def funnel(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return the steps, with the count and the share of each."""
    rows: list[tuple[list[str], list[float | None]]] = []
    for i, row in enumerate(found.rows):
        if i and row["part"] == "all":
            rows.append(([], []))
        label = f"{SIGNS[row['part']]} {row['what']}"
        rows.append(([label, number(row["number"]), percent(row["share"])], [row["share"]]))
    return bars(page, ["", "", "", ""], rows)


def by_rank(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return ranks with their shares of false negatives and of denoised candidates, and the sum of all ranks."""
    rows = [([ranks(row), *shares_of_unjudged(row)], [row["denoised_rate"]]) for row in found.rows]
    return Group(bars(page, ["rank", *UNJUDGED, ""], rows), page.text(in_words(found.rows)))


def shares_of_unjudged(row: ReportRow) -> list[str]:
    """Return the cells below the heads UNJUDGED."""
    return [
        number(row["unjudged"]),
        percent(row["false_negative_rate"]),
        between(row, "false_negative"),
        percent(row["denoised_rate"]),
        number(row["judged_irrelevant"]),
        number(row["unscored"]),
    ]


def in_words(rows: list[ReportRow]) -> str:
    """Return the sum of the rows as a sentence. It tells what people judged apart from what the scorer decided."""
    known = [row for row in rows if row["denoised_rate"] is not None or not row["unjudged"]]
    total = {name: sum(row[name] for row in known) for name in (*PARTS, *APART, "unjudged", "denoised")}
    share = percent(total["denoised"] / total["unjudged"] if total["unjudged"] else None)
    parts = ", ".join(f"{number(total[name])} {words}" for name, words in PARTS.items() if total[name])
    apart = "; ".join(f"{number(total[name])} {words}" for name, words in APART.items() if total[name])
    deeper = [row for row in rows if row not in known]
    left = f" No share of all is known where scoring stopped early: {_listed(deeper)}." if deeper else ""
    return (
        f"Denoised {share} of {counted(total['unjudged'], 'unjudged candidates')}{f' ({parts})' if parts else ''}"
        f"{f'; {apart}' if apart else ''}.{left}"
    )


def _listed(rows: list[ReportRow]) -> str:
    unscored = sum(row["unscored"] for row in rows)
    return f"ranks {', '.join(map(ranks, rows))}, with {number(unscored)} unscored"


def naive(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return what plain mining would have trained on."""
    rows = [
        (
            [
                row["decision"].replace("_", " "),
                number(row["pairs"]),
                percent(row["share"]),
                span(row["low"], row["high"]),
                number(row["queries"]),
            ],
            [row["share"]],
        )
        for row in found.rows
    ]
    return bars(page, ["", "passages", "share", "95 % interval", "in queries", ""], rows)


def by_query(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return the lengths and types of queries with their shares of false negatives and of denoised candidates."""
    rows: list[tuple[list[str], list[float | None]]] = []
    for before, row in pairwise([{"part": None}, *found.rows]):
        if rows and row["part"] != before["part"]:
            rows.append(([], []))
        cells = [row["band"], number(row["queries"]), number(row["unjudged"]), percent(row["false_negative_rate"])]
        cells += [between(row, "false_negative"), percent(row["denoised_rate"])]
        rows.append((cells, [row["denoised_rate"]]))
    heads = ["", "queries", "unjudged", "false negatives", "95 % interval", "denoised", ""]
    return bars(page, heads, rows)


def sweep(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return what other cutoffs would keep, and what they would cost."""
    rows = [
        (
            [
                f"{row['negative_below']:g}{' (now)' if row['in_force'] else ''}",
                number(row["kept"]),
                percent(row["kept_share"]),
                percent(row["positives_lost_share"]),
                number(row["short"]),
            ],
            [row["kept_share"], row["positives_lost_share"]],
        )
        for row in found.rows
    ]
    return bars(page, ["negative_below", "kept", "share", "positives lost", "short", "kept", "lost"], rows)


def filters(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return what other filters would have kept, and how right that is if somebody judged it."""
    judged = any(row["judged"] for row in found.rows)
    rows = [
        (
            [
                row["filter"],
                number(row["kept"]),
                percent(row["kept_share"]),
                number(row["unknown"]),
                at_least(row["short"], row["perhaps_short"]),
                *([percent(row["false_share"]), percent(row["caught_share"])] if judged else []),
            ],
            [row["kept_share"]],
        )
        for row in found.rows
    ]
    truth = ["false", "caught"] if judged else []
    return bars(page, ["filter", "kept", "share", "unknown", "short", *truth, ""], rows)


def estimates(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return the figures that the verdicts on a sample give, and what they rest on."""
    shares = _with_intervals(found, labels.estimate_in_words, "labels")
    heads = ["", "estimate", "95 % interval", "verdicts", "queries", ""]
    return Group(page.text(labels.sample_in_words(found)), bars(page, heads, shares))


def hidden_recall(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return the recall of hidden positives, and what may make it too high."""
    shares = _with_intervals(found, labels.recall_in_words, "pairs")
    heads = ["", "recall", "95 % interval", "positives", "queries", ""]
    notes = [page.text(note, DIM) for note in found.parameters["notes"]]
    return Group(page.text(labels.hidden_in_words(found)), bars(page, heads, shares), *notes)


def _with_intervals(
    found: Report, in_words: Callable[[ReportRow], str], of: str
) -> Iterator[tuple[list[str], list[float | None]]]:
    """Yield each share with its interval and the numbers of what it is a share `of` and of queries, for bars."""
    for row in found.rows:
        cells = [in_words(row), percent(row["value"]), span(row["low"], row["high"])]
        yield [*cells, number(row[of]), number(row["queries"])], [row["value"]]


def by_retriever(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return source runs with their shares of false negatives and of denoised candidates."""
    rows = [
        (
            [
                f"{row['retriever']} ({row['source_run_id']})",
                number(row["only_here"]),
                *shares_of_unjudged(row),
            ],
            [row["denoised_rate"]],
        )
        for row in found.rows
    ]
    return bars(page, ["found by", "only here", *UNJUDGED, ""], rows)


def histogram(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return the probabilities of labelled positives beside those of unlabelled candidates."""
    rows = [
        (
            [f"{row['low']:.2f}-{row['high']:.2f}", number(row["unlabelled"]), number(row["positives"])],
            [row["unlabelled_share"], row["positives_share"]],
        )
        for row in found.rows
    ]
    return bars(page, ["probability", "unlabelled", "positives", "unlabelled", "positives"], rows)


def shares(first: str, count: str) -> Callable[[Page, Report, int], RenderableType]:
    """Return a renderer for rows with a name, a count and its share."""

    def render(page: Page, found: Report, _lines: int) -> RenderableType:
        rows = [
            ([str(row[first]), number(row[count]), percent(row["share"])], [row["share"]]) for row in found.rows
        ]
        return bars(page, ["", count, "share", ""], rows)

    return render


def recognised(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return the verdicts on positives of queries that the scorer has not seen, beside those on the others."""
    rows: list[tuple[list[str], list[float | None]]] = []
    for row in found.rows:
        cells = [row["verdict"], number(row["positives"]), percent(row["share"]), span(row["low"], row["high"])]
        rows.append(([*cells, number(row["seen"]), percent(row["seen_share"])], [row["share"]]))
    return bars(page, ["", "unseen positives", "share", "95 % interval", "seen in training", "share", ""], rows)


def judge(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return in words how good the scorer is beside the retriever."""
    cutoffs = found.setting
    quality = JudgeQuality.of(found.rows, cutoffs["depth"], cutoffs["negative_below"], cutoffs["positive_above"])
    return Group(*(page.text(line) for line in quality.lines()))


def reliability(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return probability and truth for each tenth, for each part before and after calibrating."""
    rows: list[tuple[list[str], list[float | None]]] = []
    above = None
    for row in found.rows:
        scale = "after" if row["calibrated"] else "before"
        begins = (row["part"], row["part_value"], scale)
        cells = ["", ""] if begins == above else [row["part_value"], scale]
        figures = [f"{row['pairs']:,.0f}", f"{row['probability']:.3f}", f"{row['relevant']:.3f}"]
        rows.append(([*cells, *figures], [row["probability"], row["relevant"]]))
        above = begins
    return bars(page, ["", "", "pairs", "probability", "relevant", "probability", "relevant"], rows)


def agreement(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return how often two scorers decide alike, their verdicts side by side, and where they disagree."""
    whole = found.rows[0]
    kappa, correlation = (decimals(whole[name]) for name in ("kappa", "rank_correlation"))
    told = (
        f"First: {found.parameters['scorer']}. Second: {found.parameters['against']}.\n"
        f"They decide alike about {percent(whole['agreement'])} of {counted(whole['pairs'], 'candidates')} "
        f"(Cohen's kappa {kappa}, rank correlation {correlation})."
    )
    verdicts = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM)
    verdicts.add_column("first / second")
    for verdict in VERDICTS:
        verdicts.add_column(verdict, justify="right")
    for one in VERDICTS:
        verdicts.add_row(one, *(number(whole[f"{one}_{other}"]) for other in VERDICTS))
    rows: list[tuple[list[str], list[float | None]]] = []
    for before, row in pairwise(found.rows):
        if rows and row["part"] != before["part"]:
            rows.append(([], []))
        cells = [_band(row), number(row["pairs"]), percent(row["disagreement"])]
        cells += [
            percent(sum(row[name] for name in higher) / row["pairs"]) for higher in (FIRST_HIGHER, SECOND_HIGHER)
        ]
        rows.append(([*cells, decimals(row["kappa"])], [row["disagreement"]]))
    heads = ["", "pairs", "disagree", "first higher", "second higher", "kappa", ""]
    return Group(page.text(told), Text(), verdicts, Text(), bars(page, heads, rows))


def _band(row: ReportRow) -> str:
    return f"found by {row['band']}" if row["part"] == "retriever" else str(row["band"])


def named_texts() -> Table:
    """Return an empty grid for names and their texts, which it folds."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style=DIM)
    grid.add_column(overflow="fold")
    return grid


def disagreements(page: Page, found: Report, lines: int) -> RenderableType:
    """Return each query with a passage, and what the two scorers say of it."""
    grid = named_texts()
    cells = (page.width - 16) * lines
    for i, row in enumerate(found.rows):
        if i:
            grid.add_row()
        first, second = (
            f"{row[name]:.3f} {row[verdict]}"
            for name, verdict in (("probability", "verdict"), ("against", "against_verdict"))
        )
        grid.add_row("scorers", page.text(f"first {first}, second {second}"))
        grid.add_row("query", page.short(f"[{row['query_id']}]  {row['query']}", cells, TITLE))
        grid.add_row("passage", page.short(f"rank {row['rank']}  [{row['passage_id']}]  {row['passage']}", cells))
    return grid


def shortfall(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return how many queries have each number of hard negatives."""
    rows = [
        (
            [
                f"{row['hard_negatives']} or more hard negatives"
                if row["enough"]
                else counted(row["hard_negatives"], "hard negatives"),
                number(row["queries"]),
                percent(row["share"]),
            ],
            [row["share"]],
        )
        for row in found.rows
    ]
    return bars(page, ["", "queries", "share", ""], rows)


def pairs(page: Page, found: Report, lines: int) -> RenderableType:
    """Return each query with its passage and, if there is one, a labelled positive for comparison."""
    grid = named_texts()
    cells = (page.width - 16) * lines
    for i, row in enumerate(found.rows):
        if i:
            grid.add_row()
        grid.add_row("query", page.short(f"[{row['query_id']}]  {row['query']}", cells, TITLE))
        head = f"rank {row['rank']}, {row['probability']:.3f}  [{row['passage_id']}]  "
        grid.add_row("passage", page.short(head + row["passage"], cells))
        if row.get("positive"):
            grid.add_row("labelled", page.short(f"[{row['positive_id']}]  {row['positive']}", cells))
    return grid


def query_card(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return the candidates of one query in the order of their ranks."""
    first = found.rows[0]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM)
    for head in ("rank", "probability", "score"):
        grid.add_column(head, justify="right", no_wrap=True)
    grid.add_column("decision (by)", overflow="fold")
    grid.add_column("passage", overflow="fold")
    for row in found.rows:
        probability = "-" if row["probability"] is None else f"{row['probability']:.3f}"
        score = "-" if row["retriever_score"] is None else f"{row['retriever_score']:.3f}"
        text = page.short(f"[{row['passage_id']}]  {row['passage']}", max(page.width - 56, 24) * FEW_LINES)
        by = f" ({row['decided_by']})" if row["decided_by"] else ""
        grid.add_row(str(row["rank"] or "-"), probability, score, f"{row['decision']}{by}", text)
    return Group(page.text(f"{first['query']}  [{first['query_id']}]", TITLE), grid)


def lineage(page: Page, found: Report, lines: int) -> RenderableType:
    """Return the jobs without their settings and inputs, which are long."""
    shown = ("number", "stage", "job", "model", "version", "finished_at")
    return generic(page, replace(found, rows=[{name: row[name] for name in shown} for row in found.rows]), lines)


def compared(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return one column per name of cutoffs, side by side; what does not fit comes below."""
    heads = {name: words.format(**found.parameters) for name, words in COMPARED.items()}
    first = max(map(len, heads.values()))
    shown = [{**row, **_judged_by(row)} for row in found.rows]
    widths = [max(cell_len(_cell(row[name])) for name in ("name", *heads)) for row in shown]
    blocks: list[RenderableType] = []
    start = 0
    while start < len(shown):
        end, room = start, page.width - INDENT - first - 2
        while end < len(shown) and (end == start or widths[end] <= room):
            end, room = end + 1, room - widths[end] - 2
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
        grid.add_column("", no_wrap=True)
        for row in shown[start:end]:
            grid.add_column(page.text(row["name"]), justify="right", overflow="fold")
        for name, words in heads.items():
            grid.add_row(words, *(page.text(_cell(row[name])) for row in shown[start:end]))
        blocks += [Text(), grid] if blocks else [grid]
        start = end
    return Group(*blocks)


def _judged_by(row: ReportRow) -> ReportRow:
    """Return the cells about who judges. The names of several scorers would be wider than the page."""
    scales = judges.calibrations(row)
    if not judges.are_several(row):
        return {"scorer_id": row["scorer_id"], "calibration_id": row["calibration_id"] or "none"}
    calibrated = sum(scale is not None for scale in scales.values())
    return {"scorer_id": f"{row['joined']} of {len(scales)}", "calibration_id": f"{calibrated} of {len(scales)}"}


def _cell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else number(value) if isinstance(value, int) else str(value)


def generic(page: Page, found: Report, _lines: int) -> RenderableType:
    """Return a plain table if all columns fit, else each row as a list of names and values."""
    columns = list(found.rows[0])
    if all_fit(page, found.rows):
        return records(page, found.rows)
    grid = named_texts()
    for i, row in enumerate(found.rows):
        if i:
            grid.add_row()
        for name in columns:
            grid.add_row(page.text(name), page.text("-" if row[name] is None else _cell(row[name])))
    return grid


RENDERERS: dict[str, Callable[[Page, Report, int], RenderableType]] = {
    "naive_negatives": naive,
    "estimates": estimates,
    "selfcheck": hidden_recall,
    "funnel": funnel,
    "denoised_by_rank": by_rank,
    "denoised_by_query": by_query,
    "false_negatives_by_rank": by_rank,
    "false_negatives_by_retriever": by_retriever,
    "score_histogram": histogram,
    "judge": judge,
    "agreement": agreement,
    "disagreements": disagreements,
    "positives_recognised": recognised,
    "cutoff_sweep": sweep,
    "filters": filters,
    "shortfall": shortfall,
    "suspects": pairs,
    "pseudo_label_outcomes": shares("outcome", "queries"),
    "pseudo_labels": pairs,
    "query_card": query_card,
    "cutoffs_compared": compared,
}
ALONE: dict[str, Callable[[Page, Report, int], RenderableType]] = {
    "rescued": pairs,
    "lineage": lineage,
    "reliability": reliability,
}
