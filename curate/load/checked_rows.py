"""The checked rows of one input file, and the rows that are rejected."""

from collections.abc import Iterator
from typing import Any, Protocol

from curate.errors import BadInput
from curate.load.fields import FIELDS, Unfit
from curate.load.input_files import Input
from curate.load.line_formats import JsonLines, columns, is_json
from curate.load.lines import BLANK, PARQUET, Advance, Lines, first_line, head
from curate.load.parquet_rows import ParquetRows
from curate.load.value_checks import CHECKS

CheckedRow = tuple[str, int, tuple[Any, ...]]
"""The file, the line number from 1, and the checked values."""

BEGINNING = 120


class Refuse(Protocol):
    """A function that records a row that cannot be loaded."""

    def __call__(
        self, file: str, line: int, reason: str, text: str, query_id: str | None = None, split: str | None = None
    ) -> None:
        """Record the row; `line` counts from 1, and `text` is the beginning of the row.

        query_id: the query that the row names, if it could be read. split: the split of the row's file.
        """
        ...


def rows(file: Input, refuse: Refuse, advance: Advance) -> Iterator[CheckedRow]:
    """Yield every valid row of a file, and pass the other rows to `refuse`.

    Raises BadInput for a file that is neither text nor Parquet, or that has no rows.
    """
    check = CHECKS[file.kind](file)
    source, parse, first = _opened(file, advance)
    name, empty = str(file.path), True
    for line, raw in source:
        if line < first or raw in BLANK:
            continue
        empty = False
        try:
            values = check(parse(raw))
        except Unfit as unfit:
            cut = " (the last line, which has no line end: is the file cut off?)" if source.unended else ""
            refuse(name, line, f"{unfit}{cut}", beginning(raw), unfit.query_id, file.split)
        else:
            yield name, line, values
    if empty:
        raise BadInput(f"{file.path}: no rows, expected {file.kind}")


def _opened(file: Input, advance: Advance) -> tuple[Lines | ParquetRows, Any, int]:
    """Return the source of the raw rows, the function that parses one, and the line number of the first row."""
    fields = FIELDS[file.kind]
    start = head(file.path)
    if start.startswith(PARQUET):
        return ParquetRows(file.path, fields, advance), list, 1
    lines = Lines(file.path, advance)
    if is_json(file.path, start):
        return lines, JsonLines(fields), 1
    number, first = first_line(start)
    parse, header = columns(file.kind, file.path, number, first)
    return lines, parse, number + 1 if header else number


def beginning(raw: Any) -> str:
    """Return the beginning of a raw row, as text."""
    if isinstance(raw, bytes):
        return raw[: 4 * BEGINNING].decode("utf-8", "backslashreplace")[:BEGINNING]
    return "\t".join(str(value)[:BEGINNING] for value in raw if value is not None)[:BEGINNING]
