"""`curate train`: one command per kind of model."""

import time
from collections.abc import Callable
from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace
from curate.errors import CurateError, NoSpace

SAYING = 10.0
"""Seconds."""

devices_option = click.option(
    "--devices",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    help="Processes to start here, a GPU each [1]. On several machines: torchrun ... -m curate train ...",
)
dtype_option = click.option(
    "--dtype", type=click.Choice(["auto", "bf16", "fp32"]), help="Compute in this format [auto]."
)
checkpoint_option = click.option(
    "--checkpoint-every", type=int, help="Steps between checkpoints: a kill loses no more [100]."
)


@click.group()
def train() -> None:
    """Train a model on the tables.

    \b
    Example:
      curate train cross-encoder
      curate train dual-encoder
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
@dtype_option
@checkpoint_option
@devices_option
@dry_run_option
@json_option
def cross_encoder(dry_run: bool, as_json: bool, **options: Any) -> None:
    """Train the judge: labelled positives against negatives from the retriever's own top-k.

    A training that was interrupted goes on when the command is given again, and ends with the same bytes.

    \b
    Example:
      curate train cross-encoder
      curate train cross-encoder --groups 800 --max-length 96 --name quick
      curate train cross-encoder --devices 4
    """
    _run(curate.plan_train_cross_encoder, curate.train_cross_encoder, dry_run, as_json, options)


@train.command("dual-encoder")
@click.option(
    "--run",
    metavar="ID",
    multiple=True,
    help="Hard negatives, pseudo-labels and masks come from this run [the newest ones over train and unlabeled]. "
    "May be given several times.",
)
@click.option("--cutoffs", metavar="NAME", default="default", show_default=True, help="What judges the runs.")
@click.option("--name", metavar="NAME", default="dual-encoder", show_default=True, help="Write models/NAME.")
@click.option(
    "--init", metavar="MODEL", help="Encoder to start from [the one that mined the runs, else that of [mine]]."
)
@click.option("--towers", type=click.Choice(["shared", "separate"]), help="One encoder, or one a side [shared].")
@click.option("--pooling", type=click.Choice(["mean", "cls"]), help="[as the model does]")
@click.option("--similarity", type=click.Choice(["dot", "cosine"]), help="[as the model does]")
@click.option("--temperature", type=float, help="Divides the scores [0.05 for cosine, 1 for dot].")
@click.option("--epochs", type=int, help="How often each query is seen [3].")
@click.option("--batch-rows", type=int, help="Queries a step, over all processes [64].")
@click.option("--positives", type=int, help="Positives a row, at most [1].")
@click.option("--hard-negatives", type=int, help="Hard negatives a row, at most; a row with fewer has fewer [1].")
@click.option("--random-negatives", type=int, help="Random passages a row [0].")
@click.option("--depth", type=int, help="Hard negatives come from the top-k [50].")
@click.option("--denoised/--no-denoised", default=None, help="Only negatives that the judge rejects [denoised].")
@click.option("--promote/--no-promote", default=None, help="False negatives become extra positives [left out].")
@click.option(
    "--masks",
    type=click.Choice(["none", "labels", "decisions"]),
    help="Passages of the batch that are no negatives of a query: those labelled, or also those that the judge "
    "does not reject [decisions].",
)
@click.option("--augmented/--no-augmented", default=None, help="Pseudo-labelled queries train too [augmented].")
@click.option(
    "--cross-batch/--no-cross-batch", default=None, help="Passages of all processes are negatives [cross-batch]."
)
@click.option(
    "--distill", type=click.Choice(["none", "kl", "margin-mse"]), help="Learn the judge's logits [none]."
)
@click.option("--distill-weight", type=float, help="Beside the contrastive loss [1].")
@click.option(
    "--gradient-cache/--no-gradient-cache",
    default=None,
    help="Activations of one part of the batch at a time, so that batches may be large; a fifth slower [no].",
)
@click.option("--part-tokens", type=int, help="Size of such a part; less memory, more time [16384 on a GPU].")
@click.option("--learning-rate", type=float, help="Its peak [3e-5].")
@click.option("--query-max-length", type=int, help="Tokens of a query [32].")
@click.option("--passage-max-length", type=int, help="Tokens of a passage [128].")
@click.option(
    "--dev-every", type=int, help="Steps between looks at dev; the best weights are kept; 0: never [100]."
)
@dtype_option
@checkpoint_option
@devices_option
@dry_run_option
@json_option
def dual_encoder(dry_run: bool, as_json: bool, run: tuple[str, ...], **options: Any) -> None:
    """Train the retriever: each query against the passages of the whole batch, over all processes.

    Passages that the tables know as relevant to a query are never its negatives. A training that was
    interrupted goes on when the command is given again.

    \b
    Example:
      curate train dual-encoder --hard-negatives 0 --masks labels --name first
      curate train dual-encoder --hard-negatives 4 --epochs 10
      curate train dual-encoder --devices 8 --batch-rows 4096
      torchrun --nnodes 4 --nproc-per-node 8 ... -m curate train dual-encoder --batch-rows 16384
    """
    from curate.train import dual_encoder as stage

    _run(
        stage.plan_train_dual_encoder,
        stage.train_dual_encoder,
        dry_run,
        as_json,
        {**options, "run": [*run] or None},
    )


def _run(
    plan: Callable[..., Any], work: Callable[..., Any], dry_run: bool, as_json: bool, options: dict[str, Any]
) -> None:
    """Show what a training would do, or do it; of torchrun's processes the first one writes and speaks."""
    from curate.train import launch

    here = workspace()
    if dry_run:
        return show(plan(here, **options), as_json)
    if not launch.is_first():
        try:
            with launch.environment() as world:
                work(here, world=world, **options)
        except CurateError as error:
            if launch.is_first_here() or isinstance(error, NoSpace):
                raise
            # The first process of this machine says the same, unless torchrun ends it before: it gets some time.
            time.sleep(SAYING)
            raise SystemExit(error.exit_code) from None
        return None
    with here.lock(), launch.environment() as world:
        result = work(here, world=world, progress=progress(), **options)
    return show(result, as_json)
