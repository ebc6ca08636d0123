"""`curate rebuild`."""

from dataclasses import dataclass
from pathlib import Path

import click

from curate.cli.options import json_option, show, workspace
from curate.errors import BadInput


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild: the new catalogue, and the number of intact shards."""

    shards: int
    catalogue: Path

    def text(self) -> str:
        """Return the result for a terminal."""
        return f"{self.shards} shards are intact; {self.catalogue} was rebuilt."


@click.command()
@json_option
def rebuild(as_json: bool) -> None:
    """Check every shard against its manifest and rebuild curate.duckdb.

    Nothing is lost: everything that curate knows is in tables/. Tables and views that you added to
    curate.duckdb stay too. A damaged shard is named; the command that made it can make it again.

    \b
    Example:
      curate rebuild
    """
    here = workspace()
    with here.lock():
        shards, damaged = here.rebuild()
    if damaged:
        raise BadInput(
            f"{len(damaged)} of {shards} shards are damaged (their bytes do not match their manifests): "
            f"{', '.join(damaged[:5])}. Delete them and run the command that made them again."
        )
    show(Rebuilt(shards, here.root / "curate.duckdb"), as_json)
