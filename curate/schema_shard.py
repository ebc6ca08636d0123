"""The shard without rows that each table has, which gives an empty table its columns."""

from pathlib import Path

from curate import sql_files
from curate.shards import Lineage, Manifest, publish, write_parquet

FORMAT = 7
"""The number of the tables' columns and their meaning: it rises when older tables cannot be used."""


def schema_shard(root: Path, table: str) -> Path:
    """Return the shard without rows of a table in the workspace `root`; create it if it is missing or damaged."""
    path = root / "tables" / table / "schema.parquet"
    manifest = Manifest.read(path)
    if not (manifest and manifest.is_intact(path)):
        schema, lineage = sql_files.schema(table), Lineage("create", "schema", {"format": FORMAT})
        publish(path, lambda target: write_parquet(target, [], schema), lineage)
    return path
