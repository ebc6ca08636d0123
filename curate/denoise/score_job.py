"""The job that scores a run's top-k by one scorer, which is known without opening a model."""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.jobs import Job, table_digest
from curate.shards import digest
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from curate.denoise.agreement import Agreement

UNREADABLE = "because the scorer finds no token in their query or passage"
"""Why a pair has no score although the job is on record, as the end of a sentence."""


@dataclass(frozen=True)
class Scored:
    """What a scorer has scored of a run."""

    scorer_id: str
    pairs: int
    scored_now: int
    seconds: float
    warnings: list[str]
    agreement: "Agreement | None" = None
    """Of another back end than torch: how far its scores agree with those of torch in float32."""


def score_job(workspace: Workspace, run_id: str, depth: int, fingerprint: str, stage: str = "denoise") -> Job:
    """Return the job; `fingerprint` is that of the scorer. Once it is on record, it has read every pair."""
    inputs = {
        "candidates": table_digest(workspace, "candidates", of_jobs=[run_id]),
        **{table: table_digest(workspace, table) for table in ("qrels", "annotations", "claims")},
        "scorer": fingerprint,
    }
    settings = {"run": run_id, "depth": depth}
    return Job(workspace, stage, f"score-{run_id}-{digest(settings, inputs)[:8]}", settings, inputs)


@contextmanager
def ledger_before(job: Job) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open a connection whose view `ledger_shards` is the ledger as it was before a job began."""
    with job.workspace.connect_lazily() as connection:
        before = job.workspace.shards("scores", without=job.name)
        connection.read_parquet([str(path) for path in before]).create_view("ledger_shards")
        yield connection
