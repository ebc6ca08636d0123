"""Scoring: writes a cross-encoder's logits for a run's top-k to the ledger, in shards of whole queries."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import judges, sql_files
from curate.as_of import AsOf
from curate.calibration import calibrated_curve, calibrated_elsewhere
from curate.choose_run import newest_first
from curate.config import Denoise
from curate.counted import counted
from curate.denoise.agreement import SAMPLE_PAIRS, Agreement
from curate.denoise.choose_backend import chosen_scorer
from curate.denoise.rank_scores import ranks_here, score_ranks
from curate.denoise.resolve_scorer import Scorer, find_scorer
from curate.denoise.score_checks import Scale, refuse_if_alike, truncation_warnings
from curate.denoise.score_job import UNREADABLE, Scored, Wave, first_waves, ledger_before, score_job
from curate.errors import BadSettings, NotAvailable, NotMet
from curate.job_record import Record
from curate.jobs import Job, numbered
from curate.models.devices import shared_out
from curate.models.openvino_model import INT8
from curate.models.scorer import (
    ReadsTokens,
    Remarks,
    ScorerFolder,
    count_cut,
    count_tokens,
    in_float32,
    score_texts,
)
from curate.models.served.address import is_address
from curate.models.served.judge_prompt import keep_prompt
from curate.passages import passage_shards
from curate.progress import SILENT, Advance, Progress
from curate.token_store import TokenStore
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

ScoredBy = Mapping[str | None, Denoise]
"""The id of a scorer, or None for whichever the settings name -> the settings that score by it."""
CalibrationOf = Callable[[str], str | None]
"""Takes the id of a scorer; returns the calibration by which the cutoffs read its scores, None for the sigmoid."""
# A job has about 256 shards. The bounds limit the overhead of a shard, and the work that is lost with one.
SMALLEST_SHARD, LARGEST_SHARD, SHARDS = 8_192, 262_144, 256
FOUND = ("pairs", "cut", "tokens", "scoring_seconds", "agreement")
"""The facts of a job that a second computation cannot find: the pairs that its call has scored, how many of them
without the end of a text, their tokens, the seconds, and how far the back end agreed with torch."""
SMALLEST_SERVED_SHARD = 512  # a language model may need minutes for as many pairs


def said_by_each(
    workspace: Workspace, run_id: str, scored: Sequence[Scored], cutoffs: Mapping[str, Any]
) -> list[str]:
    """Return the warnings of the results, and of the scale that each scorer has under `cutoffs`.

    cutoffs: a row of the table. Several scorers are named, each before what is said of it.
    """
    said = {one.scorer_id: _said_of(one) for one in scored}
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
    """The work of one scorer on the top-k of one run, or on a wave of it."""

    def __init__(self, workspace: Workspace, run_id: str, depth: int, scorer: Scorer, wave: Wave) -> None:
        """Store the arguments. Nothing is computed yet."""
        self.workspace, self.run_id, self.depth, self.scorer, self.wave = workspace, run_id, depth, scorer, wave
        self.cut = 0
        """The pairs that `run` has scored without the end of a text, which was too long."""
        self.tokens = 0
        """The tokens of the pairs that `run` has scored."""
        self.seconds = 0.0
        """The time that `run` took."""

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        run_id: str,
        settings: Denoise,
        wave: Wave | None = None,
        scorer: Scorer | None = None,
    ) -> "Scoring":
        """Return the work that `settings` ask for. If pairs are still unscored, the scorer is `of_today`.

        wave: what of it is done; by default all. scorer: that of the settings, if it was found before.
        """
        found = scorer or find_scorer(workspace, settings)
        part = wave or Wave("every", 0, settings.depth)
        scoring = cls(workspace, run_id, settings.depth, found, part)
        today = found.of_today() if scoring.to_do else found
        return scoring if today is found else cls(workspace, run_id, settings.depth, today, part)

    @cached_property
    def job(self) -> Job:
        """The job that writes the new scores."""
        return score_job(self.workspace, self.run_id, self.depth, self.scorer.fingerprint, wave=self.wave)

    @property
    def about(self) -> dict[str, Any]:
        """The parameters of the queries in `sql/score`."""
        of_wave = {"above": self.wave.above, "last": self.wave.last}
        return {"run": self.run_id, "scorer": self.scorer.scorer_id, **of_wave}

    @cached_property
    def queries(self) -> "pa.Table":
        """The queries of the wave."""
        stop = {"enough": self.wave.enough, "cutoffs": self.wave.cutoffs.get("name")}
        about = {**self.about, **stop, "path": self.scorer.known_path}
        with self.workspace.reading() as connection:
            if self.wave.queries == "every":
                found = sql_files.select(connection, "score/wave_every", **about)
            elif self.wave.queries == "sample":
                found = sql_files.select(connection, "score/wave_sample", **about)
            elif self.wave.queries == "others":
                found = sql_files.select(connection, "score/wave_others", **about)
            else:
                found = sql_files.select(connection, "score/wave_short", **about)
            return found.to_arrow_table()

    @cached_property
    def blocks(self) -> list[ScoreBlock]:
        """The shards of the job, each with its number of pairs and how many of them the ledger lacks."""
        with ledger_before(self.job) as connection:
            connection.register("wave", self.queries)
            smallest = SMALLEST_SERVED_SHARD if self.is_served else SMALLEST_SHARD
            size = {"shards": SHARDS, "smallest": smallest, "largest": LARGEST_SHARD}
            rows = sql_files.select(connection, "score/blocks", **self.about, **size)
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

    @property
    def unscored(self) -> int:
        """The number of pairs that are left to score."""
        return sum(block.unscored for block in self.to_do)

    def run(self, progress: Progress) -> None:
        """Score what is to do, on all devices."""
        if self.scorer.source.options.prompt:
            keep_prompt(self.workspace.root, self.scorer.source.options.prompt)
        if self.scorer.is_new:  # first, so that no score lacks its model's row
            self.job.write_rows("models", [self.scorer.row()])
        # For fewer pairs than passages, much would be stored that nobody reads.
        if self.unscored >= sum(shard.rows for shard in passage_shards(self.workspace)) and self.store:
            self.store.write(progress)
        total = sum(block.unscored for block in self.blocks)
        done = total - self.unscored
        started = time.monotonic()
        with progress.task(f"scoring {self.run_id}{self._part}", total, "pairs", done) as advance:
            if self.is_shared:
                self._score_on_all_devices(advance)
            else:
                self.score_blocks(self.to_do, self.to_do, advance)
        self.seconds = time.monotonic() - started

    @property
    def is_shared(self) -> bool:
        """Whether processes on other devices can take a part.

        A server has devices of its own, OpenVINO computes on the CPU alone, and another process would open the
        workspace of today, not that of the past in which a job is made again.
        """
        by_torch = self.scorer.source.options.backend == "torch"
        return by_torch and not self.is_served and not isinstance(self.workspace, AsOf)

    def _score_on_all_devices(self, advance: Advance) -> None:
        settings = Denoise(depth=self.depth, **self.options)
        arguments = (self.workspace.root, self.run_id, settings, self.wave, self.job.name, self.to_do)
        with shared_out(_score_share, arguments, self.to_do, advance) as share:
            self.score_blocks(share, self.to_do, share.advance)
        for cut, tokens in share.results:
            self.cut, self.tokens = self.cut + cut, self.tokens + tokens

    def score_blocks(self, blocks: Iterable[ScoreBlock], among: Sequence[ScoreBlock], advance: Advance) -> None:
        """Score blocks in order. While the model scores one of them, the next is fetched and tokenized.

        among: all blocks that were to do when the work began, which another process cannot find any more.
        """
        for prepared in self._prepared(blocks, among):
            self.cut += count_cut(prepared.rows)
            self.tokens += count_tokens(prepared.rows)
            self.job.write("scores", prepared.block.block, partial(self._tables, prepared, advance))

    @property
    def options(self) -> dict[str, Any]:
        """The settings of `[denoise]` by which the scorer is found again."""
        return {"scorer": self.scorer.path, **asdict(self.scorer.source.options)}

    def agree(self, settings: Denoise, calibration: str | None, progress: Progress) -> Agreement | None:
        """Return how far the back end agrees with torch in float32; None if it is torch.

        It is measured once for each run, scorer, calibration and pair of cutoffs; then the records know it.
        """
        source = self.scorer.source
        if not isinstance(source, ScorerFolder) or source.options.backend == "torch":
            return None
        for record in self.workspace.records("denoise"):
            same = (record.inputs.get("scorer"), record.settings["run"]) == (self.scorer.fingerprint, self.run_id)
            if same and "agreement" in record.facts:
                found = Agreement.read(record.facts["agreement"])
                if found.is_at(settings, calibration):
                    return found
        scorer, backend = self.scorer.model, source.options.backend
        half = 1 if backend == INT8 else None  # the other half has the pairs of its calibration
        with ledger_before(self.job) as connection:
            pairs = sql_files.select(
                connection, "score/sample", run=self.run_id, depth=self.depth, pairs=SAMPLE_PAIRS, half=half
            ).to_arrow_table()
        with progress.task(f"comparing {backend} with torch", 2 * pairs.num_rows, "pairs") as advance:
            logits = score_texts(scorer, pairs, advance)
            precise = score_texts(in_float32(source), pairs, advance)
        rest = ", the rest" if backend == INT8 else ""
        name = f"{backend}{rest} in {scorer.settings['dtype']}"
        return Agreement.of(
            name, logits, precise, settings, calibration, calibrated_curve(self.workspace, calibration)
        )

    def finish(self, found: Mapping[str, Any]) -> None:
        """Write the job's record, with what `score` found: see FOUND."""
        facts = {"scorer_id": self.scorer.scorer_id, "run": self.run_id, "options": self.options}
        self.job.finish(**facts, **found)

    @property
    def agreement(self) -> Agreement | None:
        """What `agree` found when the scores were made, by the job's record; None if there was nothing to find."""
        facts = self.job.record.facts if self.job.record else {}
        return Agreement.read(facts["agreement"]) if "agreement" in facts else None

    @property
    def _part(self) -> str:
        if self.wave.queries == "sample":
            return ", a sample in full"
        return f", ranks {self.wave.above + 1:,} to {self.wave.last:,}" if self.is_part else ""

    def _prepared(self, blocks: Iterable[ScoreBlock], among: Sequence[ScoreBlock]) -> Iterator[Prepared]:
        with ThreadPoolExecutor(1) as pool, self.reading(among) as connection:
            following = None
            for block in blocks:
                current, following = following, pool.submit(self.prepare, sql_files.cursor(connection), block)
                if current:
                    yield current.result()
            if following:
                yield following.result()

    @contextmanager
    def reading(self, blocks: Sequence[ScoreBlock]) -> "Iterator[duckdb.DuckDBPyConnection]":
        """Open a connection for `prepare`. The pairs of `blocks` that the ledger lacks are found once for all."""
        first = min((block.first_query for block in blocks), default=0)
        last = max((block.last_query for block in blocks), default=-1)
        with ledger_before(self.job) as connection:
            connection.register("wave", self.queries)
            sql_files.execute(connection, "score/lacking", first_query=first, last_query=last, **self.about)
            yield connection

    def prepare(self, cursor: "duckdb.DuckDBPyConnection", block: ScoreBlock) -> Prepared:
        """Fetch a block and make it ready. Each call needs a cursor of its own, of a connection of `reading`."""
        import numpy as np

        queries = {"first_query": block.first_query, "last_query": block.last_query}
        pairs = sql_files.select(cursor, "score/pairs", **queries).to_arrow_table()
        wanted, which_passage = np.unique(pairs["passage_key"].to_numpy(), return_inverse=True)
        asked = sql_files.select(cursor, "score/queries", **queries).fetchall()
        which_query = np.searchsorted([key for key, _ in asked], pairs["query_key"].to_numpy())
        indices, texts = np.stack([which_query, which_passage], axis=1), [text for _, text in asked]

        def passages(keys: "np.ndarray[Any, Any]") -> list[str]:
            cursor.register("wanted", _column("passage_key", keys))
            return [text for _, text in sql_files.select(cursor, "score/passages").fetchall()]

        model = self.scorer.model
        if self.store and isinstance(model, ReadsTokens):
            rows = model.prepare_tokens(texts, self.store.of(wanted, passages, model.max_length), indices)
        else:
            rows = model.prepare(texts, passages(wanted), indices)
        return Prepared(block, pairs, rows)

    @cached_property
    def store(self) -> TokenStore | None:
        """The tokens of the passages; None if the scorer reads texts."""
        tokens = self.scorer.model.passage_tokens if isinstance(self.scorer.model, ReadsTokens) else None
        return TokenStore(self.workspace, tokens) if tokens else None

    def _tables(self, prepared: Prepared, advance: Advance) -> "list[pa.Table]":
        import pyarrow as pa

        logits = self.scorer.model.score(prepared.rows, advance)
        if self.wave.queries != "short":  # these are few, and by then the scorer has told passages apart
            refuse_if_alike(self.scorer.scorer_id, logits[_scored(logits)])
        scorer = pa.array([self.scorer.scorer_id]).take(pa.array([0] * len(logits), pa.int32()))
        table = prepared.pairs.append_column("scorer_id", scorer).append_column("logit", pa.array(logits))
        return [table.filter(pa.array(_scored(logits)))]

    @property
    def is_part(self) -> bool:
        """Whether this is a wave, and not the whole top-k."""
        return self.wave != Wave("every", 0, self.depth)

    @property
    def lacks_any(self) -> bool:
        """Whether the ledger lacked a pair before the job."""
        return any(block.unscored for block in self.blocks)

    @property
    def without_score(self) -> int:
        """The pairs that this job has read and not scored, because a text in them has no token."""
        read = [(block, self.job.has("scores", block.block)) for block in self.blocks]
        return sum(block.unscored - shard.rows for block, shard in read if shard)

    def scored(self, pairs: int, seconds: float) -> Scored:
        """Return what there is once `pairs` were scored by this call, in so many seconds."""
        facts = self.job.record.facts if self.job.record else {}
        return Scored(
            scorer_id=self.scorer.scorer_id,
            pairs=sum(block.pairs for block in self.blocks),
            scored_now=pairs,
            seconds=seconds,
            remarks=self.scorer.model.remarks() if pairs and isinstance(self.scorer.model, Remarks) else [],
            read=facts.get("pairs", 0),
            cut=facts.get("cut", 0),
            max_length=facts.get("options", {}).get("max_length"),
            unreadable=self.without_score,
            agreement=self.agreement,
        )


