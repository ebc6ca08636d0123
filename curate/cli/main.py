"""The `curate` command: it finds the subcommand and turns errors into messages and exit codes."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import shell_complete

from curate.cli import interruption
from curate.cli.failures import BUG, INTERRUPTED, PIPE_CLOSED, Failure, failure, is_interruption, tell
from curate.cli.help import Context
from curate.cli.shared_options import options, share
from curate.cli.version import version_options
from curate.errors import BadSettings
from curate.nearest import nearest
from curate.suggest import curate_command

COMMANDS = {
    "init": "curate.cli.init:init",
    "load": "curate.cli.load:load",
    "mine": "curate.cli.mine:mine",
    "train": "curate.cli.train:train",
    "denoise": "curate.cli.denoise:denoise",
    "calibrate": "curate.cli.calibrate:calibrate",
    "augment": "curate.cli.augment:augment",
    "annotate": "curate.cli.annotate:annotate",
    "estimate": "curate.cli.estimate:estimate",
    "selfcheck": "curate.cli.selfcheck:selfcheck",
    "report": "curate.cli.report:report",
    "sql": "curate.cli.sql:sql",
    "export": "curate.cli.export:export",
    "evaluate": "curate.cli.evaluate:evaluate",
    "runs": "curate.cli.runs:runs",
    "status": "curate.cli.status:status",
    "check": "curate.cli.check:check",
    "doctor": "curate.cli.doctor:doctor",
    "use": "curate.cli.use:use",
    "cutoffs": "curate.cli.cutoffs:cutoffs",
    "run": "curate.cli.run:run",
    "config": "curate.cli.config:config",
    "rebuild": "curate.cli.rebuild:rebuild",
    "demo": "curate.cli.demo:demo",
    "explain": "curate.cli.explain:explain",
    "completion": "curate.cli.completion:completion",
}
__all__ = ["BUG", "COMMANDS", "INTERRUPTED", "cli", "main", "run"]


class Commands(click.Group):
    """The subcommands in the order of the work. Each is imported only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        return _command(COMMANDS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. The error for an unknown name suggests the nearest one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"no command '{name}': {nearest(name, COMMANDS)}")
        return super().resolve_command(ctx, args)


@cache
def _command(place: str) -> click.Command:
    """Import a command and give it the shared options."""
    module, _, attribute = place.partition(":")
    return share(getattr(import_module(module), attribute))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@version_options
def cli() -> None:
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

    If a command is interrupted, run it again to continue. The options "for every command" may stand before the
    command or after it.
    """


cli.context_class = Context
cli.params += options(root=True)


def main() -> NoReturn:
    """Run the command line and leave with its exit code (docs/exit-codes.md)."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  (until the process ends)
    if sys.stdout is None:
        sys.exit(tell(Failure("usage", "stdout is closed. To discard the output: > /dev/null", 2)))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with interruption.heard():
        try:
            code = run(sys.argv[1:])
        except KeyboardInterrupt:  # between the end of the work and its message
            code = interruption.exit_code()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run `curate ARGUMENTS` and return the exit code. An error is printed on stderr."""
    try:
        return _run(arguments)
    except BrokenPipeError:
        # Python writes what is left in its buffer when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def _run(arguments: list[str]) -> int:
    try:
        _check(arguments)
        with _same_folder():
            outcome = _called(arguments)
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (every error gets a code)
        if "--debug" in arguments:
            traceback.print_exc()
        if is_interruption(error):
            text = "interrupted. To continue, run the same command again"
            code = interruption.exit_code()
            return tell(Failure("interrupted", text, code, run=curate_command(*arguments)))
        return tell(failure(error))
    return outcome if isinstance(outcome, int) else 0


def _called(arguments: list[str]) -> Any:
    """Call click as its own `main` does, except that errors keep their types."""
    instruction = os.environ.get("_CURATE_COMPLETE")
    if instruction:
        return shell_complete(cli, {}, "curate", "_CURATE_COMPLETE", instruction)
    try:
        with cli.make_context("curate", list(arguments)) as context:
            return cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code


def _check(arguments: list[str]) -> None:
    """Raise BadSettings for an argument that is not text: no table and no message could hold it."""
    for number, argument in enumerate(arguments, 1):
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in argument):
            raise BadSettings(f"argument {number} is not UTF-8: {argument!r}. Rename what it names")


@contextlib.contextmanager
def _same_folder() -> Iterator[None]:
    """Go back to the folder that -C leaves. A folder that was deleted is no error until it is used."""
    before = os.open(".", os.O_RDONLY)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)
