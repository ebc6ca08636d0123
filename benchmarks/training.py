"""Training throughput: curate's dual-encoder trainer beside sentence-transformers', the same rows in one run.

    python benchmarks/training.py COLLECTION MODEL --folder DIR [--rows 640] [--batch-rows 32] [--memory]
        [--tevatron PYTHON]

Both train MODEL on the same rows (a query, its positive, one mined passage) in bf16, cosine at temperature
0.05, at most 128 tokens, AdamW with the same schedule; sentence-transformers by its cached loss. Each runs in a
process of its own; tokens are counted without padding, and loading is in nobody's time. `--memory` gives the peak
memory of curate's trainer by batch instead, with and without gradient caching. Needs accelerate. PYTHON: that of
an environment with Tevatron, as training_tevatron.py says.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
from planted import sample

from curate import Workspace
from curate.models.pretrained import load_tokenizer
from curate.ragged import Ragged
from curate.shards import Lineage
from curate.train import training_rows
from curate.training_set import TrainingSet

LENGTH, TEMPERATURE, LEARNING_RATE = 128, 0.05, 3e-5
BATCHES = (16, 32, 64, 128, 256)
SETTINGS = {
    "epochs": 1, "positives": 1, "hard_negatives": 1, "random_negatives": 0, "masks": "none", "scorer": "",
}  # fmt: skip


def main() -> None:
    """Make the workspace, then measure each trainer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=640)
    parser.add_argument("--batch-rows", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--tevatron", type=Path)
    parser.add_argument("--theirs", action="store_true", help="only sentence-transformers, in this process")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    if options.theirs:
        print(json.dumps(theirs(options)))
        return
    prepare(options)
    measure_memory(options) if options.memory else measure_speed(options)


def prepare(options: argparse.Namespace) -> None:
    """Load a sample of the collection, mine with BM25, and write the rows that curate will draw, with texts."""
    root = options.folder / "set"
    if (options.folder / "rows.parquet").exists():
        return
    sample(options.collection, options.folder / "sample", options.rows, 10)
    workspace = Workspace.create(root)
    curate(root, "load", options.folder / "sample")
    run = curate(root, "mine", "--depth", 50)["run_id"]
    tokenizer = load_tokenizer(options.model)
    folder = options.folder / "rows"
    training_set = TrainingSet(
        runs=[run], cutoffs="", seed=0, augmented=False, promote=False, denoised=False, depth=50
    )
    training_rows.write(
        workspace,
        folder,
        training_set,
        {**training_set.parameters, **SETTINGS},
        lambda _keys, texts, _side: Ragged.of(tokenizer(texts, truncation=True, max_length=LENGTH)["input_ids"]),
        Lineage("benchmark", "rows"),
    )
    drawn = pl.read_parquet(folder / training_rows.ROWS)
    texts = workspace.sql("select passage_key, passage_text(title, text) as passage from passages")
    asked = workspace.sql("select query_key, text as query from queries")
    drawn = drawn.join(texts, on="passage_key", maintain_order="left").join(
        asked, on="query_key", maintain_order="left"
    )
    drawn.write_parquet(options.folder / "rows.parquet")


def measure_speed(options: argparse.Namespace) -> None:
    """Print a row a trainer: the round with the median rate. The trainers take turns: a machine's speed drifts."""
    command = [sys.executable, __file__, str(options.collection), str(options.model), "--theirs"]
    command += ["--folder", str(options.folder), "--batch-rows", str(options.batch_rows)]
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        for name, extra in (("curate", []), ("curate, gradient caching", ["--gradient-cache"])):
            found.setdefault(name, []).append(trained(options, options.batch_rows, extra))
        found.setdefault("sentence-transformers", []).append(said(command))
        if options.tevatron:
            script = Path(__file__).with_name("training_tevatron.py")
            asked = [options.folder / "rows.parquet", options.model.resolve(), options.batch_rows]
            found.setdefault("tevatron", []).append(said([options.tevatron, script, *asked]))
    print("| trainer | tokens/s | seconds | mean loss | peak memory |\n|---|---|---|---|---|")
    for name, rounds in found.items():
        middle = sorted(rounds, key=lambda one: one["seconds"])[len(rounds) // 2]
        rate, seconds = f"{middle['tokens'] / middle['seconds']:,.0f}", f"{middle['seconds']:.1f}"
        print(f"| {name} | {rate} | {seconds} | {middle['loss']:.3f} | {middle['gib']:.2f} GiB |", flush=True)


def said(command: list[Any]) -> dict[str, float]:
    """Return the line of JSON that a command ends with."""
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_memory(options: argparse.Namespace) -> None:
    """Print a row a batch."""
    print("| rows a step | peak memory | with gradient caching |\n|---|---|---|")
    for size in BATCHES:
        plain, cached = (trained(options, size, extra)["gib"] for extra in ([], ["--gradient-cache"]))
        print(f"| {size} | {plain:.2f} GiB | {cached:.2f} GiB |", flush=True)


def trained(options: argparse.Namespace, batch_rows: int, extra: list[str]) -> dict[str, float]:
    """Train with curate; return tokens, seconds, mean loss and peak memory, from its log."""
    root, name = options.folder / "set", f"m{time.time_ns()}"
    curate(
        root, "train", "dual-encoder", "--init", options.model.resolve(), "--name", name, "--epochs", 1,
        "--batch-rows", batch_rows, "--hard-negatives", 1, "--no-denoised", "--masks", "none", "--no-augmented",
        "--similarity", "cosine", "--temperature", TEMPERATURE, "--query-max-length", LENGTH,
        "--passage-max-length", LENGTH, "--learning-rate", LEARNING_RATE, "--dev-every", 0, *extra,
    )  # fmt: skip
    lines = [json.loads(line) for line in (root / f"models/{name}.log.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    sizes = [after - before for before, after in zip([0, *steps], steps, strict=False)]
    return {
        "tokens": sum(line["tokens_per_second"] * line["seconds"] for line in lines),
        "seconds": sum(line["seconds"] for line in lines),
        "loss": sum(line["loss"] * size for line, size in zip(lines, sizes, strict=True)) / steps[-1],
        "gib": lines[-1]["peak_memory_gib"],
    }


def theirs(options: argparse.Namespace) -> dict[str, float]:
    """Train with sentence-transformers in this process; return the same."""
    import tempfile

    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.losses import CachedMultipleNegativesRankingLoss

    model = SentenceTransformer(str(options.model), device="cpu")
    model.max_seq_length = LENGTH
    drawn = pl.read_parquet(options.folder / "rows.parquet")
    grouped = drawn.group_by("row_number", maintain_order=True).agg(pl.first("query"), pl.col("passage"))
    grouped = grouped.filter(pl.col("passage").list.len() == 2)
    columns = {
        "anchor": grouped["query"].to_list(),
        "positive": grouped["passage"].list.get(0).to_list(),
        "negative": grouped["passage"].list.get(1).to_list(),
    }
    tokens = sum(
        len(ids)
        for texts in columns.values()
        for ids in model.tokenizer(texts, truncation=True, max_length=LENGTH)["input_ids"]
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            folder,
            num_train_epochs=1,
            per_device_train_batch_size=options.batch_rows,
            learning_rate=LEARNING_RATE,
            warmup_ratio=0.1,
            weight_decay=0.0,
            bf16=True,
            use_cpu=True,
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
        )
        loss = CachedMultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE, mini_batch_size=options.batch_rows)
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss
        )
        began = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - began
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"tokens": tokens, "seconds": seconds, "loss": sum(map(float, losses)) / len(losses), "gib": peak}


def curate(root: Path, *arguments: object) -> dict[str, Any]:
    """Run a command of curate in a workspace; return its result."""
    command = [sys.executable, "-m", "curate", "-q", "-C", str(root), *map(str, arguments), "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


if __name__ == "__main__":
    main()
