"""Back ends of a cross-encoder or an encoder beside each other and sentence-transformers, by CPU time.

    python benchmarks/backends.py [MODEL] [--encode] [--collection FOLDER] [--queries N] [--depth N] [--rounds N]
        [--threads N]

MODEL: the folder of a cross-encoder, or with --encode of an encoder; without it, random weights in the shape of
MiniLM-L6 (22 M parameters). FOLDER: a collection in the layout of BEIR; without it, texts of made-up words. All
tools score the same pairs or embed the same passages in turn, each in its default batches, in one process. The
median of the rounds counts. The largest difference is that of a logit, or of a number in a vector, from curate's
with torch in fp32. `flips` counts the pairs on another side of 0.1 or 0.9 than there. int8 is calibrated on pairs
of other queries. `not run` says what a tool lacks.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from scorers import collection, curate_scores, timed, vocabulary, write_tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

Tool = Callable[[], np.ndarray]
Texts = tuple[list[str], list[str], np.ndarray]
AS_SHIPPED = "sentence-transformers, torch fp32"


def main() -> None:
    """Time every tool in turn, print a Markdown row each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--encode", action="store_true", help="embed the passages instead of scoring pairs")
    parser.add_argument("--collection", type=Path, help="a folder in the layout of BEIR, with qrels/test.tsv")
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--depth", type=int, default=20, help="as many passages as queries x depth")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ |= {"CURATE_DEVICE": "cpu", "CURATE_THREADS": str(options.threads)}
    words = vocabulary()
    texts = partial(pairs_of, options.collection) if options.collection else partial(collection, words)
    queries, passages, pairs = texts(options.queries, options.depth)
    with tempfile.TemporaryDirectory() as holder:
        folder = options.model or write_minilm(Path(holder) / "minilm", words, head=not options.encode)
        if options.encode:
            curate, library = partial(curate_vectors, folder, passages), partial(library_vectors, folder, passages)
        else:
            curate = partial(curate_scores, folder, queries, passages, pairs)
            library = partial(library_scores, folder, queries, passages, pairs)
        tools, lacking = opened(curate, library, options.threads)
        if not options.encode:
            calibration = other_pairs(texts, options.queries, options.depth)
            make = partial(int8_scores, folder, Path(holder), calibration, queries, passages, pairs)
            attempt(tools, lacking, "curate, openvino-int8, the rest in bf16", make)
        rounds = [[timed(tool) for tool in tools.values()] for _ in range(options.rounds)]
    show(dict(zip(tools, zip(*rounds, strict=True), strict=True)), "passages" if options.encode else "pairs")
    for name, why in lacking.items():
        print(f"| {name} | not run | | | {why} | |")


