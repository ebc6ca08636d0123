"""Scoring: fills the ledger with a cross-encoder's logits for a run's top-k, in shards of whole queries."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import relations
from curate.config import Denoise
from curate.errors import BadSettings
from curate.jobs import Job, table_digest
from curate.models import fingerprint, model_folder, model_id
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.shards import digest
from curate.stages.score_checks import refuse_if_alike, scale_warnings
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

    from curate.cross_encoder import CrossEncoder, Row

TRAINED_HERE = "models/cross-encoder"
PROBE_PAIRS = 64
# About 256 shards a job, none so small that its overhead shows, none so large that it hurts to lose.
SMALLEST_SHARD, LARGEST_SHARD, SHARDS = 8_192, 262_144, 256


@dataclass(frozen=True)
class Scored:
    """What `score_run` did."""

    scorer_id: str
    pairs: int
    scored_now: int
    seconds: float
    warnings: list[str]


@dataclass(frozen=True)
class Block:
    """One shard's work: the pairs of the queries from `first_query` to `last_query`."""

    block: int
    first_query: int
    last_query: int
    pairs: int
    unscored: int


@dataclass(frozen=True)
class Prepared:
    """A block, tokenized."""

    block: Block
    pairs: "pa.Table"
    rows: "list[Row]"


class Scoring:
    """The work of one scorer on one run."""

    def __init__(self, workspace: Workspace, run_id: str, settings: Denoise) -> None:
        """Find the scorer; a model that has scored here before is recognised by its files, without torch."""
        self.workspace, self.run_id, self.settings = workspace, run_id, settings
        self.name = settings.scorer or TRAINED_HERE
        if settings.scorer is None and not (workspace.root / TRAINED_HERE).is_dir():
            raise BadSettings(
                "no scorer: give --scorer MODEL (a folder or a hub name), or make one: curate train cross-encoder"
            )
        self.folder = model_folder(self.name, workspace.root)
        known = _known_scorer(workspace, self.folder, settings.max_length)
        self.scorer_id, self.fingerprint = known or (self.scorer.scorer_id, self.scorer.fingerprint)

    @cached_property
    def scorer(self) -> "CrossEncoder":
        """The loaded cross-encoder."""
        from curate.cross_encoder import CrossEncoder

        return CrossEncoder(self.folder, max_length=self.settings.max_length)

    @cached_property
    def job(self) -> Job:
        """The job whose shards the new scores are."""
        inputs = {
            "candidates": table_digest(self.workspace, "candidates", of_job=self.run_id),
            "qrels": table_digest(self.workspace, "qrels"),
            "scorer": self.fingerprint,
        }
        settings = {"run": self.run_id, "depth": self.settings.depth}
        name = f"score-{self.run_id}-{digest(settings, inputs)[:8]}"
        return Job(self.workspace, "denoise", name, settings, inputs)

    @cached_property
    def blocks(self) -> list[Block]:
        """The shards of the job, and how much of each the ledger answers already."""
        with self.connect() as connection:
            parameters = {"run": self.run_id, "depth": self.settings.depth}
            total = connection.sql(relations.sql("stages", "score_size"), params=parameters).fetchall()[0][0]
            size = min(max(total // SHARDS, SMALLEST_SHARD), LARGEST_SHARD)
            rows = connection.sql(relations.sql("stages", "score_blocks"), params={**parameters, "pairs": size})
            return [Block(*row) for row in rows.fetchall()]

    def connect(self) -> "duckdb.DuckDBPyConnection":
        """Return a connection on which `ledger` is what this scorer had scored before this job began."""
        connection = self.workspace.connect()
        before = self.workspace.shards("scores", without=self.job.job)
        connection.read_parquet([str(path) for path in before]).create_view("ledger_shards")
        connection.execute(relations.sql("stages", "set_scorer"), {"scorer": self.scorer_id})
        connection.execute(relations.sql("stages", "score_ledger"))
        return connection

    @cached_property
    def to_do(self) -> list[Block]:
        """The blocks with pairs that nobody scored, this job included."""
        pending = [block for block in self.blocks if block.unscored]
        return [] if self.job.record else [block for block in pending if not self.job.has("scores", block.block)]

    def run(self, progress: Progress) -> None:
        """Score block after block; the next one is fetched and tokenized while the model works on this one."""
        total = sum(block.unscored for block in self.blocks)
        left = sum(block.unscored for block in self.to_do)
        with progress.task(f"scoring {self.run_id}", total, "pairs", total - left) as advance:
            for prepared in self._prepared(self.to_do):
                logits = self.scorer.score(prepared.rows, advance)
                refuse_if_alike(self.scorer_id, logits)
                self.job.write("scores", prepared.block.block, partial(self._tables, prepared, logits))

    def _prepared(self, blocks: list[Block]) -> Iterator[Prepared]:
        with ThreadPoolExecutor(1) as pool, self.connect() as connection:
            following = None
            for block in blocks:
                current, following = following, pool.submit(self._prepare, connection.cursor(), block)
                if current:
                    yield current.result()
            if following:
                yield following.result()

    def _prepare(self, cursor: "duckdb.DuckDBPyConnection", block: Block) -> Prepared:
        import numpy as np

        cursor.execute(relations.sql("stages", "set_scorer"), {"scorer": self.scorer_id})
        cursor.execute(relations.sql("stages", "score_ledger"))
        queries = {"first_query": block.first_query, "last_query": block.last_query}
        values = {**queries, "run": self.run_id, "depth": self.settings.depth}
        pairs = cursor.sql(relations.sql("stages", "score_pairs"), params=values).to_arrow_table()
        query_keys = pairs["query_key"].to_numpy()
        wanted, which_passage = np.unique(pairs["passage_key"].to_numpy(), return_inverse=True)
        cursor.register("wanted", _column("passage_key", wanted))
        passages = cursor.sql(relations.sql("stages", "score_passages")).fetchall()
        texts = cursor.sql(relations.sql("stages", "score_queries"), params=queries).fetchall()
        which_query = np.searchsorted([key for key, _ in texts], query_keys)
        indices = np.stack([which_query, which_passage], axis=1)
        rows = self.scorer.tokenize([text for _, text in texts], [text for _, text in passages], indices)
        return Prepared(block, pairs, rows)

    def _tables(self, prepared: Prepared, logits: "np.ndarray[Any, Any]") -> "list[pa.Table]":
        import pyarrow as pa

        scorer = pa.array([self.scorer_id]).take(pa.array([0] * len(logits), pa.int32()))
        return [prepared.pairs.append_column("scorer_id", scorer).append_column("logit", pa.array(logits))]

    def warnings(self, connection: "duckdb.DuckDBPyConnection") -> list[str]:
        """Return what makes the scores look unlike probabilities; the cutoffs mean little then."""
        values = {"run": self.run_id, "depth": self.settings.depth, "scorer": self.scorer_id}
        result = connection.sql(relations.sql("stages", "score_scale"), params=values).pl().to_dicts()
        return scale_warnings(**result[0])


def score_run(workspace: Workspace, run_id: str, settings: Denoise, *, progress: Progress = SILENT) -> Scored:
    """Score what the ledger does not answer of a run's top-k and of its queries' positives.

    Raises CurateError, before anything of the shard is kept, when scores are all alike or not finite.
    """
    started = time.monotonic()
    scoring = Scoring(workspace, run_id, settings)
    pending = sum(block.unscored for block in scoring.to_do)
    if scoring.job.record is None and any(block.unscored for block in scoring.blocks):
        scoring.run(progress)
        if _is_new(workspace, scoring.scorer_id):
            scoring.job.write_rows("models", [_model_row(scoring)])
        scoring.job.finish(pairs=pending, scorer_id=scoring.scorer_id, run=run_id)
    with workspace.connect() as connection:
        warnings = scoring.warnings(connection)
    pairs = sum(block.pairs for block in scoring.blocks)
    return Scored(scoring.scorer_id, pairs, pending, time.monotonic() - started, warnings)


def plan_score(workspace: Workspace, run_id: str, settings: Denoise) -> Plan:
    """Return how many pairs `score_run` would score, and how long that takes at this scorer's rate here."""
    scoring = Scoring(workspace, run_id, settings)
    total = sum(block.pairs for block in scoring.blocks)
    pending = sum(block.unscored for block in scoring.to_do)
    seconds = pending / _rate(scoring) if pending else 0.0
    return Plan(
        "denoise", "pairs", total, total - pending, seconds, [f"scorer: {scoring.scorer_id}", f"run: {run_id}"]
    )


def _rate(scoring: Scoring) -> float:
    """Return pairs a second: of the scorer's last job here, else measured on a few pairs of the first block."""
    for record in reversed(scoring.workspace.records("denoise")):
        if record.facts.get("scorer_id") == scoring.scorer_id and record.facts.get("pairs"):
            return float(record.facts["pairs"]) / max(record.seconds, 1e-3)
    with scoring.connect() as connection:
        rows = scoring._prepare(connection, scoring.to_do[0]).rows[:PROBE_PAIRS]  # noqa: SLF001
    scoring.scorer.score(rows[:8])
    started = time.monotonic()
    scoring.scorer.score(rows)
    return len(rows) / (time.monotonic() - started)


def _known_scorer(workspace: Workspace, folder: Path, max_length: int | None) -> tuple[str, str] | None:
    for row in workspace.sql(relations.sql("stages", "known_scorers")).to_dicts():
        settings = json.loads(row["settings"])
        same_length = max_length in (None, settings["max_length"])
        same_name = row["model_id"] == model_id(folder, row["fingerprint"])
        if same_length and same_name and fingerprint(folder, settings) == row["fingerprint"]:
            return row["model_id"], row["fingerprint"]
    return None


def _is_new(workspace: Workspace, scorer_id: str) -> bool:
    known = workspace.sql(relations.sql("stages", "known_scorers")).to_dicts()
    return all(row["model_id"] != scorer_id for row in known)


def _model_row(scoring: Scoring) -> dict[str, Any]:
    return {
        "model_id": scoring.scorer_id,
        "role": "cross-encoder",
        "path": scoring.name,
        "fingerprint": scoring.fingerprint,
        "settings": json.dumps(scoring.scorer.settings, sort_keys=True),
    }


def _column(name: str, values: "np.ndarray[Any, Any]") -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: values})
