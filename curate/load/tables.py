"""The readers of files of typed columns, by the first bytes of a file."""

from curate.load.arrow_rows import ArrowRows
from curate.load.lines import ARROW, PARQUET
from curate.load.parquet_rows import ParquetRows
from curate.load.table_rows import TableRows


def table_reader(start: bytes) -> type[TableRows] | None:
    """Return the reader of a file that begins with these bytes, or None if it is neither Parquet nor Arrow."""
    if start.startswith(PARQUET):
        return ParquetRows
    return ArrowRows if start.startswith(ARROW) else None
