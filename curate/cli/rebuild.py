"""`curate rebuild`."""

import click

from curate.cli.options import workspace
from curate.errors import BadInput


@click.command()
def rebuild() -> None:
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
    click.echo(f"{shards} shards intact; {here.root / 'curate.duckdb'} is made anew.")
