"""The `curate` command: it finds the subcommand and turns errors into exit codes."""

import contextlib
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

import curate
from curate.errors import CurateError
from curate.nearest import nearest

COMMANDS = {
    "init": "curate.cli.init:init",
    "load": "curate.cli.load:load",
    "mine": "curate.cli.mine:mine",
    "train": "curate.cli.train:train",
    "denoise": "curate.cli.denoise:denoise",
    "augment": "curate.cli.augment:augment",
    "report": "curate.cli.report:report",
    "sql": "curate.cli.sql:sql",
    "export": "curate.cli.export:export",
    "evaluate": "curate.cli.evaluate:evaluate",
    "runs": "curate.cli.runs:runs",
    "status": "curate.cli.status:status",
    "use": "curate.cli.use:use",
    "cutoffs": "curate.cli.cutoffs:cutoffs",
    "run": "curate.cli.run:run",
    "rebuild": "curate.cli.rebuild:rebuild",
    "demo": "curate.cli.demo:demo",
    "completion": "curate.cli.completion:completion",
}
BUG, INTERRUPTED = 70, 130
INTERRUPTION = "interrupted. Run the same command again to continue."
NO_MEMORY = "out of memory. Close other programs, or give a smaller --depth."


class Commands(click.Group):
    """The subcommands in the order of the work. Each is imported only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. The error for an unknown name suggests the nearest one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"no command '{name}': {nearest(name, COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(curate.__version__, prog_name="curate", message="%(prog)s %(version)s")
@click.option(
    "-C",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="Run as if curate had been started in DIR.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print only results and errors, no progress.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, directory: Path, quiet: bool, debug: bool) -> None:  # noqa: ARG001
    """Turn raw retrieval data into clean training sets for dense retrievers.

    \b
    A first run:
      curate init my-set && cd my-set
      curate load ../my-collection
      curate mine --retriever hybrid --encoder sentence-transformers/all-MiniLM-L6-v2
      curate train cross-encoder
      curate denoise --scorer models/cross-encoder
      curate augment
      curate report
      curate export --format labeled-list

    If a command is interrupted, run it again to continue.
    """
    os.chdir(directory)
    ctx.obj = {"quiet": quiet}


def main() -> NoReturn:
    """Run the command line and leave with its exit code (docs/exit-codes.md)."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run `curate ARGUMENTS` and return the exit code. An error is printed on stderr."""
    debug = "--debug" in arguments
    try:
        with contextlib.chdir("."):  # restores the folder that -C changes
            outcome: Any = cli.main(arguments, prog_name="curate", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Abort:
        return _tell(INTERRUPTION, INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CurateError as error:
        if debug:
            raise
        return _tell(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _tell(INTERRUPTION, INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        return _tell(NO_MEMORY, 6)
    except Exception as error:
        if debug:
            raise
        said, code = _of_duckdb(error) or (
            f"a bug in curate: {type(error).__name__}: {error}\nRun again with: curate --debug ...",
            BUG,
        )
        return _tell(said, code)


def _of_duckdb(error: Exception) -> tuple[str, int] | None:
    """Return the message and exit code for what DuckDB raises at Ctrl-C and when memory or disk run out.

    The text has to tell them apart: DuckDB raises a plain RuntimeError at Ctrl-C, and an OSError without a number
    for anything that happens while Arrow reads its result.
    """
    text = str(error)
    if "Query interrupted" in text or text.startswith("INTERRUPT Error"):
        return INTERRUPTION, INTERRUPTED
    if type(error).__name__ == "OutOfMemoryException" or text.startswith("Out of Memory Error"):
        return NO_MEMORY, 6
    if "No space left" in text:
        return "the disk is full. Free some space, then run the same command again.", 6
    return None


def _tell(text: str, code: int) -> int:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    click.secho("error: ", fg="red", bold=True, nl=False, err=True, color=False if plain else None)
    click.echo(text, err=True)
    return code
