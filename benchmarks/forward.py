"""The forward pass alone beside the machine's matrix product in the same number format, on the CPU.

    python benchmarks/forward.py [--queries N] [--depth N] [--rounds N] [--threads N]

Random weights in the shape of MiniLM-L6 (22 M parameters). The pairs are tokenized beforehand. The operations are
those of the matrix products in the model's batches, as torch counts them, padding included. The best round of
each counts, in CPU seconds.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from backends import write_minilm
from scorers import collection, timed, vocabulary

SIZE = 2048
"""Rows and columns of the matrices of the product alone."""


def main() -> None:
    """Print a Markdown row for each back end and number format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ |= {"CURATE_DEVICE": "cpu", "CURATE_THREADS": str(options.threads)}
    words = vocabulary()
    texts = collection(words, options.queries, options.depth)
    print("| what | GFLOP per CPU second | share of the product alone |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as holder:
        folder = write_minilm(Path(holder) / "minilm", words)
        for dtype, backend in product(("fp32", "bf16"), ("torch", "openvino")):
            os.environ["CURATE_DTYPE"] = dtype
            scorer, rows = opened(folder, backend, texts)
            if backend == "torch":
                operations = operations_of(scorer, rows)
                multiply = product_alone(dtype)
            rates = [
                (operations / timed(lambda: scorer.score(rows))[0], 2 * SIZE**3 / timed(multiply)[0])  # noqa: B023
                for _ in range(options.rounds)
            ]
            ours, alone = (max(found) / 1e9 for found in zip(*rates, strict=True))
            if backend == "torch":
                print(f"| product alone, {dtype} | {alone:.0f} | 1 |")
            print(f"| {backend}, {dtype} | {ours:.0f} | {ours / alone:.2f} |", flush=True)


def opened(folder: Path, backend: str, texts: tuple[Any, ...]) -> tuple[Any, Sequence[Any]]:
    """Return a scorer that is loaded and warm, and the tokenized pairs."""
    from curate.models.scorer import find_source
    from curate.models.scorer_options import ScorerOptions

    scorer = find_source(str(folder), folder.parent, ScorerOptions(backend=backend)).open()
    rows = scorer.prepare(*texts)
    scorer.score(rows)
    return scorer, rows


def operations_of(scorer: Any, rows: Sequence[Any]) -> int:
    """Return the operations of the matrix products by which torch scores the rows."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # only these are counted
        scorer.score(rows)
    return int(counter.get_total_flops())


def product_alone(dtype: str) -> Callable[[], np.ndarray]:
    """Return a function that multiplies two square matrices in a number format."""
    import torch

    form = {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]
    left, right = (torch.randn(SIZE, SIZE, dtype=form) for _ in range(2))
    _ = left @ right
    return lambda: (left @ right).float().numpy()


if __name__ == "__main__":
    main()
