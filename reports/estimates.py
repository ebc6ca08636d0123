"""What `curate estimate` found, in a terminal: figures with their intervals, and the agreement of annotators."""

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from curate.annotate.agreement import Agreement
from curate.annotate.estimates import Estimates
from curate.counted import counted

from .figures import number, percent
from .page import DIM, TITLE, Page
from .report_rows import ReportRow
from .terminal import named_texts

HEADS = {
    "false_negative_rate": "Relevant among the unlabelled candidates: the true false-negative rate",
    "precision": "How often the decisions are right",
    "recall": "How many of the relevant candidates denoising took out of the negatives",
    "cost": "How many of the others it took out with them",
}
OF = {"recall": "relevant", "cost": "irrelevant"}
"""Shares of the pairs with one verdict: without any, there is no share of them."""
KINDS = ("relevant", "irrelevant", "unsure", "skipped")
NAMES = {"all": "all ranks"}
CAPTION = (
    "The 95 % intervals follow from the sample's design: queries were drawn first, then pairs of theirs by "
    "decision and range of ranks. 'worth': as many labels of pairs that are drawn singly from all, without a "
    "scorer, would give the same interval. 'saved': so many of these labels the scorer's probabilities saved "
    "within the strata, as control. Duplicates of a positive, and candidates that people judged before the "
    "sample was drawn, are not counted."
)
LINES = 3
LEAST_NEEDED = ("saved", "worth", "if settled", "labels")
LONGEST, SHORTEST = 30, 12  # cells of the line on which an interval is drawn
INDENT, GAP = 2, 2


def print_estimates(found: Estimates, limit: int) -> None:
    """Print the estimates on stdout, and up to `limit` of the pairs on which annotators differ."""
    page = Page()
    page.print(page.text(about(found)))
    for what, head in HEADS.items():
        rows = [row for row in found.estimates if row["what"] == what]
        kind = OF.get(what)
        lacks = f"none is {kind}" if kind and not found.verdicts[kind] else "too few verdicts"
        page.print(
            Text(), Text(head, style=TITLE), Padding(figures(page, rows, lacks), (0, 0, 0, 2), expand=False)
        )
    page.print(Text(), page.text(CAPTION, DIM))
    if (unsure := found.verdicts["unsure"] + found.verdicts["skipped"]) > 0:
        page.print(page.text(unsure_in_words(unsure), DIM))
    if any(found.left_out.values()):
        page.print(page.text(left_out_in_words(found.left_out), DIM))
    if len(found.agreement.annotators) > 1:
        page.print(Text(), *agreement(page, found.agreement, limit))
    if found.without_design["pairs"]:
        page.print(Text(), page.text(apart(found.without_design), DIM))


def about(found: Estimates) -> str:
    """Return what was drawn and judged, in words."""
    sample, verdicts = found.sample, found.verdicts
    kinds = [f"{number(verdicts[kind])} {kind}" for kind in KINDS if verdicts[kind]]
    left = f"; {counted(verdicts['open'], 'pairs are', 'pair is')} still to be judged" if verdicts["open"] else ""
    drawn = f"{counted(sample['drawn_pairs'], 'pairs')} of {counted(sample['drawn_queries'], 'queries')}"
    of = f"{counted(sample['pairs'], 'unlabelled candidates')} of {counted(sample['queries'], 'queries')}"
    return (
        f"Sample {sample['sample_id']}: {drawn}, for {of} in the top {sample['depth']} of run {sample['run_id']}, "
        f"by cutoffs '{sample['cutoffs']}'. Verdicts: {', '.join(kinds)}{left}."
    )


def unsure_in_words(unsure: int) -> str:
    """Return what 'if settled' means."""
    return (
        f"{counted(unsure, 'pairs have', 'pair has')} no clear verdict: annotators are unsure, tied or skipped "
        "it. They enter no estimate. 'if settled' is where it would lie if all of them were settled the one "
        "way or the other."
    )


def left_out_in_words(left_out: dict[str, int]) -> str:
    """Return how many verdicts on the sample do not count, and why."""
    why = {
        "elsewhere": ("do not name", "does not name", "the sample, so that its pair may have been chosen by hand"),
        "beyond": ("are", "is", "on a query that is not judged to its end"),
    }
    parts = [
        f"{counted(left_out[kind], several, one)} {rest}"
        for kind, (several, one, rest) in why.items()
        if left_out[kind]
    ]
    return f"Verdicts on these pairs that enter no estimate: {'; '.join(parts)}."


