"""Planted false negatives: how many denoising finds, what else it removes, how right pseudo-labels are.

    python benchmarks/planted.py COLLECTION SCORER --folder DIR [--encoder MODEL] [--queries N] [--unlabeled N]
        [--precision P]

COLLECTION is a BEIR folder with qrels/train_sparse.tsv (the labels to curate with), qrels/train_hidden.tsv
(positives that were taken away) and qrels/unlabeled_gold.tsv (the truth of unlabeled.jsonl). A sample of its
queries, by hash, is curated by the product's own commands; the truth is joined afterwards. With --precision, the
truth of the labelled queries promises the upper cutoff, and the unlabeled ones show whether the promise is kept.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import polars as pl

from curate import Workspace

Pair = ["query_id", "passage_id"]


def main() -> None:
    """Sample, curate, compare with the truth, print a Markdown row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where the sample and the workspace are made")
    parser.add_argument("--encoder", help="dense mining with this model; BM25 without")
    parser.add_argument("--queries", type=int, default=1500)
    parser.add_argument("--unlabeled", type=int, default=500)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--precision", type=float, help="the promised precision of pseudo-labels")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    root = options.folder / "set"
    sample(options.collection, options.folder / "sample", options.queries, options.unlabeled)
    if not root.exists():
        curate("init", root)
    curate("-C", root, "load", options.folder / "sample")
    dense = ["--retriever", "dense", "--encoder", options.encoder] if options.encoder else []
    curate("-C", root, "mine", "--depth", options.depth, *dense)
    curate("-C", root, "denoise", "--scorer", options.scorer.resolve(), "--depth", options.depth)
    if options.precision:
        known = truth_of_sample(options.collection, options.folder)
        curate("-C", root, "calibrate", "--hidden", known, "--precision", options.precision)
    curate("-C", root, "augment", "--scorer", options.scorer.resolve())
    report(Workspace(root), options.collection)


def curate(*arguments: object) -> None:
    """Run a command as a user would."""
    subprocess.run([sys.executable, "-m", "curate", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def sample(collection: Path, target: Path, queries: int, unlabeled: int) -> None:
    """Write a BEIR folder with the whole corpus and, by hash, some labelled and some unlabeled queries."""
    (target / "qrels").mkdir(parents=True, exist_ok=True)
    (target / "corpus.jsonl").write_bytes((collection / "corpus.jsonl").read_bytes())
    labels = truth(collection / "qrels" / "train_sparse.tsv")
    chosen = set(by_hash(labels["query_id"].unique().to_list(), queries))
    labels = labels.filter(pl.col("query_id").is_in(list(chosen)))
    columns = {"query_id": "query-id", "passage_id": "corpus-id"}
    labels.rename(columns).write_csv(target / "qrels" / "train.tsv", separator="\t")
    lines = (collection / "queries.jsonl").read_text("utf-8").splitlines()
    kept = [line for line in lines if json.loads(line)["_id"] in chosen]
    (target / "queries.jsonl").write_text("\n".join(kept) + "\n", "utf-8")
    asked = {
        json.loads(line)["_id"]: line for line in (collection / "unlabeled.jsonl").read_text("utf-8").splitlines()
    }
    answerable = set(truth(collection / "qrels" / "unlabeled_gold.tsv")["query_id"])
    # Half of them have an answer in the truth, where that many do: precision needs both kinds.
    picked = by_hash([name for name in asked if name in answerable], unlabeled // 2)
    picked += by_hash([name for name in asked if name not in set(picked)], unlabeled - len(picked))
    (target / "unlabeled.jsonl").write_text("\n".join(asked[name] for name in sorted(picked)) + "\n", "utf-8")


def truth_of_sample(collection: Path, folder: Path) -> Path:
    """Write the labels of the sampled queries with the hidden ones; return the file."""
    every = pl.concat([truth(collection / "qrels" / name) for name in ("train_sparse.tsv", "train_hidden.tsv")])
    asked = truth(folder / "sample" / "qrels" / "train.tsv").select("query_id").unique()
    columns = {"query_id": "query-id", "passage_id": "corpus-id"}
    path = folder / "complete.tsv"
    every.join(asked, on="query_id", how="semi").rename(columns).write_csv(path, separator="\t")
    return path


def by_hash(names: list[str], count: int | None) -> list[str]:
    """Return `count` names, or all, in the order of their hash."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count]


def truth(path: Path) -> pl.DataFrame:
    """Return a qrels file as query_id, passage_id, score; ids are text."""
    return pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None).rename(
        {"query-id": "query_id", "corpus-id": "passage_id"}
    )


def report(workspace: Workspace, collection: Path) -> None:
    """Print what denoising did with the planted pairs, and the precision of the pseudo-positives."""
    named = workspace.scan("decisions").join(
        workspace.scan("passages").select("passage_key", "passage_id"), on="passage_key"
    )
    named = named.join(workspace.scan("queries").select("query_key", "query_id", "split"), on="query_key")
    decided = named.select(*Pair, "split", "decision", "rank").collect()
    hidden = truth(collection / "qrels" / "train_hidden.tsv")
    mined = decided.filter(pl.col("split") == "train", pl.col("decision").is_in(["positive", "duplicate"]).not_())
    planted = mined.join(hidden, on=Pair, how="semi")
    others = mined.join(hidden, on=Pair, how="anti")
    removed = planted.filter(pl.col("decision") != "hard_negative").height
    kept = others.filter(pl.col("decision") == "hard_negative").height
    left = planted.height - removed
    gold = truth(collection / "qrels" / "unlabeled_gold.tsv")
    labels = workspace.scan("pseudo_labels").join(workspace.scan("passages"), on="passage_key")
    labels = labels.join(workspace.scan("queries"), on="query_key").select(*Pair).collect()
    judged = labels.join(gold.select("query_id").unique(), on="query_id", how="semi")
    right = judged.join(gold, on=Pair, how="semi").height
    answerable = (
        decided.filter(pl.col("split") == "unlabeled").join(gold, on="query_id", how="semi")["query_id"].n_unique()
    )
    print(f"collection: {collection.name}, {workspace.scan('runs').collect()['run_id'].to_list()}")
    print(f"planted false negatives in the top-k: {planted.height:,}; removed: {share(removed, planted.height)}")
    print(f"true negatives in the top-k: {others.height:,}; kept as negatives: {share(kept, others.height)}")
    before, after = share(planted.height, mined.height), share(left, left + kept)
    print(f"false among the negatives: before {before}, after {after}")
    asked = f"pseudo-positives: {labels.height:,}, of queries with a known answer {judged.height:,}"
    print(f"{asked}; right: {share(right, judged.height)}")
    answered = share(judged["query_id"].n_unique(), answerable)
    print(f"queries with a known answer that got a pseudo-positive: {answered}")


def share(part: int, whole: int) -> str:
    """Return `part` of `whole` as people read it."""
    return f"{part:,} = {part / whole:.1%}" if whole else "none"


if __name__ == "__main__":
    main()
