"""`curate evaluate`."""

from contextlib import nullcontext
from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace


@click.command()
@click.argument("run", metavar="[RUN]...", nargs=-1)
@click.option("--split", help="Split whose runs are measured, if no RUN is given [test].")
@click.option("--against", metavar="RUN", help="Run to compare the other runs with, on the same queries.")
@click.option(
    "--encoder",
    metavar="MODEL",
    multiple=True,
    help="Dual-encoder to mine a dense run over the split with first; may be repeated.",
)
@click.option("--depth", type=click.IntRange(min=1), help="Passages per query in that run [100].")
@dry_run_option
@json_option
def evaluate(dry_run: bool, as_json: bool, **options: Any) -> None:
    """Measure runs against the labels: MRR@10, nDCG@10, MAP and Recall@k, with 95 % intervals.

    A query that is missing from a run counts as 0. The table metrics holds the values of each query.

    \b
    Example:
      curate evaluate --encoder models/dual-encoder
      curate evaluate --split dev
      curate evaluate dense-test-1a2b3c4d --against bm25-test-5e6f7a8b
    """
    here = workspace()
    plan = curate.plan_evaluate(here, **options)
    if dry_run:
        return show(plan, as_json)
    # What is measured already only has to be read, and readers never wait.
    with here.lock() if plan.cached < plan.total else nullcontext():
        result = curate.evaluate(here, progress=progress(), **options)
    return show(result, as_json)