def apart(without: ReportRow) -> str:
    """Return what is told of annotations outside of samples."""
    return (
        f"{counted(without['pairs'], 'other annotated pairs are', 'other annotated pair is')} in no sample, so "
        f"that nobody knows for which candidates they stand: {number(without['relevant'])} relevant, "
        f"{number(without['irrelevant'])} not, {number(without['unsure'])} unsure. They enter no estimate."
    )


def figures(page: Page, rows: list[ReportRow], lacks: str) -> RenderableType:
    """Return figures with their intervals, drawn from 0 to 100 % if there is room, as some columns also need.

    lacks: why a figure without an estimate has none.
    """
    cells = [_cells(row, lacks) for row in rows]
    heads = [head for head in cells[0] if head != "if settled" or any(row["unsure"] for row in rows)]
    widths = {head: max(map(cell_len, [head, *(row[head] for row in cells)])) + GAP for head in heads}
    for head in LEAST_NEEDED:
        if head in widths and sum(widths.values()) - GAP > page.width - INDENT:
            del widths[head]
    room = min(page.width - INDENT - sum(widths.values()) - GAP, LONGEST)
    grid = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style=DIM)
    for i, head in enumerate(widths):
        grid.add_column(head, justify="right" if i else "left", width=widths[head] - GAP, overflow="fold")
    if room >= SHORTEST:
        grid.add_column("0 %".ljust(room - 5) + "100 %", no_wrap=True)
    for row, values in zip(rows, cells, strict=True):
        line = [_drawn(page, row, room)] if room >= SHORTEST else []
        grid.add_row(*(page.text(values[head]) for head in widths), *line)
    return grid


def _cells(row: ReportRow, lacks: str) -> dict[str, str]:
    """Return head of a column -> the cell below it."""
    name = {"": NAMES.get(row["part"], row["part"])}
    if row["value"] is None:
        return {**name, " ": "-", "95 % interval": lacks, **dict.fromkeys(LEAST_NEEDED, "")}
    counts = {head: number(round(row[head])) for head in ("labels", "worth", "saved")}
    settled = _range(row["unsure_low"], row["unsure_high"])
    return {
        **name,
        " ": percent(row["value"]),
        "95 % interval": _range(row["low"], row["high"]),
        **counts,
        "if settled": settled,
    }


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _drawn(page: Page, row: ReportRow, cells: int) -> Text:
    """Return an interval as a line with its value on it."""
    if row["value"] is None:
        return Text()
    low, value, high = (round(row[name] * (cells - 1)) for name in ("low", "value", "high"))
    line, mark = ("─", "●") if page.unicode else ("-", "o")
    drawn = "".join(mark if place == value else line if low <= place <= high else " " for place in range(cells))
    return Text(drawn, style="cyan")


def agreement(page: Page, found: Agreement, limit: int) -> list[RenderableType]:
    """Return how far annotators agree, and some of the pairs on which they differ."""
    lines: list[RenderableType] = []
    for row in found.kappas:
        kappa = "-" if row["kappa"] is None else f"{row['kappa']:.2f}"
        both = f"{row['first']} and {row['second']} agree on {row['agreed']:,} of {counted(row['pairs'], 'pairs')}"
        lines.append(page.text(f"{both} (Cohen's kappa {kappa})."))
    if not lines:
        lines.append(page.text("No pair has a clear verdict of two annotators."))
    if found.alpha is not None:
        lines.append(page.text(f"Krippendorff's alpha of all: {found.alpha:.2f}."))
    if found.differing:
        lines.append(page.text(f"They differ on {counted(len(found.differing), 'pairs')}{':' if limit else '.'}"))
        lines.append(_differing(page, found.differing[:limit]))
    return [Text("Do the annotators agree?", style=TITLE), *(Padding(line, (0, 0, 0, INDENT)) for line in lines)]


def _differing(page: Page, rows: list[ReportRow]) -> Table:
    grid = named_texts()
    cells = (page.width - 16) * LINES
    for i, row in enumerate(rows):
        if i:
            grid.add_row()
        said = ", ".join(
            f"{name}: {'relevant' if yes else 'not relevant'}" for name, yes in row["verdicts"].items()
        )
        grid.add_row("verdicts", page.text(said))
        grid.add_row("query", page.short(f"[{row['query_id']}]  {row['query']}", cells, TITLE))
        grid.add_row("passage", page.short(f"[{row['passage_id']}]  {row['passage']}", cells))
    return grid
