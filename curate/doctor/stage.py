"""`curate doctor`: the machine, and scorers and encoders examined on the user's own texts. Nothing is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

from curate import judges
from curate.config import EMBEDDING, Denoise, ScorerBackend
from curate.cutoffs import current_cutoffs, scorer_settings
from curate.denoise.rank_scores import ranks_here
from curate.denoise.resolve_scorer import TRAINED_HERE, Scorer, find_scorer, has_scorer
from curate.doctor import consistency, judgement, reading
from curate.doctor.check import Check, Diagnosis, Subject
from curate.doctor.encoder_model import EncoderModel
from curate.doctor.exam import Exam
from curate.doctor.machine import examine_machine
from curate.doctor.sample import draw_sample
from curate.doctor.scorer_model import ScorerModel
from curate.errors import BadSettings, CurateError, NotAvailable, NoWorkspace
from curate.mine.request import EmbeddingOptions
from curate.mined_options import options_of
from curate.models.folder import path_below
from curate.models.openvino_model import INT8
from curate.models.scorer_options import ScorerOptions
from curate.models.served.address import is_address
from curate.models.trained_here import refuse_changed, training_in
from curate.options import given_options
from curate.passages import passage_shards
from curate.progress import SILENT, Progress
from curate.workspace import Workspace

QUERIES = 32
OF_SCORER = tuple(ScorerOptions.__annotations__)
Work = tuple[str, Callable[[Exam], Check]]
READ: list[Work] = [
    ("reference", reading.reference),
    ("padding", reading.padding_elsewhere),
    ("sentence-transformers", reading.by_sentence_transformers),
    ("number format", reading.number_format),
    ("truncation", reading.truncation),
]
SAME: list[Work] = [
    ("repeated", consistency.repeated),
    ("alone", consistency.alone),
    ("padded", consistency.padded),
    ("order", consistency.order),
    ("empty", consistency.empty),
]
JUDGED: list[Work] = [
    ("spread", judgement.spread),
    ("ties", judgement.ties),
    ("one word", judgement.one_word),
    ("swapped", judgement.swapped),
    ("positives", judgement.positives),
]


class DoctorOptions(EmbeddingOptions, total=False):
    """The options of `doctor`: the models, how they are read, and how many queries they are examined with."""

    scorer: str | None
    """The scorer; without it and `encoder`, those that the workspace uses."""
    encoder: str | None
    queries: int | None
    """Labelled queries that are drawn; 32 by default."""
    max_length: int | None
    relevant_class: str | None
    instruction: str | None
    prompt: str | None
    requests: int | None
    timeout: float | None
    backend: ScorerBackend | None


@dataclass(frozen=True)
class DoctorRequest:
    """The models to examine, and how each is read."""

    scorers: list[Denoise]
    """One, or all that the current cutoffs join."""
    encoder: dict[str, Any] | None
    """The encoder and its options."""
    queries: int

    @classmethod
    def of(cls, workspace: Workspace, given: Mapping[str, Any]) -> "DoctorRequest":
        """Return the request made from options and, if no model is named, from what the workspace uses."""
        queries = given.get("queries", QUERIES)
        if queries < 1:
            raise BadSettings(f"queries = {queries}; expected a whole number above 0, such as {QUERIES}")
        asked = given.keys() & {"scorer", "encoder"}
        of_scorer = {key: given[key] for key in ("scorer", *OF_SCORER) if key in given}
        of_both = () if given.get("backend") == INT8 else ("backend",)  # there is no encoder in int8
        of_encoder = {key: given[key] for key in ("encoder", *EMBEDDING, *of_both) if key in given}
        scorers = _scorers(workspace, of_scorer) if "scorer" in asked or not asked else []
        encoder = _encoder(workspace, of_encoder) if "encoder" in asked or not asked else None
        for kind, found, own in (("scorer", scorers, of_scorer), ("encoder", encoder, of_encoder)):
            is_of_the_other = own.keys() == {*of_both} and bool(scorers or encoder)
            if own and not found and not is_of_the_other:
                raise BadSettings(f"{', '.join(own)}: no {kind} is examined here. Name one: --{kind} MODEL")
        return cls(scorers, encoder, queries)


def doctor(
    workspace: Workspace | None, *, progress: Progress = SILENT, **options: Unpack[DoctorOptions]
) -> Diagnosis:
    """Return what is right and wrong with the machine and the models, examined on the texts of the workspace.

    Nothing is written. Without a workspace, only the machine is examined. A model that cannot be opened is a red
    check. Raises NoWorkspace if a model is named without a workspace, StepMissing if that holds no passage or no
    query, and BadSettings for options that do not suit the model.
    """
    given = given_options(DoctorOptions, options)
    if workspace is None:
        if given:
            raise NoWorkspace(
                "a model is examined on the texts of a workspace, and there is none", run="curate init"
            )
        return Diagnosis.of([examine_machine(None)])
    request = DoctorRequest.of(workspace, given)
    if request.scorers or request.encoder:
        passage_shards(workspace)  # fails here if there are none, with the command to run
    subjects = [examine_machine(workspace.root)]
    subjects += [_examine_scorer(workspace, request, settings, progress) for settings in request.scorers]
    if request.encoder:
        subjects.append(_examine_encoder(workspace, request, request.encoder, progress))
    return Diagnosis.of(subjects)


def _scorers(workspace: Workspace, given: Mapping[str, Any]) -> list[Denoise]:
    """Return the settings of the scorer that is named, of those of the current cutoffs, or of the default."""
    current = None if "scorer" in given else current_cutoffs(workspace)
    ranks = ranks_here(workspace)
    by = scorer_settings(workspace, current) if current else {"": {}}
    own = [settings for scorer, settings in by.items() if scorer not in ranks]
    found = [workspace.settings.denoise.override(**settings).override(**given) for settings in own]
    return [settings for settings in found if has_scorer(workspace, settings)]


def _encoder(workspace: Workspace, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the encoder and its options: the one that is named, that of `[mine]`, or that of the newest run."""
    settings = workspace.settings.mine.about(given.get("encoder"), workspace.root).override(**given)
    found = {key: value for key in ("encoder", *EMBEDDING) if (value := getattr(settings, key)) is not None}
    if "encoder" in found:
        return {**found, "backend": settings.backend}
    for record in reversed(workspace.records("mine")):
        used = options_of(record)
        if used.get("encoder"):
            own = {key: used[key] for key in ("encoder", *EMBEDDING) if key in used}
            return own | found | {"backend": given.get("backend") or used["backend"]}
    return None


