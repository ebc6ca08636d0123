"""Exact search beside faiss IndexFlatIP and beside the matrix product alone, in turns, in one process.

    python benchmarks/search.py [--queries N] [--passages N] [--dimension N] [--depth N] [--threads N] [--rounds N]

The vectors are random, of length 1, and rounded to float16, as curate keeps them. faiss gets them in float32. The
matrix products have the blocks of curate's search. `curate, fp32` is the search without bfloat16. Printed are the
median seconds, of the clock and of the processor, and whether all three find the same passages.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch


def main() -> None:
    """Time all of them in each round, print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    queries, passages = (
        vectors(options.queries, options.dimension, 1),
        vectors(options.passages, options.dimension, 2),
    )
    tools: dict[str, Callable[[], Any]] = {
        "curate": lambda: curate(queries, passages, options.depth, bf16=True),
        "curate, fp32": lambda: curate(queries, passages, options.depth, bf16=False),
        "faiss IndexFlatIP": flat_index(queries, passages, options.depth, options.threads),
        "matrix product, bf16": lambda: product(queries, passages, torch.bfloat16),
        "matrix product, fp32": lambda: product(queries, passages, torch.float32),
    }
    rounds = [{name: timed(tool) for name, tool in tools.items()} for _ in range(options.rounds)]
    seconds = {name: [median(found[name][at] for found in rounds) for at in (0, 1)] for name in tools}
    print("| tool | seconds | processor seconds | curate is faster by |")
    print("|---|---|---|---|")
    for name, (clock, processor) in seconds.items():
        print(f"| {name} | {clock:.2f} | {processor:.2f} | {processor / seconds['curate'][1]:.2f} |")
    ours, ours_in_fp32, theirs = ([set(row) for row in rounds[0][name][2].tolist()] for name in list(tools)[:3])
    shared = sum(len(one & other) for one, other in zip(ours, theirs, strict=True)) / sum(map(len, theirs))
    print(f"\ncurate finds the same in fp32: {ours == ours_in_fp32}. Of what faiss finds, it finds {shared:.6f}.")


def vectors(count: int, dimension: int, seed: int) -> np.ndarray:
    """Return random vectors of length 1."""
    drawn = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)


def timed(tool: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the seconds of a call, those of the processor, and what it returns."""
    clock, processor = time.monotonic(), time.process_time()
    found = tool()
    return time.monotonic() - clock, time.process_time() - processor, found


def curate(queries: np.ndarray, passages: np.ndarray, depth: int, *, bf16: bool) -> np.ndarray:
    """Return what curate finds, with a first pass in bfloat16 or not."""
    from curate.mine.exact_search import exact
    from curate.models import pretrained

    before, pretrained.multiplies_bf16 = pretrained.multiplies_bf16, lambda _where: bf16
    try:
        return exact(queries, [passages], depth, "cpu").keys
    finally:
        pretrained.multiplies_bf16 = before


def flat_index(queries: np.ndarray, passages: np.ndarray, depth: int, threads: int) -> Callable[[], np.ndarray]:
    """Return a function that searches in a filled index of faiss."""
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(passages.shape[1])
    index.add(passages.astype(np.float32))
    asked = queries.astype(np.float32)
    return lambda: index.search(asked, depth)[1]  # type: ignore[no-any-return]


def product(queries: np.ndarray, passages: np.ndarray, dtype: torch.dtype) -> None:
    """Multiply in blocks, and drop the result."""
    from curate.mine.two_passes import SIZES

    sizes = SIZES["cpu"]
    asked, columns = (torch.from_numpy(each).to(dtype) for each in (queries, passages))
    out = torch.empty(sizes.queries * sizes.passages, dtype=dtype)
    for rows in torch.split(asked, sizes.queries):
        for block in torch.split(columns, sizes.passages):
            torch.mm(rows, block.T, out=out[: len(rows) * len(block)].view(len(rows), len(block)))


if __name__ == "__main__":
    main()
