"""The ranks of a run as scores: minus the logarithm of the rank, in the ledger beside those of the models.

Ranks alone cannot denoise, because they know no passage of the first rank that is irrelevant. But they know what a
cross-encoder does not, such as the words that both texts have. Where its labels are few, the mean of its calibrated
probabilities and those of the ranks finds more false negatives than either (benchmarks/README.md).
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.denoise.score_job import Scored, ledger_before, score_job
from curate.errors import BadSettings, NotAvailable
from curate.job_record import Record
from curate.jobs import Job
from curate.shards import digest
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

RANKS = "<ranks of the run>"
"""What the table `models` has for the path of such a scorer. No model can lie there."""
EXACT = "exact"
BATCH = 1_000_000


@dataclass(frozen=True)
class RankScorer:
    """The retriever of a run as a scorer. It is the same one for each split that it mined alike."""

    retriever: str
    fingerprint: str
    """A digest of all that determines its ranks of a query."""
    encoders: tuple[str, ...]
    """The ids of its encoders: one, or none for lexical search."""

    @classmethod
    def of(cls, workspace: Workspace, run_id: str, only: str | None = None) -> "RankScorer":
        """Return the retriever of a run.

        Raises BadSettings if `only` is the id of another scorer, or if the retriever was trained here: it then
        knows the labels that would calibrate it. Of an imported run, nobody knows by what it was trained.
        """
        encoders = workspace.select("workspace/encoders_of_run", run=run_id).to_dicts()
        for encoder in encoders:
            if encoder["is_trained_here"]:
                raise BadSettings(
                    f"{encoder['model_id']}, which mined run {run_id}, was trained here. Its ranks know the labels "
                    "that would calibrate them. Give a run of a retriever that was not: --run ID"
                )
        record = _record(workspace, run_id)
        names = tuple(encoder["model_id"] for encoder in encoders)
        found = cls(record.settings["retriever"], _identity(workspace, record), names)
        if only not in (None, found.scorer_id):
            raise BadSettings(
                f"these cutoffs join the ranks of another retriever, {only}; those of run {run_id} are "
                f"{found.scorer_id}. Calibrate these, and name them in the cutoffs: "
                f"{curate_command('calibrate', '--ranks', '--run', run_id)}"
            )
        return found

    @property
    def scorer_id(self) -> str:
        """The id under which its scores are stored."""
        return f"{self.retriever}-ranks-{self.fingerprint[:8]}"

    def row(self) -> dict[str, Any]:
        """Return its row of the table `models`."""
        about = {"retriever": self.retriever, "encoders": self.encoders, "scale": "raw"}
        settings = json.dumps(about, sort_keys=True)
        facts = {"model_id": self.scorer_id, "path": RANKS, "fingerprint": self.fingerprint}
        return {**facts, "role": "cross-encoder", "settings": settings}


def score_ranks(workspace: Workspace, run_id: str, depth: int, only: str | None = None) -> Scored:
    """Write the ranks of a run's top-k, and of positives that it found below, to the ledger, as far as they lack.

    Which run is the current one does not change. Raises BadSettings as `RankScorer.of` does.
    """
    started = time.monotonic()
    scorer = RankScorer.of(workspace, run_id, only)
    job = _job(workspace, run_id, depth, scorer)
    before = job.record
    pairs = (before or _write(job, scorer)).facts["pairs"]
    return Scored(scorer.scorer_id, pairs, 0 if before else pairs, time.monotonic() - started, [])


def is_of_ranks(workspace: Workspace, scorer_id: str) -> bool:
    """Return whether a scorer that has scored here is no model, but the ranks of a retriever."""
    rows = workspace.select("workspace/scorers").to_dicts()
    return any(row["model_id"] == scorer_id and row["path"] == RANKS for row in rows)


def ranks_to_score(workspace: Workspace, run_id: str, depth: int, only: str | None = None) -> int:
    """Return for how many pairs `score_ranks` would write a rank."""
    scorer = RankScorer.of(workspace, run_id, only)
    job = _job(workspace, run_id, depth, scorer)
    return 0 if job.record else sum(batch.num_rows for batch in _batches(job, scorer.scorer_id))


def score_ranks_again(workspace: Workspace, record: Record) -> None:
    """Write the ranks of a job once more, in the workspace as it was then; raises NotAvailable if they changed."""
    run, depth = record.settings["run"], record.settings["depth"]
    scorer = RankScorer.of(workspace, run)
    job = _job(workspace, run, depth, scorer)
    if job.name != record.job:
        raise NotAvailable(f"run {run} is not what it was")
    _write(job, scorer)


def _job(workspace: Workspace, run_id: str, depth: int, scorer: RankScorer) -> Job:
    """Return the job that writes the ranks. It denoises nothing, so the run does not become the current one."""
    return score_job(workspace, run_id, depth, scorer.fingerprint, stage="ranks")


def _write(job: Job, scorer: RankScorer) -> Record:
    job.write_rows("models", [scorer.row()])
    shard = job.write("scores", 0, partial(_batches, job, scorer.scorer_id))
    return job.finish(pairs=shard.rows, scorer_id=scorer.scorer_id, run=job.settings["run"])


def _batches(job: Job, scorer_id: str) -> "Iterator[pa.RecordBatch]":
    with ledger_before(job) as connection:
        yield from sql_files.select(connection, "score/ranks", **job.settings, scorer=scorer_id).to_arrow_reader(
            BATCH
        )


def _record(workspace: Workspace, run_id: str) -> Record:
    record = workspace.record(run_id)
    if record is None:
        raise BadSettings(
            f"run {run_id} has no record, so that nothing says which retriever made it. Mine it again: curate mine"
        )
    return record


def _identity(workspace: Workspace, record: Record) -> str:
    """Return a digest of what determines the ranks of a run, whatever queries it is over.

    Exact search and BM25 give the same first ranks at any depth.
    """
    settings = {key: value for key, value in record.settings.items() if key not in ("split", "sources")}
    if settings["retriever"] == "bm25" or (settings["retriever"], settings.get("index")) == ("dense", EXACT):
        del settings["depth"]
    inputs = {key: value for key, value in record.inputs.items() if key != "queries"}
    sources = [_record(workspace, run) for run in record.settings.get("sources", [])]
    return digest(settings, inputs, [_identity(workspace, source) for source in sources])