def _examine_scorer(
    workspace: Workspace, request: DoctorRequest, settings: Denoise, progress: Progress
) -> Subject:
    name = settings.scorer or TRAINED_HERE
    try:
        if settings.backend in ("openvino", INT8) and is_address(name):  # the encoder may have it
            raise NotAvailable(
                f"{name} is computed by its server, and not by {settings.backend}. Leave out --backend"
            )
        found = find_scorer(workspace, settings).of_today()
        model = ScorerModel(found)
        exam = Exam(model, draw_sample(workspace, found.path, request.queries))
        about = [", ".join([found.source.spec.text, *model.computed]), exam.sample.text]
        assert exam.scores is not None
    except BadSettings:
        raise
    except CurateError as error:
        return _refused("scorer", name, error)
    of_scale = partial(judgement.scale, **_scale(workspace, found, settings))
    return Subject(
        "scorer", found.scorer_id, about, _checks(exam, [*READ, *SAME, *JUDGED, ("scale", of_scale)], progress)
    )


def _examine_encoder(
    workspace: Workspace, request: DoctorRequest, settings: Mapping[str, Any], progress: Progress
) -> Subject:
    from curate.mine.choose_backend import open_encoder
    from curate.models.encoder import Encoder

    options = {key: settings[key] for key in EMBEDDING if settings.get(key) is not None}
    name = settings["encoder"]
    try:
        opened = open_encoder(workspace, name, settings["backend"], **options)
        refuse_changed(workspace, opened.folder)
        in_float32 = partial(Encoder.open, name, workspace.root, "fp32", **options)
        model = EncoderModel(opened, in_float32, bool(options))
        path = path_below(workspace.root, opened.folder, opened.path)
        exam = Exam(model, draw_sample(workspace, path, request.queries))
        about = [f"{opened.spec.text}, {opened.computed}", *opened.spec.notes, exam.sample.text]
        assert exam.scores is not None
    except BadSettings:
        raise
    except CurateError as error:
        return _refused("encoder", name, error)
    return Subject("encoder", opened.model_id, about, _checks(exam, [*READ, *SAME, *JUDGED], progress))


def _checks(exam: Exam, work: list[Work], progress: Progress) -> list[Check]:
    """Return the checks, or only that of the scores if there is none."""
    found = []
    work = work if exam.few else [("spread", judgement.spread)]
    with progress.task(f"examining {exam.model.scorer.scorer_id}", len(work), "checks") as advance:
        for name, check in work:
            try:
                found.append(check(exam))
            except CurateError as error:
                why = "the model fails on texts of this workspace"
                found.append(
                    Check(name, "red", str(error).removesuffix("."), "an answer", why, "use another model")
                )
            advance(1)
    return found


def _refused(kind: Any, name: str, error: CurateError) -> Subject:
    check = Check(
        name="opens",
        colour="red",
        found=str(error).removesuffix("."),
        expected="a model that curate can read as it was made",
        why="a model that is read otherwise gives scores that look plausible and mean nothing",
        do=error.run or "follow the message, or use another model",
    )
    return Subject(kind, name, [], [check])


def _scale(workspace: Workspace, scorer: Scorer, settings: Denoise) -> dict[str, Any]:
    """Return what decides about the scorer's scale: the cutoffs in force if it judges there, else the defaults."""
    current = current_cutoffs(workspace)
    calibrations = judges.calibrations(current) if current else {}
    if current and scorer.scorer_id in calibrations:
        settings = settings.override(**{key: current[key] for key in ("negative_below", "positive_above")})
        calibration = calibrations[scorer.scorer_id]
    else:
        newest = workspace.select("workspace/newest_calibration", scorer=scorer.scorer_id, name="").to_dicts()
        calibration = newest[0]["calibration_id"] if newest else None
    trained = training_in(workspace, (workspace.root / scorer.path).resolve()) is not None
    return {"settings": settings, "trained_here": trained, "calibration": calibration}
