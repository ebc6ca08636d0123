"""The job that scores a run's top-k by one model, which is known without opening the model."""

from curate.jobs import Job, table_digest
from curate.shards import digest
from curate.workspace import Workspace

UNREADABLE = "because the scorer finds no token in their query or passage"
"""Why a pair has no score although the job is on record, as the end of a sentence."""


def score_job(workspace: Workspace, run_id: str, depth: int, fingerprint: str) -> Job:
    """Return the job; `fingerprint` is that of the scorer. Once it is on record, it has read every pair."""
    inputs = {
        "candidates": table_digest(workspace, "candidates", of_jobs=[run_id]),
        **{table: table_digest(workspace, table) for table in ("qrels", "annotations", "claims")},
        "scorer": fingerprint,
    }
    settings = {"run": run_id, "depth": depth}
    return Job(workspace, "denoise", f"score-{run_id}-{digest(settings, inputs)[:8]}", settings, inputs)
