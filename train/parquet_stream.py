"""Parquet files that are written and read as streams."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def write_stream(path: Path, rows: "pa.RecordBatchReader", counts: Mapping[str, int]) -> int:
    """Write rows to a Parquet file, with `counts` in the metadata of its schema; return the number of rows."""
    import pyarrow.parquet as pq

    kept = {name: str(count) for name, count in counts.items()}
    written = 0
    with pq.ParquetWriter(path, rows.schema.with_metadata(kept), compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch.replace_schema_metadata(kept))
            written += batch.num_rows
    return written


def record_batches(
    path: Path, where: Any, size: int, columns: Sequence[str] | None = None
) -> "Iterator[pa.RecordBatch]":
    """Yield the rows of a Parquet file that satisfy the pyarrow expression `where`, at most `size` at a time.

    Memory does not grow with the rows that were read. (With its default options, Arrow's scanner would keep every
    chunk until the end of the scan.)
    """
    import pyarrow.dataset as ds

    options = ds.ParquetFragmentScanOptions(pre_buffer=False)
    unbuffered = ds.ParquetFileFormat(default_fragment_scan_options=options)
    scanner = ds.dataset(path, format=unbuffered).scanner(
        columns=columns, filter=where, batch_size=size, batch_readahead=2, fragment_readahead=1
    )
    yield from scanner.to_batches()
