"""Rows of raw values from Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.errors import BadInput
from curate.load.fields import Field, Unfit, locate
from curate.load.lines import Advance

ROWS = 4096


def parquet_columns(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns; raises BadInput if the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path}: damaged Parquet: {error}") from error


class ParquetRows:
    """The rows of a Parquet file with their numbers from 1; raises BadInput if a column is missing or repeated."""

    unended = False

    def __init__(self, path: Path, fields: tuple[Field, ...], advance: Advance) -> None:
        self.path = path
        self.advance = advance
        try:
            names = parquet_columns(path)
            self.places = locate(names, fields)
        except Unfit as unfit:
            raise BadInput(f"{path}: {unfit}") from unfit
        for place in self.places:
            if place and names.count(place) > 1:
                raise BadInput(f"{path}: found {names.count(place)} columns '{place}', expected one")

    def __iter__(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield (row number, raw values of the fields)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                share = self.path.stat().st_size / max(file.metadata.num_rows, 1)
                for batch in file.iter_batches(ROWS, columns=[place for place in self.places if place]):
                    yield from enumerate(self._rows(batch), number + 1)
                    number += len(batch)
                    self.advance(int(share * len(batch)))
        except (pa.ArrowException, OSError) as error:
            raise BadInput(f"{self.path}: damaged Parquet, after row {number}: {error}") from error

    def _rows(self, batch: Any) -> Iterator[tuple[Any, ...]]:
        nothing = [None] * len(batch)
        return zip(*(_cells(batch.column(place)) if place else nothing for place in self.places), strict=True)


def _cells(column: Any) -> list[Any]:
    """Return the Python values of a column, as bytes if a string is not UTF-8, so that the checks reject it."""
    import pyarrow as pa

    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return list(column.cast(pa.large_binary()).to_pylist())
