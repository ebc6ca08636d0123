"""`curate annotate`: a sample of pairs, judged in the terminal or on a page."""

import getpass
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import curate
from curate.cli.options import json_option, progress, say, show, workspace
from curate.counted import counted
from curate.errors import BadSettings, CurateError, NotAvailable, WorkspaceBusy
from curate.suggest import curate_command

annotator_option = click.option(
    "--annotator", metavar="NAME", help="Whose verdicts these are [the name of the user who is logged in]."
)


class Annotate(click.Group):
    """A group whose first argument may also be the name of a sample, which is then judged."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names that stand for a command; `judge` stands for any other name."""
        return [name for name in super().list_commands(ctx) if name != judge.name]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand, or `judge` if the first argument is none."""
        if args[0] == "estimate":
            raise click.UsageError(f"it has no 'annotate' in front: {curate_command(*args)}", ctx)
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "judge", judge, args


@click.group(cls=Annotate, invoke_without_command=True, subcommand_metavar="[SAMPLE] | COMMAND [ARGS]...")
@annotator_option
@click.pass_context
def annotate(context: click.Context, annotator: str | None) -> None:
    """Judge the pairs of a SAMPLE in the terminal, or draw one, or make a page of it.

    Without a name, the newest sample. You see a query and a passage, and neither score, rank nor decision. Keys: r
    relevant, n not relevant, u unsure, s skip, b back, q end. Each verdict is safe at once; run the command again
    to go on. What the verdicts say about all candidates: curate estimate.

    \b
    Example:
      curate annotate sample audit --queries 100 --pairs 300
      curate annotate audit
      curate annotate page audit -o audit.html
      curate annotate import verdicts.jsonl
    """
    if context.invoked_subcommand is None:
        _judge(None, annotator)


@annotate.command()
@click.argument("name")
@annotator_option
@click.pass_context
def judge(context: click.Context, name: str, annotator: str | None) -> None:
    """Judge the pairs of the sample NAME in the terminal.

    \b
    Example:
      curate annotate audit --annotator ann
    """
    _judge(name, annotator or _given_before(context))


def _given_before(context: click.Context) -> str | None:
    """Return the annotator that was named before the subcommand."""
    name: str | None = context.parent.params["annotator"] if context.parent else None
    return name


def _judge(sample: str | None, annotator: str | None) -> None:
    """Judge the pairs of a sample, or of the newest one, on a screen, and load the verdicts at the end."""
    from curate.annotate.journal import Journal, load_journals
    from curate.annotate.session import Session
    from curate.annotate.sheet import Sheet

    who = _annotator(annotator)
    here = workspace()
    sheet = Sheet.of(here, sample, who)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadSettings(
            "there is no terminal here to judge pairs in. Make a page of them",
            run=curate_command("annotate", "page", sheet.sample_id, "-o", f"{sheet.sample_id}.html"),
        )
    try:
        from curate.cli.annotate_screen import AnnotateScreen
    except ModuleNotFoundError as error:
        raise NotAvailable(
            "judging in the terminal needs textual, which is not installed: pip install 'curate-ir[annotate]'. "
            f"Or make a page: {curate_command('annotate', 'page', sheet.sample_id, '-o', 'FILE')}"
        ) from error
    with Journal.open(here, sheet.sample_id, who) as journal:
        session = Session(sheet, journal)
        screen = AnnotateScreen(session)
        if failure := screen.run():
            raise failure  # the journal says which file it was
    if screen.return_code:
        raise CurateError(
            "the screen ended with an error, which stands above. The verdicts before it are kept",
            run=curate_command("annotate", sheet.sample_id),
        )
    try:
        with here.lock():
            load_journals(here)
    except WorkspaceBusy as error:
        say(f"The verdicts are kept, but not loaded yet: {error} curate annotate import")
    say(_summary(session.judged, len(sheet.pairs), sheet.sample_id))


@annotate.command()
@click.argument("name")
@click.option("--queries", metavar="N", type=click.IntRange(min=2), help="Queries to draw first [100].")
@click.option("--pairs", metavar="N", type=click.IntRange(min=2), help="Pairs to draw among theirs [300].")
@click.option("--run", metavar="ID", help="Run whose candidates are judged [the current one over train].")
@click.option("--cutoffs", metavar="NAME", help="Cutoffs whose decisions are judged [the current ones].")
@click.option("--seed", type=int, help="Another seed draws another sample [that of the workspace].")
@json_option
def sample(name: str, as_json: bool, **options: Any) -> None:
    """Draw pairs for people to judge among the unlabelled candidates, as the sample NAME.

    Queries are drawn first, then pairs of theirs, from each decision and each range of ranks. The chance of each
    pair is kept, so that the verdicts stand for all candidates. A sample never changes.

    \b
    Example:
      curate annotate sample audit
      curate annotate sample pseudo --run bm25-unlabeled-1a2b3c4d --pairs 100
    """
    here = workspace()
    with here.lock():
        show(curate.draw_sample(here, name, **options), as_json)


@annotate.command()
@click.argument("name", required=False)
@click.option(
    "-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="HTML file to write."
)
@click.option("--annotator", metavar="NAME", help="Name that the page begins with [it asks].")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@json_option
@click.pass_context
def page(
    context: click.Context, name: str | None, output: Path, annotator: str | None, force: bool, as_json: bool
) -> None:
    """Write a sample as one HTML page, which works without a network and keeps the verdicts in the browser.

    Send it to the annotators. Each of them downloads a file of verdicts from it: curate annotate import FILE.

    \b
    Example:
      curate annotate page audit -o audit.html
    """
    who = annotator or _given_before(context)
    show(curate.write_page(workspace(), output, name, annotator=who, force=force), as_json)


@annotate.command("import")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@json_option
def import_(files: tuple[Path, ...], as_json: bool) -> None:
    """Load the verdicts in FILES, as `curate load --annotations` does.

    Without FILE: those of sessions in the terminal that are not loaded yet, because the session was killed or
    another process was writing.

    \b
    Example:
      curate annotate import audit-ann.jsonl audit-ben.jsonl
    """
    from curate.annotate.journal import load_journals

    here = workspace()
    with here.lock():
        loads = [curate.load(here, annotations=[*files], progress=progress())] if files else load_journals(here)
    for loaded in loads:
        show(replace(loaded, next="curate estimate"), as_json)
    if not loads:
        say("All verdicts of sessions that have ended are loaded.")


def _annotator(given: str | None) -> str:
    """Return the annotator's name; raises BadSettings for a blank one, and if the system has none."""
    try:
        name = getpass.getuser() if given is None else given.strip()
    except (OSError, KeyError):
        name = ""
    if not name:
        raise BadSettings("whose verdicts are these? Give --annotator NAME")
    return name


def _summary(judged: int, total: int, sample: str) -> str:
    left = f"{counted(total - judged, 'pairs are', 'pair is')} left: {curate_command('annotate', sample)}. "
    done = f"{judged:,} of {counted(total, 'pairs')} of sample {sample} are judged. "
    return f"{done}{left if judged < total else ''}\nNext: {curate_command('estimate', sample)}"
