"""Scoring: writes a cross-encoder's logits for a run's top-k to the ledger, in shards of whole queries."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from curate import judges, sql_files
from curate.calibration import calibrated_elsewhere
from curate.choose_run import newest_first
from curate.config import Denoise
from curate.counted import counted
from curate.cutoffs import CutoffOptions, are_set
from curate.denoise.agreement import PAIRS, Agreement
from curate.denoise.choose_backend import settled
from curate.denoise.rank_scores import ranks_here, ranks_to_score, score_ranks
from curate.denoise.resolve_scorer import Scorer, find_scorer
from curate.denoise.score_checks import Scale, refuse_if_alike, truncation_warnings
from curate.denoise.score_job import UNREADABLE, Scored, ledger_before, score_job
from curate.errors import BadSettings, NotAvailable
from curate.jobs import Job, numbered
from curate.models.scorer import Remarks, ScorerFolder, count_cut, in_float32, score_texts
from curate.models.served.address import is_address
from curate.models.served.judge_prompt import keep_prompt
from curate.plan import Plan
from curate.progress import SILENT, Advance, Progress
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

ScoredBy = Mapping[str | None, Denoise]
"""The id of a scorer, or None for whichever the settings name -> the settings that score by it."""
PROBE_PAIRS = 64
# A job has about 256 shards. The bounds limit the overhead of a shard, and the work that is lost with one.
SMALLEST_SHARD, LARGEST_SHARD, SHARDS = 8_192, 262_144, 256
SMALLEST_SERVED_SHARD = 512  # a language model may need minutes for as many pairs


def said_by_each(
    workspace: Workspace, run_id: str, scored: Sequence[Scored], cutoffs: Mapping[str, Any]
) -> list[str]:
    """Return the warnings of the results, and of the scale that each scorer has under `cutoffs`.

    cutoffs: a row of the table. Several scorers are named, each before what is said of it.
    """
    said = {one.scorer_id: list(one.warnings) for one in scored}
    for alone in judges.each(cutoffs):
        said.setdefault(alone["scorer_id"], []).extend(
            [*Scale.of(workspace, run_id, alone).warnings, *calibrated_elsewhere(workspace, run_id, alone)]
        )
    several = len(said) > 1
    return [f"{name}: {warning}" if several else warning for name, found in said.items() for warning in found]


@dataclass(frozen=True)
class ScoreBlock:
    """The work of one shard: the pairs of the queries from `first_query` to `last_query`."""

    block: int
    first_query: int
    last_query: int
    pairs: int
    unscored: int


@dataclass(frozen=True)
class Prepared:
    """A block that is ready for the scorer."""

    block: ScoreBlock
    pairs: "pa.Table"
    rows: Sequence[Any]


class Scoring:
    """The work of one scorer on the top-k of one run."""

    def __init__(self, workspace: Workspace, run_id: str, depth: int, scorer: Scorer) -> None:
        """Store the arguments. Nothing is computed yet."""
        self.workspace, self.run_id, self.depth, self.scorer = workspace, run_id, depth, scorer
        self.cut = 0
        """The pairs that `run` has scored without the end of a text, which was too long."""

    @classmethod
    def of(cls, workspace: Workspace, run_id: str, settings: Denoise) -> "Scoring":
        """Return the work that `settings` ask for. If pairs are still unscored, the scorer is `of_today`."""
        scorer = find_scorer(workspace, settled(workspace, run_id, settings))
        scoring = cls(workspace, run_id, settings.depth, scorer)
        today = scoring.scorer.of_today() if scoring.to_do else scoring.scorer
        return scoring if today is scoring.scorer else cls(workspace, run_id, settings.depth, today)

    @cached_property
    def job(self) -> Job:
        """The job that writes the new scores."""
        return score_job(self.workspace, self.run_id, self.depth, self.scorer.fingerprint)

    @cached_property
    def blocks(self) -> list[ScoreBlock]:
        """The shards of the job, each with its number of pairs and how many of them the ledger lacks."""
        with ledger_before(self.job) as connection:
            parameters = {"run": self.run_id, "depth": self.depth, "scorer": self.scorer.scorer_id}
            total = sql_files.select(connection, "score/size", **parameters).fetchall()[0][0]
            smallest = SMALLEST_SERVED_SHARD if self.is_served else SMALLEST_SHARD
            size = min(max(total // SHARDS, smallest), LARGEST_SHARD)
            rows = sql_files.select(connection, "score/blocks", **parameters, pairs=size)
            return [ScoreBlock(*row) for row in rows.fetchall()]

    @property
    def is_served(self) -> bool:
        """Whether a server scores."""
        return is_address(self.scorer.source.name)

    @cached_property
    def to_do(self) -> list[ScoreBlock]:
        """The blocks with pairs that neither an earlier job nor this one has scored."""
        pending = [block for block in self.blocks if block.unscored]
        return [block for block in pending if not self.job.has("scores", block.block)]

    def run(self, progress: Progress) -> None:
        """Score the blocks in order. While the model scores one block, the next is fetched and tokenized."""
        if self.scorer.source.options.prompt:
            keep_prompt(self.workspace.root, self.scorer.source.options.prompt)
        if self.scorer.is_new:  # first, so that no score lacks its model's row
            self.job.write_rows("models", [self.scorer.row()])
        total = sum(block.unscored for block in self.blocks)
        left = sum(block.unscored for block in self.to_do)
        with progress.task(f"scoring {self.run_id}", total, "pairs", total - left) as advance:
            for prepared in self._prepared(self.to_do):
                self.cut += count_cut(prepared.rows)
                self.job.write("scores", prepared.block.block, partial(self._tables, prepared, advance))

    def agree(self, settings: Denoise) -> Agreement | None:
        """Return how far the back end agrees with torch in float32; None if it is torch.

        Raises NotMet if more decisions flip than `settings` allow.
        """
        source = self.scorer.source
        if not isinstance(source, ScorerFolder) or source.options.backend == "torch":
            return None
        with ledger_before(self.job) as connection:
            pairs = sql_files.select(
                connection, "score/sample", run=self.run_id, depth=self.depth, pairs=PAIRS
            ).to_arrow_table()
        scorer = self.scorer.model
        logits, precise = score_texts(scorer, pairs), score_texts(in_float32(source), pairs)
        name = f"{source.options.backend} in {scorer.settings['dtype']}"
        found = Agreement.of(name, logits, precise, settings)
        found.refuse_above(settings.max_flips)
        return found

    def finish(self, pairs: int, cut: int, agreement: Mapping[str, Any] | None) -> None:
        """Write the job's record; `pairs` were scored by this call, `cut` of them without the end of a text."""
        options = {"scorer": self.scorer.path, **asdict(self.scorer.source.options)}
        facts = {"scorer_id": self.scorer.scorer_id, "run": self.run_id, "options": options}
        agreed = {"agreement": dict(agreement)} if agreement else {}
        self.job.finish(pairs=pairs, cut=cut, **facts, **agreed)

    @property
    def agreement(self) -> Agreement | None:
        """What `agree` found when the scores were made, by the job's record; None if there was nothing to find."""
        facts = self.job.record.facts if self.job.record else {}
        return Agreement(**facts["agreement"]) if "agreement" in facts else None

    def _prepared(self, blocks: list[ScoreBlock]) -> Iterator[Prepared]:
        with ThreadPoolExecutor(1) as pool, ledger_before(self.job) as connection:
            following = None
            for block in blocks:
                current, following = following, pool.submit(self.prepare, sql_files.cursor(connection), block)
                if current:
                    yield current.result()
            if following:
                yield following.result()

    def prepare(self, cursor: "duckdb.DuckDBPyConnection", block: ScoreBlock) -> Prepared:
        """Fetch a block and make it ready. Each call needs a cursor of its own."""
        import numpy as np

        queries = {"first_query": block.first_query, "last_query": block.last_query}
        values = {**queries, "run": self.run_id, "depth": self.depth, "scorer": self.scorer.scorer_id}
        pairs = sql_files.select(cursor, "score/pairs", **values).to_arrow_table()
        query_keys = pairs["query_key"].to_numpy()
        wanted, which_passage = np.unique(pairs["passage_key"].to_numpy(), return_inverse=True)
        cursor.register("wanted", _column("passage_key", wanted))
        passages = sql_files.select(cursor, "score/passages").fetchall()
        texts = sql_files.select(cursor, "score/queries", **queries).fetchall()
        which_query = np.searchsorted([key for key, _ in texts], query_keys)
        indices = np.stack([which_query, which_passage], axis=1)
        rows = self.scorer.model.prepare([text for _, text in texts], [text for _, text in passages], indices)
        return Prepared(block, pairs, rows)

    def _tables(self, prepared: Prepared, advance: Advance) -> "list[pa.Table]":
        import pyarrow as pa

        logits = self.scorer.model.score(prepared.rows, advance)
        refuse_if_alike(self.scorer.scorer_id, logits[_scored(logits)])
        scorer = pa.array([self.scorer.scorer_id]).take(pa.array([0] * len(logits), pa.int32()))
        table = prepared.pairs.append_column("scorer_id", scorer).append_column("logit", pa.array(logits))
        return [table.filter(pa.array(_scored(logits)))]

    @property
    def without_score(self) -> int:
        """The pairs that this job has read and not scored, because a text in them has no token."""
        read = [(block, self.job.has("scores", block.block)) for block in self.blocks]
        return sum(block.unscored - shard.rows for block, shard in read if shard)

    def warnings(self) -> list[str]:
        """Return warnings about pairs without a score, and about texts that were cut."""
        facts = self.job.record.facts if self.job.record else {}
        cut = truncation_warnings(
            facts.get("cut", 0), facts.get("pairs", 0), facts.get("options", {}).get("max_length")
        )
        return [*_without_score(self.without_score), *cut]


