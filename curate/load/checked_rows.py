"""The checked rows of one input file, and the rows that are rejected."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from curate.errors import BadInput
from curate.load.csv_records import Records
from curate.load.fields import FIELDS, OtherForm, Unfit
from curate.load.input_files import Input
from curate.load.line_formats import JsonLines, columns, is_json
from curate.load.lines import BLANK, Advance, Lines, first_line, head
from curate.load.llama_index import LlamaIndexRows, is_llama_index
from curate.load.shown import file_name, shown
from curate.load.table_rows import TableRows
from curate.load.tables import table_reader
from curate.load.value_checks import CHECKS

CheckedRow = tuple[str, int, tuple[Any, ...]]
"""The file, the line number from 1, and the checked values."""

Source = Lines | Records | TableRows | LlamaIndexRows

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

    Raises BadInput for a file of a form that no reader knows, or that has no rows.
    """
    check = CHECKS[file.kind](file)
    source, parse, first = _opened(file, advance)
    name, empty = file_name(file.path), True
    for line, raw in source:
        if line < first or raw in BLANK:
            continue
        empty = False
        try:
            values = check(parse(raw))
        except OtherForm as form:
            raise BadInput(str(form), file=shown(file.path), line=line) from form
        except Unfit as unfit:
            cut = " (the last line, which has no line end: is the file cut off?)" if source.unended else ""
            refuse(name, line, f"{unfit}{cut}", beginning(raw), unfit.query_id, file.split)
        else:
            yield name, line, values
    if empty:
        raise BadInput(f"no rows, expected {file.kind}", file=shown(file.path))


def _opened(file: Input, advance: Advance) -> tuple[Source, Callable[[Any], Any], int]:
    """Return the source of the raw rows, the function that parses one, and the line number of the first row."""
    fields = FIELDS[file.kind]
    start = head(file.path)
    table = table_reader(start)
    if table:
        return table(file.path, fields, advance), list, 1
    if is_llama_index(start):
        return LlamaIndexRows(file.path, file.kind, advance), list, 1
    lines = Lines(file.path, advance)
    if is_json(file.path, start):
        return lines, JsonLines(fields), 1
    layout = columns(file.kind, file.path, start)
    number, _first = first_line(start)
    return Records(lines, layout.csv) if layout.csv else lines, layout.parse, number + layout.header


def beginning(raw: Any) -> str:
    """Return the beginning of a raw row, as text."""
    if isinstance(raw, bytes):
        return raw[: 4 * BEGINNING].decode("utf-8", "backslashreplace")[:BEGINNING]
    return "\t".join(str(value)[:BEGINNING] for value in raw if value is not None)[:BEGINNING]
