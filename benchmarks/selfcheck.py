"""What `curate selfcheck` says without the hidden labels, beside the truth that they tell.

    python benchmarks/selfcheck.py COLLECTION FOLDER --scorer MODEL [--qrels NAME ...] [--keep one|best]
        [--queries N] [--depth K]

COLLECTION is a folder in the BEIR layout. Of the queries in its qrels/NAME.tsv that have a positive to hide, N are
drawn by hash. `--keep one` labels one positive of each, drawn by hash; `best` labels those of the highest grade.
The others are hidden in FOLDER/hidden.tsv: they are the truth of the unlabelled candidates. Hidden labels of a
collection that has them (`--qrels train_sparse --hidden train_hidden`) are taken as they are. A workspace in
FOLDER/set loads the labels, mines BM25's top K, is scored and calibrated; the last needs 100 labelled positives
that BM25 finds, so that N is 130 or more. What is there already is not done again.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

import curate
from curate import Workspace

Labels = dict[str, dict[str, int]]
CUTOFFS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def hashed(text: str) -> str:
    """Return a hash by which queries and passages are drawn."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def read(collection: Path, names: Sequence[str]) -> Labels:
    """Return query -> passage -> grade, of the relevant ones."""
    found: Labels = {}
    for name in names:
        for line in (collection / "qrels" / f"{name}.tsv").read_text("utf-8").splitlines()[1:]:
            query, passage, grade = line.split("\t")
            if int(grade) > 0:
                found.setdefault(query, {})[passage] = int(grade)
    return found


def kept(query: str, positives: Mapping[str, int], keep: str) -> dict[str, int]:
    """Return the positives of a query that stay labelled."""
    if keep == "best":
        return {passage: grade for passage, grade in positives.items() if grade == max(positives.values())}
    one = min(positives, key=lambda passage: hashed(f"{query} {passage}"))
    return {one: positives[one]}


def prepare(collection: Path, folder: Path, given: argparse.Namespace) -> None:
    """Write the queries, the labels and the hidden labels."""
    every = read(collection, given.qrels)
    labels = every if given.hidden else {query: kept(query, of, given.keep) for query, of in every.items()}
    hidden = read(collection, given.hidden) if given.hidden else {}
    if not given.hidden:
        rest = {query: {p: g for p, g in of.items() if p not in labels[query]} for query, of in every.items()}
        hidden = {query: of for query, of in rest.items() if of}
    chosen = sorted((query for query in labels if query in hidden), key=hashed)[: given.queries]
    with (collection / "queries.jsonl").open("r", encoding="utf-8") as lines:
        texts = {row["_id"]: row["text"] for row in map(json.loads, lines)}
    folder.mkdir(parents=True)
    rows = [json.dumps({"_id": query, "text": texts[query]}) for query in chosen]
    (folder / "queries.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    for name, of in (("labels", labels), ("hidden", hidden)):
        pairs = [f"{query}\t{passage}\t{grade}" for query in chosen for passage, grade in of[query].items()]
        (folder / f"{name}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *pairs]) + "\n", "utf-8")


def make(collection: Path, folder: Path, given: argparse.Namespace) -> Workspace:
    """Return the workspace: loaded, mined, scored and calibrated."""
    root = folder / "set"
    workspace = Workspace(root) if (root / "curate.toml").exists() else Workspace.create(root)
    passages, queries = [collection / "corpus.jsonl"], [folder / "queries.jsonl"]
    curate.load(workspace, passages=passages, queries=queries, qrels=[folder / "labels.tsv"])
    curate.mine(workspace, retriever="bm25", depth=given.depth)
    curate.denoise(workspace, scorer=given.scorer, depth=given.depth, accept_judge=True)
    curate.calibrate(workspace)
    curate.set_cutoffs(workspace, "default")
    return workspace


def compare(workspace: Workspace, truth: Path) -> None:
    """Print what the command says beside the truth."""
    found = curate.selfcheck(workspace)
    relevant = pl.read_csv(truth, separator="\t", infer_schema=False, quote_char=None)
    pairs = {(query, passage) for query, passage, _ in relevant.rows()}
    candidates = workspace.sql(
        "select query_id, passage_id, rank, probability from current_decisions where decided_by = 'scorer'"
    ).rows()
    known = [(rank, probability, (query, passage) in pairs) for query, passage, rank, probability in candidates]
    total = sum(is_relevant for *_, is_relevant in known)
    print(f"{len(known):,} unlabelled candidates, of which {total:,} are relevant; {found.counts}")
    print("below  recall: said           truth    cost: at most  truth    precision: truth")
    for row in found.by_cutoff:
        if (cut := row["negative_below"]) not in CUTOFFS:
            continue
        taken = [is_relevant for _, probability, is_relevant in known if probability >= cut]
        recall, precision = sum(taken) / total, sum(taken) / len(taken)
        cost = (len(taken) - sum(taken)) / (len(known) - total)
        said = f"{row['recall']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        print(f"{cut:5}  {said}  {recall:.3f}    {row['unlabelled']:.3f}  {cost:.3f}    {precision:.3f}")
    for figure in found.figures:
        if figure["cutoff"] == "negative_below":
            print(figure["what"], figure["of"], figure["part"], figure["means"], figure["value"])
    for first, last in ((1, 5), (6, found.cutoffs["depth"])):
        there = [p >= found.cutoffs["negative_below"] for r, p, yes in known if yes and first <= r <= last]
        print(f"truth, ranks {first}-{last}: {sum(there) / len(there):.3f} of {len(there)}")


def main() -> None:
    """Make the workspace as far as it is not there, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scorer", required=True)
    parser.add_argument("--qrels", nargs="+", default=["test"])
    parser.add_argument("--hidden", nargs="+", default=[])
    parser.add_argument("--keep", choices=["one", "best"], default="one")
    parser.add_argument("--queries", type=int, default=250)
    parser.add_argument("--depth", type=int, default=20)
    given = parser.parse_args()
    if not given.folder.exists():
        prepare(given.collection, given.folder, given)
    compare(make(given.collection, given.folder, given), given.folder / "hidden.tsv")


if __name__ == "__main__":
    main()
