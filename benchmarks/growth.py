"""How time and memory grow with 10 k, 100 k and 1 M passages, and with 0.1, 1 and 10 M candidates.

    python benchmarks/growth.py COLLECTION --folder DIR [--passages N ...] [--candidates N ...]

COLLECTION is a BEIR folder, whose passages are repeated, each time with another word at the end. Its first
queries are asked. The models are small ones with random weights, so that what is measured is curate's own work.
Such a scorer tells nothing apart: `denoise` keeps its scores and refuses to set cutoffs by them. Each command runs
in a process of its own. Printed are the seconds of the clock, those of the processors, and the peak memory.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from decisions import DEPTH, build
from gpu import Bench

QUERIES = 1_000


def main() -> None:
    """Print a Markdown table for the passages, and one for the candidates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--passages", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--candidates", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    models = Bench(options.folder, tiny=True, part="growth")
    encoder, scorer = (str(models.model("minilm", kind)) for kind in ("encoder", "cross-encoder"))
    print("| passages | command | seconds | processor seconds | peak memory |\n|---|---|---|---|---|")
    for count in options.passages:
        passages(options.collection, options.folder, count, encoder, scorer)
    print("\n| candidates | command | seconds | processor seconds | peak memory |\n|---|---|---|---|---|")
    for count in options.candidates:
        candidates(options.folder, count)


def passages(collection: Path, folder: Path, count: int, encoder: str, scorer: str) -> None:
    """Measure the stages on a collection of `count` passages."""
    source, root = folder / f"source-{count}", folder / f"set-{count}"
    write_collection(collection, source, count)
    shutil.rmtree(root, ignore_errors=True)
    measured(None, "init", str(root))
    denoise = ["denoise", "--scorer", scorer, "--depth", "50", "--max-length", "128"]
    for words in (
        ["load", str(source)],
        ["mine", "--retriever", "bm25", "--depth", "50"],
        ["mine", "--retriever", "dense", "--encoder", encoder, "--depth", "50"],
        denoise,
    ):
        said(count, words, measured(root, *words))


def candidates(folder: Path, count: int) -> None:
    """Measure questions over `count` candidates that are scored."""
    root = folder / f"candidates-{count}"
    shutil.rmtree(root, ignore_errors=True)
    build(root, count // DEPTH)
    for words in (["report", "--cutoffs", "default"], ["report", "--cutoffs", "other"]):
        said(count, words, measured(root, *words))


def write_collection(collection: Path, target: Path, count: int) -> None:
    """Write `count` passages, and the first QUERIES queries whose positives are among them, with their labels."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "qrels").mkdir(parents=True)
    rows = [json.loads(line) for line in (collection / "corpus.jsonl").open(encoding="utf-8")]
    kept = set()
    with (target / "corpus.jsonl").open("w", encoding="utf-8") as stream:
        for number, row in zip(range(count), itertools.cycle(rows), strict=False):
            again = number // len(rows)
            name = f"{row['_id']}-{again}" if again else row["_id"]
            text = f"{row['text']} again{again}" if again else row["text"]
            kept.add(name)
            stream.write(json.dumps({"_id": name, "title": row.get("title", ""), "text": text}) + "\n")
    header, *labels = (collection / "qrels/train.tsv").read_text("utf-8").splitlines()
    labels = [line for line in labels if line.split("\t")[1] in kept]
    asked = list(dict.fromkeys(line.split("\t")[0] for line in labels))[:QUERIES]
    chosen = [line for line in labels if line.split("\t")[0] in {*asked}]
    (target / "qrels/train.tsv").write_text("\n".join([header, *chosen]) + "\n", "utf-8")
    with (target / "queries.jsonl").open("w", encoding="utf-8") as stream:
        for line in (collection / "queries.jsonl").open(encoding="utf-8"):
            if json.loads(line)["_id"] in {*asked}:
                stream.write(line)


def measured(root: Path | None, *words: str) -> tuple[float, float, float]:
    """Run a command; return its seconds, those of the processors, and its peak memory in GiB."""
    here = [] if root is None else ["-C", str(root)]
    started = time.perf_counter()
    command = [sys.executable, "-m", "curate", "-q", *here, *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and words[0] != "denoise":
        raise SystemExit(f"curate {' '.join(words)} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1 << 20)


def said(count: int, words: list[str], cost: tuple[float, float, float]) -> None:
    """Print a row of the table."""
    names = [word for word in words if "/" not in word]
    print(f"| {count:,} | {' '.join(names[:3])} | {cost[0]:.1f} | {cost[1]:.1f} | {cost[2]:.2f} GiB |", flush=True)


if __name__ == "__main__":
    main()