def score_by_each(workspace: Workspace, run_id: str, by: ScoredBy, progress: Progress = SILENT) -> list[Scored]:
    """Score a run by each scorer, as `score_run` does; return what the models have scored.

    Ranks are written first, and nothing is said of them. They cost nothing, and if they are refused, no model has
    scored in vain.
    """
    models, ranks = _apart(workspace, by)
    for scorer, settings in ranks.items():
        score_ranks(workspace, run_id, settings.depth, scorer)
    return [
        score_run(workspace, run_id, settings, only_by=scorer, progress=progress)
        for scorer, settings in models.items()
    ]


def _apart(workspace: Workspace, by: ScoredBy) -> tuple[ScoredBy, ScoredBy]:
    """Return the models in `by`, and the ranks."""
    ranks = ranks_here(workspace)
    return (
        {scorer: settings for scorer, settings in by.items() if scorer not in ranks},
        {scorer: settings for scorer, settings in by.items() if scorer in ranks},
    )


def score_run(
    workspace: Workspace,
    run_id: str,
    settings: Denoise,
    *,
    only_by: str | None = None,
    progress: Progress = SILENT,
) -> Scored:
    """Score the pairs of a run's top-k, and of its queries with their positives, that the ledger lacks.

    Raises CurateError if the scores of a shard are all equal or not finite; nothing of that shard is kept.
    Raises BadSettings if `only_by` names another scorer.
    """
    started = time.monotonic()
    scoring = Scoring.of(workspace, run_id, settings)
    if only_by not in (None, scoring.scorer.scorer_id):
        raise BadSettings(
            f"these cutoffs belong to the scorer {only_by}, but {scoring.scorer.source.name} is "
            f"{scoring.scorer.scorer_id}. Give the scorer that `curate denoise` used, or the cutoffs of this "
            "scorer: --cutoffs NAME"
        )
    pending = sum(block.unscored for block in scoring.to_do)
    agreement = scoring.agree(settings) if pending else None
    if pending:
        scoring.run(progress)
    if pending or (scoring.job.record is None and any(block.unscored for block in scoring.blocks)):
        scoring.finish(pending, scoring.cut, asdict(agreement) if agreement else None)
    _make_last(workspace, run_id, scoring.scorer)
    warnings = scoring.warnings()
    if pending and isinstance(scoring.scorer.model, Remarks):
        warnings += scoring.scorer.model.remarks()
    pairs = sum(block.pairs for block in scoring.blocks)
    seconds = time.monotonic() - started
    return Scored(scoring.scorer.scorer_id, pairs, pending, seconds, warnings, scoring.agreement)


