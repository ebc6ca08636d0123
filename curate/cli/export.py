"""`curate export`."""

from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace
from curate.export.formats import FORMATS


@click.command()
@click.option(
    "--format",
    "format",
    metavar="FORMAT",
    shell_complete=lambda _context, _option, begun: [name for name in FORMATS if name.startswith(begun)],
    help=f"One of {', '.join(FORMATS)} [labeled-list].",
)
@click.option("--name", metavar="NAME", help="Folder below exports/ [the format's name].")
@click.option(
    "--run",
    multiple=True,
    metavar="ID",
    help="Run to export; may be repeated [the current ones over train and, if there is one, over unlabeled].",
)
@click.option("--cutoffs", metavar="NAME", help="Cutoffs to judge by [the current ones].")
@click.option("--positives", type=click.IntRange(1), metavar="N", help="Positives per query, at most [all].")
@click.option("--negatives", type=click.IntRange(1), metavar="N", help="Hard negatives per query, at most [4].")
@click.option(
    "--promote/--no-promote",
    default=None,
    help="Use false negatives as extra positives, or leave them out [left out].",
)
@click.option(
    "--augmented/--no-augmented",
    default=None,
    help="Include pseudo-labelled queries, or leave them out [included].",
)
@click.option("--seed", type=int, metavar="N", help="Seed for drawing negatives [0].")
@click.option("--force", is_flag=True, help="Replace a different export of the same name, and nothing else.")
@dry_run_option
@json_option
def export(run: tuple[str, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Write a training set into exports/NAME, with its dataset card, manifest and provenance.

    The set holds the labelled train queries and the pseudo-labelled queries, but never dev or test queries.
    Negatives that people judged come first; the rest is drawn by hash from the safe hard negatives. A query with
    too few stays short.

    \b
    Example:
      curate export --format triplet
      curate export --format tevatron --negatives 8 --promote --name round-1
    """
    here = workspace()
    if dry_run:
        show(curate.plan_export(here, run=list(run), **options), as_json)
        return
    with here.lock():
        result = curate.export(here, run=list(run), progress=progress(), **options)
    show(result, as_json)
