"""`curate rebuild`."""

from dataclasses import dataclass
from pathlib import Path

import click

from curate.cli.options import json_option, show, workspace
from curate.errors import BadInput


@dataclass(frozen=True)
class Rebuilt:
    """A catalogue that was made anew from intact shards."""

    shards: int
    catalogue: Path

    def text(self) -> str:
        """Return the result for a terminal."""
        return f"{self.shards} shards intact; {self.catalogue} is made anew."


@click.command()
@json_option
def rebuild(as_json: bool) -> None:
    """Check every shard against its manifest, and make curate.duckdb anew.

    Nothing is lost: all that curate knows stands in tables/. What others made in curate.duckdb stays too.
    A damaged shard is named; the command that made it makes it again.

    \b
    Example:
      curate rebuild
    """
    here = workspace()
    with here.lock():
        shards, damaged = here.rebuild()
    if damaged:
        raise BadInput(
            f"{len(damaged)} of {shards} shards are damaged (their bytes are not those of their manifests): "
            f"{', '.join(damaged[:5])}. Delete them and run the command that made them again."
        )
    show(Rebuilt(shards, here.root / "curate.duckdb"), as_json)
