"""Filters of hard negatives: how well each finds relevant passages that nobody labelled, beside curate.

    python benchmarks/filters.py COLLECTION SCORER --encoder MODEL --folder DIR [--queries N] [--depth K]

COLLECTION is a BEIR folder. Queries of dev and test that have several positives are asked, because no judge was
trained on these splits. Their positives are divided as those of qrels/train_sparse.tsv and train_hidden.tsv: those
with the highest relevance stay if others have less, else one that a hash chooses. The rest is hidden. The sample
is mined (dense, exact) and denoised by the product's own commands.

A filter removes what lies above a threshold. The first table asks how well the value that it compares orders the
unlabelled candidates: the average precision of finding the hidden ones, over all thresholds. The second has each
filter at its own setting, as `curate report filters` does. Intervals: 95 %, a bootstrap over queries.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from planted import by_hash, curate, truth

from curate import Workspace, sql_files
from curate.choose_run import chosen_run
from curate.cutoffs import chosen_cutoffs
from curate.mine.embeddings import embed_queries, embeddings_of, load
from curate.models.encoder import Encoder
from curate.passages import passage_shards

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
DRAWS = 2_000
Pair = ["query_id", "passage_id"]
OURS = "curate: the judge's probability"


def main() -> None:
    """Sample, mine, denoise, and print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where the sample and the workspace are made")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--depth", type=int, default=50)
    options = parser.parse_args()
    root, sampled = options.folder.resolve() / "set", options.folder.resolve() / "sample"
    hidden = sample(options.collection, sampled, options.queries)
    if not root.exists():
        curate("init", root)
        curate("-C", root, "load", sampled)
        curate("-C", root, "mine", "--retriever", "dense", "--encoder", options.encoder, "--depth", options.depth)
    curate("-C", root, "denoise", "--scorer", options.scorer.resolve(), "--accept-judge", "--depth", options.depth)
    workspace = Workspace(root)
    pool = candidates(workspace, hidden)
    positives = lowest_positives(workspace, Encoder.open(options.encoder), pool["query_key"].unique().sort())
    pool = pool.join(positives, on="query_key", how="left", maintain_order="left")
    asked, found = pool["query_key"].n_unique(), int(pool["hidden"].sum())
    print(f"\n{options.collection.name}: {asked} queries, {len(pool):,} unlabelled candidates, {found:,} hidden\n")
    print_precisions(pool)
    print_settings(workspace, pool)


def candidates(workspace: Workspace, hidden: pl.DataFrame) -> pl.DataFrame:
    """Return the unlabelled candidates with their scores, and whether they are hidden positives."""
    about = {"run": chosen_run(workspace, None), "cutoffs": chosen_cutoffs(workspace, None)}
    pool = workspace.scan("found").filter(run_id=about["run"], cutoffs=about["cutoffs"])
    pool = pool.filter(pl.col("decision").is_in(["positive", "duplicate"]).not_())
    pool = pool.join(workspace.scan("queries").select("query_key", "query_id"), on="query_key")
    pool = pool.join(workspace.scan("passages").select("passage_key", "passage_id"), on="passage_key")
    marked = hidden.select(*Pair, hidden=pl.lit(True))
    pool = pool.join(marked.lazy(), on=Pair, how="left").with_columns(pl.col("hidden").fill_null(False))
    return pool.collect().sort("query_key", "rank")


def lowest_positives(workspace: Workspace, encoder: Encoder, keys: pl.Series) -> pl.DataFrame:
    """Return the lowest score of the labelled positives of each query, by the retriever and by the judge."""
    labelled = workspace.scan("positives").collect().filter(pl.col("query_key").is_in(keys.implode()))
    texts = workspace.scan("queries").select("query_key", "text").collect().sort("query_key")
    vectors = embed_queries(workspace, encoder, texts["text"].to_list()).astype(np.float32)
    passages = np.concatenate([*load(embeddings_of(workspace, encoder, one) for one in passage_shards(workspace))])
    rows = np.searchsorted(texts["query_key"].to_numpy(), labelled["query_key"].to_numpy())
    products = (vectors[rows] * passages[labelled["passage_key"].to_numpy()].astype(np.float32)).sum(axis=1)
    said = workspace.scan("probabilities").filter(cutoffs=chosen_cutoffs(workspace, None)).collect()
    labelled = labelled.with_columns(positive_score=pl.Series(products)).join(
        said.select("query_key", "passage_key", "probability"), on=["query_key", "passage_key"], how="left"
    )
    assert not labelled["probability"].null_count(), "every labelled positive is scored"
    return labelled.group_by("query_key").agg(
        pl.col("positive_score").min(), positive_probability=pl.col("probability").min()
    )


def print_precisions(pool: pl.DataFrame) -> None:
    """Print the average precision of each order, and by how much ours is better."""
    score, positive = (pool[name].to_numpy().astype(np.float64) for name in ("retriever_score", "positive_score"))
    said, of_positive = (
        pool[name].to_numpy().astype(np.float64) for name in ("probability", "positive_probability")
    )
    orders: dict[str, Doubles] = {
        OURS: said,
        "rank (hn_mine, range_min)": -pool["rank"].to_numpy().astype(np.float64),
        "score (max_score)": score,
        "score - positive's (absolute_margin, TopK-MarginPos)": score - positive,
        "score / positive's (relative_margin, TopK-PercPos)": (score - positive) / np.abs(positive),
        "the judge's, - positive's (cross_encoder, absolute_margin)": said - of_positive,
        "the judge's, / positive's (cross_encoder, relative_margin)": (said - of_positive) / np.abs(of_positive),
    }
    query = np.unique(pool["query_key"].to_numpy(), return_inverse=True)[1]
    drawn = resampled(query.max() + 1)
    hidden = pool["hidden"].to_numpy()
    values = {name: precisions(order, hidden, query, drawn) for name, order in orders.items()}
    print("| what is compared | average precision | curate is better by |\n|---|---|---|")
    for name, found in values.items():
        better = "" if name == OURS else span(values[OURS] - found, "+")
        print(f"| {name} | {span(found)} | {better} |")