def score_again(workspace: Workspace, job: str, facts: Mapping[str, Any], depth: int, progress: Progress) -> None:
    """Score the blocks of a job that are damaged or missing, in the workspace as it was then; write its record.

    facts: those of its record. Raises CurateError if its model is missing, or not what it was.
    """
    settings = Denoise(depth=depth, **facts["options"])
    scoring = Scoring.of(workspace, facts["run"], settings)
    if scoring.job.name != job:
        raise NotAvailable(f"{settings.scorer} gives other scores on this machine, or is not what it was")
    scoring.run(progress)
    scoring.finish(facts["pairs"], facts.get("cut", 0), facts.get("agreement"))


def _make_last(workspace: Workspace, run_id: str, scorer: Scorer) -> None:
    """Record that this run was denoised last over its split, even if nothing was scored: it is then current."""
    split_of = {row["run_id"]: row["split"] for row in newest_first(workspace)}
    denoised = [record.settings["run"] for record in workspace.records("denoise")]
    over_split = [run for run in denoised if split_of.get(run) == split_of[run_id]]
    if over_split[-1:] != [run_id]:
        name = numbered(workspace, "denoise")
        Job(workspace, "denoise", name, {"run": run_id}, {"scorer": scorer.fingerprint}).finish(run=run_id)


