"""The training groups of a cross-encoder, drawn by SQL, written once with their texts, and read step by step."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from curate import sql_files
from curate.config import TrainCrossEncoder
from curate.judge_split import open_queries
from curate.shards import Lineage, Manifest, done, publish
from curate.workspace import Workspace

from .parquet_stream import record_batches, write_stream

Pair = dict[str, Any]
"""A row of sql/train/pairs.sql: group_number, slot, kind, the ids and the texts."""

PAIRS_A_READ = 1024
EPOCHS, FEWEST_GROUPS, MOST_EPOCHS = 3, 400, 20
"""By default, epochs go on to this many groups with few queries, but never beyond this many epochs."""


@dataclass(frozen=True)
class Counts:
    """The number of train queries that can form groups, and of those with a positive but without a negative."""

    queries: int
    skipped: int


def capped(settings: TrainCrossEncoder, queries: int) -> TrainCrossEncoder:
    """Return the settings with as many groups as the epochs over `queries` allow."""
    most = max(EPOCHS * queries, min(FEWEST_GROUPS, MOST_EPOCHS * queries))
    if settings.epochs is not None:
        most = settings.epochs * queries
    return settings.model_copy(update={"groups": min(settings.groups, most)})


def count_queries(
    workspace: Workspace, run_id: str, seed: int, left_out: Sequence[int] = (), earlier: str | None = None
) -> Counts:
    """Return the counts of a run's queries without those `left_out`; raises BadSettings if none forms a group."""
    with workspace.connect_lazily() as connection:
        return Counts(*open_queries(connection, run_id, seed, left_out, earlier))


def write_groups(
    workspace: Workspace,
    path: Path,
    run_id: str,
    settings: TrainCrossEncoder,
    seed: int,
    lineage: Lineage,
    left_out: Sequence[int] = (),
) -> Manifest:
    """Write the pairs of all groups to the Parquet file `path` unless it is done; return its manifest.

    left_out: queries that are not trained on. The file holds the texts, so training never has to look them up in
    the collection. DuckDB bounds the memory.
    """
    return done(path, lineage) or publish(
        path, lambda target: _write(workspace, target, run_id, settings, seed, left_out), lineage
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


def _write(
    workspace: Workspace,
    target: Path,
    run_id: str,
    settings: TrainCrossEncoder,
    seed: int,
    left_out: Sequence[int],
) -> int:
    with workspace.connect_lazily() as connection:
        counts = Counts(*open_queries(connection, run_id, seed, left_out, settings.leave_out))
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
