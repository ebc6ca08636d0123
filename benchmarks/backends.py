"""Back ends of a cross-encoder beside each other and sentence-transformers: pairs for each second of CPU time.

    python benchmarks/backends.py [MODEL] [--queries N] [--depth N] [--rounds N] [--threads N]

MODEL: the folder of a cross-encoder; without it, random weights in the shape of MiniLM-L6 (22 M parameters). All
tools score the same pairs in turn, each in its default batches, in one process. The best round of each counts. The
largest difference is that of a logit from curate's with torch in fp32. `not run` says what a tool lacks.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from scorers import collection, curate_scores, timed, vocabulary, write_tokenizer

Tool = Callable[[], np.ndarray]


def main() -> None:
    """Time every tool in turn, print a Markdown row each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ |= {"CURATE_DEVICE": "cpu", "CURATE_THREADS": str(options.threads)}
    words = vocabulary()
    texts = collection(words, options.queries, options.depth)
    with tempfile.TemporaryDirectory() as holder:
        folder = options.model or write_minilm(Path(holder) / "minilm", words)
        tools, lacking = opened(folder, texts, options.threads)
        rounds = [[timed(tool) for tool in tools.values()] for _ in range(options.rounds)]
    best = [min(found, key=itemgetter(0)) for found in zip(*rounds, strict=True)]
    (base, precise), pairs = best[0], len(texts[2])
    print(f"{pairs:,} pairs of {folder.name}, {options.threads} threads, best of {options.rounds} rounds\n")
    print("| tool | pairs per CPU second | times curate, torch fp32 | largest difference |\n|---|---|---|---|")
    for name, (seconds, logits) in zip(tools, best, strict=True):
        difference = np.abs(logits - precise).max()
        print(f"| {name} | {pairs / seconds:.1f} | {base / seconds:.2f} | {difference:.2g} |")
    for name, why in lacking.items():
        print(f"| {name} | not run | | {why} |")


def opened(folder: Path, texts: tuple[Any, ...], threads: int) -> tuple[dict[str, Tool], dict[str, str]]:
    """Return name -> what scores, loaded and warm, and name -> why it cannot, of those that cannot."""
    import torch

    tools: dict[str, Tool] = {}
    lacking: dict[str, str] = {}
    for backend, dtype in product(("torch", "openvino"), ("fp32", "bf16")):
        os.environ["CURATE_DTYPE"] = dtype
        make = partial(curate_scores, folder, *texts, backend=backend)
        attempt(tools, lacking, f"curate, {backend} {dtype}", make)
    for backend, name, formats in (
        ("torch", "torch fp32", {"dtype": torch.float32}),
        ("torch", "torch bf16", {"dtype": torch.bfloat16}),
        ("openvino", "openvino", {}),
    ):
        make = partial(library_scores, folder, *texts, backend=backend, formats=formats)
        attempt(tools, lacking, f"sentence-transformers, {name}", make)
    torch.set_num_threads(threads)
    return tools, lacking


def attempt(tools: dict[str, Tool], lacking: dict[str, str], name: str, make: Callable[[], Tool]) -> None:
    """Add a tool to those that can score, or to those that cannot, with the reason."""
    try:
        tools[name] = make()
    except Exception as error:  # noqa: BLE001 - whatever a library raises, the others are measured
        lacking[name] = " ".join(str(error).split())[:120]


def library_scores(
    folder: Path,
    queries: list[str],
    passages: list[str],
    pairs: np.ndarray,
    *,
    backend: str,
    formats: dict[str, Any],
) -> Tool:
    """Return a function that scores by sentence-transformers, at its default batch size."""
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", backend=backend, model_kwargs=formats)
    texts = [(queries[q], passages[p]) for q, p in pairs.tolist()]
    options: dict[str, Any] = {"activation_fn": torch.nn.Identity(), "show_progress_bar": False}
    model.predict(texts[:1], **options)
    return lambda: np.asarray(model.predict(texts, **options))


def write_minilm(folder: Path, words: list[str]) -> Path:
    """Save a BERT cross-encoder in the shape of MiniLM-L6."""
    from transformers import BertConfig, BertForSequenceClassification

    write_tokenizer(folder, words, 30_522, ["[PAD]", "[CLS]", "[SEP]"])
    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, num_labels=1
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
