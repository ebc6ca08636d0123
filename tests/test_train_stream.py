"""Streaming reads from a file that may be larger than memory (train/parquet_stream.py)."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from curate.train.parquet_stream import record_batches

ROWS, A_GROUP = 2_000_000, 50_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a file of 16 MB of incompressible data in 40 row groups."""
    numbers = np.random.default_rng(0).integers(0, 2**63, ROWS)
    table = pa.table({"row_number": np.arange(ROWS), "value": numbers})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=A_GROUP)
    return tmp_path / "rows.parquet"


def test_rows_come_in_order_from_the_first_that_is_wanted(path: Path) -> None:
    """No batch is larger than requested, and none is missing."""
    found = list(record_batches(path, ds.field("row_number") >= 123_456, 1000, ["row_number"]))
    assert np.array_equal(np.concatenate([batch["row_number"] for batch in found]), np.arange(123_456, ROWS))
    assert max(batch.num_rows for batch in found) <= 1000
    assert found[0].schema.names == ["row_number"]


def test_memory_does_not_grow_with_what_was_read(path: Path) -> None:
    """Only a few row groups are in memory at a time, not the file."""
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in record_batches(path, ds.field("row_number") >= 0, 1000)]
    assert len(held) == ROWS // 1000
    assert max(held) < path.stat().st_size / 3
