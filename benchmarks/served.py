"""A served scorer beside the same model opened here: how far their logits are apart, and pairs per second of both.

    python benchmarks/served.py http://localhost:7997#MODEL FOLDER [--pairs 512] [--requests 8]

FOLDER holds the cross-encoder that the server has loaded. The pairs come from the documentation in Python's own
modules, as in `curate demo`: each question with articles, its own among them. Start a server first, for example:

    infinity_emb v2 --model-id FOLDER --served-model-name MODEL --engine torch --device cpu --no-bettertransformer
    text-embeddings-router --model-id FOLDER --port 7997
    vllm serve FOLDER --served-model-name MODEL --port 7997
"""

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.demo.articles import article
from curate.demo.docstrings import docstrings
from curate.models.cross_encoder import CrossEncoder
from curate.models.scorer import PairScorer, find_source
from curate.models.scorer_options import ScorerOptions

PER_QUERY = 16
MODULES = {"python": "json logging pathlib collections subprocess shutil textwrap statistics"}


def pairs(count: int) -> tuple[list[str], list[str], np.ndarray[Any, Any]]:
    """Return queries, passages and pairs of their indices: a query with its own passage and others, by seed."""
    found = [one for text in docstrings(MODULES) if (one := article(text)) and one.query]
    queries = [str(one.query) for one in found][: max(count // PER_QUERY, 1)]
    passages = [one.passage for one in found]
    rng = random.Random(0)
    others = [rng.sample(range(len(passages)), PER_QUERY - 1) for _ in queries]
    return queries, passages, np.array([(at, one) for at, drawn in enumerate(others) for one in (at, *drawn)])


def timed(
    scorer: PairScorer, texts: tuple[Sequence[str], Sequence[str], Any]
) -> tuple[np.ndarray[Any, Any], float]:
    """Return the logits and the pairs per second, without the first few pairs."""
    rows = scorer.prepare(*texts)
    scorer.score(rows[:PER_QUERY])
    started = time.monotonic()
    logits = scorer.score(rows)
    return logits, len(rows) / (time.monotonic() - started)


def main() -> None:
    """Score the pairs twice and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=512)
    parser.add_argument("--requests", type=int, default=8)
    given = parser.parse_args()
    texts = pairs(given.pairs)
    source = find_source(given.address, Path.cwd(), ScorerOptions(requests=given.requests))
    local = CrossEncoder(given.folder)
    print(f"{source.spec.text}\nhere: {local.settings}")
    served, served_rate = timed(source.open(), texts)
    here, rate = timed(local, texts)
    apart = np.abs(served - here)
    first, first_here = (logits.reshape(-1, PER_QUERY).argmax(1) for logits in (served, here))
    print(f"{len(here):,} pairs, logits from {here.min():.2f} to {here.max():.2f}")
    same = float((first == first_here).mean())
    print(f"apart: at most {apart.max():.2g}, on average {apart.mean():.2g}; same first: {same:.1%}")
    print(f"pairs per second: served {served_rate:,.0f}, here {rate:,.0f}")


if __name__ == "__main__":
    main()
