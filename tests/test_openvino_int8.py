"""The back end openvino-int8: a scorer that nncf quantizes once, on pairs of a run, and the workspace keeps."""

import importlib.util
import json
import shutil
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from conftest import write_tiny_model, write_workspace
from told import Told

import curate
from curate import Workspace, sql_files
from curate.as_of import AsOf
from curate.config import Denoise
from curate.denoise import scoring
from curate.denoise.resolve_scorer import find_scorer
from curate.denoise.score_job import Scored
from curate.denoise.scoring import score_again, score_by_each
from curate.doctor.stage import doctor
from curate.errors import BadSettings, NotAvailable, NotMet, StepMissing
from curate.models import quantize
from curate.models.fold_scorer import write_folds
from curate.models.int8_store import Int8Store
from curate.models.scorer import find_source
from curate.models.scorer_options import ScorerOptions
from curate.progress import Silent
from curate.rebuild import rebuild

LETTERS = "abcdefghijklmnopqrst"
PASSAGES = {f"p{number}": f"passage {letter} about {letter * 3}" for number, letter in enumerate(LETTERS)}
QUERIES = {"q1": "what about aaa", "q2": "what about bbb and a few more"}
FOUND = {"q1": list(PASSAGES)[:10], "q2": list(PASSAGES)[10:]}
RUN = "bm25-train"
INT8: Final = "openvino-int8"

needs_nncf = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("openvino", "nncf")), reason="nncf is not installed"
)


@pytest.fixture(scope="module")
def tiny_scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny-ce")


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory, tiny_scorer: Path) -> Path:
    """Return the folder of a workspace whose scorer is quantized and has scored the top 5."""
    workspace = small_set(tmp_path_factory.mktemp("quantized") / "set")
    score(workspace, tiny_scorer, depth=5)
    return workspace.root


