"""Tables of arbitrary rows that fit the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.table import Table

from .page import TITLE, Page

GAP = 2
NARROWEST = 12
MORE = 14  # cells of the column that says how many columns were dropped


def table(page: Page, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return a table of `rows`. Numbers are aligned right, and long values are cut.

    Columns for which there is no room are dropped; a last column then says how many.
    """
    shown = [[page.short(value, page.width).plain for value in row] for row in rows]
    heads = [page.short(name, page.width).plain for name in columns]
    widths = [max(map(cell_len, [head, *(row[i] for row in shown)])) for i, head in enumerate(heads)]
    fitted = fit(widths, page.width)
    drawn = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style=TITLE)
    for i, cells in enumerate(fitted):
        numeric = any(row[i] for row in shown) and all(_is_number(row[i]) for row in shown)
        drawn.add_column(page.short(heads[i], cells), justify="right" if numeric else "left", no_wrap=True)
    left_out = len(columns) - len(fitted)
    if left_out:
        drawn.add_column(f"+{left_out} columns", no_wrap=True)
    for row in shown:
        drawn.add_row(*(page.short(value, cells) for value, cells in zip(row, fitted, strict=False)))
    return drawn


def all_fit(page: Page, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a table of these rows has room for all of its columns, with no value cut."""
    names = list(rows[0]) if rows else []
    widths = [
        max(cell_len(str(value)) for value in [name, *(_plain(row[name]) for row in rows)]) for name in names
    ]
    return sum(widths) + GAP * len(widths) <= page.width - GAP


def records(page: Page, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of rows that are dictionaries with the same keys."""
    columns = list(rows[0]) if rows else []
    return table(page, columns, [[_plain(row[name]) for name in columns] for row in rows])


def fit(widths: Sequence[int], width: int) -> list[int]:
    """Return the width of each column in cells. The widest shrink first; columns without room are left out."""
    kept, room = len(widths), width
    while kept > 1 and sum(min(cells, NARROWEST) + GAP for cells in widths[:kept]) > room:
        kept, room = kept - 1, width - MORE
    room -= GAP * kept
    cap = next(cap for cap in range(width, 0, -1) if cap == 1 or sum(min(w, cap) for w in widths[:kept]) <= room)
    return [min(cells, cap) for cells in widths[:kept]]


def _is_number(value: str) -> bool:
    try:
        float(value.replace(",", "") or 0)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table of `rows` on stdout."""
    page = Page()
    page.print(table(page, columns, rows))
