"""What `curate selfcheck` found, in a terminal: recall and cost with their intervals and bounds."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from curate import judges
from curate.selfcheck import ABOVE, BELOW, SelfCheck, in_words

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
MEANS = {"lower bound": "at least", "upper bound": "at most", "opinion": "judge says", "measured": "", "estimate": ""}
LEAST_NEEDED = ("queries", "pairs")
CURVE = (
    "One row per value of negative_below; '*' is the one in force. 'at most': the share of the unlabelled candidates that it "
    "takes out. Nothing else of the cost is known where nobody judged candidates. To use a value: curate cutoffs set NAME "
    "--negative-below VALUE"
)
CAPTION = (
    "Intervals hold 95 %, by query: they tell how much a share would vary with other queries. What follows 'at least' or "
    "'at most' is a bound, and no measurement. 'judge says' is the scorer's own opinion of the unlabelled candidates, by its "
    "calibrated probabilities. A precision of 'at least' counts every unlabelled candidate as not relevant, and hidden "
    "positives as part of the candidates."
)


def print_selfcheck(found: SelfCheck) -> None:
    """Print the figures on stdout."""
    page, row = Page(), found.cutoffs
    page.print(
        page.text(
            f"Self-check of run {found.run_id}, top {row['depth']}, by cutoffs '{row['name']}' of {judges.in_words(row)}: "
            f"taken out are candidates not below {row[BELOW]:g}, and found as relevant those above {row[ABOVE]:g}."
        )
    )
    page.print(*(page.text(line) for line in in_words(found)))
    for what, head in HEADS.items():
        if rows := [row for row in found.figures if row["what"] == what]:
            page.print(Text(), Text(head, style=TITLE), _indented(_figures(page, rows)))
    if found.by_cutoff:
        page.print(Text(), Text("Per cutoff", style=TITLE), _indented(_curve(page, found.by_cutoff)))
        page.print(_indented(page.text(CURVE, DIM)))
    page.print(Text(), page.text(CAPTION, DIM), *(page.text(note, DIM) for note in found.notes))


def _indented(shown: RenderableType) -> Padding:
    return Padding(shown, (0, 0, 0, INDENT), expand=False)


def _figures(page: Page, rows: list[ReportRow]) -> Table:
    cells = [
        {
            "": row["part"] if row["part"] != "all" else PAIRS[row["of"]],
            "cutoff": f"{'not below' if row['cutoff'] == BELOW else 'above'} {row['at']:g}",
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
            "negative_below": f"{'* ' if row['in_force'] else ''}{row[BELOW]:g}",
            "recall": percent(row["recall"]),
            "95 % interval": span(row["low"], row["high"]),
            "cost at most": percent(row["unlabelled"]),
            "judged": percent(row["judged"]),
            "precision at least": percent(row["precision"]),
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