@pytest.fixture
def scored(tmp_path: Path, quantized: Path) -> Workspace:
    """Return a copy of that workspace."""
    shutil.copytree(quantized, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


@pytest.fixture(autouse=True)
def no_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write no `curate.duckdb`, which nothing reads here."""
    monkeypatch.setattr(Workspace, "refresh_catalogue", lambda _self: True)


def small_set(folder: Path) -> Workspace:
    return write_workspace(
        folder, PASSAGES, QUERIES, qrels=[("q1", "p0"), ("q2", "p19")], candidates=FOUND, unlabeled=[]
    )


def settings(scorer: Path, **given: Any) -> Denoise:
    asked: dict[str, Any] = {"scorer": str(scorer), "backend": INT8, "max_flips": 1.0, **given}
    return Denoise(**asked)


def score(workspace: Workspace, scorer: Path, progress: Silent | None = None, **given: Any) -> Scored:
    """Score as `curate denoise` does, without setting cutoffs."""
    by: dict[str | None, Denoise] = {None: settings(scorer, **{"depth": 10, **given})}
    return score_by_each(workspace, RUN, by, progress or Told())[0]


def kept(workspace: Workspace) -> dict[str, bytes]:
    """Return the files of all graphs, but for their manifests."""
    files = sorted((workspace.root / "models" / INT8).rglob("model.*"))
    return {str(path.relative_to(workspace.root)): path.read_bytes() for path in files if path.suffix != ".json"}


def model_rows(workspace: Workspace) -> list[dict[str, Any]]:
    rows = workspace.sql("select model_id, settings::varchar as settings from models order by model_id").to_dicts()
    return [{**row, "settings": json.loads(row["settings"])} for row in rows]


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("it is quantized again")


# What needs no nncf


def test_without_nncf_the_command_that_installs_it_is_named(
    tmp_path: Path, tiny_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(quantize, "version", not_there)
    monkeypatch.setattr(quantize, "openvino_settings", lambda _backend: {"openvino": "1.0"})
    with pytest.raises(NotAvailable, match=r"extra \[openvino-int8\]") as refused:
        score(small_set(tmp_path / "set"), tiny_scorer)
    assert refused.value.run == "pip install nncf"


def test_what_is_no_cross_encoder_is_refused_by_name(tmp_path: Path) -> None:
    from tiny_causal import write_causal

    folder = write_causal(tmp_path / "causal")
    with pytest.raises(BadSettings, match=r"causal is no cross-encoder that openvino-int8 could compute"):
        score(small_set(tmp_path / "set"), folder, instruction="Find it")
    with pytest.raises(BadSettings, match="its server computes it"):
        find_source("http://localhost:1/rerank", tmp_path, ScorerOptions(backend=INT8))


def test_a_run_without_candidates_has_nothing_to_calibrate_on(tmp_path: Path, tiny_scorer: Path) -> None:
    workspace = write_workspace(tmp_path / "set", PASSAGES, QUERIES, candidates={"q1": [], "q2": []})
    with pytest.raises(StepMissing, match="no candidate on which the back end openvino-int8 could calibrate"):
        score(workspace, tiny_scorer)


def test_the_pairs_of_the_calibration_and_of_the_agreement_are_others(tmp_path: Path) -> None:
    """The hash of a pair decides, so that this holds for all runs and depths. Without a half, all are drawn."""

    def drawn(half: int | None, depth: int = 10) -> list[tuple[str, str]]:
        with small_set(tmp_path / f"set-{half}-{depth}").connect() as connection:
            about = {"run": RUN, "depth": depth, "pairs": 100, "half": half}
            return sql_files.select(connection, "score/sample", **about).fetchall()

    calibration, agreement = drawn(0), drawn(1)
    assert set(calibration).isdisjoint(agreement)
    assert sorted([*calibration, *agreement]) == sorted(drawn(None))
    assert min(len(calibration), len(agreement)) >= 5
    assert set(drawn(0, depth=3)) < set(calibration)


def test_doctor_asks_for_an_encoder_in_int8_in_vain(tmp_path: Path, tiny_scorer: Path) -> None:
    with pytest.raises(BadSettings, match="backend: no scorer is examined here"):
        doctor(small_set(tmp_path / "set"), encoder=str(tiny_scorer), backend=INT8)


# What nncf quantizes


@needs_nncf
def test_the_same_workspace_gives_the_same_bytes(tmp_path: Path, scored: Workspace, tiny_scorer: Path) -> None:
    """Within a process, too, in which OpenVINO numbers all that it has made."""
    again = small_set(tmp_path / "again")
    found = score(again, tiny_scorer, depth=5)
    assert kept(again) == kept(scored)
    assert len(kept(again)) == 2
    assert found.scorer_id == model_rows(scored)[0]["model_id"]


@needs_nncf
def test_it_is_quantized_once_for_all_runs_and_number_formats(
    scored: Workspace, tiny_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the layers computes in bf16 or in float32, which are two scorers with one graph."""
    monkeypatch.setattr(quantize, "quantize", refuse)
    before, told = kept(scored), Told()
    assert score(scored, tiny_scorer, told, depth=10).scored_now == 9
    assert not any(name.startswith("quantizing") for name in told.lines)
    (first,) = model_rows(scored)
    monkeypatch.setenv("CURATE_DTYPE", "bf16" if first["settings"]["dtype"] == "fp32" else "fp32")
    other = find_source(str(tiny_scorer), scored.root, ScorerOptions(backend=INT8)).open()
    assert (other.settings["int8"], other.scorer_id != first["model_id"]) == (first["settings"]["int8"], True)
    assert kept(scored) == before


@needs_nncf
def test_the_settings_name_the_graph_and_the_pairs_of_its_calibration(
    scored: Workspace, tiny_scorer: Path
) -> None:
    """So int8 is another scorer than OpenVINO alone, and another graph would be another one, too."""
    (row,) = model_rows(scored)
    int8 = row["settings"]["int8"]
    assert row["settings"]["backend"] == INT8
    assert (int8["run"], int8["depth"], 0 < int8["pairs"] < 10, len(int8["sha256"])) == (RUN, 5, True, 64)
    source = find_source(str(tiny_scorer), scored.root, ScorerOptions(backend=INT8))
    prints = {source.fingerprint(row["settings"]), source.open().fingerprint}
    assert len(prints) == 1
    prints.add(source.fingerprint({**row["settings"], "int8": {**int8, "sha256": "0" * 64}}))
    prints.add(find_source(str(tiny_scorer), scored.root, ScorerOptions(backend="openvino")).open().fingerprint)
    assert len(prints) == 3


@needs_nncf
def test_a_killed_job_goes_on_with_the_graph_that_is_there(
    tmp_path: Path, scored: Workspace, tiny_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed when the graph is written, and again when the first shard of scores would be."""
    killed = small_set(tmp_path / "killed")
    publish = Int8Store.write.__globals__["publish"]

    def weights_alone(path: Path, *given: Any) -> Any:
        return publish(path, *given) if path.suffix == ".bin" else 1 / 0

    with monkeypatch.context() as at:
        at.setitem(Int8Store.write.__globals__, "publish", weights_alone)
        with pytest.raises(ZeroDivisionError):
            score(killed, tiny_scorer, depth=5)
    with monkeypatch.context() as at:
        at.setattr(scoring, "refuse_if_alike", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            score(killed, tiny_scorer, depth=5)
    monkeypatch.setattr(quantize, "quantize", refuse)
    assert score(killed, tiny_scorer, depth=5).scored_now == 11  # a labelled positive is below the top 5
    assert kept(killed) == kept(scored)
    ledgers = [sorted(one.root.glob("tables/scores/score-*/*.parquet")) for one in (killed, scored)]
    assert [path.read_bytes() for path in ledgers[0]] == [path.read_bytes() for path in ledgers[1]]


@needs_nncf
def test_logits_are_near_to_those_of_torch_and_the_agreement_is_told(
    scored: Workspace, tiny_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_DTYPE", "fp32")
    found = score(scored, tiny_scorer, depth=10).agreement
    texts = list(QUERIES.values()), list(PASSAGES.values())
    pairs = np.array([[q, p] for q in range(2) for p in range(20)])
    scorers = [
        find_source(str(tiny_scorer), scored.root, ScorerOptions(backend=name)).open() for name in (INT8, "torch")
    ]
    int8, torch = (scorer.score(scorer.prepare(*texts, pairs)) for scorer in scorers)
    assert 0 < np.abs(int8 - torch).max() < 0.2 * np.ptp(torch)
    assert found is not None
    assert found.text.startswith("openvino-int8, the rest in fp32 beside torch in float32, on 10 pairs of the run")
    assert 0 < found.largest <= np.abs(int8 - torch).max() + 1e-4


@needs_nncf
def test_too_many_flips_are_refused_and_the_graph_stays(
    scored: Workspace, tiny_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(scored.root.glob("tables/scores/*/*.parquet"))
    monkeypatch.setattr(scoring, "in_float32", lambda _source: Opposite())
    with pytest.raises(NotMet, match=r"Nothing more is scored.*--backend openvino\)"):
        score(scored, tiny_scorer, depth=10, negative_below=0.2, max_flips=0.01)
    assert sorted(scored.root.glob("tables/scores/*/*.parquet")) == before
    assert len(kept(scored)) == 2


class Opposite:
    """A scorer that calls a pair irrelevant and the next one relevant, whatever the pairs are."""

    def prepare(self, _queries: Any, _passages: Any, pairs: np.ndarray) -> list[int]:
        return list(range(len(pairs)))

    def score(self, rows: list[int], _advance: Any = None) -> np.ndarray:
        return np.array([-99.0 if row % 2 else 99.0 for row in rows], np.float32)


@needs_nncf
def test_nothing_is_scored_by_another_graph_than_the_one_that_is_gone(
    scored: Workspace, tiny_scorer: Path
) -> None:
    """The error says what to do: denoising calibrates on the pairs of before, even if it is asked for others."""
    before = kept(scored)
    (graph,) = scored.root.glob(f"models/{INT8}/*/model.xml")
    (shard,) = scored.root.glob("tables/scores/score-*/*.parquet")
    (record,) = scored.records("denoise")
    scores = shard.read_bytes()
    shard.unlink()
    for path, damage, found in (
        (graph, lambda: graph.write_bytes(b"damaged"), "is not as it was written"),
        (graph.with_suffix(".bin"), lambda: graph.with_suffix(".bin").write_bytes(b"damaged"), "is not as it was"),
        (graph.with_suffix(".bin"), lambda: shutil.rmtree(graph.parent), "is not there"),
    ):
        damage()
        with pytest.raises(NotAvailable, match=f"{path.name} {found}") as refused:
            score_again(AsOf(scored, record), record, Told())
        assert refused.value.run == f"curate denoise --scorer {tiny_scorer} --backend {INT8}"
    told = Told()
    shard.write_bytes(scores)
    score(Workspace(scored.root), tiny_scorer, told, depth=4)
    assert f"quantizing {tiny_scorer} on pairs of {RUN}" in told.lines
    assert kept(scored) == before
    shard.unlink()
    rebuild(Workspace(scored.root))
    assert shard.read_bytes() == scores


@needs_nncf
def test_auto_never_means_int8_and_a_plan_writes_nothing(
    tmp_path: Path, scored: Workspace, tiny_scorer: Path
) -> None:
    (row,) = model_rows(scored)
    assert find_scorer(scored, settings(tiny_scorer)).scorer_id == row["model_id"]
    assert find_scorer(scored, settings(tiny_scorer, backend="auto")).scorer_id != row["model_id"]
    fresh = small_set(tmp_path / "fresh")
    plan = curate.plan_denoise(fresh, scorer=str(tiny_scorer), backend=INT8)
    assert "backend openvino-int8: the run quantizes the scorer first; this is the plan for openvino" in plan.notes
    assert (plan.total, plan.cached, kept(fresh)) == (20, 0, {})


@needs_nncf
def test_each_of_several_judges_is_quantized(tmp_path: Path) -> None:
    """A judge whose graph is there is not quantized again."""
    folder, workspace = tmp_path / "judges", small_set(tmp_path / "set")
    for fold in (1, 2):
        write_tiny_model(folder / f"fold-{fold}", seed=fold)
    write_folds(folder, 2, {})
    score(workspace, folder)
    assert len(kept(workspace)) == 4
    (row,) = model_rows(workspace)
    first, second = row["settings"]["int8"]
    assert first["sha256"] != second["sha256"]
    before = kept(workspace)
    shutil.rmtree(next(workspace.root.glob(f"models/{INT8}/fold-2-*")))
    score(workspace, folder)
    assert kept(workspace) == before


@needs_nncf
def test_doctor_examines_the_scorer_of_the_workspace(scored: Workspace, tiny_scorer: Path) -> None:
    diagnosis = doctor(scored, scorer=str(tiny_scorer), backend=INT8)
    subject = diagnosis.subjects[-1]
    assert any("computed by openvino-int8 in int8, the rest in" in line for line in subject.about)
    (check,) = [check for check in subject.checks if check.name == "number format"]
    assert check.found.startswith("int8 against float32")


@needs_nncf
def test_a_scorer_of_classes_is_quantized_and_nothing_is_printed_or_sent(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_model(tmp_path / "classes", labels=2)
    assert score(small_set(tmp_path / "set"), folder).scored_now == 20
    assert "openvino_telemetry" not in sys.modules
    assert capfd.readouterr().out == ""
