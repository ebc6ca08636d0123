"""Judges on planted false negatives: how many a judge finds, and what else it removes.

    python benchmarks/judges.py COLLECTION --folder DIR --queries N --encoder MODEL [--seeds 0 1 2] -- TRAINING...

COLLECTION is a BEIR folder. Of the positives of N train queries, drawn by hash, 30 % are hidden by hash (one of
each query stays). If there are qrels/train_sparse.tsv and qrels/train_hidden.tsv, these say what is hidden. The
product mines, trains a judge with the options after `--` (of `curate train cross-encoder`), denoises, calibrates
the judge from the labels, and joins it with the ranks of the run. The truth is joined afterwards.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate import Workspace
from curate.bootstrap import interval
from curate.train.choosing import auc

Pair = ["query_id", "passage_id"]
HIDDEN = 0.3
KEPT = (0.6, 0.7)
"""Shares of the true negatives that stay when the removed share is read."""


def main() -> None:
    """Sample, train and denoise once for each seed; print the figures as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where samples and workspaces are made")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--mine-depth", type=int, default=100)
    parser.add_argument("--encoder", required=True, help="mines, unless BM25 does, and is the start of the judge")
    parser.add_argument("--retriever", default="hybrid", choices=["hybrid", "dense", "bm25"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    ours, _, training = " ".join(sys.argv[1:]).partition(" -- ")
    options = parser.parse_args(ours.split())
    options.training = training.split()
    labels, hidden = split_labels(options.collection, options.queries)
    sample = options.folder / "sample"
    write_sample(options.collection, sample, labels)
    key = hashlib.sha256(json.dumps(options.training).encode()).hexdigest()[:8]
    for seed in options.seeds:
        root = options.folder / f"set-{key}-{seed}"
        if not root.exists():
            curate("init", root)
        here = ("-C", root, "--set", f"seed={seed}")
        curate(*here, "load", sample)
        encoder = () if options.retriever == "bm25" else ("--encoder", options.encoder)
        curate(*here, "mine", "--retriever", options.retriever, *encoder, "--depth", options.mine_depth)
        curate(*here, "train", "cross-encoder", "--init", options.encoder, *options.training)
        curate(*here, "denoise", "--depth", options.depth, "--accept-judge")
        workspace = Workspace(root)
        found = {"seed": seed, "training": options.training, **figures(workspace, labels, hidden)}
        [record] = [one for one in workspace.records("train") if one.job == "train-cross-encoder"]
        found |= {"seconds": record.facts["seconds"], "audit": record.facts["judge"]}
        if curate(*here, "calibrate", "--from", "labels", check=False) == 0:
            curate(*here, "cutoffs", "set", "default")
            found["calibrated"] = figures(workspace, labels, hidden)
        if curate(*here, "calibrate", "--ranks", "--from", "labels", check=False) == 0:
            by = [word for scorer in scorers(workspace) for word in ("--scorer", scorer)]
            curate(*here, "cutoffs", "set", "both", *by, "--join", "mean")
            curate(*here, "use", "--cutoffs", "both")
            found["with_ranks"] = figures(workspace, labels, hidden)
        print(json.dumps(found), flush=True)


def curate(*arguments: object, check: bool = True) -> int:
    """Run a command as a user would; return its exit code."""
    command = [sys.executable, "-m", "curate", *map(str, arguments)]
    return subprocess.run(command, check=check, stdout=subprocess.DEVNULL).returncode


def scorers(workspace: Workspace) -> list[str]:
    """Return the ids of all scorers, the ranks among them."""
    found = workspace.sql("select model_id from models where role <> 'encoder'")["model_id"]
    return sorted(map(str, found))


def hashed(*parts: str) -> float:
    """Return a number from 0 to 1, a function of the parts."""
    return int(hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:13], 16) / 16**13


def qrels(path: Path) -> pl.DataFrame:
    """Return the positives of a qrels file; ids are text."""
    rows = pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None)
    found = rows.rename({"query-id": "query_id", "corpus-id": "passage_id"})
    return found.filter(pl.col("score").cast(pl.Float64) > 0).select(Pair)


