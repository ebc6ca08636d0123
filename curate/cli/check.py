"""`curate check`."""

from pathlib import Path
from typing import Any

import click

import curate
from curate.cli.options import json_option, progress, say, show, workspace
from curate.errors import NotMet


@click.command()
@click.option(
    "--against",
    metavar="COLLECTION",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Benchmark whose queries must not train either; repeatable.",
)
@click.option("--near", metavar="S", type=float, help="Share of common shingles of near texts [0.8].")
@click.option("--max-queries", metavar="N", type=click.IntRange(min=0), help="Training queries that may leak [0].")
@click.option(
    "--max-passages", metavar="N", type=click.IntRange(min=0), help="Positives that may leak [any number]."
)
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=20, help="Pairs to show [20].")
@json_option
def check(as_json: bool, limit: int, **options: Any) -> int:
    """Look for training texts that stand in dev, test or a benchmark. Nothing is written.

    Queries that may train are compared with the queries of dev and test, and their labelled positives with those
    of dev and test: which are the same, or nearly? The exit code is 7 if more leak than may.

    \b
    Example:
      curate check
      curate check --against my-benchmark --near 0.9
      curate check --max-queries 3 --json
    """
    found = curate.check(workspace(refresh=False), progress=progress(), **options)
    show(found, as_json)
    if not as_json:
        for leak in found.leaks[:limit]:
            say(f"\n{leak.kind} {leak.id} = {leak.where} {leak.other_id}: {leak.similarity:.3f}")
            say(f"  {_line(leak.text)}\n  {_line(leak.other_text)}")
        if len(found.leaks) > limit:
            say(f"\n{len(found.leaks) - limit:,} more: --limit N, or --json for all")
    return 0 if found.is_clean else NotMet.exit_code


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
