"""Tables of arbitrary rows that fit the terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from .page import TITLE, Page

if TYPE_CHECKING:
    from rich.console import JustifyMethod

GAP = 2
NARROWEST = 12
ID = re.compile(r"(\A|_)(ids?|run|cutoffs|job|name)\Z")
"""Columns whose values name something."""
MORE = 14  # cells of the column that says how many columns were dropped


def table(page: Page, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return a table of `rows`. Numbers are aligned right. Long values are cut, except ids, which people copy.

    Names of columns are whole. Columns for which there is no room are dropped; a last column then says how many.
    """
    ids = {i for i, name in enumerate(columns) if ID.search(name)}
    shown = [
        [_shown(page, value, page.width, whole=i in ids).plain for i, value in enumerate(row)] for row in rows
    ]
    heads = [page.short(name, page.width).plain for name in columns]
    widths = [max(map(cell_len, [head, *(row[i] for row in shown)])) for i, head in enumerate(heads)]
    least = [
        cells if i in ids else max(min(cells, NARROWEST), cell_len(head))
        for i, (cells, head) in enumerate(zip(widths, heads, strict=True))
    ]
    fitted = fit(widths, page.width, least)
    drawn = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style=TITLE)
    for i, cells in enumerate(fitted):
        numeric = any(row[i] for row in shown) and all(_is_number(row[i]) for row in shown)
        justify: JustifyMethod = "right" if numeric else "left"
        head = page.short(heads[i], cells)
        drawn.add_column(head, justify=justify, no_wrap=i not in ids, overflow="fold" if i in ids else "ellipsis")
    left_out = len(columns) - len(fitted)
    if left_out:
        drawn.add_column(f"+{left_out} columns", no_wrap=True)
    for row in shown:
        places = enumerate(zip(row, fitted, strict=False))
        drawn.add_row(*(_shown(page, value, cells, whole=i in ids) for i, (value, cells) in places))
    return drawn


def _shown(page: Page, value: Any, cells: int, *, whole: bool) -> Text:
    return page.text(value) if whole else page.short(value, cells)


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


def fit(widths: Sequence[int], width: int, least: Sequence[int]) -> list[int]:
    """Return the width of each column in cells. The widest shrink first; columns without room are left out.

    least: the width below which a column does not shrink.
    """
    kept, room = len(widths), width
    while kept > 1 and sum(least[:kept]) + GAP * kept > room:
        kept, room = kept - 1, width - MORE
    room -= GAP * kept

    def shrunk(cap: int) -> list[int]:
        return [max(min(cells, cap), low) for cells, low in zip(widths[:kept], least, strict=False)]

    return shrunk(next((cap for cap in range(width, 0, -1) if sum(shrunk(cap)) <= room), 1))


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
