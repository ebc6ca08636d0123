"""A request to calibrate: which scorer, on the candidates of which run, and what is asked of the cutoffs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args

from curate import judges
from curate.calibrate.pairs import Source
from curate.choose_run import run_to_denoise
from curate.cutoffs import NONE_YET, TO_SCORE, current_cutoffs, known_scorer, named_cutoffs
from curate.denoise.rank_scores import RankScorer, models_among
from curate.denoise.score_job import Wave
from curate.errors import BadSettings, StepMissing
from curate.options import given_options
from curate.workspace import Workspace

Scale = Literal["log-odds"]
CONFIDENCE = 0.95


class CalibrateOptions(TypedDict, total=False):
    """The options of `calibrate`. None means that the option is not given."""

    scorer: str | None
    """The scorer: the id, or the folder, of one that has scored here; by default that of the current cutoffs."""
    ranks: bool | None
    """Calibrate the ranks of the run instead of a scorer; they become scores first."""
    run: str | None
    """Id of the run whose candidates the probabilities are about; by default as in `denoise`."""
    depth: int | None
    """The top-k of these candidates; by default as deep as the scorer judged the run or, if scoring stopped early,
    as deep as it did so for all queries."""
    evidence: Source | None
    """`annotations`, `labels` or `both`; by default annotations if there are enough of them, else labels."""
    hidden: Path | str | None
    """A file of qrels with every relevant passage of its queries. It counts like annotations of all their
    candidates, and is not loaded."""
    scale: Scale | None
    """`log-odds`: nothing is fitted; the logits are declared to be log-odds."""
    precision: float | None
    """Find the lowest `positive_above` at which this share of what lies above it is relevant."""
    share_false: float | None
    """Find the highest `negative_below` at which at most this share of what lies below it is relevant."""
    confidence: float | None
    """The confidence of each of these two promises; 0.95 by default."""
    cutoffs: str | None
    """The name of the cutoffs that are set to what was found; by default the current ones."""
    seed: int | None
    """The seed for drawing queries; by default the workspace's."""


@dataclass(frozen=True)
class CalibrateRequest:
    """The arguments of `calibrate`, completed."""

    scorer_id: str
    of_ranks: bool
    """Whether the scores are the ranks of the run."""
    run_id: str
    depth: int
    judged: int
    """The depth that was given or judged. It is more than `depth` if scoring stopped early."""
    evidence: Source | None
    hidden: Path | None
    declared: bool
    goals: dict[str, float]
    """Side of the cutoffs (above, below) -> the share of wrong ones that is allowed beyond it."""
    confidence: float
    cutoffs: str
    seed: int

    @classmethod
    def of(cls, workspace: Workspace, **options: Unpack[CalibrateOptions]) -> "CalibrateRequest":
        """Return the request; raises BadSettings for a bad value, and StepMissing if nothing is scored."""
        given = given_options(CalibrateOptions, options)
        run = run_to_denoise(workspace, given.get("run"))
        of_ranks = given.get("ranks", False)
        if of_ranks:
            _refuse_beside_ranks(given)
            scorer = RankScorer.of(workspace, run).scorer_id
        else:
            scorer = _scorer(workspace, given.get("scorer"))
        for name in ("precision", "share_false", "confidence"):
            if name in given and not 0 < given[name] < 1:
                raise BadSettings(f"{name} must lie between 0 and 1, found {given[name]:g}")
        for name, known in (("evidence", Source), ("scale", Scale)):
            if name in given and given[name] not in get_args(known):
                raise BadSettings(f"{name} must be {' or '.join(get_args(known))}, found '{given[name]}'")
        goals = {}
        if "precision" in given:
            goals["above"] = 1 - given["precision"]
        if "share_false" in given:
            goals["below"] = given["share_false"]
        declared = "scale" in given
        if declared and (goals or "evidence" in given or "hidden" in given):
            raise BadSettings(
                "--scale declares what logits are, so nothing is fitted. Give it without other options"
            )
        current = current_cutoffs(workspace)
        cutoffs = given.get("cutoffs") or (current["name"] if current else "default")
        before = named_cutoffs(workspace, cutoffs)
        if goals and before:
            judges.only_one(before, "a promise is about one scorer", "Give other cutoffs: --cutoffs NAME")
        judged = workspace.settings.denoise.override(
            depth=given.get("depth") or _depth(workspace, None if of_ranks else scorer, run)
        ).depth
        # A promise is about the depth of the cutoffs that it sets, so that one is never made smaller unasked.
        depth = None if goals or "depth" in given else scored_for_all(workspace, scorer, run, judged)
        return cls(
            scorer_id=scorer,
            of_ranks=of_ranks,
            run_id=run,
            depth=depth or judged,
            judged=judged,
            evidence=given.get("evidence"),
            hidden=Path(given["hidden"]) if "hidden" in given else None,
            declared=declared,
            goals=goals,
            confidence=given.get("confidence", CONFIDENCE),
            cutoffs=cutoffs,
            seed=given.get("seed", workspace.settings.seed),
        )

    @property
    def notes(self) -> list[str]:
        """Why the depth is less than the scorer judged, if it is."""
        if self.depth == self.judged:
            return []
        return [
            f"from the top {self.depth:,}, of which all queries have scores: deeper ranks, down to "
            f"{self.judged:,}, were scored only for queries with few negatives (--enough)"
        ]

    @property
    def about(self) -> dict[str, Any]:
        """The parameters of the queries in `sql/calibrate`."""
        return {"scorer": self.scorer_id, "run": self.run_id, "depth": self.depth, "seed": self.seed}


