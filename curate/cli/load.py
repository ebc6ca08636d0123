"""`curate load`."""

from pathlib import Path
from typing import Any

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace

file = click.Path(path_type=Path)


@click.command()
@click.argument("sources", metavar="[SOURCE]...", nargs=-1, type=file)
@click.option("--passages", metavar="FILE", multiple=True, type=file, help="Passages, with ids and texts.")
@click.option("--queries", metavar="FILE", multiple=True, type=file, help="Queries that labels may refer to.")
@click.option(
    "--unlabeled", metavar="FILE", multiple=True, type=file, help="Queries without labels, for `curate augment`."
)
@click.option(
    "--qrels",
    metavar="[SPLIT=]FILE",
    multiple=True,
    help="Labels of a split: train, dev (or val, valid, validation, eval) or test [the split in the file's name, "
    "else train].",
)
@click.option("--annotations", metavar="FILE", multiple=True, type=file, help="Annotators' verdicts on pairs.")
@click.option(
    "--max-rejects",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Load the rest if at most N rows are rejected [0].",
)
@dry_run_option
@json_option
def load(sources: tuple[Path, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Load passages, queries and labels. What is loaded stays; a newer label of a pair replaces the older one.

    SOURCE is a folder in the layout of BEIR (corpus.jsonl, queries.jsonl, qrels/) or MS MARCO
    (collection.tsv, queries.train.tsv, qrels.train.tsv), a folder of `save_to_disk`, or a file whose columns
    show what it holds; `-` is standard input. Files are JSON lines, TSV, CSV, TREC, Parquet or Arrow; the text
    files may be compressed with gzip or zstd. docs/input.md has an example of each. The options for files may be
    repeated, and may also name a folder of files.

    \b
    Example:
      curate load ../my-collection
      curate load --passages corpus.jsonl.gz --queries queries.tsv --qrels dev=judged.txt
      curate load squad-win --qrels train=squad-win/qrels/train_sparse.tsv
      zcat corpus-*.gz | curate load --passages -
    """
    here = workspace()
    if dry_run:
        show(curate.plan_load(here, *sources, **options), as_json)
        return
    with here.lock():
        show(curate.load(here, *sources, **options, progress=progress()), as_json)
