"""`curate calibrate`: what a scorer's logits mean as probabilities, as a row that cutoffs name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Unpack, get_args

import numpy as np

from curate import judges
from curate.calibrate.forms import OWN, Curve, Evidence, Form, compressed, fit, losses
from curate.calibrate.guarantee import Candidates, Promise, Sample, Side, kept, one_of_each_query
from curate.calibrate.pairs import Pairs, Source, refuse_unfit
from curate.calibrate.reliability import calibration_error, rows
from curate.calibrate.request import CalibrateOptions, CalibrateRequest, scored_for_all
from curate.calibration import write_calibration
from curate.counted import counted
from curate.cutoffs import CutoffOptions, as_set, current_cutoffs, set_cutoffs
from curate.denoise.rank_scores import models_among, ranks_to_score, score_ranks
from curate.errors import BadSettings, CurateError, NotMet, StepMissing
from curate.jobs import numbered
from curate.load.hidden_labels import hidden_labels
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.staleness import labels_digest
from curate.suggest import curate_command
from curate.workspace import Workspace

OPTION = {"above": "precision", "below": "share-false"}
CUTOFF = {"above": "positive_above", "below": "negative_below"}
PAIRS_A_SECOND = 50_000


@dataclass(frozen=True)
class Calibrated:
    """The outcome of `calibrate`."""

    calibration_id: str
    calibration: dict[str, Any]
    """The other columns of its row in `calibrations`."""
    reliability: list[dict[str, Any]]
    promises: list[dict[str, Any]]
    cutoffs: dict[str, Any] | None
    """The cutoffs that were set to what was promised, if anything was asked."""
    already: bool
    """Whether the scorer's newest calibration is the same, so that nothing was written."""
    next: str
    """The command that uses it."""
    price: str = ""
    """Of ranks: which of them can never be a hard negative once they are joined; a sentence."""

    def text(self) -> str:
        """Return the outcome for a terminal."""
        row = self.calibration
        lines = [f"{self.calibration_id}{' (as it was)' if self.already else ''}: {_formula(row)}"]
        if row["form"] != "declared":
            lines += [_evidence(row), _errors(row), *self._table()]
        for promise in self.promises:
            lines.append(_promise(promise))
        if self.cutoffs:
            lines.append(f"Cutoffs '{self.cutoffs['name']}' were set to them.")
        return "\n".join(filter(None, [*lines, self.price, f"Next: {self.next}"]))

    def _table(self) -> list[str]:
        found = [row for row in self.reliability if row["part"] == "all" and row["calibrated"]]
        lines = ["Out of sample, by tenths of the probability:", "  probability  relevant       pairs"]
        return lines + [
            f"  {row['probability']:11.3f}  {row['relevant']:8.3f}  {row['pairs']:10,.0f}" for row in found
        ]


def calibrate(
    workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[CalibrateOptions]
) -> Calibrated:
    """Fit how a scorer's logits become probabilities, and write it as a row of the table `calibrations`.

    Cutoffs that are set from then on use it. With `precision` or `share_false`, the cutoffs are set to values for
    which that can be promised. No model scores. With `ranks`, those of the run become scores first, and stay so.
    Raises StepMissing if there is too little evidence, CurateError if the scorer tells nothing, and NotMet if no
    cutoff keeps a promise; then nothing else is changed.
    """
    request = CalibrateRequest.of(workspace, **options)
    if request.of_ranks:
        score_ranks(workspace, request.run_id, request.depth)
    found = _declared(request) if request.declared else _fitted(workspace, request, progress)
    newest = workspace.select("workspace/newest_calibration", scorer=request.scorer_id, name="").to_dicts()
    before = newest[0]["calibration_id"] if newest else None
    record = workspace.record(before) if before else None
    inputs = labels_digest(workspace, found["calibration"]["evidence"])
    already = record is not None and (record.settings, record.inputs) == (found, inputs)
    promised: CutoffOptions = {"scorer_id": request.scorer_id, "depth": request.depth}
    for promise in found["promises"]:
        if promise["side"] == "above":
            promised["positive_above"] = promise["cutoff"]
        else:
            promised["negative_below"] = promise["cutoff"]
    if found["promises"]:
        _refuse_crossed(workspace, request.cutoffs, promised)
    job = record.job if record and already else numbered(workspace, "calibrate")
    if not already:
        write_calibration(workspace, job, found, inputs)
    cutoffs = None
    if found["promises"]:
        promised["calibration"] = job
        cutoffs = set_cutoffs(workspace, request.cutoffs, **promised)
    return Calibrated(
        calibration_id=job,
        **found,
        cutoffs=cutoffs,
        already=already,
        next=_next(workspace, request, cutoffs),
        price=_price(workspace, request, found["calibration"]) if request.of_ranks else "",
    )


