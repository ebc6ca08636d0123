"""`curate init`."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import click

from curate.cli.options import json_option, show
from curate.workspace import Workspace

RECIPES = ("rocketqa", "small")


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
@click.option(
    "--recipe", type=click.Choice(RECIPES), help="Settings for `curate run`: those of the paper, or small ones."
)
@json_option
def init(folder: Path, recipe: str | None, as_json: bool) -> None:
    """Make FOLDER (default: the current folder) a workspace.

    \b
    Example:
      curate init my-set
      curate init my-set --recipe small
    """
    settings = (files("curate.recipes") / f"{recipe}.toml").read_text("utf-8") if recipe else None
    workspace = Workspace.create(folder, settings)
    show(Created(folder, workspace.root / "curate.toml"), as_json)
