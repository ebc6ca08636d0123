"""Denoising, RocketQA's step 3: a cross-encoder scores the retriever's candidates (NAACL 2021, 3.2).

The ledger holds one score per (scorer, query, passage). The view `decisions` derives the decisions from the
scores, so other cutoffs need a query but no forward pass.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypedDict, Unpack

from curate import judges, named_queries, standing
from curate.choose_run import chosen_run, newest_first, run_to_denoise
from curate.config import Denoise, ScorerBackend
from curate.counted import counted
from curate.cutoffs import (
    CutoffOptions,
    are_set,
    as_set,
    calibration_to_set,
    current_cutoffs,
    named_cutoffs,
    near_copies_in_words,
    scorer_settings,
    set_cutoffs,
)
from curate.denoise.agreement import Agreement, agreement_lines
from curate.denoise.compare_texts import compare_with_positives
from curate.denoise.judge_quality import JudgeQuality, judge_quality, refuse_worse
from curate.denoise.plan_scoring import known_pace, plan_score
from curate.denoise.rank_scores import models_among, ranks_here
from curate.denoise.resolve_scorer import TRAINED_HERE, has_scorer
from curate.denoise.score_job import Scored, first_waves, later_waves
from curate.denoise.scoring import ScoringByEach, said_by_each
from curate.errors import BadSettings
from curate.options import given_options
from curate.plan import Plan
from curate.progress import SILENT, Progress, duration
from curate.workspace import Workspace

CUTS = {"negative_below", "positive_above", "duplicate_above"}
NAMING = {"cutoffs", "negatives", "accept_judge"}  # options that neither change a score nor a cutoff
ANOTHER_NAME = "Give other cutoffs, --cutoffs NAME, or leave out --scorer: then each of them scores"
AUDIT = ("setting", "denoised_by_rank", "positives_recognised", "shortfall")


@dataclass(frozen=True)
class Denoised:
    """The result of `denoise`, with its audit: report -> rows, for the reports in AUDIT."""

    run_id: str
    scorer_id: str
    pairs: int
    scored_now: int
    seconds: float
    cutoffs: dict[str, Any]
    warnings: list[str]
    judge: JudgeQuality
    """How good the scorer is on labelled queries that it has not seen; of several, the first one."""
    audit: dict[str, list[dict[str, Any]]]
    other_judges: dict[str, JudgeQuality] = field(default_factory=dict)
    """Scorer -> the same for the others, if the cutoffs join several."""
    agreement: dict[str, Agreement] = field(default_factory=dict)
    """Scorer that another back end than torch computes -> how far it agrees with torch in float32."""
    left_unscored: int = 0
    """Candidates without a score, because their query has enough hard negatives at better ranks."""
    saved_seconds: float | None = None
    """The time that their scores would take at the measured rate; None if no rate is known."""

    def text(self) -> str:
        """Return the result for a terminal. The reports print the tables of the audit."""
        now = (
            "all scores were in the ledger already, nothing was computed"
            if self.pairs
            else "there is none to score"
        )
        if self.scored_now:
            rate = self.scored_now / self.seconds
            now = f"{self.scored_now:,} scored now in {duration(self.seconds)} ({rate:,.0f} pairs/s)"
        return "\n".join(
            [
                f"{self.run_id}, top {self.cutoffs['depth']}, by {judges.in_words(self.cutoffs)}: "
                f"{counted(self.pairs, 'pairs')}; {now}.",
                f"Cutoffs '{self.cutoffs['name']}': hard negative below {self.cutoffs['negative_below']:.6g}, "
                f"false negative above {self.cutoffs['positive_above']:.6g}, uncertain between"
                f"{near_copies_in_words(self.cutoffs)}.",
                *agreement_lines(self.agreement),
                *self._left,
                *(f"Warning: {warning}." for warning in self.warnings),
                *self._judges,
            ]
        )

    @property
    def _left(self) -> list[str]:
        """How much early stopping saved."""
        if not self.left_unscored:
            return []
        saved = "" if self.saved_seconds is None else f", which saves about {duration(self.saved_seconds)}"
        were = counted(self.left_unscored, "candidates were", "candidate was")
        return [
            f"{were} left unscored, because their queries have "
            f"{counted(self.cutoffs['enough'], 'hard negatives')} at better ranks{saved}."
        ]

    @property
    def _judges(self) -> list[str]:
        """What is known of each judge, below its name if there are several."""
        if not self.other_judges:
            return self.judge.lines()
        every = {self.scorer_id: self.judge, **self.other_judges}
        return [line for name, judge in every.items() for line in (f"{name}:", *judge.lines())]


class DenoiseOptions(TypedDict, total=False):
    """The options of `denoise`: the fields of `curate.config.Denoise`, a run and the name of the cutoffs."""

    run: str | None
    """Id of the run; by default the newest one over train, unless `curate use` chose another."""
    cutoffs: str | None
    """The name under which the cutoffs are stored; by default those that `curate use` chose, else 'default'."""
    scorer: str | None
    negative_below: float | None
    positive_above: float | None
    duplicate_above: float | None
    depth: int | None
    negatives: int | None
    enough: int | None
    max_length: int | None
    relevant_class: str | None
    instruction: str | None
    prompt: str | None
    requests: int | None
    timeout: float | None
    backend: ScorerBackend | None
    max_flips: float | None
    accept_judge: bool | None


@dataclass(frozen=True)
class DenoiseRequest:
    """The arguments of `denoise`, completed from the cutoffs and from `curate.toml`."""

    run_id: str
    cutoffs: str
    settings: Denoise
    """What is asked; the scorer is that of `scoring`."""
    scoring: dict[str | None, Denoise]
    """Scorer of the cutoffs -> the settings that score by it; None: whichever `settings` name."""
    only_cutoffs: dict[str, Any] | None
    """The values to set if the scores are there and only the cutoffs change; None if pairs are scored."""
    over_train: bool
    """Whether the run is one that can stop early: `enough` is about no other."""
    named: Collection[str]
    """The options that were given."""

    @classmethod
    def of(cls, workspace: Workspace, **options: Unpack[DenoiseOptions]) -> "DenoiseRequest":
        """Return the request for these options. Raises BadSettings if there is no such run.

        If the cutoffs have a name, or join several scorers, all that is not given is as in these cutoffs or, if
        they are new, as in the current ones. Otherwise it is as in `curate.toml`. All of a run that is not over
        train is scored.
        """
        given = given_options(DenoiseOptions, options)
        named = frozenset(given)
        run, name, current = given.pop("run", None), given.pop("cutoffs", None), current_cutoffs(workspace)
        if name is None and current and current["because"] == "chosen":
            name = current["name"]
        target = named_cutoffs(workspace, name or "default") if current else None
        before = target or current
        changed = given.keys() & CUTS
        if before and changed and named <= CUTS | NAMING:
            only = {key: given[key] for key in changed}
            settings = workspace.settings.denoise.override(negatives=given.get("negatives"))
            return cls(chosen_run(workspace, None), name or "default", settings, {}, only, True, named)
        if target and "scorer" in given:
            judges.only_one(target, "curate denoise --scorer sets cutoffs of one scorer", ANOTHER_NAME)
        as_before = before if name or (target and judges.are_several(target)) else None
        if as_before:
            kept = {key: as_before[key] for key in (*CUTS, "depth")}
            given = {**kept, "enough": as_before["enough"] or 0, **given}
        asked = run_to_denoise(workspace, run)
        (split,) = [row["split"] for row in newest_first(workspace) if row["run_id"] == asked]
        if split != "train":
            if options.get("enough"):
                _refuse_early_stop(asked, split)
            given["enough"] = 0
        settings = workspace.settings.denoise.override(**given)
        scoring: dict[str | None, Denoise] = {None: settings}
        if before and "scorer" not in given and (as_before or not has_scorer(workspace, settings)):
            own = scorer_settings(workspace, before)
            found = {scorer: settings.override(**{**of, **given, "depth": None}) for scorer, of in own.items()}
            scoring = dict(found.items()) if len(found) > 1 else {None: next(iter(found.values()))}
            settings = next(iter(found.values()))
        return cls(asked, name or "default", settings, scoring, None, split == "train", named)

    @property
    def cutoff_values(self) -> CutoffOptions:
        """The values of the cutoffs, without their scorer."""
        settings = self.settings
        return {
            "depth": settings.depth,
            "negative_below": settings.negative_below,
            "positive_above": settings.positive_above,
            "duplicate_above": settings.duplicate_above,
            "enough": (settings.enough or 0) if self.over_train else None,
        }

    def notes(self, workspace: Workspace) -> list[str]:
        """Return which run, scorer and cutoffs are used, as far as they were not named."""
        used = [] if "run" in self.named else [f"run {self.run_id}"]
        if not self.only_cutoffs and "scorer" not in self.named:
            ranks = ranks_here(workspace)
            scorers = [
                scorer if scorer in ranks else settings.scorer or TRAINED_HERE
                for scorer, settings in self.scoring.items()
            ]
            used.append(f"scorer {' and '.join(scorers)}")
        if "depth" not in self.named and not self.only_cutoffs:
            used.append(f"the top {self.settings.depth}")
        lines = [f"using {', '.join(used)}"] if used else []
        if "enough" not in self.named and self.settings.enough and not self.only_cutoffs:
            stop = counted(self.settings.enough, "hard negatives")
            lines.append(f"a query with {stop} gets no more scores (to score all: --enough 0)")
        if "run" not in self.named and (current := chosen_run(workspace, None)) != self.run_id:
            lines.append(
                f"it is the newest run over train; the current one is {current}, until this one is denoised"
            )
        return lines


def denoise(workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[DenoiseOptions]) -> Denoised:
    """Score every candidate of a run's top-k that has no score yet, and set the cutoffs.

    Options that are not given come from the workspace's settings. On a set that is denoised, options that only
    change the cutoffs score nothing and need no model. Raises BadInput if the model is not a cross-encoder,
    CurateError if the scores are all equal or not finite, and UnsoundJudge if the scorer ranks worse than the
    retriever on queries that it has not seen, unless `accept_judge`. An interruption loses at most one shard.

    Before that, the texts of the candidates are compared with those of the query's positives, as far as they were
    not before: `duplicate_above` says from where on a near copy is a duplicate.

    With `enough`, ranks of a run over train are scored in waves. A query that has so many hard negatives gets no
    more scores; what it lacks stays unscored. A hundred queries are scored in full and first, because they measure
    the judge.
    """
    request = DenoiseRequest.of(workspace, **options)
    for note in request.notes(workspace):
        progress.say(note)
    if request.only_cutoffs:
        row = set_cutoffs(workspace, request.cutoffs, **request.only_cutoffs)
        compare_with_positives(workspace, request.run_id, row["depth"], progress)
        scored = _as_it_stands(workspace, request.run_id, row)
        quality = _qualities(workspace, request.run_id, row)
    else:
        calibration_of = partial(calibration_to_set, workspace, request.cutoffs)
        scoring = ScoringByEach(workspace, request.run_id, request.scoring, calibration_of)
        scored, row, quality = _scored_in_waves(workspace, request, scoring, progress)
    workspace.keep_scored_candidates(progress)
    left, saved = _left_unscored(workspace, request.run_id, row, scored)
    first, *others = quality
    return Denoised(
        run_id=request.run_id,
        scorer_id=first,
        pairs=sum(one.pairs for one in scored),
        scored_now=sum(one.scored_now for one in scored),
        seconds=sum(one.seconds for one in scored),
        cutoffs=row,
        warnings=said_by_each(workspace, request.run_id, scored, row),
        judge=quality[first],
        audit=audit(workspace, request.run_id, request.cutoffs, request.settings.negatives),
        other_judges={scorer: quality[scorer] for scorer in others},
        agreement={one.scorer_id: one.agreement for one in scored if one.agreement},
        left_unscored=left,
        saved_seconds=saved,
    )


def _scored_in_waves(
    workspace: Workspace, request: DenoiseRequest, scoring: ScoringByEach, progress: Progress
) -> tuple[list[Scored], dict[str, Any], dict[str, JudgeQuality]]:
    """Score what is asked and set the cutoffs; return what was scored, their row, and how good each scorer is.

    A bad judge is refused after the first wave. If a later one shows that another scorer has to score, because the
    first waves were scored on another machine, it begins anew.
    """
    settings = request.settings
    first, *others = first_waves(settings.depth, settings.enough)
    scoring.settle([first, *others], progress)
    compare_with_positives(workspace, request.run_id, settings.depth, progress)
    scored = scoring.run([first], progress)
    only = scored[0].scorer_id if len(request.scoring) == 1 else None
    values: CutoffOptions = {"scorer_id": only, **request.cutoff_values}
    expected = {**as_set(workspace, request.cutoffs, **values), "enough": settings.enough or None}
    quality = _qualities(workspace, request.run_id, expected)
    if not settings.accept_judge:
        for scorer, found in quality.items():
            refuse_worse(found, scorer)
    scoring.run(others, progress)
    row = set_cutoffs(workspace, request.cutoffs, **values)
    later = later_waves(row) if settings.enough else []
    if scoring.settle(later, progress):
        return _scored_in_waves(workspace, request, scoring, progress)
    return scoring.run(later, progress), row, quality


def plan_denoise(workspace: Workspace, **options: Unpack[DenoiseOptions]) -> Plan:
    """Return how many pairs `denoise` would score with the same options, and roughly how long that takes."""
    request = DenoiseRequest.of(workspace, **options)
    notes = request.notes(workspace)
    if request.only_cutoffs:
        done = are_set(workspace, request.cutoffs, **request.only_cutoffs)
        only = f"every score stays: only the cutoffs '{request.cutoffs}' are set"
        return Plan("denoise", "cutoffs", 1, int(done), 0.0, [*notes, only])
    plan = plan_score(
        workspace, "denoise", request.run_id, request.scoring, request.cutoffs, **request.cutoff_values
    )
    return replace(plan, notes=[*notes, *plan.notes, f"cutoffs: {request.cutoffs}"])


def _refuse_early_stop(run_id: str, split: str) -> None:
    """Raise BadSettings for a run that is not over train: only training negatives can be enough."""
    why = {"unlabeled": "the best passage of a query without labels becomes its pseudo-label"}
    raise BadSettings(
        f"--enough stops at negatives for training, and run {run_id} is over {split}: "
        f"{why.get(split, 'its scores measure and calibrate the judge')}, so all candidates are scored. "
        "Leave out --enough"
    )


def _left_unscored(
    workspace: Workspace, run_id: str, row: Mapping[str, Any], scored: list[Scored]
) -> tuple[int, float | None]:
    """Return how many candidates a run leaves unscored, and the seconds that the scorers would need for them.

    The rate is that of this call, or else the known one.
    """
    left = standing.left_unscored(workspace, run_id, row["name"]) if row["enough"] else 0
    now = {one.scorer_id: one.scored_now / one.seconds for one in scored if one.scored_now}
    known = {scorer: known_pace(workspace, scorer) for scorer in models_among(workspace, judges.scorers(row))}
    rates = [now.get(scorer) or (pace and pace.per_second) for scorer, pace in known.items()]
    return left, sum(left / rate for rate in rates if rate) if all(rates) else None


def _qualities(workspace: Workspace, run_id: str, row: Mapping[str, Any]) -> dict[str, JudgeQuality]:
    """Return each scorer of the cutoffs `row` -> how good it is by itself. Ranks are left out."""
    ranks = ranks_here(workspace)
    models = [alone for alone in judges.each(row) if alone["scorer_id"] not in ranks]
    return {alone["scorer_id"]: judge_quality(workspace, run_id, alone) for alone in models}


def _as_it_stands(workspace: Workspace, run_id: str, row: Mapping[str, Any]) -> list[Scored]:
    """Return the scores of a run as if they had just been completed, with a warning if they are not complete."""
    (state,) = standing.states(workspace, [run_id], row["name"])
    lacking = standing.warnings(state, row["name"])
    return [Scored(judges.in_words(row), state["candidates"] - state["unscored"], 0, 0.0, lacking)]


def audit(workspace: Workspace, run_id: str, cutoffs: str, negatives: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the audit: candidates denoised by rank, positives recognised, shortfall of queries."""
    values = {"run": run_id, "cutoffs": cutoffs, "negatives": negatives}
    with workspace.reading() as connection:
        return {
            name: named_queries.rows(
                connection, name, {key: values[key] for key in named_queries.parameters(name)}
            )
            for name in AUDIT
        }