def plan_calibrate(workspace: Workspace, **options: Unpack[CalibrateOptions]) -> Plan:
    """Return from how many pairs `calibrate` would learn with the same options."""
    request = CalibrateRequest.of(workspace, **options)
    notes = [f"scorer: {request.scorer_id}", f"run: {request.run_id}, top {request.depth}"]
    if request.of_ranks and (ranks := ranks_to_score(workspace, request.run_id, request.depth)):
        told = f"the ranks of {counted(ranks, 'pairs')} become scores first"
        return Plan("calibrate", "pairs", ranks, 0, ranks / PAIRS_A_SECOND, [*notes, told])
    if request.declared:
        return Plan("calibrate", "rows", 1, 0, 0.0, [*notes, "logits are declared to be log-odds"])
    pairs, source, left_out = _pairs(workspace, request)
    used, _, _ = pairs.evidence(source)
    kinds = [
        f"{int(used.of(kind).sum()):,} {kind}" for kind in ("relevant", "irrelevant", "labelled", "unlabelled")
    ]
    told = f"from {source}: {', '.join(text for text in kinds if not text.startswith('0 '))}"
    return Plan(
        "calibrate", "pairs", len(used.logit), 0, len(used.logit) / PAIRS_A_SECOND, [*notes, told, *left_out]
    )


def _declared(request: CalibrateRequest) -> dict[str, Any]:
    about = {"scorer_id": request.scorer_id, **asdict(OWN), "form": "declared", "evidence": "declared"}
    nothing = dict.fromkeys(("run_id", "depth", "prior", "log_loss_before", "log_loss", "error_before", "error"))
    counts = {"queries": 0, "positives": 0, "others": 0, "seed": request.seed}
    return {"calibration": {**about, **nothing, **counts}, "reliability": [], "promises": []}


def _fitted(workspace: Workspace, request: CalibrateRequest, progress: Progress) -> dict[str, Any]:
    pairs, source, left_out = _pairs(workspace, request)
    for note in left_out:
        progress.say(note)
    used, evidence, prior = pairs.evidence(source)
    forms: tuple[Form, ...] = get_args(Form)
    with progress.task("calibrating", len(forms), "forms") as advance:
        outside = {}
        for form in forms:
            outside[form] = used.out_of_fold(source, form)
            advance(1)
    loss = {form: _mean(evidence, losses(evidence, exponent)) for form, exponent in outside.items()}
    form = min(forms, key=lambda name: loss[name])
    curve = fit(compressed(evidence), form)
    if curve.a == curve.b == 0:
        raise CurateError(
            f"{request.scorer_id} cannot be calibrated: on queries that it was not trained on, a higher logit "
            "does not mean a more relevant passage. Use another scorer, or train one on more labels."
        )
    reliability = list(rows(used, evidence, prior, outside[form]))
    before, after = (
        calibration_error([row for row in reliability if row["part"] == "all" and row["calibrated"] == calibrated])
        for calibrated in (False, True)
    )
    known = ("labelled", "relevant")
    calibration = {
        "scorer_id": request.scorer_id,
        **asdict(curve),
        "form": form,
        "evidence": source,
        "run_id": request.run_id,
        "depth": request.depth,
        "queries": len(np.unique(used.query)),
        "positives": int(used.of(*known).sum()),
        "others": int((~used.of(*known)).sum()),
        "prior": prior,
        "seed": request.seed,
        "log_loss_before": _mean(evidence, losses(evidence, evidence.logits)),
        "log_loss": loss[form],
        "error_before": before,
        "error": after,
    }
    promises = [asdict(promise) for promise in _promises(workspace, request, pairs, curve)]
    return {"calibration": calibration, "reliability": reliability, "promises": promises}


