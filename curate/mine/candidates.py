"""Common parts of all runs: the queries of a split in blocks, and the writing of candidates and records."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.errors import BadSettings
from curate.job_record import Record
from curate.jobs import Job, table_digest
from curate.mine.exact_search import TopPassages
from curate.progress import Progress
from curate.shards import canonical, digest
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

BLOCK = 4096  # queries in a shard of candidates

Retrieve = Callable[["np.ndarray", int], Iterable["pa.Table"]]
"""A function from query keys and the number of their block to the candidates, as Arrow tables."""


@dataclass(frozen=True)
class Queries:
    """The queries of one split."""

    workspace: Workspace
    split: str
    own_copies: bool = False
    """Whether a query's own copy may be among its candidates: the passage with its id and its text."""

    @cached_property
    def keys(self) -> "np.ndarray":
        """Their query_key (int32, ascending); raises BadSettings if the split has no queries."""
        with self.workspace.connect_lazily() as connection:
            found = sql_files.select(connection, "mine/keys", split=self.split)
            keys: np.ndarray = found.fetchnumpy()["query_key"]
        if not len(keys):
            raise self._none()
        return keys

    def _none(self) -> BadSettings:
        splits = self.workspace.select("mine/splits").rows()
        there = ", ".join(f"{split} ({count:,})" for split, count in splits)
        none = f"no queries in the split '{self.split}'"
        if there:
            return BadSettings(f"{none}; the splits are {there}")
        return BadSettings(f"{none}; there are no queries at all", run="curate load COLLECTION")

    @cached_property
    def digest(self) -> str:
        """A sha256 over the queries of this split; queries in other splits do not change it."""
        hashed = hashlib.sha256()
        with self.workspace.connect_lazily() as connection:
            queries = sql_files.select(connection, "mine/queries", split=self.split)
            for batch in queries.to_arrow_reader(8192):
                hashed.update(canonical(batch.to_pydict()).encode())
        return hashed.hexdigest()

    @cached_property
    def copies_left_out(self) -> int:
        """The number of queries whose own copy is left out of their candidates."""
        if self.own_copies:
            return 0
        count: int = self.workspace.select("mine/own_copies_in_split", split=self.split)["queries"][0]
        return count

    def reach(self, depth: int) -> int:
        """Return how many passages to search for, so that `depth` remain without the query's own copy."""
        return depth + bool(self.copies_left_out)

    def without_copies(
        self, connection: "duckdb.DuckDBPyConnection", keys: "np.ndarray", found: TopPassages, depth: int
    ) -> TopPassages:
        """Return the `depth` best of the passages that were found for the queries `keys`, without own copies."""
        import pyarrow as pa

        if not self.copies_left_out:
            return found
        connection.register("block", pa.table({"query_key": keys}))
        copies = sql_files.select(connection, "mine/own_copies").fetchnumpy()["passage_key"]
        return found.without(found.keys == copies[:, None]).top(depth)

    def blocks(self) -> list["np.ndarray"]:
        """Return the query keys of each block."""
        return [self.keys[at : at + BLOCK] for at in range(0, len(self.keys), BLOCK)]

    def texts(self, connection: "duckdb.DuckDBPyConnection", keys: "np.ndarray") -> list[str]:
        """Return the texts of the queries in a block."""
        import pyarrow as pa

        connection.register("block", pa.table({"query_key": keys}))
        return [text for (text,) in sql_files.select(connection, "mine/texts").fetchall()]


def job_of(
    queries: Queries, retriever: str, settings: dict[str, Any], inputs: dict[str, str], name: str | None = None
) -> Job:
    """Return the job of a run; its name is the run's id: the retriever (or `name`), the split and 8 hex digits.

    The digits are a digest of the settings and inputs that decide the run.
    """
    settings = {"retriever": retriever, "split": queries.split, "own_copies": queries.own_copies, **settings}
    inputs = {"passages": table_digest(queries.workspace, "passages"), "queries": queries.digest, **inputs}
    run_id = f"{name or retriever}-{queries.split}-{digest(settings, inputs)[:8]}"
    return Job(queries.workspace, "mine", run_id, settings, inputs)


def write_candidates(job: Job, queries: Queries, retrieve: Retrieve, progress: Progress) -> None:
    """Write one shard of candidates per block of queries, skipping blocks that are done."""
    blocks = queries.blocks()
    done = [job.has("candidates", number) is not None for number in range(len(blocks))]
    ready = sum(len(keys) for keys, is_done in zip(blocks, done, strict=True) if is_done)
    with progress.task(f"searching {queries.split}", len(queries.keys), "queries", ready) as advance:
        for number, keys in enumerate(blocks):
            if not done[number]:
                job.write("candidates", number, lambda keys=keys, number=number: retrieve(keys, number))  # type: ignore[misc]
                advance(len(keys))


def finish(job: Job, queries: Queries, *, depth: int | None = None, facts: dict[str, Any], **row: Any) -> Record:
    """Write the run's row and the job's record and return the record; `row` fills other columns of `runs`."""
    counts = _counted(job, len(queries.blocks()))
    run = {
        "run_id": job.name,
        "retriever": job.settings["retriever"],
        "split": queries.split,
        "depth": depth or counts["deepest"],
        "queries": len(queries.keys),
        "sources": [],
        **row,
    }
    job.shard("runs", 0).unlink(missing_ok=True)  # left by a killed attempt; its round may be outdated
    made = [record for record in queries.workspace.records("mine") if "run_id" in record.facts]
    rounds = [int(record.facts.get("round", place)) for place, record in enumerate(made, 1)]
    run["round"] = 1 + max(rounds, default=0)
    job.write_rows("runs", [run])
    empty = len(queries.keys) - counts["queries"]
    copies = {"copies_left_out": queries.copies_left_out}
    return job.finish(**run, candidates=counts["candidates"], empty=empty, **copies, **facts)


def _counted(job: Job, blocks: int) -> dict[str, int]:
    with sql_files.connect() as connection:
        shards = [str(job.shard("candidates", number)) for number in range(blocks)]
        connection.read_parquet(shards).create_view("mined")
        row: dict[str, int] = sql_files.select(connection, "mine/count").pl().row(0, named=True)
        return row


def as_table(run_id: str, keys: "np.ndarray", found: TopPassages) -> "pa.Table":
    """Return the candidates that were found for the queries `keys` as a table, with ranks from 1."""
    import numpy as np
    import pyarrow as pa

    there = found.keys >= 0
    rows, columns = there.nonzero()
    return pa.table(
        {
            "run_id": pa.repeat(run_id, len(rows)),
            "query_key": keys[rows].astype(np.int32),
            "passage_key": found.keys[there].astype(np.int32),
            "rank": (columns + 1).astype(np.int32),
            "score": found.scores[there].astype(np.float32),
        }
    )
