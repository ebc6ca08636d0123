"""Rows of raw values from Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.load.table_rows import ROWS, TableRows


class ParquetRows(TableRows):
    """The rows of a Parquet file with their numbers from 1; raises BadInput if a column is missing or repeated."""

    form = "Parquet"

    @staticmethod
    def _names(path: Path) -> list[str]:
        import pyarrow.parquet as pq

        return list(pq.read_schema(path).names)

    def _batches(self, places: list[str]) -> Iterator[Any]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            share = self.path.stat().st_size / max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(ROWS, columns=places):
                yield batch
                self.advance(int(share * len(batch)))
