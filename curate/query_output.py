"""Writers for the rows of a query, in the requested format, with one batch in memory at a time."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from curate import sql_files
from curate.shards import whole_file, write_parquet

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from _typeshed import SupportsWrite

SCHEMA = 2
"""The number at the end of every JSON schema. It rises when a field is renamed or removed."""
BATCH = 10_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_file(result: "duckdb.DuckDBPyRelation", form: str, path: Path, *, raw: bool = False) -> None:
    """Write the rows to `path` as parquet, csv, json or ndjson; a file appears complete or not at all.

    A symbolic link stays, and the file that it names is written. A device or a pipe is written to as it is.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            write_stream(result, form, stream, raw=raw)
        return
    with whole_file(path.resolve()) as temporary, temporary.open("wb") as stream:
        write_stream(result, form, stream, raw=raw)


def write_stream(result: "duckdb.DuckDBPyRelation", form: str, stream: BinaryIO, *, raw: bool = False) -> None:
    """Write the rows to an open binary stream as parquet, csv, json or ndjson."""
    if form == "parquet":
        reader = result.to_arrow_reader(BATCH)
        write_parquet(stream, reader, reader.schema)
        return
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        write_text(result, form, text, raw=raw)
    finally:
        text.detach()  # the stream belongs to the caller


def write_text(
    result: "duckdb.DuckDBPyRelation", form: str, stream: "SupportsWrite[str]", *, raw: bool = False
) -> None:
    """Write the rows as csv (one header line), json (one array) or ndjson (one object per line)."""
    if form == "csv":
        rows = text_rows(result)  # a query that fails should fail before the header is written
        write_csv(result.columns, rows, stream, raw=raw)
        return
    lines = json_lines(result)
    before, between, after = ("[\n", ",\n", "\n]\n") if form == "json" else ("", "\n", "\n")
    stream.write(before)
    wrote = False
    for line in lines:
        stream.write(between + line if wrote else line)
        wrote = True
    stream.write(after if wrote or form == "json" else "")


def write_csv(
    columns: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    stream: "SupportsWrite[str]",
    *,
    raw: bool = False,
) -> None:
    """Write a header line and the rows; without columns nothing. No cell is a formula, unless `raw`."""
    writer = csv.writer(stream, lineterminator="\n")
    if columns:
        writer.writerow([_cell(name, raw) for name in columns])
    writer.writerows([_cell(value, raw) for value in row] for row in rows)


def cells(row: Mapping[str, Any]) -> list[str | None]:
    """Return the values of a row as cells of a table: text as it is, null as None, the rest as JSON."""
    return [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        for value in row.values()
    ]


def text_rows(result: "duckdb.DuckDBPyRelation") -> Iterator[tuple[str | None, ...]]:
    """Return the rows with every value in DuckDB's notation; null is None. The query starts immediately."""
    batches = _batches(result, "workspace/as_text")
    return (
        row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )


def plan(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str | None:
    """Return the text of an EXPLAIN, or None for the rows of any other query, which are not read then."""
    if list(columns) != ["explain_key", "explain_value"]:
        return None
    return "".join(str(row[1]) for row in rows).rstrip("\n")


def json_lines(result: "duckdb.DuckDBPyRelation") -> Iterator[str]:
    """Return the rows as JSON objects; NaN and infinity become null. The query starts immediately."""
    batches = _batches(result, "workspace/as_json")
    lines = (line for batch in batches for line in batch.column(0).to_pylist())
    return (_strict(line) if "NaN" in line or "Infinity" in line else line for line in lines)


def _batches(result: "duckdb.DuckDBPyRelation", path: str) -> "pa.RecordBatchReader":
    rewritten = result.query("result", sql_files.text(path))
    assert rewritten is not None  # DuckDB returns None only for statements without rows
    return rewritten.to_arrow_reader(BATCH)


def _strict(line: str) -> str:
    return json.dumps(json.loads(line, parse_constant=lambda _: None), ensure_ascii=False)


def _cell(value: str | None, raw: bool) -> str | None:
    """Return a cell that no spreadsheet interprets as a formula, or the value itself if `raw`."""
    if raw or value is None or not value.startswith(FORMULA) or _is_number(value):
        return value
    return "'" + value


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