def _mean(evidence: Evidence, values: Any) -> float:
    return float((evidence.weights * values).sum() / evidence.weights.sum())


def _pairs(workspace: Workspace, request: CalibrateRequest) -> tuple[Pairs, Source, list[str]]:
    """Return the pairs, the source that counts and what was left out; raises StepMissing if there are too few."""
    _refuse_selected(workspace, request)
    pairs = Pairs.read(workspace, request.about, hidden_labels(request.hidden))
    by_default: Source = "annotations" if request.hidden or pairs.enough("annotations") else "labels"
    source = request.evidence or by_default
    return pairs, source, [*request.notes, *refuse_unfit(workspace, pairs, source, request.about)]


def _refuse_selected(workspace: Workspace, request: CalibrateRequest) -> None:
    """Raise StepMissing if scoring stopped early: deep ranks then have scores of queries with few negatives."""
    depth = scored_for_all(workspace, request.scorer_id, request.run_id, request.depth)
    if depth is None:
        return
    current, of_run = current_cutoffs(workspace), ("--run", request.run_id, "--depth")
    by = ["--cutoffs", current["name"]] if current and request.scorer_id in judges.scorers(current) else None
    if by is None:
        scorers = workspace.select("workspace/scorers").to_dicts()
        by = ["--scorer", *(row["path"] for row in scorers if row["model_id"] == request.scorer_id)]
    instead = curate_command("calibrate", "--scorer", request.scorer_id, *of_run, depth)
    raise StepMissing(
        f"candidates in the top {request.depth:,} of run {request.run_id} are unscored, because scoring stopped "
        "early (--enough). Those that are scored are no sample: deep ranks are those of queries with few "
        f"negatives. Calibrate the ranks that all queries have ({instead}), or score all",
        run=curate_command("denoise", *by, *of_run, request.depth, "--enough", 0),
    )


def _promises(workspace: Workspace, request: CalibrateRequest, pairs: Pairs, curve: Curve) -> list[Promise]:
    """Return the promises that were asked; raises NotMet if one of them holds at no cutoff."""
    if not request.goals:
        return []
    judged = pairs.part(pairs.of("relevant", "irrelevant"))
    if not len(judged.logit):
        raise NotMet(
            "a promise needs verdicts on unlabelled candidates, and there are none. "
            "Load annotations of a random sample, or give complete labels: --hidden FILE. Nothing was changed."
        )
    scale = asdict(curve)
    probability = workspace.select("calibrate/probabilities", **scale, logits=judged.logit.tolist())["probability"]
    every = Sample(judged.query, probability.to_numpy(), judged.kind == "relevant", judged.weight)
    sample = one_of_each_query(every, request.seed)
    cuts = workspace.select("calibrate/cuts", **request.about, **scale)["probability"].to_numpy()
    cuts = cuts[(cuts > 0) & (cuts < 1)]
    found = []
    for side, most in request.goals.items():
        candidates = _candidates(side, cuts)
        promise = kept(sample, candidates, most, request.confidence)
        if promise is None:
            raise NotMet(_not_met(request, side, sample))
        found.append(promise)
    return found


def _refuse_crossed(workspace: Workspace, name: str, promised: CutoffOptions) -> None:
    """Raise NotMet if the cutoffs cannot stand together, before anything is written."""
    try:
        as_set(workspace, name, **promised)
    except BadSettings as error:
        raise NotMet(
            f"the cutoffs that can be promised cannot be set for '{name}': {error}. Nothing was changed. Ask for "
            "more precision, or for a smaller share of false ones: --precision, --share-false"
        ) from error


def _candidates(side: str, cuts: Any) -> Candidates:
    which: Side = "above" if side == "above" else "below"
    return Candidates(which, cuts[::-1] if which == "above" else cuts)


def _not_met(request: CalibrateRequest, side: str, sample: Sample) -> str:
    most = request.goals[side]
    asked = f"above which {1 - most:.4g}" if side == "above" else f"below which at most {most:.4g}"
    return (
        f"no cutoff of {request.scorer_id}, {asked} of the candidates are relevant, can be promised with "
        f"confidence {request.confidence:g}: there are verdicts of {len(sample.query):,} queries, one of each "
        "counts. Nothing was changed. Judge pairs of more queries, or ask for less: "
        f"--{OPTION[side]}, --confidence"
    )


