"""`curate estimate`."""

import click

import curate
from curate.cli.options import json_option, show, workspace


@click.command()
@click.argument("sample", required=False)
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=5, help="Disagreements to show [5].")
@json_option
def estimate(sample: str | None, limit: int, as_json: bool) -> None:
    """Say what the verdicts on a SAMPLE mean for all candidates, with 95 % intervals.

    Without a name, the newest sample. How many of the mined candidates were false negatives, at which ranks; how
    often the decisions are right; how many of the relevant candidates denoising found; how far the annotators
    agree.

    \b
    Example:
      curate annotate sample audit
      curate annotate audit
      curate estimate audit
    """
    found = curate.estimate(workspace(), sample)
    if as_json:
        show(found, as_json)
    else:
        from curate.reports.estimates import print_estimates

        print_estimates(found, limit)
