"""Hybrid runs: the union of a BM25 run and a dense run, which both stay runs of their own."""

from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.damage import refuse
from curate.job_record import Record
from curate.jobs import Job
from curate.mine.candidates import Queries, finish, job_of, write_candidates
from curate.mine.dense_run import in_identity
from curate.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa


def hybrid_job(queries: Queries, sources: list[str], settings: dict[str, Any]) -> Job:
    """Return the job of a hybrid run. The ids of its sources already cover everything that decides them."""
    return job_of(queries, "hybrid", {**in_identity(settings), "sources": sources}, {})


def mine_hybrid(queries: Queries, runs: list[Record], settings: dict[str, Any], progress: Progress) -> Record:
    """Write the union of `runs`, ranked by reciprocal rank fusion, unless it exists; return its record."""
    sources = [run.job for run in runs]
    job = hybrid_job(queries, sources, settings)
    if job.record:
        return job.record
    refuse(job.workspace.root, job.workspace.damage(runs))

    def retrieve(_keys: "np.ndarray", number: int) -> "Iterator[pa.Table]":
        # The sources have the same queries in the same blocks, so shards of the same number belong together.
        shards = [Job(job.workspace, "mine", source).shard("candidates", number) for source in sources]
        with sql_files.connect() as connection:
            connection.read_parquet([str(shard) for shard in shards]).create_view("found")
            fused = sql_files.select(connection, "mine/fuse", run_id=job.name)
            yield fused.to_arrow_table()

    write_candidates(job, queries, retrieve, progress)
    return finish(
        job,
        queries,
        depth=settings["depth"],
        language=settings["language"],
        sources=sources,
        facts={**_of_sources(runs), "options": settings},
    )


def _of_sources(runs: list[Record]) -> dict[str, Any]:
    """Return the facts from the records of its sources that also apply to the union."""
    names = (
        "language_detected",
        "passages_encoded",
        "passages_truncated",
        "passages_without_tokens",
        "queries_without_tokens",
        "encode_seconds",
        "notes",
        "agreement",
    )
    return {name: run.facts[name] for run in runs for name in names if name in run.facts}
