"""A Parquet file that is read from one row on, as it stands on the disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def batches(path: Path, where: Any, size: int, columns: Sequence[str] | None = None) -> "Iterator[pa.RecordBatch]":
    """Yield the rows of a Parquet file for which the pyarrow expression `where` holds, at most `size` at a time.

    Memory does not grow with what was read: as it comes, Arrow's scanner holds every chunk to the end of the scan.
    """
    import pyarrow.dataset as ds

    options = ds.ParquetFragmentScanOptions(pre_buffer=False)
    unbuffered = ds.ParquetFileFormat(default_fragment_scan_options=options)
    scanner = ds.dataset(path, format=unbuffered).scanner(
        columns=columns, filter=where, batch_size=size, batch_readahead=2, fragment_readahead=1
    )
    yield from scanner.to_batches()
