"""`curate init`."""

from pathlib import Path

import click

from curate.workspace import Workspace


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
def init(folder: Path) -> None:
    """Make FOLDER (default: here) a workspace.

    \b
    Example:
      curate init my-set
    """
    workspace = Workspace.create(folder)
    click.echo(
        f"{folder} is a workspace. Settings: {workspace.root / 'curate.toml'}\nNext: curate load COLLECTION"
    )
