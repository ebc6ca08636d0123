"""The training groups of a cross-encoder, drawn by SQL, written once with their texts, and read step by step."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.config import TrainCrossEncoder
from curate.errors import BadSettings
from curate.shards import Lineage, Manifest, done, publish
from curate.workspace import Workspace

from .parquet_stream import record_batches, write_stream

if TYPE_CHECKING:
    import duckdb

Pair = dict[str, Any]
"""A row of sql/train/pairs.sql: group_number, slot, kind, the ids and the texts."""

PAIRS_A_READ = 1024


@dataclass(frozen=True)
class Counts:
    """The number of train queries that can form groups, and of those with a positive but without a negative."""

    queries: int
    skipped: int


def count_queries(workspace: Workspace, run_id: str, seed: int) -> Counts:
    """Return the query counts of a run; raises BadSettings if no query can form a group."""
    with workspace.connect_lazily() as connection:
        return _open_queries(connection, run_id, seed)


def write_groups(
    workspace: Workspace, path: Path, run_id: str, settings: TrainCrossEncoder, seed: int, lineage: Lineage
) -> Manifest:
    """Write the pairs of all groups to the Parquet file `path` unless it is done; return its manifest.

    The file holds the texts, so training never has to look them up in the collection. DuckDB bounds the memory.
    """
    return done(path, lineage) or publish(
        path, lambda target: _write(workspace, target, run_id, settings, seed), lineage
    )


def counts_in(path: Path) -> Counts:
    """Return the counts that `write_groups` stored in the file at `path`."""
    import pyarrow.parquet as pq

    kept = pq.read_schema(path).metadata
    return Counts(int(kept[b"queries"]), int(kept[b"skipped"]))


def read_batches(path: Path, size: int, first: int = 0) -> Iterator[tuple[int, list[Pair]]]:
    """Yield (step, pairs) for each batch of `size` groups, starting at batch `first`."""
    import pyarrow.dataset as ds

    groups = record_batches(path, ds.field("group_number") >= first * size, PAIRS_A_READ)
    pairs = (pair for batch in groups for pair in batch.to_pylist())
    for step, members in groupby(pairs, key=lambda pair: pair["group_number"] // size):
        yield step, list(members)


def _open_queries(connection: "duckdb.DuckDBPyConnection", run_id: str, seed: int) -> Counts:
    sql_files.execute(connection, "train/negatives")
    sql_files.execute(connection, "train/queries", run=run_id, seed=seed)
    [(queries, skipped)] = sql_files.select(connection, "train/query_counts").fetchall()
    if not queries:
        why = (
            f"{skipped} have no candidate that could be a negative" if skipped else "none has a labelled positive"
        )
        raise BadSettings(
            f"nothing to train on in run {run_id}: among its queries in the split train, {why}. "
            "Load qrels for the split train, or run: curate mine --split train --depth 100"
        )
    return Counts(queries, skipped)


def _write(workspace: Workspace, target: Path, run_id: str, settings: TrainCrossEncoder, seed: int) -> int:
    with workspace.connect_lazily() as connection:
        counts = _open_queries(connection, run_id, seed)
        sql_files.execute(
            connection,
            "train/groups",
            run=run_id,
            seed=seed,
            groups=settings.groups,
            easy=round(settings.groups * settings.easy_share),
            negatives=settings.negatives,
            uniform=settings.uniform,
        )
        pairs = sql_files.select(connection, "train/pairs").to_arrow_reader(PAIRS_A_READ)
        return write_stream(target, pairs, asdict(counts))
