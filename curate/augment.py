"""Augmentation: RocketQA's step 4, which gives confident pseudo-labels to queries without labels.

The retriever mines candidates for these queries and the cross-encoder scores them. A candidate above the upper
cutoff is a pseudo-positive, and one below the lower cutoff is a hard negative. A query without a pseudo-positive
gets no row; it is only counted. Source: RocketQA (NAACL 2021) 3.3.
"""

from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, Unpack, cast

from curate import judges
from curate.choose_run import newest_first
from curate.config import Denoise, Mine
from curate.counted import counted
from curate.cutoffs import UNCALIBRATED, CutoffOptions, cutoffs_in_force, scorer_settings, set_cutoffs
from curate.denoise.agreement import Agreement, agreement_lines
from curate.denoise.plan_scoring import known_pace, plan_score
from curate.denoise.rank_scores import RankScorer, ranks_here
from curate.denoise.scoring import said_by_each, score_by_each
from curate.errors import BadSettings, StepMissing
from curate.mine.request import MineOptions, MineRequest
from curate.mine.stage import mine, plan_mine
from curate.mined_options import options_of
from curate.options import given_options
from curate.plan import Plan, tokens_of
from curate.progress import SILENT, Progress, duration
from curate.workspace import Workspace


@dataclass(frozen=True)
class Augmented:
    """The outcome of `augment`, as counts of queries and passages."""

    run_id: str
    scorer_id: str
    """The scorer of the cutoffs; if they join several, how, and which."""
    cutoffs: str
    queries: int
    """All unlabeled queries."""
    asked_by_dev_or_test: int
    """Unlabeled queries left out because a dev or test query has the same text."""
    without_candidates: int
    """Unlabeled queries for which the retriever found nothing."""
    pseudo_labelled: int
    """Queries with at least one pseudo-positive."""
    without_positive: int
    """Queries whose candidates are all at or below the upper cutoff. They get no pseudo-label."""
    pseudo_positives: int
    hard_negatives: int
    """Hard negatives of the pseudo-labelled queries."""
    warnings: list[str]
    agreement: dict[str, Agreement] = field(default_factory=dict)
    """Scorer that another back end than torch computes -> how far it agrees with torch in float32."""

    def text(self) -> str:
        """Return the outcome for a terminal."""
        left_out = counted(self.asked_by_dev_or_test, "were", "was")
        share = f" ({self.pseudo_labelled / self.queries:.0%})" if self.queries else ""
        return "\n".join(
            [
                f"{self.pseudo_labelled:,} of {counted(self.queries, 'unlabeled queries')}{share} got a "
                f"pseudo-label: {counted(self.pseudo_positives, 'pseudo-positives')}, "
                f"{counted(self.hard_negatives, 'negatives')}.",
                f"{self.without_positive:,} got none, because no candidate was confidently relevant.",
                *([f"{self.without_candidates:,} had no candidates."] if self.without_candidates else []),
                *([f"{left_out} left out: dev or test has the same text."] if self.asked_by_dev_or_test else []),
                f"Run {self.run_id}, scorer {self.scorer_id}, cutoffs '{self.cutoffs}'.",
                *agreement_lines(self.agreement),
                *(f"Warning: {warning}." for warning in self.warnings),
                "Next: curate report, then curate export",
            ]
        )


class AugmentOptions(TypedDict, total=False):
    """The options of `augment`. None means that the option is not given."""

    scorer: str | None
    """Folder or hub name of the cross-encoder. By default the scorer of the cutoffs is used."""
    all_above: bool | None
    """Keep every passage above the upper cutoff as a pseudo-positive, not only the best one."""
    cutoffs: str | None
    """Name of the cutoffs to apply. By default the current ones."""
    relevant_class: str | None
    """The class of the scorer that means relevant. By default its name or `curate.toml` says it."""
    instruction: str | None
    """What the scorer judges, if it is a causal language model. By default its files or `curate.toml` say it."""
    encoder: str | None
    """Mine a dense run with this model. By default mining repeats the settings of the current train run."""
    depth: int | None
    """Passages to mine for each query. The default is the depth of the current train run."""


@dataclass(frozen=True)
class AugmentRequest:
    """The arguments of `augment`, completed from the cutoffs, the runs and `curate.toml`."""

    cutoffs: dict[str, Any]
    """The row in force of the view `cutoffs`."""
    mining: MineOptions
    scoring: dict[str | None, Denoise]
    """Scorer of the cutoffs -> the settings that score by it."""
    pseudo_positives: str
    """`best` or `all`."""
    notes: list[str]
    """Which cutoffs and mining settings are used if nobody named them."""

    @property
    def kept(self) -> CutoffOptions:
        """What augmenting sets in the cutoffs. Their calibration stays, even if there is a newer one."""
        calibrations = [name or UNCALIBRATED for name in judges.calibrations(self.cutoffs).values()]
        return {"pseudo_positives": self.pseudo_positives, "calibration": calibrations}

    @classmethod
    def of(cls, workspace: Workspace, **options: Unpack[AugmentOptions]) -> "AugmentRequest":
        """Return the request; raises BadSettings if there are no unlabeled queries or no such cutoffs."""
        given = given_options(AugmentOptions, options)
        if not workspace.select("augment/unlabeled_queries")["queries"][0]:
            raise StepMissing("no unlabeled queries yet. Load some", run="curate load --unlabeled QUERIES.jsonl")
        row = cutoffs_in_force(workspace, given.get("cutoffs"))
        mining, repeated = _mined_by(workspace, given.get("encoder"), given.get("depth"))
        _refuse_other_ranks(workspace, row, repeated)
        judging = [] if "cutoffs" in given else [f"using cutoffs '{row['name']}', scorer {judges.in_words(row)}"]
        augment = workspace.settings.augment.override(all_above=given.get("all_above"))
        return cls(
            cutoffs=row,
            mining=mining,
            scoring=_judged_by(workspace, row, given),
            pseudo_positives="all" if augment.all_above else "best",
            notes=([f"using the mining of run {repeated}"] if repeated else []) + judging,
        )


