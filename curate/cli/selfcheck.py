"""`curate selfcheck`."""

from typing import Any

import click

import curate
from curate.cli.options import json_option, progress, show, workspace


@click.command()
@click.option("--run", metavar="ID", help="Run whose candidates are looked at [the current one over train].")
@click.option("--cutoffs", metavar="NAME", help="Cutoffs whose decisions are checked [the current ones].")
@click.option(
    "--share", metavar="P", type=float, help="Part of the queries whose positives are hidden, from 0 to 1 [1]."
)
@click.option("--seed", type=int, help="Another seed hides others [that of the workspace].")
@json_option
def selfcheck(as_json: bool, **options: Any) -> None:
    """Hide labelled positives, and say how many of them denoising would find and what that costs.

    Nobody has to judge anything, nothing is scored and nothing is changed. Recall: of the hidden positives among
    the candidates, the share that is not taken for a negative. Cost: the share of the true negatives that is taken
    out, measured where people judged some, and a bound elsewhere. Positives that trained the scorer do not count.

    \b
    Example:
      curate selfcheck
      curate selfcheck --cutoffs strict
      curate selfcheck --share 0.5 --seed 1 --json
      curate sql hidden_positives
    """
    found = curate.selfcheck(workspace(), progress=progress(), **options)
    if as_json:
        show(found, as_json)
    else:
        from curate.reports.selfcheck import print_selfcheck

        print_selfcheck(found)
