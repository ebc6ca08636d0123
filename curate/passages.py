"""The passages of a workspace: their shards, and the text of each passage as a model reads it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate import sql_files
from curate.errors import StepMissing
from curate.shards import Manifest
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class PassageShard:
    """A shard of passages."""

    path: Path
    rows: int
    sha256: str


def passage_shards(workspace: Workspace) -> list[PassageShard]:
    """Return the shards that hold passages, in the order of the keys; raises BadSettings if there are none."""
    shards = [
        PassageShard(path, manifest.rows, manifest.sha256)
        for path in workspace.shards("passages")
        if (manifest := Manifest.read(path)) and manifest.rows
    ]
    if not shards:
        raise StepMissing(f"{workspace.root} holds no passages yet", run="curate load COLLECTION")
    return shards


def passages(connection: "duckdb.DuckDBPyConnection", shards: Iterable[PassageShard]) -> Iterator[tuple[int, str]]:
    """Yield (passage_key, title and text) of the passages in shards, with one batch in memory at a time."""
    for shard in shards:
        connection.read_parquet([str(shard.path)]).create_view("passage_shard", replace=True)
        reader = sql_files.select(connection, "workspace/passages").to_arrow_reader(8192)
        for batch in reader:
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