def plan_score(
    workspace: Workspace,
    stage: str,
    run_id: str,
    by: ScoredBy,
    cutoffs: str,
    **values: Any,
) -> Plan:
    """Return how many pairs `score_by_each` would score, and how long that takes.

    The time is that at each scorer's measured rate; ranks take none, and do not count. If every pair has its
    scores, the plan says whether the cutoffs `cutoffs` must still be set to `values`.
    """
    models, ranks = _apart(workspace, by)
    unwritten = sum(
        ranks_to_score(workspace, run_id, settings.depth, scorer) for scorer, settings in ranks.items()
    )
    scorings = [Scoring.of(workspace, run_id, settings) for settings in models.values()]
    left = {scoring: sum(block.unscored for block in scoring.to_do) for scoring in scorings}
    total = sum(block.pairs for scoring in scorings for block in scoring.blocks)
    scorers = [scoring.scorer for scoring in scorings]
    notes = [*(f"scorer: {one.scorer_id}: {one.source.spec.text}" for one in scorers), f"run: {run_id}"]
    if unwritten:
        notes.append(f"the ranks of {counted(unwritten, 'pairs')} become scores, too")
    if pending := sum(left.values()):
        seconds = sum(pairs / _rate(scoring) for scoring, pairs in left.items() if pairs)
        return Plan(stage, "pairs", total, total - pending, seconds, notes)
    only: CutoffOptions = {"scorer_id": scorers[0].scorer_id} if len(by) == len(scorers) == 1 else {}
    if are_set(workspace, cutoffs, **{**only, **values}):
        return Plan(stage, "pairs", total, total, 0.0, notes)
    return Plan(stage, "cutoffs", 1, 0, 0.0, [*notes, "every pair is already scored: only the cutoffs are set"])


def known_rate(workspace: Workspace, scorer_id: str | None) -> float | None:
    """Return the pairs per second of the scorer's last job here; None without one."""
    for record in reversed(workspace.records("denoise")):
        if record.facts.get("scorer_id") == scorer_id and record.facts.get("pairs"):
            return float(record.facts["pairs"]) / max(record.seconds, 1e-3)
    return None


def _rate(scoring: Scoring) -> float:
    """Return pairs per second, from the scorer's last job here or else measured on a few pairs of a block."""
    if known := known_rate(scoring.workspace, scoring.scorer.scorer_id):
        return known
    with ledger_before(scoring.job) as connection:
        rows = scoring.prepare(connection, scoring.to_do[0]).rows[:PROBE_PAIRS]
    scoring.scorer.model.score(rows[:8])
    started = time.monotonic()
    scoring.scorer.model.score(rows)
    return len(rows) / (time.monotonic() - started)


def _scored(logits: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return which pairs have a score. A pair with a text without tokens has NaN."""
    import numpy as np

    known: np.ndarray[Any, Any] = ~np.isnan(logits)
    return known


def _without_score(pairs: int) -> list[str]:
    told = f"{counted(pairs, 'pairs have', 'pair has')} no score, {UNREADABLE}"
    return [f"{told}; unscored is never negative"] if pairs else []


def _column(name: str, values: "np.ndarray[Any, Any]") -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: values})