def split_labels(collection: Path, queries: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the labels to curate with and the hidden positives of a sample of the queries."""
    folder = collection / "qrels"
    if (folder / "train_sparse.tsv").is_file():
        labels, hidden = qrels(folder / "train_sparse.tsv"), qrels(folder / "train_hidden.tsv")
    else:
        every = qrels(folder / "train.tsv")
        draw = pl.Series("draw", [hashed(*pair) for pair in every.rows()])
        every = every.with_columns(draw).with_columns(first=pl.col("draw").rank("ordinal").over("query_id") == 1)
        is_hidden = (pl.col("draw") > 1 - HIDDEN) & ~pl.col("first")
        labels, hidden = every.filter(~is_hidden).select(Pair), every.filter(is_hidden).select(Pair)
    chosen = sorted(labels["query_id"].unique().to_list(), key=hashed)[:queries]
    return (labels.filter(pl.col("query_id").is_in(chosen)), hidden.filter(pl.col("query_id").is_in(chosen)))


def write_sample(collection: Path, target: Path, labels: pl.DataFrame) -> None:
    """Write a BEIR folder with the whole corpus and the labelled queries."""
    (target / "qrels").mkdir(parents=True, exist_ok=True)
    (target / "corpus.jsonl").write_bytes((collection / "corpus.jsonl").read_bytes())
    named = labels.rename({"query_id": "query-id", "passage_id": "corpus-id"}).with_columns(score=pl.lit(1))
    named.write_csv(target / "qrels" / "train.tsv", separator="\t")
    chosen = set(labels["query_id"])
    lines = (collection / "queries.jsonl").read_text("utf-8").splitlines()
    kept = [line for line in lines if json.loads(line)["_id"] in chosen]
    (target / "queries.jsonl").write_text("\n".join(kept) + "\n", "utf-8")


def figures(workspace: Workspace, labels: pl.DataFrame, hidden: pl.DataFrame) -> dict[str, Any]:
    """Return what the judge does with the hidden positives and the true negatives among the candidates."""
    decided = workspace.sql(
        "select query_id, passage_id, d.rank, probability, decision from decisions d "
        "join current_cutoffs on name = d.cutoffs "
        "join queries using (query_key) join passages using (passage_key) "
        "where within_depth and d.run_id in (select run_id from current_runs) "
        "and decision not in ('positive', 'duplicate', 'unscored')"
    )
    planted = decided.join(hidden.with_columns(planted=pl.lit(True)), on=Pair, how="left")
    planted = planted.with_columns(pl.col("planted").fill_null(False)).sort("query_id", "rank")
    scores, truth = planted["probability"].to_numpy(), planted["planted"].to_numpy()
    kept = planted["decision"].to_numpy() == "hard_negative"
    queries = planted["query_id"].to_numpy()
    found = {
        "candidates": len(truth),
        "hidden": int(truth.sum()),
        "auc": auc(scores, truth) if truth.any() else None,
        "auc_of_rank": auc(-planted["rank"].to_numpy(), truth) if truth.any() else None,
        "average_precision": average_precision(scores, truth),
        "false_before": by_query(truth, np.ones_like(truth), queries),
        "false_after": by_query(truth, kept, queries),
        "hidden_removed": by_query(~kept, truth, queries),
        "negatives_kept": by_query(kept, ~truth, queries),
    }
    for share in KEPT:
        cutoff = np.quantile(scores[~truth], share)
        found[f"removed_at_{share:.0%}"] = by_query(scores >= cutoff, truth, queries)
    everything = workspace.sql(
        "select query_id, passage_id, probability from candidates join current_runs using (run_id) "
        "join probabilities using (query_key, passage_key) join current_cutoffs on name = probabilities.cutoffs "
        "join queries using (query_key) join passages using (passage_key) "
        "where rank <= depth and probability is not null"
    )
    relevant = pl.concat([labels, hidden]).with_columns(relevant=pl.lit(1.0))
    every = everything.join(relevant, on=Pair, how="left").with_columns(pl.col("relevant").fill_null(0.0))
    found["calibration_error"] = calibration_error(every["probability"].to_numpy(), every["relevant"].to_numpy())
    return found


def calibration_error(probability: Any, truth: Any) -> float:
    """Return the expected calibration error over ten bins of equal width."""
    place = np.minimum((probability * 10).astype(int), 9)
    gaps = np.bincount(place, weights=probability - truth, minlength=10)
    return round(float(np.abs(gaps).sum() / len(truth)), 4)


def by_query(counted: Any, among: Any, queries: Any) -> list[float] | None:
    """Return the share of `counted` in `among` with its 95 % interval, resampling queries: a ratio of sums."""
    names, place = np.unique(queries, return_inverse=True)
    over = np.bincount(place, weights=among, minlength=len(names))
    part = np.bincount(place, weights=counted & among, minlength=len(names))
    if not over.sum():
        return None
    share = part.sum() / over.sum()
    # The ratio is linear around its value, so the interval is that of a mean over queries.
    spread = interval(share + (part - share * over) / over.mean(), 0)
    return [round(float(share), 4), round(spread.low, 4), round(spread.high, 4)]


def average_precision(scores: Any, truth: Any) -> float | None:
    """Return the average precision of finding the hidden positives by descending score."""
    if not truth.any():
        return None
    ordered = truth[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered].mean())


if __name__ == "__main__":
    main()
