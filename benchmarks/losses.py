"""Losses for several positives, some of them wrong: MRR@10 of dual-encoders that differ in nothing else.

    python benchmarks/losses.py COLLECTION --folder DIR --encoder MODEL [--wrong 1] [--seeds 0 1 2] -- TRAINING...

COLLECTION is a BEIR folder. BM25 mines its train queries, and each gets `--wrong` more positives: candidates that
nobody labelled, drawn by hash from the first twenty, as a judge that errs would promote them. The product trains
one dual-encoder for each loss with the options after `--` (of `curate train dual-encoder`) and evaluates it on
test. Where labels are not complete, some of the planted positives are right ones.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import polars as pl

from curate import Workspace

LOSSES = ("mean", "lse-pair", "marginal")
AMONG = 20


def main() -> None:
    """Plant, train and evaluate once for each seed; print the figures as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where workspaces are made")
    parser.add_argument("--encoder", required=True, help="the start of the dual-encoders")
    parser.add_argument("--wrong", type=int, default=1, help="wrong positives per query")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    ours, _, training = " ".join(sys.argv[1:]).partition(" -- ")
    options = parser.parse_args(ours.split())
    for seed in options.seeds:
        root = options.folder / f"set-{options.wrong}-{seed}"
        if not root.exists():
            curate("init", root)
        here = ("-C", root, "--set", f"seed={seed}")
        curate(*here, "load", options.collection)
        curate(*here, "mine", "--retriever", "bm25", "--depth", AMONG)
        planted = plant(Workspace(root), root / "planted.tsv", options.wrong, seed)
        curate(*here, "load", "--qrels", f"train={planted}")
        start = evaluated(here, options.encoder)
        fixed = ("--init", options.encoder, "--positives", 4, "--hard-negatives", 0, "--masks", "labels")
        for loss in LOSSES:
            name = f"by-{loss}"
            training_of = (*fixed, "--dev-every", 0, "--positives-loss", loss, "--name", name)
            curate(*here, "train", "dual-encoder", *training_of, *training.split())
            figures = {"seed": seed, "wrong": options.wrong, "loss": loss, "training": training}
            print(json.dumps({**figures, "start": start, "mrr@10": evaluated(here, f"models/{name}")}), flush=True)


def curate(*arguments: object) -> str:
    """Run a command as a user would; return what it prints."""
    call = [sys.executable, "-m", "curate", "-q", *map(str, arguments)]
    return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout


def evaluated(here: tuple[object, ...], encoder: str) -> float:
    """Return the MRR@10 of an encoder on test."""
    found = json.loads(curate(*here, "evaluate", "--encoder", encoder, "--split", "test", "--json"))
    run = next(run for run, model in found["models"].items() if model == encoder)
    return next(
        round(row["value"]["mean"], 4)
        for row in found["metrics"]
        if row["run_id"] == run and row["metric"] == "MRR@10"
    )


def plant(workspace: Workspace, path: Path, wrong: int, seed: int) -> Path:
    """Write qrels with `wrong` unlabelled candidates of each train query; return their path."""
    if path.exists():
        return path
    pairs = workspace.scan("candidates").join(
        workspace.scan("positives"), on=["query_key", "passage_key"], how="anti"
    )
    named = pairs.join(workspace.scan("queries").filter(pl.col("split") == "train"), on="query_key")
    named = named.join(workspace.scan("passages"), on="passage_key").select("query_id", "passage_id")
    drawn = sorted(named.collect().rows(), key=lambda pair: hashlib.sha256(f"{seed} {pair}".encode()).digest())
    taken: dict[str, list[str]] = {}
    for query, passage in drawn:
        taken.setdefault(query, []).append(passage)
    rows = [f"{query}\t{passage}\t1\n" for query in sorted(taken) for passage in taken[query][:wrong]]
    path.write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), "utf-8")
    return path


if __name__ == "__main__":
    main()
