"""`curate load`."""

from pathlib import Path
from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace

file = click.Path(path_type=Path)


@click.command()
@click.argument("sources", metavar="[SOURCE]...", nargs=-1, type=file)
@click.option("--passages", metavar="FILE", multiple=True, type=file, help="Passages: ids and texts.")
@click.option("--queries", metavar="FILE", multiple=True, type=file, help="Queries that labels may name.")
@click.option("--unlabeled", metavar="FILE", multiple=True, type=file, help="Queries without labels, for augment.")
@click.option(
    "--qrels",
    metavar="[SPLIT=]FILE",
    multiple=True,
    help="Labels of a split: train, dev (or val, valid, validation, eval) or test. "
    "Default of SPLIT: the one that the file's name holds, else train.",
)
@click.option("--annotations", metavar="FILE", multiple=True, type=file, help="Verdicts of annotators on pairs.")
@click.option(
    "--max-rejects",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Load the rest if at most N rows cannot be taken. Default: 0.",
)
@dry_run_option
@json_option
def load(sources: tuple[Path, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Load passages, queries and labels; what is loaded already stays.

    SOURCE is a folder in the layout of BEIR (corpus.jsonl, queries.jsonl, qrels/) or MS MARCO
    (collection.tsv, queries.train.tsv, qrels.train.tsv), or a file that says by its columns what it holds.
    Files are JSON lines, TSV, TREC or Parquet, as they are or packed by gzip or zstd; docs/input.md has an
    example of each. Options may be given several times, and may name a folder of such files.

    \b
    Example:
      curate load ../my-collection
      curate load --passages corpus.jsonl.gz --queries queries.tsv --qrels dev=judged.txt
      curate load squad-win --qrels train=squad-win/qrels/train_sparse.tsv
    """
    here = workspace()
    if dry_run:
        del options["max_rejects"]
        show(curate.plan_load(here, *sources, **options), as_json)
        return
    with here.lock():
        show(curate.load(here, *sources, **options, progress=progress()), as_json)
