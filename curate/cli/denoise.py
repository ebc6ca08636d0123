"""`curate denoise`."""

from typing import Any, get_args

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace
from curate.config import ScorerBackend


@click.command()
@click.option(
    "--scorer",
    metavar="MODEL",
    help="Cross-encoder or causal reranker: a folder, hub name or http://host:port#model [models/cross-encoder].",
)
@click.option("--run", metavar="ID", help="Run to denoise [the newest one over train].")
@click.option("--depth", type=int, help="Top candidates to score per query [50].")
@click.option("--negative-below", type=float, help="A hard negative has a probability below this value [0.1].")
@click.option("--positive-above", type=float, help="A false negative has a probability above this value [0.9].")
@click.option(
    "--duplicate-above",
    type=float,
    help="A candidate that resembles a positive by more than this is a duplicate; 1: only an exact copy is [1].",
)
@click.option(
    "--negatives", type=int, help="Hard negatives wanted per query; the audit counts the queries with fewer [4]."
)
@click.option(
    "--enough",
    type=int,
    metavar="N",
    help="Score ranks in waves, and no more of a train query that has N hard negatives; 0: score all [0].",
)
@click.option("--max-length", type=int, help="Tokens of query and passage together [the tokenizer's limit].")
@click.option("--relevant-class", metavar="NAME", help="Class that means relevant [as its name says].")
@click.option("--instruction", metavar="TEXT", help="What a causal language model judges [as its files say].")
@click.option("--prompt", metavar="FILE", help="Prompt of a judge behind a chat route [prompts/judge.txt].")
@click.option("--requests", type=int, help="Requests to a served scorer at the same time [8].")
@click.option("--timeout", type=float, help="Seconds for an answer of a served scorer [60].")
@click.option("--backend", type=click.Choice(get_args(ScorerBackend)), help="What computes a local model [torch].")
@click.option("--max-flips", type=float, help="Share of decisions that a back end may change [0.01].")
@click.option("--cutoffs", metavar="NAME", help="Name to store the cutoffs under [default].")
@click.option(
    "--accept-judge",
    is_flag=True,
    default=None,
    help="Set the cutoffs also for a scorer that ranks worse than the retriever on queries it has not seen.",
)
@dry_run_option
@json_option
def denoise(dry_run: bool, as_json: bool, **options: Any) -> None:
    """Judge the candidates with a cross-encoder, which separates safe negatives from false ones.

    Every pair is scored once. Options that only change the cutoffs compute nothing on a denoised set. With
    --cutoffs NAME, what is not given is as in these cutoffs or, if they are new, as in the current ones.

    \b
    Example:
      curate denoise --scorer models/cross-encoder
      curate denoise --negative-below 0.05 --cutoffs strict
      curate denoise --enough 8
    """
    here = workspace()
    if dry_run:
        return show(curate.plan_denoise(here, **options), as_json)
    with here.lock():
        result = curate.denoise(here, progress=progress(), **options)
    show(result, as_json)
    if not as_json:
        from curate.reports.terminal import print_audit

        negatives = options["negatives"] or here.settings.denoise.negatives
        print_audit(
            result.audit, {"run": result.run_id, "cutoffs": result.cutoffs["name"], "negatives": negatives}
        )
        unlabeled = here.select("augment/unlabeled_queries")["queries"][0]
        click.echo("Next: curate report" + (", or curate augment" if unlabeled else ""))
    return None
