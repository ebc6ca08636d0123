"""`curate augment`."""

from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace


@click.command()
@click.option(
    "--scorer", metavar="MODEL", help="Cross-encoder, as in `curate denoise` [the scorer of the cutoffs]."
)
@click.option("--relevant-class", metavar="NAME", help="Class that means relevant [as in `curate denoise`].")
@click.option("--instruction", metavar="TEXT", help="What a causal model judges [as in `curate denoise`].")
@click.option(
    "--all-above/--best", default=None, help="Keep all passages above the cutoff, or only the best one [best]."
)
@click.option("--cutoffs", metavar="NAME", help="Cutoffs to judge by [the current ones].")
@click.option("--encoder", metavar="MODEL", help="Dual-encoder to mine with [as in the current train run].")
@click.option(
    "--depth", metavar="K", type=click.IntRange(min=1), help="Passages per query [as in the current train run]."
)
@dry_run_option
@json_option
def augment(all_above: bool | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Give queries without labels confident pseudo-labels.

    The queries are mined in the same way as the current train run, and their candidates are judged as in
    `curate denoise`. A query without a confident passage gets no label.

    \b
    Example:
      curate augment
      curate augment --encoder models/dual-encoder --depth 50
    """
    here = workspace()
    if dry_run:
        return show(curate.plan_augment(here, all_above=all_above, **options), as_json)
    with here.lock():
        result = curate.augment(here, all_above=all_above, progress=progress(), **options)
    return show(result, as_json)
