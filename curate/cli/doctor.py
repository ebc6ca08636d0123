"""`curate doctor`."""

from typing import Any, get_args

import click

import curate
from curate.cli.options import json_option, progress, show, workspace
from curate.config import Pooling, ScorerBackend
from curate.errors import NotMet, NoWorkspace


@click.command()
@click.option("--scorer", metavar="MODEL", help="Scorer to examine: a folder, hub name or http://host:port#model.")
@click.option("--encoder", metavar="MODEL", help="Encoder to examine: a folder or hub name.")
@click.option("--queries", metavar="N", type=click.IntRange(min=1), help="Queries to examine it with [32].")
@click.option(
    "--max-length", type=int, help="Scorer: tokens of query and passage together [as in curate denoise]."
)
@click.option("--relevant-class", metavar="NAME", help="Scorer: class that means relevant.")
@click.option("--instruction", metavar="TEXT", help="Scorer: what a causal language model judges.")
@click.option("--prompt", metavar="FILE", help="Scorer: prompt of a judge behind a chat route.")
@click.option("--requests", type=int, help="Scorer: requests to a server at the same time.")
@click.option("--timeout", type=float, help="Scorer: seconds for an answer of a server.")
@click.option(
    "--backend",
    type=click.Choice(get_args(ScorerBackend)),
    help="What computes a local scorer, or the encoder [torch].",
)
@click.option("--pooling", type=click.Choice(get_args(Pooling)), help="Encoder: pooling [as in curate mine].")
@click.option("--query-prompt", metavar="TEXT", help="Encoder: text before every query.")
@click.option("--passage-prompt", metavar="TEXT", help="Encoder: text before every passage.")
@click.option("--normalize/--no-normalize", default=None, help="Encoder: cosine or inner product.")
@click.option("--truncate-dim", type=int, help="Encoder: dimensions to keep.")
@click.option("--query-max-length", type=int, help="Encoder: tokens of a query.")
@click.option("--passage-max-length", type=int, help="Encoder: tokens of a passage.")
@json_option
def doctor(as_json: bool, **options: Any) -> int:
    """Examine a scorer or an encoder on your own texts, and the machine. Nothing is written.

    Red: the scores are wrong, or the machine does not work; the exit code is 7. Yellow: you should know this.
    Without a model, those are examined that the workspace uses.

    \b
    Example:
      curate doctor
      curate doctor --scorer models/cross-encoder
      curate doctor --encoder sentence-transformers/all-MiniLM-L6-v2 --json
    """
    try:
        here = workspace(refresh=False)
    except NoWorkspace:
        if any(value is not None for value in options.values()):
            raise
        here = None
    found = curate.doctor(here, progress=progress(), **options)
    if as_json:
        show(found, as_json)
    else:
        from curate.reports.diagnosis import print_diagnosis

        print_diagnosis(found)
    return 0 if found.is_sound else NotMet.exit_code