class ScoringByEach:
    """Scorers that score a run wave by wave. Each is found and opened once, by `settle`."""

    def __init__(
        self, workspace: Workspace, run_id: str, by: ScoredBy, calibration_of: CalibrationOf = lambda _scorer: None
    ) -> None:
        """Take the settings of each scorer. Nothing is computed yet."""
        self.workspace, self.run_id, self.by, self.calibration_of = workspace, run_id, by, calibration_of
        self.scored: dict[str | None, Scored] = {}
        """What each model has scored in all waves so far."""
        self._scorers: dict[str | None, Scorer] = {}
        self._done: list[tuple[str | None, Wave]] = []

    def settle(self, waves: Iterable[Wave], progress: Progress) -> bool:
        """Settle by which scorers the waves are scored; return whether it is another one than before.

        If there is anything to score, it is the scorer as this machine computes it today. If another one has
        scored the waves before, these count no longer: the new one has to score from the first wave on.
        """
        waves, is_other = list(waves), False
        models, _ = models_and_ranks(self.workspace, self.by)
        for name, settings in models.items():
            before = self._scorers.get(name)
            found = before or chosen_scorer(self.workspace, self.run_id, settings, progress)
            if not found.is_open and any(self._scoring(settings, found, wave).to_do for wave in waves):
                found = found.of_today()
            self._scorers[name] = found
            if before and found is not before:
                self.scored.pop(name, None)
                self._done = [done for done in self._done if done[0] != name]
                is_other = True
        return is_other

    def run(self, waves: Sequence[Wave], progress: Progress) -> list[Scored]:
        """Score waves that are settled by each scorer; return what each model has scored in all waves so far.

        Ranks are written first, all at once, and nothing is said of them. They cost nothing, and if they are
        refused, no model has scored in vain.
        """
        models, ranks = models_and_ranks(self.workspace, self.by)
        for scorer, settings in ranks.items():
            score_ranks(self.workspace, self.run_id, settings.depth, scorer)
        for wave in waves:
            for scorer, settings in models.items():
                if (scorer, wave) not in self._done:
                    self._score(scorer, settings, wave, progress)
                    self._done.append((scorer, wave))
        return list(self.scored.values())

    def _score(self, scorer: str | None, settings: Denoise, wave: Wave, progress: Progress) -> None:
        scoring = self._scoring(settings, self._scorers[scorer], wave)
        calibration = self.calibration_of(scoring.scorer.scorer_id)
        try:
            now = score(scoring, settings, only_by=scorer, calibration=calibration, progress=progress)
        except NotMet as error:
            if settings.backend != "auto" or not scoring.scorer.is_new:  # it has scored, and goes on
                raise
            progress.say(f"torch computes the scorer after all: {error}")
            self._scorers[scorer] = find_scorer(self.workspace, settings.override(backend="torch"))
            self._score(scorer, settings, wave, progress)
            return
        self.scored[scorer] = self.scored[scorer] + now if scorer in self.scored else now

    def _scoring(self, settings: Denoise, scorer: Scorer, wave: Wave) -> Scoring:
        return Scoring(self.workspace, self.run_id, settings.depth, scorer, wave)


