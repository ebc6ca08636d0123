"""`curate calibrate`."""

from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace


@click.command()
@click.option("--scorer", metavar="MODEL", help="Scorer: its id, or its folder [that of the current cutoffs].")
@click.option(
    "--ranks", is_flag=True, default=None, help="Calibrate the ranks of the run, to join them with a scorer."
)
@click.option(
    "--run", metavar="ID", help="Run whose candidates the probabilities are about [as in curate denoise]."
)
@click.option(
    "--depth", metavar="K", type=click.IntRange(min=1), help="Top candidates [as the scorer judged the run]."
)
@click.option(
    "--from",
    "evidence",
    type=click.Choice(["annotations", "labels", "both"]),
    help="What to learn from [annotations if there are enough, else labels].",
)
@click.option(
    "--hidden",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Qrels with every relevant passage of their queries; they are not loaded.",
)
@click.option("--precision", metavar="P", type=float, help="Find positive_above: this share above it is relevant.")
@click.option(
    "--share-false", metavar="P", type=float, help="Find negative_below: at most this share below it is relevant."
)
@click.option("--confidence", metavar="P", type=float, help="Confidence of each of these two [0.95].")
@click.option("--cutoffs", metavar="NAME", help="Cutoffs to set to what was found [the current ones].")
@click.option("--scale", type=click.Choice(["log-odds"]), help="Fit nothing: declare that logits are log-odds.")
@click.option("--seed", type=int, help="Seed for drawing queries [that of the workspace].")
@dry_run_option
@json_option
def calibrate(dry_run: bool, as_json: bool, **options: Any) -> None:
    """Learn which probability a logit of the scorer stands for. No model scores anything again.

    Only queries that the scorer was not trained on count. Cutoffs that are set afterwards use the calibration.

    \b
    Example:
      curate calibrate
      curate calibrate --from labels
      curate calibrate --precision 0.9 --confidence 0.95
      curate calibrate --ranks
    """
    here = workspace()
    if dry_run:
        return show(curate.plan_calibrate(here, **options), as_json)
    with here.lock():
        result = curate.calibrate(here, progress=progress(), **options)
    return show(result, as_json)
