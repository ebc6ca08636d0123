"""`curate train`: one command per kind of model."""

import time
from collections.abc import Callable
from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace
from curate.errors import CurateError, NoSpace

SAYING = 10.0
"""Seconds that a process waits, so that the first one of its machine can report the same error."""

devices_option = click.option(
    "--devices",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    envvar="CURATE_DEVICES",
    help="Processes to start here, one per GPU [1]. On several machines: torchrun ... -m curate train ...",
)
dtype_option = click.option(
    "--dtype", type=click.Choice(["auto", "bf16", "fp32"]), help="Number format to compute in [auto]."
)
checkpoint_option = click.option(
    "--checkpoint-every", type=int, help="Steps between checkpoints; a kill loses at most this many [100]."
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
@click.option("--run", metavar="ID", help="Run to draw the negatives from [the current one over train].")
@click.option(
    "--name", metavar="NAME", default="cross-encoder", show_default=True, help="Folder below models/ to write."
)
@click.option("--init", metavar="MODEL", help="Encoder or cross-encoder to start from [the mining encoder].")
@click.option(
    "--groups", type=int, help="Groups to train on; each has a positive of a query and negatives [4000]."
)
@click.option(
    "--distilled-groups",
    type=int,
    help="Groups without labels, before the others, by which it learns how the encoder that it starts from orders "
    "passages; 0: none [2400].",
)
@click.option(
    "--epochs",
    type=int,
    help="Times that each query is seen, at most, whatever --groups says [3; up to 20 with few queries].",
)
@click.option(
    "--folds",
    metavar="K",
    type=int,
    help="Judges, each trained without one part of the queries, which it scores; 1: a single one, which holds a "
    "fifth back [5 for 10 to 199 labelled queries, else 1].",
)
@click.option("--negatives", type=int, help="Negatives per group [3].")
@click.option("--batch-groups", type=int, help="Groups per step [8].")
@click.option("--learning-rate", type=float, help="Peak learning rate [2e-4 below 512 dimensions, else 1e-4].")
@click.option(
    "--easy-share", type=float, help="Share of the groups, at the start, that include a random passage [0.35]."
)
@click.option("--max-length", type=int, help="Tokens of query and passage together [128].")
@click.option(
    "--leave-out",
    metavar="CUTOFFS",
    help="Cutoffs of an earlier judge: what it calls relevant is not a negative [none].",
)
@click.option(
    "--soft-labels",
    type=float,
    help="Weight of the earlier judge's probability in the target of an unlabelled passage [0].",
)
@click.option("--label-smoothing", type=float, help="How far the targets lie from 0 and 1 [0].")
@dtype_option
@checkpoint_option
@devices_option
@dry_run_option
@json_option
def cross_encoder(dry_run: bool, as_json: bool, **options: Any) -> None:
    """Train the scorer on labelled positives and on negatives from the retriever's own top-k.

    If the training is interrupted, run the command again to continue; the result has the same bytes.

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
    help="Run that hard negatives, pseudo-labels and masks come from; may be repeated [the current ones over "
    "train and unlabeled].",
)
@click.option("--cutoffs", metavar="NAME", help="Cutoffs to judge by [the current ones].")
@click.option(
    "--name", metavar="NAME", default="dual-encoder", show_default=True, help="Folder below models/ to write."
)
@click.option(
    "--init", metavar="MODEL", help="Encoder to start from [the one that mined the runs, else that of [mine]]."
)
@click.option(
    "--towers", type=click.Choice(["shared", "separate"]), help="One encoder for both sides, or one each [shared]."
)
@click.option(
    "--pooling", type=click.Choice(["mean", "cls"]), help="How token vectors become one [as in the model]."
)
@click.option(
    "--similarity", type=click.Choice(["dot", "cosine"]), help="How vectors are compared [as in the model]."
)
@click.option("--temperature", type=float, help="Divisor of the scores [0.05 for cosine, 1 for dot].")
@click.option("--epochs", type=int, help="Times that each query is seen [3].")
@click.option("--batch-rows", type=int, help="Queries per step, over all processes [64].")
@click.option("--positives", type=int, help="Positives per row, at most [1].")
@click.option(
    "--positives-loss",
    type=click.Choice(["mean", "lse-pair", "marginal"]),
    help="How several positives of a row make one loss: the mean of theirs, all pairs with negatives, or one is "
    "enough [mean].",
)
@click.option(
    "--uncertain",
    type=int,
    help="Uncertain candidates per row, at most, as soft labels by their probability [0].",
)
@click.option("--hard-negatives", type=int, help="Hard negatives per row, at most [1].")
@click.option("--random-negatives", type=int, help="Random passages per row [0].")
@click.option("--depth", type=int, help="Top candidates that hard negatives come from [50].")
@click.option(
    "--denoised/--no-denoised",
    default=None,
    help="Use only hard negatives that the scorer rejects, or all unlabelled candidates [only rejected].",
)
@click.option(
    "--promote/--no-promote",
    default=None,
    help="Use false negatives as extra positives, or leave them out [left out].",
)
@click.option(
    "--masks",
    type=click.Choice(["none", "labels", "decisions"]),
    help="Passages of the batch that are not negatives of a query: those labelled, or also those that the scorer "
    "does not reject [decisions].",
)
@click.option(
    "--augmented/--no-augmented",
    default=None,
    help="Include pseudo-labelled queries, or leave them out [included].",
)
@click.option(
    "--cross-batch/--no-cross-batch",
    default=None,
    help="Take negatives from all processes, or only from the query's own [all].",
)
@click.option(
    "--distill",
    type=click.Choice(["none", "kl", "margin-mse"]),
    help="How to learn from the scorer's logits [none].",
)
@click.option("--distill-weight", type=float, help="Weight of the distillation loss [1].")
@click.option(
    "--gradient-cache/--no-gradient-cache",
    default=None,
    help="Keep the activations of one part of the batch at a time, for large batches; a fifth slower [no].",
)
@click.option(
    "--part-tokens",
    type=int,
    help="Tokens in one part; fewer take less memory and more time [16384 on a GPU, 2048 on a CPU].",
)
@click.option("--learning-rate", type=float, help="Peak learning rate [3e-5].")
@click.option("--query-max-length", type=int, help="Tokens of a query [32].")
@click.option("--passage-max-length", type=int, help="Tokens of a passage [128].")
@click.option(
    "--dev-every",
    type=int,
    help="Steps between measurements on dev, at most; the best weights, which may be the start's, are kept; 0: "
    "never [100].",
)
@dtype_option
@checkpoint_option
@devices_option
@dry_run_option
@json_option
def dual_encoder(dry_run: bool, as_json: bool, run: tuple[str, ...], **options: Any) -> None:
    """Train the dual-encoder: each query against the passages of the whole batch, over all processes.

    A passage that is known to be relevant to a query is never its negative. If the training is interrupted,
    run the command again to continue.

    \b
    Example:
      curate train dual-encoder --hard-negatives 0 --masks labels --name first
      curate train dual-encoder --hard-negatives 4 --epochs 10
      curate train dual-encoder --devices 8 --batch-rows 4096
      torchrun --nnodes 4 --nproc-per-node 8 ... -m curate train dual-encoder --batch-rows 16384
    """
    options["run"] = [*run] or None
    _run(curate.plan_train_dual_encoder, curate.train_dual_encoder, dry_run, as_json, options)


def _run(
    plan: Callable[..., Any], work: Callable[..., Any], dry_run: bool, as_json: bool, options: dict[str, Any]
) -> None:
    """Show what a training would do, or do it. Of torchrun's processes, only the first one writes and prints."""
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
            # The first process of this machine reports the same error. It needs time before torchrun ends it.
            time.sleep(SAYING)
            raise SystemExit(error.exit_code) from None
        return None
    with here.lock(), launch.environment() as world:
        result = work(here, world=world, progress=progress(), **options)
    return show(result, as_json)
