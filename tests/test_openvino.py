"""The back end OpenVINO (curate/models/openvino_model.py) and its agreement with torch (denoise/agreement.py).

Where OpenVINO is not installed, a stand-in takes its place: the torch model itself, whose logits a test may shift.
"""

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from told import Told

import curate
from curate import Workspace
from curate.calibrate.forms import Curve
from curate.calibration import write_calibration
from curate.cli.main import run
from curate.config import Denoise
from curate.denoise import scoring
from curate.denoise.agreement import Agreement
from curate.denoise.resolve_scorer import find_scorer
from curate.denoise.score_job import Scored
from curate.denoise.scoring import ScoredBy, score_by_each
from curate.errors import BadInput, BadSettings, NotAvailable, NotMet
from curate.models import cross_encoder, faster_backend, openvino_model
from curate.models.cross_encoder import CrossEncoder
from curate.models.fold_scorer import write_folds
from curate.models.openvino_model import OpenVinoModel
from curate.models.scorer import find_source
from curate.models.scorer_options import ScorerOptions
from curate.rebuild import rebuild

Make = Callable[..., Workspace]
Model = Callable[..., Path]
LETTERS = "abcdefghijklmnopqrst"
PASSAGES = {f"p{number}": f"passage {letter} about {letter * 3}" for number, letter in enumerate(LETTERS)}
QUERIES = {"q1": "what about aaa", "q2": "what about bbb and a few more"}
FOUND = {"q1": list(PASSAGES)[:10], "q2": list(PASSAGES)[10:]}
PAIRS = np.array([[q, p] for q in range(2) for p in range(20)])
RUN = "bm25-train"
OPENVINO: dict[str, Any] = {"backend": "openvino"}

needs_openvino = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="OpenVINO is not installed")


class StandIn:
    """The torch model in the place of the converted one. Where a batch `is_wrong`, logits are `shift` higher."""

    shift = 0.0
    conversions = 0

    @staticmethod
    def is_wrong(_batch: torch.Tensor) -> bool:
        return True

    def __init__(self, model: Any, example: dict[str, torch.Tensor], *_how: object) -> None:
        self.model, self.input_names = model, tuple(example)
        self.config, self.name_or_path = model.config, model.name_or_path
        StandIn.conversions += 1

    def __call__(self, **inputs: torch.Tensor) -> tuple[torch.Tensor]:
        shift = self.shift if self.is_wrong(inputs["input_ids"]) else 0.0
        return (self.model(**inputs)[0] + shift,)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    """Let OpenVINO be installed, in version 1.0. `curate.duckdb`, which nothing reads, is not written."""
    monkeypatch.setattr(openvino_model, "version", lambda _name: "1.0")
    monkeypatch.setattr(cross_encoder, "OpenVinoModel", StandIn)
    monkeypatch.setenv("CURATE_DTYPE", "bf16")  # whose tolerance lets a small shift pass
    monkeypatch.setattr(StandIn, "shift", 0.0)
    monkeypatch.setattr(StandIn, "conversions", 0)
    monkeypatch.setattr(Workspace, "refresh_catalogue", lambda _self: True)
    return StandIn


@pytest.fixture
def small_set(make_workspace: Make) -> Workspace:
    return make_workspace(PASSAGES, QUERIES, qrels=[("q1", "p0"), ("q2", "p19")], candidates=FOUND)


def logits(scorer: CrossEncoder, pairs: np.ndarray = PAIRS) -> np.ndarray:
    return scorer.score(scorer.prepare(list(QUERIES.values()), list(PASSAGES.values()), pairs))


def score(workspace: Workspace, scorer: Path, backend: str = "openvino", depth: int = 10, **given: Any) -> Scored:
    """Score as `curate denoise` does, without setting cutoffs."""
    progress = given.pop("progress", Told())
    by: ScoredBy = {None: settings(scorer, backend, depth=depth, **given)}
    return score_by_each(workspace, RUN, by, progress)[0]


