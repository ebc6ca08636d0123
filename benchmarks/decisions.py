"""Decisions and false-negative rate by rank over 20 M candidates: seconds, processor seconds and peak memory.

    python benchmarks/decisions.py [--queries 400000] [--folder DIR]

Builds the workspace once (400,000 queries x 50 candidates, all scored), then asks in fresh processes, with two
threads: the rates by rank with the default cutoffs, the same with other cutoffs, and all seven outcomes counted.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from curate import Workspace, sql_files
from curate.cutoffs import set_cutoffs
from curate.jobs import Job

DEPTH, PASSAGES, BLOCK = 50, 1_000_000, 20_000
OUTCOMES = (
    "select decision, count(*) as n from decisions where cutoffs = $cutoffs and run_id = $run group by decision"
)


def build(root: Path, queries: int) -> None:
    """Write passages, qrels, candidates and scores by the product's own writer."""
    workspace = Workspace.create(root)
    load = Job(workspace, "load", "load-00001")
    for number in range(PASSAGES // 100_000):
        keys = np.arange(number * 100_000, (number + 1) * 100_000, dtype=np.int32)
        names = pa.array(keys.astype(str))
        texts = pa.array(np.char.add("A passage about number ", keys.astype(str)))
        columns = [pa.array(keys), names, pa.array([""] * len(keys)), texts, pa.array(keys.astype(np.uint64))]
        load.write(
            "passages", number, lambda c=columns: [pa.Table.from_arrays(c, schema=sql_files.schema("passages"))]
        )
    load.write("queries", 0, lambda: [_queries(queries)])
    load.write("qrels", 0, lambda: [_qrels(queries)])
    load.finish()
    mine = Job(workspace, "mine", "dense-train")
    scores = Job(workspace, "denoise", "score-dense-train", {"run": "dense-train", "depth": DEPTH})
    for number, first in enumerate(range(0, queries, BLOCK)):
        candidates, ledger = _block(np.arange(first, first + BLOCK, dtype=np.int32))
        mine.write("candidates", number, lambda t=candidates: [t])
        scores.write("scores", number, lambda t=ledger: [t])
    mine.write_rows("runs", [{"run_id": "dense-train", "retriever": "dense", "split": "train", "depth": DEPTH,
                              "queries": queries, "sources": [], "round": 1}])  # fmt: skip
    mine.finish()
    scores.finish(scorer_id="judge", run="dense-train")
    set_cutoffs(workspace, "default", scorer_id="judge", depth=DEPTH, negative_below=0.1, positive_above=0.9)
    set_cutoffs(workspace, "other", scorer_id="judge", depth=DEPTH, negative_below=0.05, positive_above=0.8)
    workspace.keep_scored_candidates()


def _passage(query: np.ndarray, rank: np.ndarray) -> np.ndarray:
    return ((query.astype(np.int64) * 7919 + rank * 104729) % PASSAGES).astype(np.int32)


def _queries(queries: int) -> pa.Table:
    query = np.arange(queries, dtype=np.int32)
    words = np.array(["who wrote", "what is", "how many are in", "notes on"])[query % 4]
    texts = np.char.add(np.char.add(words, " number "), query.astype(str))
    columns = [query, query.astype(str), texts, query.astype(np.uint64) + 2**32]
    return pa.Table.from_arrays(
        [*map(pa.array, columns), pa.nulls(queries, pa.string())], schema=sql_files.schema("queries")
    )


def _qrels(queries: int) -> pa.Table:
    query = np.arange(queries, dtype=np.int32)
    constant = pa.array(["train"]).take(pa.array(np.zeros(queries, np.int32)))
    columns = [pa.array(query), pa.array(_passage(query, query % DEPTH)), pa.array(np.ones(queries, np.int32))]
    load = [pa.array(np.ones(queries, np.int32)), pa.array(np.zeros(queries, np.bool_))]
    return pa.Table.from_arrays([*columns, constant, constant, *load], schema=sql_files.schema("qrels"))


def _block(queries: np.ndarray) -> tuple[pa.Table, pa.Table]:
    query, rank = np.repeat(queries, DEPTH), np.tile(np.arange(DEPTH, dtype=np.int32), len(queries))
    passage = _passage(query, rank)
    zero = pa.array(np.zeros(len(query), np.int32))
    run, judge = (pa.array([name]).take(zero) for name in ("dense-train", "judge"))
    candidates = pa.Table.from_arrays(
        [run, pa.array(query), pa.array(passage), pa.array(rank + 1), pa.array((-rank).astype(np.float32))],
        schema=sql_files.schema("candidates"),
    )
    order = np.lexsort((passage, query))
    logits = ((query.astype(np.int64) * 31 + passage * 17) % 20_001 / 1000 - 10).astype(np.float32)
    ledger = pa.Table.from_arrays(
        [judge, pa.array(query[order]), pa.array(passage[order]), pa.array(logits[order])],
        schema=sql_files.schema("scores"),
    )
    return candidates, ledger


def ask(root: Path, what: str, cutoffs: str) -> None:
    """Answer one query in this process and print seconds and peak memory."""
    text = OUTCOMES if what == "outcomes" else sql_files.text(f"reports/{what}")
    workspace = Workspace(root)
    with workspace.connect(threads=2, memory_limit="3GB") as connection:
        first, rows = _timed(connection, text, cutoffs)
        again, _ = _timed(connection, text, cutoffs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {what} | {cutoffs} | {rows} | {first} | {again} | {peak:.2f} GiB |")


def _timed(connection: duckdb.DuckDBPyConnection, text: str, cutoffs: str) -> tuple[str, int]:
    """Return the seconds of an answer with those of the processors, and its rows."""
    started, used = time.perf_counter(), time.process_time()
    rows = sql_files.query(connection, text, {"run": "dense-train", "cutoffs": cutoffs}).fetchall()
    return f"{time.perf_counter() - started:.2f} s ({time.process_time() - used:.2f})", len(rows)


def main() -> None:
    """Build where needed, then ask in fresh processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=400_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "curate-bench-decisions")
    parser.add_argument("--ask", nargs=2)
    options = parser.parse_args()
    if options.ask:
        ask(options.folder, *options.ask)
        return
    if not (options.folder / "curate.toml").exists():
        build(options.folder, options.queries)
    print("| query | cutoffs | rows | first (processors) | again (processors) | peak memory |")
    print("|---|---|---|---|---|---|", flush=True)
    for what in ("false_negatives_by_rank", "outcomes"):
        for cutoffs in ("default", "other"):
            command = [sys.executable, __file__, "--folder", str(options.folder), "--ask", what, cutoffs]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
