"""`curate init`."""

from dataclasses import dataclass
from pathlib import Path

import click

from curate.cli.options import json_option, show
from curate.workspace import Workspace


@dataclass(frozen=True)
class Created:
    """A new workspace."""

    folder: Path
    settings: Path

    def text(self) -> str:
        """Return the result for a terminal."""
        return f"{self.folder} is a workspace. Settings: {self.settings}\nNext: curate load COLLECTION"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Make FOLDER (default: here) a workspace.

    \b
    Example:
      curate init my-set
    """
    workspace = Workspace.create(folder)
    show(Created(folder, workspace.root / "curate.toml"), as_json)
