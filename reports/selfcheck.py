"""What `curate selfcheck` found, in a terminal: recall and cost with their intervals and bounds."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from curate import judges
from curate.counted import counted
from curate.selfcheck import ABOVE, BELOW, SelfCheck

from .figures import number, percent, span
from .page import DIM, TITLE, Page
from .report_rows import ReportRow

GAP, INDENT = 2, 2
HEADS = {
    "recall": "Recall: relevant candidates that denoising takes out of the negatives",
    "cost": "Cost: true negatives that it takes out with them",
    "precision": "Precision: the share of what it takes out that is relevant",
}
PAIRS = {
    "hidden": "hidden positives",
    "judged": "judged not relevant",
    "unlabelled": "unlabelled candidates",
    "random": "random passages",
    "sample": "verdicts on a sample",
}
MEANS = {
    "upper bound": "at most",
    "opinion": "judge says",
    "measured": "",
    "estimate": "",
}
LEAST_NEEDED = ("queries", "pairs", "judged")
CURVE = (
    "One row per value of negative_below; '*' is the one in force. 'cost at most' is the share of the unlabelled "
    "candidates that it takes out, 'judged' that of those that people judged not relevant. To use a value: "
    "curate cutoffs set NAME --negative-below VALUE"
)
CAPTION = (
    "Intervals hold 95 %, by query: they tell how much a share would vary with other queries. 'at most' is a "
    "bound, and no measurement: it takes every unlabelled candidate for a true negative, and holds if denoising "
    "takes out relevant ones at least as often as others. 'judge says' is what the scorer's calibrated "
    "probabilities make of it. Random passages are easier than candidates."
)


def print_selfcheck(found: SelfCheck) -> None:
    """Print the figures on stdout."""
    page = Page()
    page.print(page.text(about(found)), *(page.text(line) for line in hidden(found)))
    for what, head in HEADS.items():
        if rows := [row for row in found.figures if row["what"] == what]:
            page.print(Text(), Text(head, style=TITLE), _indented(_figures(page, rows)))
    if found.by_cutoff:
        page.print(Text(), Text("Per cutoff", style=TITLE), _indented(_curve(page, found.by_cutoff)))
        page.print(page.text(CURVE, DIM))
    page.print(Text(), page.text(CAPTION, DIM), *(page.text(note, DIM) for note in found.notes))


def about(found: SelfCheck) -> str:
    """Return what was checked, in words."""
    row = found.cutoffs
    return (
        f"Self-check of the top {row['depth']} of run {found.run_id}, by cutoffs '{row['name']}' of "
        f"{judges.in_words(row)}: a candidate is taken out of the negatives unless it is below {row[BELOW]:.6g}, "
        f"and found relevant above {row[ABOVE]:.6g}."
    )


def hidden(found: SelfCheck) -> Iterator[str]:
    """Yield what was hidden and what became of it, a line each."""
    counts, depth = found.counts, found.cutoffs["depth"]
    of = counted(counts["queries"], "queries")
    stay = f" {counts['kept']:,} stay labelled." if counts["kept"] else ""
    yield (
        f"Hidden: {counted(counts['hidden'], 'labelled positives')} of {of}. Of several positives of a query one "
        f"stays; a query with a single one loses it.{stay}"
    )
    yield f"{number(counts['counted'])} of them are in the top {depth} and scored. On these recall rests."
    if counts["not_found"]:
        deeper = f", {counts['beyond']:,} of them at deeper ranks" if counts["beyond"] else ""
        yield f"{number(counts['not_found'])} are not in the top {depth}{deeper}: denoising never sees them."
    if counts["by_text"]:
        yield (
            f"{number(counts['by_text'])} are known without a score, by the text of the query or of a positive "
            "that stays. Recall leaves them out."
        )
    if counts["unscored"]:
        yield f"{number(counts['unscored'])} are unscored: unknown, and neither found nor taken for a negative."
    if counts["seen"]:
        seen = counted(counts["seen_queries"], "queries")
        yield (
            f"Not counted: {counted(counts['seen'], 'positives')} of {seen} that trained the scorer, which knows "
            "them by heart."
        )
    if counts["not_mined"]:
        lost = counted(counts["not_mined"], "positives")
        yield f"Not counted: {lost} of queries without a candidate in this run."


def _indented(shown: RenderableType) -> Padding:
    return Padding(shown, (0, 0, 0, INDENT), expand=False)


def _figures(page: Page, rows: list[ReportRow]) -> Table:
    cells = [
        {
            "": row["part"] if row["part"] != "all" else PAIRS[row["of"]],
            "cutoff": f"{'not below' if row['cutoff'] == BELOW else 'above'} {row['at']:.6g}",
            " ": MEANS[row["means"]],
            "share": percent(row["value"]),
            "95 % interval": span(row["low"], row["high"]),
            "pairs": number(row["pairs"]),
            "queries": number(row["queries"]),
        }
        for row in rows
    ]
    return _table(page, cells, left=("", "cutoff", " "))


def _curve(page: Page, rows: list[ReportRow]) -> Table:
    cells = [
        {
            "below": f"{'* ' if row['in_force'] else ''}{row[BELOW]:.6g}",
            "recall": percent(row["recall"]),
            "95 % interval": span(row["low"], row["high"]),
            "cost at most": percent(row["unlabelled"]),
            "judged": percent(row["judged"]),
        }
        for row in rows
    ]
    if all(row["judged"] is None for row in rows):
        for row in cells:
            del row["judged"]
    return _table(page, cells, left=())


def _table(page: Page, cells: list[dict[str, str]], left: Sequence[str]) -> Table:
    """Return a table. Columns that are needed least are left out if there is no room for them."""
    widths = {head: max(map(cell_len, [head, *(row[head] for row in cells)])) + GAP for head in cells[0]}
    for head in LEAST_NEEDED:
        if head in widths and sum(widths.values()) - GAP > page.width - INDENT:
            del widths[head]
    grid = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style=DIM)
    for head, width in widths.items():
        justify = "left" if head in left else "right"
        grid.add_column(head, justify=justify, width=width - GAP, overflow="fold")  # type: ignore[arg-type]
    for row in cells:
        grid.add_row(*(page.text(row[head]) for head in widths))
    return grid
