"""The `curate` command: finds the subcommand, turns errors into exit codes."""

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
    "run": "curate.cli.run:run",
    "rebuild": "curate.cli.rebuild:rebuild",
    "demo": "curate.cli.demo:demo",
    "completion": "curate.cli.completion:completion",
}
BUG, INTERRUPTED = 70, 130
NO_MEMORY = "out of memory. Close other programs, or give a smaller --depth."


class Commands(click.Group):
    """The subcommands, each imported when it is asked for, in the order of the work."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order in which a collection meets them."""
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
        """Find the command; for a name that is none the error has the nearest."""
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
    help="Work in DIR, as if curate was started there.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress; results and errors only.")
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

    A command that was interrupted goes on when it is given again.
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
    """Run `curate ARGUMENTS`; return the exit code, having told on stderr what went wrong."""
    debug = "--debug" in arguments
    try:
        with contextlib.chdir("."):  # back from -C afterwards
            outcome: Any = cli.main(arguments, prog_name="curate", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Abort:
        return _tell("interrupted. The same command goes on from here.", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CurateError as error:
        if debug:
            raise
        return _tell(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _tell("interrupted. The same command goes on from here.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        return _tell(NO_MEMORY, 6)
    except Exception as error:
        if debug:
            raise
        # DuckDB's own answers to Ctrl-C, to a full disk under a spill, and to its memory limit.
        if "Query interrupted" in str(error):
            return _tell("interrupted. The same command goes on from here.", INTERRUPTED)
        if type(error).__name__ == "OutOfMemoryException":
            return _tell(NO_MEMORY, 6)
        if "No space left" in str(error):
            return _tell("the disk is full. Free some, then run the same command again.", 6)
        return _tell(f"a bug in curate: {type(error).__name__}: {error}\nRun again with: curate --debug ...", BUG)


def _tell(text: str, code: int) -> int:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    click.secho("error: ", fg="red", bold=True, nl=False, err=True, color=False if plain else None)
    click.echo(text, err=True)
    return code