def score_by_each(
    workspace: Workspace,
    run_id: str,
    by: ScoredBy,
    progress: Progress = SILENT,
    calibration_of: CalibrationOf = lambda _scorer: None,
) -> list[Scored]:
    """Score the whole top-k of a run by each scorer, as `ScoringByEach` does."""
    depth = max(settings.depth for settings in by.values())
    scoring, waves = ScoringByEach(workspace, run_id, by, calibration_of), first_waves(depth, None)
    scoring.settle(waves, progress)
    return scoring.run(waves, progress)


def models_and_ranks(workspace: Workspace, by: ScoredBy) -> tuple[ScoredBy, ScoredBy]:
    """Return the models in `by`, and the ranks."""
    ranks = ranks_here(workspace)
    return (
        {scorer: settings for scorer, settings in by.items() if scorer not in ranks},
        {scorer: settings for scorer, settings in by.items() if scorer in ranks},
    )


def score(
    scoring: Scoring,
    settings: Denoise,
    *,
    only_by: str | None = None,
    calibration: str | None = None,
    progress: Progress = SILENT,
) -> Scored:
    """Score what is to do.

    only_by: the scorer of cutoffs, which was accepted before. calibration: that of the scorer. Raises NotMet if
    the back end flips more decisions than `settings` allow, unless it was accepted. Raises CurateError if the
    scores of a shard are all equal or not finite; nothing of that shard is kept. Raises BadSettings if `only_by`
    names another scorer.
    """
    started = time.monotonic()
    if only_by not in (None, scoring.scorer.scorer_id):
        raise BadSettings(
            f"these cutoffs belong to the scorer {only_by}, but {scoring.scorer.source.name} is "
            f"{scoring.scorer.scorer_id}. Give the scorer that `curate denoise` used, or the cutoffs of this "
            "scorer: --cutoffs NAME"
        )
    pending = scoring.unscored
    agreement = scoring.agree(settings, calibration, progress) if pending else None
    if agreement and only_by is None:
        agreement.refuse_above(settings.max_flips)
    if pending:
        scoring.run(progress)
    # A wave is on record also if there was nothing to score, because what comes after it says that it was done.
    if pending or (scoring.job.record is None and (scoring.is_part or scoring.lacks_any)):
        agreed = {"agreement": asdict(agreement)} if agreement else {}
        work = {"cut": scoring.cut, "tokens": scoring.tokens, "scoring_seconds": round(scoring.seconds, 6)}
        scoring.finish({"pairs": pending, **work, **agreed})
    _make_last(scoring.workspace, scoring.run_id, scoring.scorer)
    return scoring.scored(pending, time.monotonic() - started)


