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
    help=f"One of {', '.join(FORMATS)}. Default: curate.toml's, labeled-list.",
)
@click.option("--name", metavar="NAME", help="The folder below exports/. Default: the format's name.")
@click.option(
    "--run",
    multiple=True,
    metavar="ID",
    help="A run to take; may be repeated. Default: the newest over train, "
    "and the newest over unlabeled queries if there is one.",
)
@click.option("--cutoffs", default="default", metavar="NAME", help="Which cutoffs decide. Default: 'default'.")
@click.option(
    "--negatives", type=click.IntRange(1), metavar="N", help="At most N a query. Default: curate.toml's, 4."
)
@click.option(
    "--promote/--no-promote", default=None, help="False negatives become extra positives. Default: dropped."
)
@click.option(
    "--augmented/--no-augmented", default=None, help="With or without pseudo-labelled queries. Default: with."
)
@click.option("--seed", type=int, metavar="N", help="Of the drawing of negatives. Default: curate.toml's, 0.")
@click.option("--force", is_flag=True, help="Replace another set of the same name.")
@dry_run_option
@json_option
def export(run: tuple[str, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Write a training set into exports/NAME, with its dataset card, manifest and provenance.

    Only labelled train queries and pseudo-labelled ones are in it; negatives are drawn by hash from the
    safe ones, and a query with too few stays short. Dev and test queries are never in it.

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