def settings(scorer: Path, backend: str, **given: Any) -> Denoise:
    asked: dict[str, Any] = {"scorer": str(scorer), "backend": backend, "max_flips": 1.0, **given}
    return Denoise(**asked)


def in_format(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, backend: str = "openvino") -> CrossEncoder:
    monkeypatch.setenv("CURATE_DTYPE", name)
    return CrossEncoder(folder, backend=backend)


# What needs no OpenVINO


def test_without_openvino_the_command_that_installs_it_is_named(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(openvino_model, "version", not_there)
    with pytest.raises(NotAvailable, match="pip install openvino"):
        CrossEncoder(tiny_cross_encoder(), backend="openvino")


def test_a_gpu_is_not_given_up_in_silence(tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_model, "device", lambda: "cuda")
    with pytest.raises(BadSettings, match="--device cpu"):
        CrossEncoder(tiny_cross_encoder(), backend="openvino")


def test_what_is_no_cross_encoder_stays_with_torch(tmp_path: Path) -> None:
    """A causal language model is computed by torch alone; a server computes what it computes."""
    from tiny_causal import write_causal

    folder = write_causal(tmp_path / "causal")
    with pytest.raises(BadSettings, match="--backend torch"):
        find_source(str(folder), tmp_path, ScorerOptions(instruction="Find it", **OPENVINO)).open()
    with pytest.raises(BadSettings, match="its server computes it"):
        find_source("http://localhost:1/rerank", tmp_path, ScorerOptions(**OPENVINO))


def test_the_fingerprint_covers_back_end_version_and_number_format(
    stand_in: type[StandIn], tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch scores keeps the fingerprint that it had."""
    folder = tiny_cross_encoder()
    assert "backend" not in CrossEncoder(folder).settings
    scorer = CrossEncoder(folder, backend="openvino")
    assert (scorer.settings["backend"], scorer.settings["openvino"]) == ("openvino", "1.0")
    prints = {scorer.fingerprint, CrossEncoder(folder).fingerprint}
    prints.add(in_format("fp32", folder, monkeypatch).fingerprint)
    monkeypatch.setattr(openvino_model, "version", lambda _name: "2.0")
    prints.add(in_format("bf16", folder, monkeypatch).fingerprint)
    assert len(prints) == 4


def test_a_conversion_that_changes_the_scores_is_refused(
    stand_in: type[StandIn], tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_cross_encoder()
    for wrong, what in ((float("nan"), "scores that are not finite"), (1e3, "other scores")):
        monkeypatch.setattr(stand_in, "shift", wrong)
        with pytest.raises(BadInput, match=f"has {what} when OpenVINO computes it"):
            CrossEncoder(folder, backend="openvino")


def test_a_model_that_is_right_in_the_batch_of_its_conversion_alone_is_refused(
    stand_in: type[StandIn],
    small_set: Workspace,
    tiny_cross_encoder: Model,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is checked on a pair alone, and on one as long as there can be. `auto` takes torch then, and says so."""
    folder, told = tiny_cross_encoder(), Told()
    monkeypatch.setattr(stand_in, "shift", 1e3)
    for is_wrong in (lambda batch: len(batch) == 1, lambda batch: batch.shape[1] > 60):
        monkeypatch.setattr(stand_in, "is_wrong", staticmethod(is_wrong))
        with pytest.raises(BadInput, match="other scores when OpenVINO computes it"):
            CrossEncoder(folder, backend="openvino")
    assert score(small_set, folder, "auto", progress=told).scorer_id == CrossEncoder(folder).scorer_id
    assert told.lines[0].startswith("torch computes the scorer, because OpenVINO cannot: ")


def test_openvino_gives_one_row_for_each_text_or_is_refused() -> None:
    model: Any = object.__new__(OpenVinoModel)
    model.input_names, model.name_or_path, model.last = ("input_ids",), "tiny", torch.nn.Identity()
    model._request = SimpleNamespace(infer=lambda _arrays, **_options: {"logits": np.zeros((3, 1), np.float32)})
    assert len(model(input_ids=torch.zeros(3, 5))[0]) == 3
    with pytest.raises(BadInput, match="3 outputs of tiny for 1 texts"):
        model(input_ids=torch.zeros(1, 5))

    def fail(_arrays: Any, **_options: Any) -> Any:
        raise RuntimeError("Exception from infer_request.cpp:224: shapes do not fit")

    model._request = SimpleNamespace(infer=fail)
    with pytest.raises(BadInput, match=r"shapes do not fit.*--backend torch"):
        model(input_ids=torch.zeros(1, 5))


def test_what_openvino_cannot_do_is_said_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be imported, cannot convert the model, or has another number format than the fingerprint says."""
    model = torch.nn.Linear(2, 1)
    model.config, model.name_or_path = SimpleNamespace(), "tiny"  # type: ignore[assignment]

    def opened(library: Any) -> OpenVinoModel:
        monkeypatch.setitem(sys.modules, "openvino", library)
        return OpenVinoModel(model, {"input": torch.zeros(2, 2)}, "bf16")

    def fail(*_model: Any, **_options: Any) -> Any:
        raise RuntimeError(f"Check 'false' failed at x.cpp:151: {'frames ' * 99}no rule for aten::cat")

    with pytest.raises(NotAvailable, match="cannot be imported"):
        opened(None)
    with pytest.raises(BadInput, match=r"frames no rule for aten::cat\)"):
        opened(SimpleNamespace(convert_model=fail))
    compiled = SimpleNamespace(
        create_infer_request=lambda: None,
        get_property=lambda _name: SimpleNamespace(get_type_name=lambda: "f32"),
    )
    core = SimpleNamespace(compile_model=lambda *_: compiled)
    library = SimpleNamespace(convert_model=lambda *_model, **_options: None, Core=lambda: core)
    with pytest.raises(BadSettings, match="computes in f32 on this CPU, not in bf16"):
        opened(library)


def test_agreement_counts_the_pairs_on_another_side_of_a_cutoff() -> None:
    """The sigmoid is 0.1 at a logit of -2.197, and 0.9 at 2.197. A pair without a score does not count."""
    precise = np.array([-2.19, -2.30, 2.19, 2.30, 0.0, -3.0, np.nan], np.float32)
    ours = np.array([-2.25, -2.25, 2.25, 2.25, 0.1, 3.0, np.nan], np.float32)
    found = Agreement.of("openvino in bf16", ours, precise, Denoise())
    assert (found.pairs, found.flips_below, found.flips_above, found.flips) == (6, 2, 2, 3)
    assert found.largest == pytest.approx(6.0)
    assert (
        "on 6 pairs of the run: logits differ by at most 6, and 3 decisions flip (2 at 0.1, 2 at 0.9)"
        in found.text
    )
    found.refuse_above(0.5)
    with pytest.raises(NotMet, match=r"That is 50\.0%, and 49\.0% may.*--max-flips"):
        found.refuse_above(0.49)
    assert Agreement.read({**vars(found), "of a later version": 1}) == found


def test_agreement_reads_logits_as_the_calibration_does() -> None:
    """With 2 more log-odds, 0.1 is a logit of -4.197. The difference is that of the logits in any case."""
    precise, ours = np.array([-2.19, -4.1], np.float32), np.array([-2.25, -4.3], np.float32)
    assert Agreement.of("openvino", ours, precise, Denoise()).flips_below == 1
    found = Agreement.of("openvino", ours[1:], precise[1:], Denoise(), "calibrate-00001", Curve(1.0, 1.0, 2.0))
    assert found.flips_below == 1
    assert found.largest == pytest.approx(0.2, abs=1e-6)
    assert "of the run, calibrated by calibrate-00001: logits" in found.text


def test_agreement_is_measured_once_for_a_run_and_cutoffs_on_candidates_alone(
    stand_in: type[StandIn], small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The top 1 of two queries are two pairs; labelled positives and random pairs would dilute their flips."""
    folder, told = tiny_cross_encoder(), Told()
    first = score(small_set, folder, depth=1, progress=told)
    assert (first.agreement and first.agreement.pairs, told.lines[0]) == (2, "comparing openvino with torch")
    with monkeypatch.context() as measured:
        measured.setattr(scoring, "in_float32", lambda _source: 1 / 0)
        deeper = score(small_set, folder, depth=5)
        assert (deeper.scored_now > 0, deeper.agreement) == (True, first.agreement)
    other = score(small_set, folder, depth=10, negative_below=0.3).agreement
    assert other is not None
    assert (other.pairs, other.negative_below) == (20, 0.3)


def test_denoise_tells_how_far_the_back_end_agrees(
    stand_in: type[StandIn], small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are in the job's record, so that a later call shows them although it computes nothing."""
    monkeypatch.setattr(stand_in, "shift", 0.01)
    scorer = str(tiny_cross_encoder())
    options: dict[str, Any] = {"scorer": scorer, "max_flips": 1.0, "accept_judge": True, **OPENVINO}
    result = curate.denoise(small_set, **options)
    (found,) = result.agreement.values()
    assert (found.pairs, found.backend) == (20, "openvino in bf16")
    assert found.largest == pytest.approx(0.01, abs=1e-4)
    assert "openvino in bf16 beside torch in float32, on 20 pairs of the run" in result.text()
    again = curate.denoise(small_set, **options)
    assert (again.scored_now, again.agreement) == (0, result.agreement)


def test_too_many_flips_are_refused_before_anything_is_scored(
    stand_in: type[StandIn], small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A back end that calls every pair relevant flips all that are not. Whoever wants its scores can have them."""
    monkeypatch.setattr(stand_in, "shift", 1e3)
    monkeypatch.setattr(cross_encoder, "refuse_if_converted_wrong", lambda *_: None)
    folder = tiny_cross_encoder()
    with pytest.raises(NotMet, match="Nothing more is scored"):
        score(small_set, folder, max_flips=0.01)
    assert not list(small_set.root.glob("tables/scores/*/*.parquet"))
    assert not list(small_set.root.glob("tables/models/*/*.parquet"))
    told = Told()
    set_speed(monkeypatch, {"torch": 2.0, "openvino": 1.0})
    by_torch = score(small_set, folder, "auto", max_flips=0.01, progress=told)
    assert (by_torch.scorer_id, by_torch.agreement) == (CrossEncoder(folder).scorer_id, None)
    assert any(line.startswith("torch computes the scorer after all: ") for line in told.lines)
    assert score(small_set, folder, max_flips=1.0).scored_now == 20


def test_augment_goes_on_with_the_back_end_of_the_cutoffs_as_it_was_accepted(
    stand_in: type[StandIn], make_workspace: Make, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no option that could allow more flips, and tells them. Naming the model's place changes nothing."""
    queries = {**QUERIES, "asked": "what about ccc"}
    workspace = make_workspace(
        PASSAGES, queries, qrels=[("q1", "p0"), ("q2", "p19")], candidates=FOUND, unlabeled=["asked"]
    )
    folder = tiny_cross_encoder()
    monkeypatch.setattr(stand_in, "shift", 3.0)
    monkeypatch.setattr(cross_encoder, "refuse_if_converted_wrong", lambda *_: None)
    options: dict[str, Any] = {"accept_judge": True, "max_flips": 1.0, "depth": 5}
    first = curate.denoise(workspace, scorer=str(folder), **OPENVINO, **options)
    result = curate.augment(workspace, scorer=str(folder))
    assert (result.scorer_id, list(result.agreement)) == (first.scorer_id, [first.scorer_id])
    assert result.agreement[first.scorer_id].flips > 0
    assert "openvino in bf16 beside torch in float32" in result.text()


def test_the_scorer_of_the_cutoffs_keeps_its_back_end(
    stand_in: type[StandIn], small_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """What names no back end goes on with that of the cutoffs, and a job that is made again has its own."""
    folder = tiny_cross_encoder()
    options: dict[str, Any] = {"accept_judge": True, "max_flips": 1.0}
    first = curate.denoise(small_set, scorer=str(folder), depth=5, **OPENVINO, **options)
    assert stand_in.conversions == 1
    learnt = {"scorer_id": first.scorer_id, "form": "platt", "evidence": "labels", "a": 1.0, "b": 1.0, "c": 0.5}
    counts = {"queries": 1, "positives": 1, "others": 1, "seed": 0}
    calibration = {"calibration": {**learnt, **counts}, "reliability": [], "promises": []}
    write_calibration(small_set, "calibrate-00001", calibration)
    deeper = curate.denoise(small_set, cutoffs="default", depth=10, **options)
    assert (deeper.scorer_id, deeper.scored_now > 0) == (first.scorer_id, True)
    assert deeper.agreement[first.scorer_id].calibration == deeper.cutoffs["calibration_id"] == "calibrate-00001"
    by_torch = score(small_set, folder, "torch")
    assert (by_torch.scorer_id != first.scorer_id, by_torch.scored_now) == (True, 20)
    assert by_torch.agreement is None
    (shard, *_) = sorted(small_set.root.glob("tables/scores/*/*.parquet"))
    before = shard.read_bytes()
    shard.unlink()
    rebuild(small_set)
    assert shard.read_bytes() == before


def test_another_version_is_another_scorer(
    stand_in: type[StandIn], small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of two versions never mix. Without a new pair, nothing is scored again."""
    folder = tiny_cross_encoder()
    old = score(small_set, folder, depth=5)
    monkeypatch.setattr(openvino_model, "version", lambda _name: "2.0")
    assert score(small_set, folder, depth=5).scored_now == 0
    new = score(small_set, folder, depth=10)
    assert (new.scorer_id != old.scorer_id, new.scored_now) == (True, 20)


def test_the_version_that_scored_last_goes_on_and_each_makes_its_shards_again(
    stand_in: type[StandIn], small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order of their ids, which hold a part of the fingerprint."""
    folder = tiny_cross_encoder()
    for depth, number in ((1, "1.0"), (2, "2.0"), (3, "1.0")):
        monkeypatch.setattr(openvino_model, "version", lambda _name, number=number: number)
        scorer_id = score(small_set, folder, depth=depth).scorer_id
        assert find_scorer(small_set, settings(folder, "auto")).scorer_id == scorer_id
        if depth == 1:
            continue
        job = small_set.records("denoise")[-1].job
        (shard,) = small_set.root.glob(f"tables/scores/{job}/*.parquet")
        before = shard.read_bytes()
        shard.unlink()
        rebuild(small_set)
        assert shard.read_bytes() == before


def set_speed(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> list[str]:
    """Let a back end take so many seconds in the measurement; return the list of those that are measured."""
    measured: list[str] = []

    def take(works: dict[str, Any]) -> dict[str, float]:
        measured.extend(works)
        return seconds

    monkeypatch.setattr(faster_backend, "shortest_seconds", take)
    return measured


@pytest.mark.parametrize(("of_openvino", "chosen"), [(1.0, "openvino"), (3.0, "torch")])
def test_auto_takes_the_faster_back_end_and_never_asks_again(
    stand_in: type[StandIn],
    small_set: Workspace,
    tiny_cross_encoder: Model,
    monkeypatch: pytest.MonkeyPatch,
    of_openvino: float,
    chosen: str,
) -> None:
    """The other one may be faster the next time: what this scorer has scored stays in use."""
    folder = tiny_cross_encoder()
    measured = set_speed(monkeypatch, {"torch": 2.0, "openvino": of_openvino})
    told, auto = Told(), settings(folder, "auto")
    plan = curate.plan_denoise(small_set, scorer=str(folder), backend="auto")
    assert (stand_in.conversions, any("auto: the run decides" in note for note in plan.notes)) == (0, True)
    first = score(small_set, folder, "auto", depth=5, progress=told)
    assert (set(measured), stand_in.conversions) == ({"torch", "openvino"}, 1)
    assert told.lines[0].startswith(f"{chosen} computes the scorer, because it took {min(2.0, of_openvino):.2g} s")
    (backend,) = small_set.sql("select coalesce(settings ->> 'backend', 'torch') as backend from models")[
        "backend"
    ]
    assert backend == chosen
    measured = set_speed(monkeypatch, {"torch": 3.0 - of_openvino, "openvino": 2.0})
    assert (score(small_set, folder, "auto", depth=6).scorer_id, measured) == (first.scorer_id, [])
    assert find_scorer(small_set, auto).scorer_id == first.scorer_id


def test_auto_goes_on_with_the_job_that_was_killed(
    stand_in: type[StandIn], small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scorer is in no record yet, but the first job that was killed has written who scores."""
    folder = tiny_cross_encoder()
    set_speed(monkeypatch, {"torch": 2.0, "openvino": 1.0})
    for depth in (5, 10):
        with monkeypatch.context() as killed:
            killed.setattr(scoring, "refuse_if_alike", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                score(small_set, folder, "auto", depth=depth)
    measured = set_speed(monkeypatch, {"torch": 1.0, "openvino": 2.0})
    found = score(small_set, folder, "auto")
    assert (found.agreement is not None, measured) == (True, [])


@pytest.mark.parametrize("last", ["torch", "openvino"])
def test_of_two_killed_jobs_auto_goes_on_with_the_one_that_has_scores(
    last: str,
    stand_in: type[StandIn],
    small_set: Workspace,
    tiny_cross_encoder: Model,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tiny_cross_encoder()
    (other,) = {"torch", "openvino"} - {last}
    for backend, at in ((last, "finish"), (other, "score_blocks")):
        with monkeypatch.context() as killed:
            killed.setattr(scoring.Scoring, at, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                score(small_set, folder, backend)
    assert find_scorer(small_set, settings(folder, "auto")).source.options.backend == last


def test_a_run_without_candidates_has_nothing_to_compare(
    stand_in: type[StandIn], make_workspace: Make, tiny_cross_encoder: Model
) -> None:
    workspace = make_workspace(PASSAGES, QUERIES, candidates={"q1": [], "q2": []})
    assert score(workspace, tiny_cross_encoder(), "auto").pairs == 0


def test_auto_is_torch_without_openvino(
    small_set: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(openvino_model, "version", not_there)
    folder, told = tiny_cross_encoder(), Told()
    assert score(small_set, folder, "auto", progress=told).scorer_id == CrossEncoder(folder).scorer_id
    assert told.lines[0].startswith("torch computes the scorer, because OpenVINO cannot: the back end openvino is")


def test_the_command_line_names_the_back_end(
    stand_in: type[StandIn],
    small_set: Workspace,
    tiny_cross_encoder: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An option goes before curate.toml, as everywhere."""
    monkeypatch.chdir(small_set.root)
    scorer = str(tiny_cross_encoder())
    (small_set.root / "curate.toml").write_text('[denoise]\nbackend = "openvino"\nmax_flips = 1.0\n', "utf-8")
    assert run(["denoise", "--scorer", scorer, "--accept-judge"]) == 0
    assert "openvino in bf16 beside torch in float32" in capsys.readouterr().out
    for backend, left in (("openvino", 0), ("torch", 20)):
        assert run(["denoise", "--scorer", scorer, "--backend", backend, "--dry-run", "--json"]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert plan["total"] - plan["cached"] == left
    assert run(["denoise", "--backend", "tensorrt"]) == 2


# What OpenVINO itself computes


@needs_openvino
@pytest.mark.parametrize("labels", [1, 2])
def test_logits_are_those_of_torch_in_fp32(
    labels: int, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One logit, or two classes."""
    folder = tiny_cross_encoder(labels=labels)
    scorer, reference = (in_format("fp32", folder, monkeypatch, name) for name in ("openvino", "torch"))
    assert logits(scorer) == pytest.approx(logits(reference), abs=2e-4)


@needs_openvino
def test_bf16_is_near_to_fp32_and_no_logit_is_rounded_to_it(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last layer computes in fp32: logits that are rounded to 8 bits are equal for many pairs."""
    folder = tiny_cross_encoder()
    found, precise = (logits(in_format(name, folder, monkeypatch)) for name in ("bf16", "fp32"))
    assert np.abs(found - precise).max() < 0.1 * np.ptp(precise) + 0.05
    assert (torch.from_numpy(found).bfloat16().float().numpy() != found).mean() > 0.8


@needs_openvino
@pytest.mark.parametrize(("dtype", "share"), [("fp32", 1e-5), ("bf16", 0.02)])
def test_a_logit_hardly_depends_on_its_batch_and_not_at_all_on_time_and_threads(
    dtype: str, share: float, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with torch: equal batches give equal bytes; other company moves the last bits of the format alone."""
    folder = tiny_cross_encoder()
    scorer = in_format(dtype, folder, monkeypatch)
    together = logits(scorer)
    assert np.array_equal(logits(scorer), together)
    alone = np.concatenate([logits(scorer, PAIRS[at : at + 1]) for at in range(len(PAIRS))])
    assert np.abs(alone - together).max() <= share * np.ptp(together)
    monkeypatch.setenv("CURATE_THREADS", "2")
    assert np.array_equal(logits(in_format(dtype, folder, monkeypatch)), together)
    monkeypatch.setenv("CURATE_THREADS", "1")
    assert np.array_equal(logits(in_format(dtype, folder, monkeypatch)), together)


@needs_openvino
def test_a_model_whose_trace_keeps_the_size_of_its_batch_is_refused(
    tmp_path: Path, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LongformerConfig, LongformerForSequenceClassification

    folder = tmp_path / "longformer"
    shutil.copytree(tiny_cross_encoder(), folder)
    config = LongformerConfig(
        vocab_size=80, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        num_labels=1, max_position_embeddings=130, attention_window=[16, 16], pad_token_id=0,
    )  # fmt: skip
    LongformerForSequenceClassification(config).save_pretrained(folder)
    in_format("fp32", folder, monkeypatch, "torch")
    with pytest.raises(BadInput, match=r"OpenVINO.*--backend torch"):
        in_format("fp32", folder, monkeypatch)


@needs_openvino
def test_several_judges_score_as_one(
    tmp_path: Path, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "judges"
    for fold in (1, 2):
        shutil.copytree(tiny_cross_encoder(f"judge-{fold}", seed=fold), folder / f"fold-{fold}")
    write_folds(folder, 2, {})
    monkeypatch.setenv("CURATE_DTYPE", "fp32")
    texts = list(QUERIES.values()), list(PASSAGES.values())
    found = []
    for backend in ("openvino", "torch"):
        scorer = find_source(str(folder), tmp_path, ScorerOptions(backend=backend)).open()
        found.append(scorer.score(scorer.prepare(*texts, PAIRS)))
    assert found[0] == pytest.approx(found[1], abs=2e-4)


@needs_openvino
def test_nothing_is_sent_about_its_use(tiny_cross_encoder: Model) -> None:
    """Its telemetry is on unless somebody turned it off, so curate does without that package."""
    CrossEncoder(tiny_cross_encoder(), backend="openvino")
    assert "openvino_telemetry" not in sys.modules
