"""Shards that count although no record names them yet.

A shard of the ledger counts as soon as it is written, because each shard holds complete answers. The models that
gave the scores count with it. Other shards count once their job has a record, so that no reader sees half a run.
"""

from pathlib import Path

from curate.shards import Manifest, Shard

COUNTED_AT_ONCE = ("scores", "models")


def unnamed_shards(root: Path, table: str, named: list[Shard]) -> list[Shard]:
    """Return the shards of a table that no record names and that count. One that is not whole is made again."""
    if table not in COUNTED_AT_ONCE:
        return []
    known = {shard.path for shard in named}
    paths = sorted(path for path in (root / "tables" / table).glob("*/*.parquet") if path not in known)
    manifests = ((path, Manifest.read(path)) for path in paths)
    return [
        Shard(path, made.sha256)
        for path, made in manifests
        if made and made.lineage.job == path.parent.name and made.is_intact(path)
    ]