def score_again(workspace: Workspace, record: Record, progress: Progress) -> None:
    """Score the blocks of a job that are damaged or missing, in the workspace as it was then; write its record.

    Raises CurateError if its model is missing, or not what it was.
    """
    facts = record.facts
    settings = Denoise(depth=record.settings["depth"], **facts["options"])
    scorer = find_scorer(workspace, settings, record.inputs["scorer"])
    scoring = Scoring.of(workspace, facts["run"], settings, Wave.read(record.settings), scorer)
    if scoring.job.name != record.job:
        raise NotAvailable(f"{settings.scorer} gives other scores on this machine, or is not what it was")
    scoring.run(progress)
    scoring.finish({key: facts[key] for key in FOUND if key in facts})


def _score_share(
    root: Path,
    run_id: str,
    settings: Denoise,
    wave: Wave,
    job: str,
    among: Sequence[ScoreBlock],
    blocks: Iterable[ScoreBlock],
    advance: Advance,
) -> tuple[int, int]:
    """Score blocks of a job that another process has begun; return how many pairs were cut, and the tokens.

    Raises NotAvailable if the scorer is another one on this device.
    """
    workspace = Workspace(root)
    scorer = find_scorer(workspace, settings).of_today()
    scoring = Scoring(workspace, run_id, settings.depth, scorer, wave)
    if scoring.job.name != job:
        raise NotAvailable(f"{settings.scorer} computes other scores on one of the devices. Leave out --devices")
    scoring.score_blocks(blocks, among, advance)
    return scoring.cut, scoring.tokens


