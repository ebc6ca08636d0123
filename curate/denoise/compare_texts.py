"""Compares the texts of a run's candidates with those of their query's positives, which scoring cannot tell apart.

A copy of a positive that nobody labelled is no negative. The view `duplicates` knows the exact copies. For the
others, the table `resemblances` has how far they resemble, and the cutoffs say from where on that is a duplicate.
"""

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from curate import sql_files
from curate.errors import NotAvailable
from curate.job_record import Record
from curate.jobs import Job, table_digest
from curate.progress import SILENT, Progress
from curate.shards import digest
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from curate.check.resemblance import Keys

COMPARE = "compare"
"""The stage of such a job."""
LEAST = 0.5
"""Pairs that resemble each other less are not kept; the lowest value of `duplicate_above`."""
BLOCK = 1 << 19
"""Pairs in a shard. The outlines of their texts take at most 300 MB."""
BATCH = 4096  # texts that are looked at together
LABELS = ("queries", "qrels", "annotations", "claims", "own_copies")
"""The tables that say which passages are positives."""


def compare_with_positives(workspace: Workspace, run_id: str, depth: int, progress: Progress = SILENT) -> int:
    """Compare the top `depth` of a run with the positives of its queries; return the pairs that were compared.

    Pairs that were compared before, in this run or another one, are not compared again. An interruption loses at
    most one shard of 524,288 pairs.
    """
    job = _job(workspace, run_id, depth)
    with _reading(job) as connection:
        if not sql_files.select(connection, "score/compared", **job.settings).fetchall():
            return 0
        return _compare(job, connection, progress)


def compare_again(workspace: Workspace, record: Record, progress: Progress) -> None:
    """Compare the pairs of a job once more, in the workspace as it was then; raises NotAvailable if it changed."""
    job = _job(workspace, record.settings["run"], record.settings["depth"])
    if job.name != record.job:
        raise NotAvailable(f"run {record.settings['run']} or its labels are not what they were")
    with _reading(job) as connection:
        _compare(job, connection, progress)


def _job(workspace: Workspace, run_id: str, depth: int) -> Job:
    inputs = {
        "candidates": table_digest(workspace, "candidates", of_jobs=[run_id]),
        **{table: table_digest(workspace, table) for table in LABELS},
    }
    settings = {"run": run_id, "depth": depth}
    return Job(workspace, COMPARE, f"{COMPARE}-{run_id}-{digest(settings, inputs)[:8]}", settings, inputs)


@contextmanager
def _reading(job: Job) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open a connection that has the positives that are not compared as `uncompared`."""
    with job.workspace.connect_lazily() as connection:
        sql_files.execute(connection, "score/uncompared", **job.settings)
        yield connection


def _compare(job: Job, connection: "duckdb.DuckDBPyConnection", progress: Progress) -> int:
    """Write what is not compared yet, in shards, and the record; return the number of pairs."""
    sql_files.execute(connection, "score/pairs_to_compare", size=BLOCK, **job.settings)
    blocks = sql_files.select(connection, "score/blocks_to_compare").fetchall()
    total = sum(int(pairs) for _, pairs in blocks)
    with progress.task(f"comparing {job.settings['run']} with positives", total, "pairs") as advance:
        for block, pairs in blocks:
            job.write("resemblances", block, partial(_resembling, connection, block))
            advance(pairs)
    compared = sql_files.select(connection, "score/compared", **job.settings).to_arrow_table()
    job.write("compared", 0, lambda: [compared])
    job.finish(run=job.settings["run"], pairs=total)
    return total


def _resembling(connection: "duckdb.DuckDBPyConnection", block: int) -> "Iterator[pa.Table]":
    """Yield the rows of a shard of `resemblances`."""
    import numpy as np
    import pyarrow as pa

    from curate.check.resemblance import resemblances

    def texts_of(keys: "Keys") -> "Iterator[list[str]]":
        connection.register("wanted", pa.table({"passage_key": keys}))
        for batch in sql_files.select(connection, "score/passages").to_arrow_reader(BATCH):
            yield batch.column("text").to_pylist()

    pairs = sql_files.select(connection, "score/block_to_compare", block=block).fetchnumpy()
    found = np.array(
        list(resemblances(pairs["positive_key"], pairs["passage_key"], texts_of, LEAST)),
        [("positive_key", np.int32), ("passage_key", np.int32), ("resemblance", np.float32)],
    )
    yield pa.table({name: np.ascontiguousarray(found[name]) for name in found.dtype.names or ()})
