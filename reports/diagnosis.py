"""What `curate doctor` found, in a terminal: a line for each check, and below a red or yellow one what to do."""

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from curate.doctor.check import Check, Diagnosis, remarks

from .page import DIM, TITLE, Page

STYLES = {"green": "green", "yellow": "yellow", "red": "bold red", "not applicable": DIM}
SHOWN = {"not applicable": "-"}


def print_diagnosis(found: Diagnosis) -> None:
    """Print the diagnosis on stdout, subject by subject, and the verdict."""
    page = Page()
    for subject in found.subjects:
        page.print(page.text(f"{subject.kind}: {subject.name}", TITLE))
        page.print(*(Padding(page.text(line, DIM), (0, 0, 0, 2)) for line in subject.about))
        page.print(_table(page, subject.checks), Text())
    style = STYLES["red"] if found.red else STYLES["yellow"] if found.yellow else STYLES["green"]
    page.print(page.text(found.verdict, style))


def _table(page: Page, checks: list[Check]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(width=2)
    table.add_column(width=6, no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        style = STYLES[check.colour]
        body = Text.assemble(page.text(f"{check.name}:", style), " ", page.text(f"{check.found}."))
        for label, text in remarks(check):
            body.append_text(Text.assemble("\n", page.text(f"{label}:", TITLE), " ", page.text(f"{text}.")))
        table.add_row("", page.text(SHOWN.get(check.colour, check.colour), style), body)
    return table