def pairs_of(folder: Path, queries: int, depth: int) -> Texts:
    """Return test queries of a collection, the passages of each, and the pairs.

    A query has up to two labelled passages, and those that share most words with it.
    """
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").open(encoding="utf-8")]
    texts = [f"{row.get('title', '')} {row['text']}".strip() for row in rows]
    place = {row["_id"]: at for at, row in enumerate(rows)}
    asked = {row["_id"]: row["text"] for row in map(json.loads, (folder / "queries.jsonl").open(encoding="utf-8"))}
    labelled: dict[str, list[int]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, passage = line.split("\t")[:2]
        if query in asked and passage in place:
            labelled.setdefault(query, []).append(place[passage])
    words = [set(text.lower().split()) for text in texts]
    chosen = sorted(labelled)[:: max(1, len(labelled) // queries)][:queries]
    passages, pairs = [], []
    for number, query in enumerate(chosen):
        own = set(asked[query].lower().split())
        near = sorted(range(len(texts)), key=lambda at: -len(own & words[at]))[:depth]
        for at in list(dict.fromkeys([*labelled[query][:2], *near]))[:depth]:
            pairs.append((number, len(passages)))
            passages.append(texts[at])
    return [asked[query] for query in chosen], passages, np.array(pairs)


def show(rounds: dict[str, tuple[tuple[float, np.ndarray], ...]], unit: str) -> None:
    """Print a Markdown table from tool -> the CPU seconds and the result of each of its rounds."""
    seconds = {name: median(second for second, _ in found) for name, found in rounds.items()}
    found = {name: results[0][1] for name, results in rounds.items()}
    precise = next(iter(found.values()))
    best = min(seconds[name] for name in seconds if name.startswith("sentence-transformers"))
    print(f"{len(precise):,} {unit}, medians of {len(next(iter(rounds.values())))} rounds\n")
    columns = ("times sentence-transformers, fp32", "its best", "largest difference", "flips")
    print(f"| tool | {unit} per CPU second | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|")
    for name, own in seconds.items():
        times = f"{seconds[AS_SHIPPED] / own:.2f} | {best / own:.2f}"
        flips = _flips(found[name], precise) if precise.ndim == 1 else ""
        difference = np.abs(found[name] - precise).max()
        print(f"| {name} | {len(precise) / own:.1f} | {times} | {difference:.2g} | {flips} |")


def _flips(logits: np.ndarray, precise: np.ndarray) -> int:
    cuts = np.log([0.1 / 0.9, 0.9 / 0.1])
    return int((np.digitize(logits, cuts) != np.digitize(precise, cuts)).sum())


def opened(
    curate: Callable[..., Tool], library: Callable[..., Tool], threads: int
) -> tuple[dict[str, Tool], dict[str, str]]:
    """Return name -> what computes, loaded and warm, and name -> why it cannot, of those that cannot."""
    import torch

    tools: dict[str, Tool] = {}
    lacking: dict[str, str] = {}
    for backend, dtype in product(("torch", "openvino"), ("fp32", "bf16")):
        os.environ["CURATE_DTYPE"] = dtype
        attempt(tools, lacking, f"curate, {backend} {dtype}", partial(curate, backend=backend))
    for backend, name, formats in (
        ("torch", "torch fp32", {"dtype": torch.float32}),
        ("torch", "torch bf16", {"dtype": torch.bfloat16}),
        ("openvino", "openvino", {}),
    ):
        make = partial(library, backend=backend, formats=formats)
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


def int8_scores(
    folder: Path, root: Path, calibration: "pa.Table", queries: list[str], passages: list[str], pairs: np.ndarray
) -> Tool:
    """Return a function that scores by curate's int8, calibrated on other pairs and kept below `root`."""
    from curate.models.cross_encoder import CrossEncoder
    from curate.models.int8_store import Int8Store
    from curate.models.openvino_model import INT8
    from curate.models.quantize import quantize
    from curate.models.scorer_spec import read_scorer_spec

    os.environ["CURATE_DTYPE"] = "bf16"
    of, spec = ("benchmark", 0), read_scorer_spec(folder)
    quantize(Int8Store(root), folder, spec, calibration, of, lambda _count: None)
    scorer = CrossEncoder(folder, backend=INT8, root=root)
    return lambda: scorer.score(scorer.prepare(queries, passages, pairs))


def other_pairs(texts: Callable[[int, int], Texts], queries: int, depth: int) -> "pa.Table":
    """Return up to CALIBRATION_PAIRS pairs of other queries than the first so many, evenly drawn."""
    import pyarrow as pa

    from curate.denoise.quantized_scorer import CALIBRATION_PAIRS

    measured = set(texts(queries, depth)[0])
    asked, found, pairs = texts(2 * queries, depth)
    others = [(asked[q], found[p]) for q, p in pairs.tolist() if asked[q] not in measured]
    chosen = others[:: max(1, len(others) // CALIBRATION_PAIRS)][:CALIBRATION_PAIRS]
    return pa.table({"query": [query for query, _ in chosen], "passage": [passage for _, passage in chosen]})


def curate_vectors(folder: Path, passages: list[str], *, backend: str) -> Tool:
    """Return a function that tokenizes and embeds; the model is loaded and warm."""
    from curate.models.encoder import Encoder

    encoder = Encoder.open(str(folder), backend=backend)
    list(encoder.encode(passages[:2], "passage"))
    return lambda: np.concatenate([chunk.array for chunk in encoder.encode(passages, "passage")])


def library_vectors(folder: Path, passages: list[str], *, backend: str, formats: dict[str, Any]) -> Tool:
    """Return a function that embeds by sentence-transformers, at its default batch size."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", backend=backend, model_kwargs=formats)
    options: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False}
    model.encode(passages[:2], **options)
    return lambda: np.asarray(model.encode(passages, **options), np.float32)


def write_minilm(folder: Path, words: list[str], *, head: bool = True) -> Path:
    """Save a BERT in the shape of MiniLM-L6: a cross-encoder, or without a head an encoder."""
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    write_tokenizer(folder, words, 30_522, ["[PAD]", "[CLS]", "[SEP]"])
    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, num_labels=1
    )
    (BertForSequenceClassification if head else BertModel)(config).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
