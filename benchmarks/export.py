"""How fast `curate export` writes: a synthetic workspace, every format, beside the usual Python loop.

    python benchmarks/export.py FOLDER --queries 250000 --passages 1000000

Deterministic: the same arguments make the same workspace. Every query has one labelled positive and
`--depth` candidates, all scored; about 60 % of them are safe negatives.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import curate
from curate import sql_files
from curate.cutoffs import set_cutoffs
from curate.export.formats import FORMATS
from curate.jobs import Job
from curate.workspace import Workspace

WORDS = 20_000
SENTENCES = 200_000
SHARD = 250_000


def workspace(root: Path, queries: int, passages: int, depth: int) -> Workspace:
    """Return the synthetic workspace in `root`, made unless it is there already."""
    if (root / "curate.toml").exists():
        return Workspace(root)
    made = Workspace.create(root)
    load = Job(made, "load", "load-00001")
    _write(load, "passages", _passages(passages))
    _write(load, "queries", _queries(queries))
    _write(load, "qrels", _qrels(queries, passages))
    load.finish()
    mine = Job(made, "mine", "bm25-train")
    candidates = _candidates(queries, passages, depth)
    _write(mine, "candidates", candidates)
    mine.write_rows("runs", [_run(queries, depth)])
    mine.finish()
    denoise = Job(made, "denoise", "score-bm25-train", {"run": "bm25-train", "depth": depth})
    _write(denoise, "scores", _scores(candidates))
    denoise.write_rows("models", [_row("models", SCORER)])
    denoise.finish(scorer_id="synthetic", run="bm25-train")
    set_cutoffs(made, "default", scorer_id="synthetic", depth=depth, negative_below=0.1, positive_above=0.9)
    made.keep_scored_candidates()  # as `curate denoise` does at its end
    return made


SCORER = {
    "model_id": "synthetic",
    "role": "cross-encoder",
    "path": "models/synthetic",
    "fingerprint": "0" * 64,
    "settings": "{}",
}


def _run(queries: int, depth: int) -> dict[str, Any]:
    facts = {"run_id": "bm25-train", "retriever": "bm25", "split": "train", "depth": depth, "queries": queries}
    return _row("runs", facts | {"sources": [], "round": 1})


def _row(table: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts.get(name) for name in sql_files.schema(table).names}


def _texts(rows: int, sentences: int, seed: int) -> pl.Series:
    """Return `rows` texts of as many sentences of about 75 characters."""
    draw = np.random.default_rng(seed)
    letters = draw.integers(97, 123, size=(WORDS, 9), dtype=np.uint8)
    words = [bytes(row[: 3 + index % 7]).decode() for index, row in enumerate(letters)]
    picked = (draw.zipf(1.3, size=(SENTENCES, 12)) % WORDS).tolist()
    known = pl.Series([" ".join(words[word] for word in row) for row in picked])
    columns = [known.gather(draw.integers(0, SENTENCES, size=rows)).alias(str(i)) for i in range(sentences)]
    return pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=". ").alias("text")).to_series()


def _passages(rows: int) -> pl.DataFrame:
    keys = pl.int_range(rows, dtype=pl.Int32, eager=True)
    frame = pl.DataFrame({"passage_key": keys, "text": _texts(rows, 5, 1)})
    return frame.select(
        "passage_key",
        pl.format("p{}", "passage_key").alias("passage_id"),
        pl.lit("").alias("title"),
        "text",
        pl.col("passage_key").cast(pl.UInt64).alias("text_hash"),
    )


def _queries(rows: int) -> pl.DataFrame:
    keys = pl.int_range(rows, dtype=pl.Int32, eager=True)
    frame = pl.DataFrame({"query_key": keys, "text": _texts(rows, 1, 2)})
    return frame.select(
        "query_key",
        pl.format("q{}", "query_key").alias("query_id"),
        "text",
        (pl.col("query_key").cast(pl.UInt64) + 2**40).alias("text_hash"),  # of no passage
        pl.lit(None, pl.String).alias("split"),
    )


def _qrels(queries: int, passages: int) -> pl.DataFrame:
    keys = pl.int_range(queries, dtype=pl.Int32, eager=True)
    frame = pl.DataFrame({"query_key": keys})
    return frame.select(
        "query_key",
        ((pl.col("query_key").cast(pl.Int64) * 7919) % passages).cast(pl.Int32).alias("passage_key"),
        pl.lit(1, pl.Int32).alias("relevance"),
        pl.lit("train").alias("split"),
        pl.lit("train.tsv").alias("source"),
        pl.lit(1, pl.Int32).alias("revision"),
        pl.lit(False).alias("corrects"),
    )


def _candidates(queries: int, passages: int, depth: int) -> pl.DataFrame:
    """Return `depth` different passages a query, spread over the collection."""
    query = np.repeat(np.arange(queries, dtype=np.int64), depth)
    rank = np.tile(np.arange(1, depth + 1, dtype=np.int64), queries)
    passage = (query * 104_729 + rank * 15_485_863) % passages
    return pl.DataFrame(
        {
            "run_id": pl.repeat("bm25-train", query.size, eager=True),
            "query_key": query.astype(np.int32),
            "passage_key": passage.astype(np.int32),
            "rank": rank.astype(np.int32),
            "score": (100 - rank).astype(np.float32),
        }
    )


def _scores(candidates: pl.DataFrame) -> pl.DataFrame:
    draw = np.random.default_rng(3).normal(-3.0, 3.0, size=candidates.height).astype(np.float32)
    return candidates.select(
        pl.lit("synthetic").alias("scorer_id"), "query_key", "passage_key", pl.Series("logit", draw)
    )


def _write(job: Job, table: str, frame: pl.DataFrame) -> None:
    schema = sql_files.schema(table)
    for number, part in enumerate(frame.iter_slices(SHARD)):
        job.write(table, number, lambda part=part: [part.to_arrow().select(schema.names).cast(schema)])


def measure(made: Workspace, name: str) -> dict[str, Any]:
    """Export in one format and return rows, seconds and rates; CPU seconds tell what a busy machine hides."""
    started, cpu = time.perf_counter(), _cpu()
    done = curate.export(made, format=name, name=f"benchmark-{name}")
    seconds, cpu = time.perf_counter() - started, _cpu() - cpu
    texts = done.figures["negatives"] + done.figures["positives"]
    return _result(f"curate {name}", done.rows, texts, seconds, cpu)


def python_loop(made: Workspace, folder: Path) -> dict[str, Any]:
    """Write the same triplets as most scripts do: dictionaries, a loop, Dataset.from_dict, to_parquet.

    What it reads (decisions, ids and texts) is in memory before the clock starts: only drawing, joining and
    writing are timed, which flatters it.
    """
    import random

    from datasets import Dataset

    with made.connect() as connection:
        texts = connection.table("passages").pl()["text"].to_list()
        queries = connection.table("queries").pl().sort("query_key")["text"].to_list()
        positives = connection.table("positives").fetchall()
        decisions = connection.table("decisions").pl()
    safe = decisions.filter(pl.col("decision") == "hard_negative").select("query_key", "passage_key").rows()
    started, cpu = time.perf_counter(), _cpu()
    negatives: dict[int, list[int]] = {}
    for query, passage in safe:
        negatives.setdefault(query, []).append(passage)
    draw = random.Random(0)
    columns: dict[str, list[str]] = {"query": [], "positive": [], "negative": []}
    for query, positive in positives:
        found = negatives.get(query, [])
        for negative in draw.sample(found, min(4, len(found))):
            columns["query"].append(queries[query])
            columns["positive"].append(texts[positive])
            columns["negative"].append(texts[negative])
    Dataset.from_dict(columns).to_parquet(folder / "loop.parquet")
    rows = len(columns["query"])
    return _result(
        "python loop, datasets", rows, rows + len(positives), time.perf_counter() - started, _cpu() - cpu
    )


def _result(what: str, rows: int, texts: int, seconds: float, cpu: float) -> dict[str, Any]:
    return {
        "what": what,
        "rows": rows,
        "passages": texts,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "rows_per_second": round(rows / seconds),
        "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure every format, and the loop, each in a process of its own so that peaks are its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, default=250_000)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--only", help="one format, or 'loop'; without it, all of them")
    options = parser.parse_args()
    made = workspace(options.folder / "workspace", options.queries, options.passages, options.depth)
    if options.only == "loop":
        print(json.dumps(python_loop(made, options.folder)))
    elif options.only:
        shutil.rmtree(made.root / "exports" / f"benchmark-{options.only}", ignore_errors=True)
        print(json.dumps(measure(made, options.only)))
    else:
        sizes = [f"--{key}={getattr(options, key)}" for key in ("queries", "passages", "depth")]
        for name in ("loop", *FORMATS):
            subprocess.run([sys.executable, __file__, options.folder, *sizes, "--only", name], check=True)


if __name__ == "__main__":
    main()