def _make_last(workspace: Workspace, run_id: str, scorer: Scorer) -> None:
    """Record that this run was denoised last over its split, even if nothing was scored: it is then current."""
    split_of = {row["run_id"]: row["split"] for row in newest_first(workspace)}
    denoised = [record.settings["run"] for record in workspace.records("denoise")]
    over_split = [run for run in denoised if split_of.get(run) == split_of[run_id]]
    if over_split[-1:] != [run_id]:
        name = numbered(workspace, "denoise")
        Job(workspace, "denoise", name, {"run": run_id}, {"scorer": scorer.fingerprint}).finish(run=run_id)


def _scored(logits: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return which pairs have a score. A pair with a text without tokens has NaN."""
    import numpy as np

    known: np.ndarray[Any, Any] = ~np.isnan(logits)
    return known


def _said_of(scored: Scored) -> list[str]:
    """Return warnings about pairs without a score, about texts that were cut, and what the scorer remarks."""
    told = f"{counted(scored.unreadable, 'pairs have', 'pair has')} no score, {UNREADABLE}"
    without = [f"{told}; unscored is never negative"] if scored.unreadable else []
    return [*without, *truncation_warnings(scored.cut, scored.read, scored.max_length), *scored.remarks]


def _column(name: str, values: "np.ndarray[Any, Any]") -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: values})