def _next(workspace: Workspace, request: CalibrateRequest, cutoffs: Mapping[str, Any] | None) -> str:
    if cutoffs:
        return curate_command("report", "--cutoffs", cutoffs["name"])
    current = current_cutoffs(workspace)
    if request.of_ranks and (current is None or request.scorer_id not in judges.scorers(current)):
        return _to_join(workspace, request.scorer_id, current)
    if current and request.scorer_id in judges.scorers(current):
        return curate_command("cutoffs", "set", current["name"])
    return "curate denoise --scorer MODEL, which sets cutoffs on this scale and scores nothing again"


def _to_join(workspace: Workspace, ranks: str, current: Mapping[str, Any] | None) -> str:
    """Return the command that joins ranks with the models of the current cutoffs, in place of other ranks."""
    if current is None:
        then = f"curate cutoffs set both --scorer MODEL --scorer {ranks} --join mean"
        return f"curate denoise --scorer MODEL, then: {then}"
    scorers = [*models_among(workspace, judges.scorers(current)), ranks]
    name, join = (current["name"], current["joined"]) if judges.are_several(current) else ("both", "mean")
    words = [word for scorer in scorers for word in ("--scorer", scorer)]
    return curate_command("cutoffs", "set", name, *words, "--join", join)


def _price(workspace: Workspace, request: CalibrateRequest, row: Mapping[str, Any]) -> str:
    """Return which ranks the mean with one model never makes hard negatives, whatever the model says."""
    below = (current_cutoffs(workspace) or workspace.settings.denoise.model_dump())["negative_below"]
    curve = Curve(row["a"], row["b"], row["c"])
    halves = curve.probability(-np.log(np.arange(1.0, request.depth + 1))) / 2
    never = int((halves >= below).sum())
    if not never:
        return ""
    which = "rank 1 is" if never == 1 else f"ranks 1 to {never} are"
    return (
        f"Under the mean with one model, {which} never a hard negative: half the probability of the rank is "
        f"{below:.6g} (negative_below) or more."
    )


def _formula(row: Mapping[str, Any]) -> str:
    if row["form"] == "declared":
        return f"the logits of {row['scorer_id']} are taken for log-odds, as you say."
    exponent = f"{row['a']:.4g} x {row['c']:+.4g}"
    if row["a"] != row["b"]:
        exponent = f"{row['a']:.4g} ln s(x) - {row['b']:.4g} ln s(-x) {row['c']:+.4g}"
    return f"probability = sigmoid({exponent}) for a logit x of {row['scorer_id']}."


def _evidence(row: Mapping[str, Any]) -> str:
    kinds = ("labelled positives", "unlabelled candidates")
    if row["evidence"] != "labels":
        kinds = ("relevant", "other pairs")
    bound = "at most " if row["evidence"] == "labels" else ""
    return (
        f"Learnt from {row['evidence']}: {row['positives']:,} {kinds[0]} and {row['others']:,} {kinds[1]}, of "
        f"{row['queries']:,} queries that the scorer was not trained on.\n"
        f"It is about unlabelled candidates in the top {row['depth']} of {row['run_id']}; by this evidence "
        f"{bound}{row['prior']:.1%} of them are relevant."
    )


def _errors(row: Mapping[str, Any]) -> str:
    return (
        f"Expected calibration error {row['error_before']:.3f} before, {row['error']:.3f} after; log loss "
        f"{row['log_loss_before']:.4g} before, {row['log_loss']:.4g} after (each query by a fit without it)."
    )


def _promise(row: Mapping[str, Any]) -> str:
    what = f"at least {1 - row['most']:.4g} of what lies above is relevant"
    if row["side"] == "below":
        what = f"at most {row['most']:.4g} of what lies below is relevant"
    return (
        f"{CUTOFF[row['side']]} = {row['cutoff']:.6g}: {what}, with confidence {row['confidence']:g}. In the "
        f"sample {row['wrong']:,} of {row['pairs']:,} pairs, each of another query, are wrong "
        f"({row['share']:.1%})."
    )
