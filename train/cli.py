"""`curate train`: one command per kind of model."""

from typing import Any

import click

from curate.cli.options import dry_run_option, json_option, progress, show, workspace


@click.group()
def train() -> None:
    r"""Train a model on the tables.

    \b
    Example:
      curate train cross-encoder
    """


@train.command("cross-encoder")
@click.option("--run", metavar="ID", help="Draw the negatives from this run [the newest one over train].")
@click.option("--name", metavar="NAME", default="cross-encoder", show_default=True, help="Write models/NAME.")
@click.option("--init", metavar="MODEL", help="Encoder or cross-encoder to start from [the mining encoder].")
@click.option("--groups", type=int, help="Groups in all; one is a query's positive with its negatives [4000].")
@click.option("--negatives", type=int, help="Negatives a group [3].")
@click.option("--batch-groups", type=int, help="Groups a step [8].")
@click.option("--learning-rate", type=float, help="Its peak [1e-4].")
@click.option(
    "--easy-share", type=float, help="Share of the groups that come first, with a random passage [0.35]."
)
@click.option("--max-length", type=int, help="Tokens of query and passage together [128].")
@click.option("--dtype", type=click.Choice(["auto", "bf16", "fp32"]), help="Compute in this format [auto].")
@click.option("--checkpoint-every", type=int, help="Steps between checkpoints: a kill loses no more [100].")
@dry_run_option
@json_option
def cross_encoder(dry_run: bool, as_json: bool, **options: Any) -> None:
    r"""Train the judge: labelled positives against negatives from the retriever's own top-k.

    A training that was interrupted goes on when the command is given again, and ends with the same bytes.

    \b
    Example:
      curate train cross-encoder
      curate train cross-encoder --groups 800 --max-length 96 --name quick
    """
    from . import cross_encoder as stage

    here = workspace()
    if dry_run:
        return show(stage.plan_cross_encoder(here, **options), as_json)
    with here.lock():
        result = stage.train_cross_encoder(here, progress=progress(), **options)
    return show(result, as_json)