def resampled(queries: int) -> Counts:
    """Return how often each query is drawn: once each at first, then as in a bootstrap."""
    generator = np.random.default_rng(0)
    drawn = [np.bincount(generator.integers(queries, size=queries), minlength=queries) for _ in range(DRAWS)]
    return np.stack([np.ones(queries, np.int64), *drawn])


def precisions(order: Doubles, hidden: Bools, query: Counts, drawn: Counts) -> Doubles:
    """Return the average precision for each draw of queries; equal values share a threshold."""
    best = np.argsort(-order, kind="stable")
    last = np.flatnonzero(np.append(np.diff(order[best]) != 0, True))
    result = np.empty(len(drawn))
    for i, times in enumerate(drawn):
        weight = times[query[best]]
        found, seen = np.cumsum(weight * hidden[best])[last], np.cumsum(weight)[last]
        result[i] = (np.diff(found, prepend=0) * found / np.maximum(seen, 1)).sum() / found[-1]
    return result


def print_settings(workspace: Workspace, pool: pl.DataFrame) -> None:
    """Print what each filter does at its own setting."""
    about = {"run": chosen_run(workspace, None), "cutoffs": chosen_cutoffs(workspace, None)}
    with workspace.connect_lazily() as connection:
        statement = "select * from filtered_candidates($run, $cutoffs)"
        rows = sql_files.query(connection, statement, about).pl()
        names = sql_files.query(connection, "select filter from filter_settings order by place").fetchall()
    print("\n| filter | kept | hidden ones removed | others kept | false among the kept |\n|---|---|---|---|---|")
    query = np.unique(pool["query_key"].to_numpy(), return_inverse=True)[1]
    drawn, hidden = resampled(query.max() + 1), pool["hidden"].to_numpy()
    for (name,) in names:
        told = rows.filter(filter=name).select("query_key", "passage_key", "kept")
        told = pool.join(told, on=["query_key", "passage_key"], how="left", maintain_order="left")
        if told["kept"].null_count() == len(told):
            continue
        assert not told["kept"].null_count() or name == "absolute_margin 0", f"{name} knows every score"
        kept = told["kept"].fill_null(False).to_numpy()
        share = shares(query, drawn)
        cells = [share(~kept & hidden, hidden), share(kept & ~hidden, ~hidden), share(kept & hidden, kept)]
        print(f"| {name} | {kept.sum():,} | {' | '.join(cells)} |")


def shares(query: Counts, drawn: Counts) -> Callable[[Bools, Bools], str]:
    """Return a function that gives the share of some pairs among others, with its interval."""

    def share(part: Bools, whole: Bools) -> str:
        parts, wholes = (np.bincount(query, weights=each, minlength=drawn.shape[1]) for each in (part, whole))
        if not wholes.sum():
            return "-"
        return span((drawn @ parts) / np.maximum(drawn @ wholes, 1))

    return share


def span(values: Doubles, sign: str = "") -> str:
    """Return the value for all queries, and the interval of the drawn ones."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return f"{values[0]:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def sample(collection: Path, target: Path, queries: int) -> pl.DataFrame:
    """Write a BEIR folder with the whole corpus and some queries with labels; return their hidden positives."""
    labels = pl.concat([truth(collection / "qrels" / f"{split}.tsv") for split in ("dev", "test")])
    labels = labels.filter(pl.col("score").cast(pl.Int64) > 0).sort(Pair)
    shown = {name: visible(rows) for (name,), rows in labels.group_by("query_id")}
    counts = labels.group_by("query_id").len()
    asked = by_hash([name for name, count in counts.rows() if count > len(shown[name])], queries)
    labels = labels.filter(pl.col("query_id").is_in(asked))
    seen = labels.filter(
        pl.struct(Pair).map_elements(
            lambda pair: pair["passage_id"] in shown[pair["query_id"]], return_dtype=pl.Boolean
        )
    )
    (target / "qrels").mkdir(parents=True, exist_ok=True)
    (target / "corpus.jsonl").write_bytes((collection / "corpus.jsonl").read_bytes())
    seen.rename({"query_id": "query-id", "passage_id": "corpus-id"}).write_csv(
        target / "qrels" / "train.tsv", separator="\t"
    )
    lines = (collection / "queries.jsonl").read_text("utf-8").splitlines()
    kept = [line for line in lines if json.loads(line)["_id"] in set(asked)]
    (target / "queries.jsonl").write_text("\n".join(kept) + "\n", "utf-8")
    return labels.join(seen, on=Pair, how="anti")


def visible(positives: pl.DataFrame) -> list[str]:
    """Return the positives of a query that stay labelled."""
    scores = positives["score"].cast(pl.Int64)
    if scores.min() != scores.max():
        return positives.filter(scores == scores.max())["passage_id"].to_list()
    query = positives["query_id"][0]
    return [
        first.partition(" ")[2] for first in by_hash([f"{query} {name}" for name in positives["passage_id"]], 1)
    ]


if __name__ == "__main__":
    main()