def scored_for_all(workspace: Workspace, scorer: str, run: str, depth: int) -> int | None:
    """Return down to which rank all queries of a run have scores, if scoring stopped early in its top `depth`.

    Deeper ranks then have scores of queries with few negatives. None: all is scored.
    """
    jobs = [
        record.settings
        for record in workspace.records("denoise")
        if record.facts.get("scorer_id") == scorer and record.settings.get("run") == run
    ]
    of_all = [wave.last for wave in map(Wave.read, jobs) if wave.queries in ("every", "others")]
    deepest = max(of_all, default=depth)
    if depth <= deepest or all("wave" not in settings for settings in jobs):
        return None
    unscored = workspace.select("calibrate/unscored", scorer=scorer, run=run, depth=depth)["candidates"][0]
    return deepest if unscored else None


def _scorer(workspace: Workspace, wanted: str | None) -> str:
    if wanted is not None:
        scorer = known_scorer(workspace, wanted)
        if not models_among(workspace, [scorer]):
            raise BadSettings(f"{scorer} is no model. Ranks are calibrated by: curate calibrate --ranks")
        return scorer
    current = current_cutoffs(workspace)
    if current:
        models = models_among(workspace, judges.scorers(current))
        one = "curate calibrate learns the scale of one scorer"
        return models[0] if len(models) == 1 else judges.only_one(current, one, "Give one of them: --scorer MODEL")
    known = models_among(workspace, workspace.select("workspace/scorers")["model_id"].to_list())
    if len(known) == 1:
        return known[0]
    if not known:
        raise StepMissing(NONE_YET, run=TO_SCORE)
    raise BadSettings(f"several scorers have scored here; give one with --scorer: {', '.join(known)}")


def _refuse_beside_ranks(given: Mapping[str, Any]) -> None:
    """Raise BadSettings for options that do not apply to ranks, which decide only beside a model."""
    others = sorted(given.keys() & {"scorer", "scale", "precision", "share_false"})
    if others:
        option = others[0].replace("_", "-")
        raise BadSettings(f"--ranks calibrates ranks, to join them with a model. Give it without --{option}")


def _depth(workspace: Workspace, scorer: str | None, run: str) -> int:
    """Return how deep the scorer judged the run, or whichever judged it last; or else the default."""
    for record in reversed(workspace.records("denoise")):
        if (
            scorer in (None, record.facts.get("scorer_id"))
            and record.settings.get("run") == run
            and "depth" in record.settings
        ):
            return int(record.settings["depth"])
    current = None if scorer else current_cutoffs(workspace)
    return int(current["depth"]) if current else workspace.settings.denoise.depth