def augment(workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[AugmentOptions]) -> Augmented:
    """Mine and score the unlabeled queries; the view `pseudo_labels` then holds their pseudo-labels.

    The cutoffs of `denoise` decide. Raises BadSettings if there are no unlabeled queries or no such cutoffs.
    """
    request = AugmentRequest.of(workspace, **options)
    for note in request.notes:
        progress.say(note)
    cutoffs = request.cutoffs["name"]
    mined = mine(workspace, progress=progress, **request.mining)
    calibration_of = judges.calibrations(request.cutoffs).get
    scored = score_by_each(workspace, mined.run_id, request.scoring, progress, calibration_of)
    row = set_cutoffs(workspace, cutoffs, **request.kept)
    workspace.keep_scored_candidates(progress)
    warnings = said_by_each(workspace, mined.run_id, scored, row)
    counts = workspace.select("augment/counts", cutoffs=cutoffs, run=mined.run_id).to_dicts()[0]
    return Augmented(
        run_id=mined.run_id,
        scorer_id=judges.in_words(request.cutoffs),
        cutoffs=cutoffs,
        warnings=warnings,
        agreement={one.scorer_id: one.agreement for one in scored if one.agreement},
        **counts,
    )


def plan_augment(workspace: Workspace, **options: Unpack[AugmentOptions]) -> Plan:
    """Return what `augment` would do: mine and score the unlabeled queries or, once they are mined, score them."""
    request = AugmentRequest.of(workspace, **options)
    job = MineRequest.of(workspace, **request.mining).job
    if job.record is None:
        plan = _with_scoring(workspace, plan_mine(workspace, **request.mining), request)
    else:
        name = request.cutoffs["name"]
        plan = plan_score(workspace, "augment", job.name, request.scoring, name, **request.kept)
    return replace(plan, notes=[*request.notes, *plan.notes])


def _with_scoring(workspace: Workspace, mining: Plan, request: AugmentRequest) -> Plan:
    """Return the plan of mining, with the scoring that follows in its time and its notes."""
    queries = workspace.select("augment/unlabeled_queries")["queries"][0]
    seconds, notes = mining.seconds, list(mining.notes)
    ranks = ranks_here(workspace)
    models = {scorer: of for scorer, of in request.scoring.items() if scorer not in ranks}
    for scorer, settings in models.items():
        pairs, pace = queries * settings.depth, known_pace(workspace, scorer)
        seconds = seconds + pairs / pace.per_second if seconds is not None and pace else None
        note = f"Then {settings.scorer or scorer} scores up to {counted(pairs, 'pairs')}"
        tokens = tokens_of([(pairs, pace)]) if pace else None
        told = [f"{tokens:,} tokens"] if tokens else []
        told += [f"about {duration(pairs / pace.per_second)}"] if pace else []
        notes.append(f"{note}{': ' if told else ''}{', '.join(told)}.")
    return replace(mining, stage="augment", seconds=seconds, notes=notes)


def _judged_by(workspace: Workspace, row: dict[str, Any], given: dict[str, Any]) -> dict[str | None, Denoise]:
    """Return each scorer of the cutoffs -> the settings that score by it: depth, and the place that is given."""
    names = {"scorer", "relevant_class", "instruction"}
    own = {key: value for key, value in given.items() if key in names}
    if "scorer" in own:
        judges.only_one(row, "curate augment --scorer names one scorer", "Leave it out: each of them scores")
    found = scorer_settings(workspace, row).items()
    cuts = {key: row[key] for key in ("negative_below", "positive_above")}
    return {scorer: workspace.settings.denoise.override(**{**asked, **cuts, **own}) for scorer, asked in found}


def _refuse_other_ranks(workspace: Workspace, row: dict[str, Any], repeated: str | None) -> None:
    """Raise BadSettings, before anything is mined, if the cutoffs join ranks that the retriever does not give."""
    for scorer in ranks_here(workspace) & set(judges.scorers(row)):
        if repeated is None:
            raise BadSettings(
                f"the cutoffs '{row['name']}' join {scorer}, and augmenting would mine in another way. Leave out "
                "--encoder, or take cutoffs of the model alone: --cutoffs NAME"
            )
        RankScorer.of(workspace, repeated, scorer)


def _mined_by(workspace: Workspace, encoder: str | None, depth: int | None) -> tuple[MineOptions, str | None]:
    """Return how to mine, and the run whose settings are repeated: without `encoder`, the current train run.

    An imported run cannot be repeated; the newest run that can takes its place, or else `curate.toml` decides.
    """
    deep: MineOptions = {"split": "unlabeled", "depth": depth}
    if encoder:
        return {**deep, "retriever": "dense", "encoder": encoder}, None
    for run in sorted(newest_first(workspace), key=lambda run: run["because"] is None):
        record = workspace.record(run["run_id"])
        if run["split"] == "train" and run["retriever"] != "trec" and record:
            options = options_of(record)
            asked = {key: value for key, value in options.items() if key in Mine.model_fields}
            asked |= {"retriever": run["retriever"], "split": "unlabeled"} | ({"depth": depth} if depth else {})
            return cast("MineOptions", asked), run["run_id"]
    return deep, None
