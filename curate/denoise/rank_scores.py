"""The ranks of a run as scores: minus the logarithm of the rank, in the ledger beside those of the models.

Ranks alone cannot denoise: something stands first for every query, relevant or not. But they know what a
cross-encoder does not, such as the words that both texts have. Where the labels of a cross-encoder are few, the
mean of its probabilities and those of the ranks can find more false negatives than either (benchmarks/README.md).
"""

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.config import EXACT
from curate.denoise.score_job import ledger_before, score_job
from curate.errors import BadSettings, NotAvailable
from curate.job_record import Record
from curate.jobs import Job
from curate.shards import digest
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

RANKS = "ranks"
"""The role of such a scorer in the table `models`, and the stage of the job that writes its scores."""
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
        names = tuple(encoder["model_id"] for encoder in encoders)
        record = _record(workspace, run_id)
        found = cls(record.settings["retriever"], _identity(workspace, record), names)
        if only not in (None, found.scorer_id):
            raise BadSettings(
                f"the cutoffs join the ranks of another retriever, {only}; those of run {run_id} would be "
                f"{found.scorer_id}. Take cutoffs of the model alone (--cutoffs NAME), or join these ranks: "
                f"{curate_command('calibrate', '--ranks', '--run', run_id)}"
            )
        trained = [encoder["model_id"] for encoder in encoders if encoder["is_trained_here"]]
        if trained:
            raise BadSettings(
                f"{trained[0]}, which mined run {run_id}, was trained here. Its ranks know the labels that would "
                "calibrate them. Give a run of a retriever that was not: --run ID"
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
        facts = {"model_id": self.scorer_id, "path": f"{self.retriever} runs", "fingerprint": self.fingerprint}
        return {**facts, "role": RANKS, "settings": settings}


def ranks_here(workspace: Workspace) -> set[str]:
    """Return the ids of the scorers that are no models, but the ranks of a retriever."""
    rows = workspace.select("workspace/scorers").to_dicts()
    return {row["model_id"] for row in rows if row["role"] == RANKS}


def models_among(workspace: Workspace, scorers: "Iterable[str]") -> list[str]:
    """Return the scorers that are models, in their order."""
    ranks = ranks_here(workspace)
    return [scorer for scorer in scorers if scorer not in ranks]


def score_ranks(workspace: Workspace, run_id: str, depth: int, only: str | None = None) -> RankScorer:
    """Write the ranks of a run's top-k, and of positives that it found below, to the ledger; return the scorer.

    Nothing is written if the ledger has them. Which run is the current one does not change. Raises BadSettings as
    `RankScorer.of` does.
    """
    scorer = RankScorer.of(workspace, run_id, only)
    job = _job(workspace, run_id, depth, scorer)
    if _lacking(job, scorer):
        _write(job, scorer)
    return scorer


def ranks_to_score(workspace: Workspace, run_id: str, depth: int, only: str | None = None) -> int:
    """Return for how many pairs `score_ranks` would write a rank."""
    scorer = RankScorer.of(workspace, run_id, only)
    return _lacking(_job(workspace, run_id, depth, scorer), scorer)


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
    return score_job(workspace, run_id, depth, scorer.fingerprint, stage=RANKS)


def _lacking(job: Job, scorer: RankScorer) -> int:
    """Return how many rows a job has to write. A shard that was lost is written again."""
    if job.record and job.has("scores", 0):
        return 0
    return sum(batch.num_rows for batch in _batches(job, scorer.scorer_id))


def _write(job: Job, scorer: RankScorer) -> None:
    job.write_rows("models", [scorer.row()])
    shard = job.write("scores", 0, partial(_batches, job, scorer.scorer_id))
    job.finish(pairs=shard.rows, scorer_id=scorer.scorer_id, run=job.settings["run"])


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

    Exact search and BM25 give the same first ranks at any depth. Runs made before had no `score`.
    """
    settings = {key: value for key, value in record.settings.items() if key not in ("split", "sources", "score")}
    if settings["retriever"] == "bm25" or (settings["retriever"], settings.get("index")) == ("dense", EXACT):
        del settings["depth"]
    inputs = {key: value for key, value in record.inputs.items() if key != "queries"}
    sources = [_record(workspace, run) for run in record.settings.get("sources", [])]
    return digest(settings, inputs, [_identity(workspace, source) for source in sources])
