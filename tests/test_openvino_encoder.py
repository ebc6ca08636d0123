"""An encoder that OpenVINO computes (curate/mine/choose_backend.py), and how far it agrees with torch.

Mostly a stand-in takes its place: the torch model itself, whose vectors a test may shift.
"""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import curate
from curate import Workspace, mine
from curate.cli.main import run
from curate.errors import BadInput, BadSettings, NotAvailable
from curate.job_record import Record
from curate.mine import dense_run
from curate.mine.agreement import VectorAgreement
from curate.mined_options import options_of
from curate.models import encoder as encoder_module
from curate.models import faster_backend, openvino_model
from curate.models.encoder import Encoder
from curate.progress import Silent
from curate.rebuild import rebuild
from curate.standing import command_to_mine

Make = Callable[..., Workspace]
Write = Callable[..., Path]
PASSAGES = {f"p{letter}": f"passage {letter} about {letter * 3}" for letter in "abcdefghijklmnop"}
QUERIES = {"q1": "what about aaa", "q2": "what about bbb and a few more"}
TEXTS = ["a b c", "the quick brown fox jumps over the lazy dog", "z", "hello world 42", "x " * 100]
DENSE: dict[str, Any] = {"retriever": "dense", "encoder": "models/tiny"}

needs_openvino = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="OpenVINO is not installed")


class StandIn:
    """The torch model in the place of the converted one. Where a batch `is_wrong`, its vectors are shifted."""

    shift = 0.0
    conversions = 0

    @staticmethod
    def is_wrong(_batch: torch.Tensor) -> bool:
        return True

    def __init__(self, model: Any, example: dict[str, torch.Tensor], _dtype: str) -> None:
        self.model, self.input_names = model, tuple(example)
        self.config, self.name_or_path = model.config, model.name_or_path
        StandIn.conversions += 1

    def __call__(self, **inputs: torch.Tensor) -> tuple[torch.Tensor]:
        hidden = self.model(**inputs)[0]
        wave = torch.arange(hidden.shape[-1]).sin()
        return (hidden + self.shift * wave if self.is_wrong(inputs["input_ids"]) else hidden,)


class Told(Silent):
    """Progress that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    """Let OpenVINO be installed, in version 1.0. `curate.duckdb`, which nothing reads, is not written."""
    monkeypatch.setattr(openvino_model, "version", lambda _name: "1.0")
    monkeypatch.setattr(encoder_module, "OpenVinoModel", StandIn)
    monkeypatch.setenv("CURATE_DTYPE", "fp32")
    monkeypatch.setattr(StandIn, "shift", 0.0)
    monkeypatch.setattr(StandIn, "conversions", 0)
    monkeypatch.setattr(Workspace, "refresh_catalogue", lambda _self: True)
    return StandIn


@pytest.fixture
def workspace(make_workspace: Make, tiny_model: Write) -> Workspace:
    """Return a workspace with sixteen passages, two train queries, one without labels, and a tiny encoder."""
    queries = {**QUERIES, "asked": "what about ccc"}
    found = make_workspace(PASSAGES, queries, qrels=[("q1", "pa"), ("q2", "pb")], unlabeled=["asked"])
    (found.root / "models").mkdir(exist_ok=True)
    tiny_model(found.root / "models" / "tiny", head=False)
    return found


def record_of(workspace: Workspace, run_id: str) -> Record:
    record = workspace.record(run_id)
    assert record is not None
    return record


def set_speed(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> list[str]:
    """Let a back end take so many seconds in the measurement; return the list of those that are measured."""
    measured: list[str] = []

    def take(works: dict[str, Any]) -> dict[str, float]:
        measured.extend(works)
        return seconds

    monkeypatch.setattr(faster_backend, "shortest_seconds", take)
    return measured


def not_there(_name: str) -> str:
    raise PackageNotFoundError


def vectors(encoder: Encoder) -> np.ndarray:
    return np.concatenate([chunk.array for chunk in encoder.encode(TEXTS, "passage")])


def write_towers(folder: Path, tiny_model: Write) -> Path:
    """Write an encoder whose queries and passages have transformers of their own."""
    for name, seed in (("query_0_Transformer", 0), ("document_0_Transformer", 1)):
        tiny_model(folder / name, head=False, seed=seed)
    for side in ("query", "document"):
        (folder / f"{side}_1_Pooling").mkdir()
        (folder / f"{side}_1_Pooling" / "config.json").write_text('{"pooling_mode": "mean"}', "utf-8")
    kinds = {"0_Transformer": "Transformer", "1_Pooling": "Pooling"}
    types = {
        f"{side}_{name}": f"sentence_transformers.models.{kind}"
        for side in ("query", "document")
        for name, kind in kinds.items()
    }
    structure = {side: [f"{side}_{name}" for name in kinds] for side in ("query", "document")}
    router = {"types": types, "structure": structure, "parameters": {}}
    (folder / "router_config.json").write_text(json.dumps(router), "utf-8")
    router_module = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Router"}
    (folder / "modules.json").write_text(json.dumps([router_module]), "utf-8")
    return folder


# What needs no OpenVINO


def test_another_back_end_is_another_encoder(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fingerprint covers back end, version and number format. What torch embeds keeps its fingerprint."""
    by_torch = Encoder.open("models/tiny", workspace.root)
    assert "backend" not in by_torch.settings
    encoder = by_torch.computed_by("openvino")
    assert (encoder.settings["backend"], encoder.settings["openvino"]) == ("openvino", "1.0")
    assert "computed by openvino in fp32" in encoder.text
    prints = {by_torch.fingerprint, encoder.fingerprint}
    prints.add(Encoder.open("models/tiny", workspace.root, "bf16", "openvino").fingerprint)
    monkeypatch.setattr(openvino_model, "version", lambda _name: "2.0")
    prints.add(Encoder.open("models/tiny", workspace.root, backend="openvino").fingerprint)
    assert len(prints) == 4


def test_without_openvino_the_command_that_installs_it_is_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` takes torch then, and says so."""
    monkeypatch.setattr(openvino_model, "version", not_there)
    with pytest.raises(NotAvailable, match="pip install openvino"):
        mine(workspace, backend="openvino", **DENSE)
    told = Told()
    first = mine(workspace, backend="auto", progress=told, **DENSE)
    assert told.lines[0].startswith("torch computes the encoder, because OpenVINO cannot: the back end openvino")
    assert mine(workspace, backend="torch", **DENSE).run_id == first.run_id


def test_a_gpu_is_not_given_up_in_silence(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_model, "device", lambda: "cuda")
    with pytest.raises(BadSettings, match="--device cpu"):
        mine(workspace, backend="openvino", **DENSE)


def test_a_conversion_that_changes_the_vectors_is_refused(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts are compared together, alone, and one as long as a text can be."""
    encoder = Encoder.open("models/tiny", workspace.root, backend="openvino")
    for wrong, what in ((float("nan"), "vectors that are not finite"), (9.0, "other vectors")):
        monkeypatch.setattr(stand_in, "shift", wrong)
        with pytest.raises(BadInput, match=f"has {what} when OpenVINO computes it.*--backend torch"):
            vectors(encoder.computed_by("openvino"))
    wrong_in: list[Callable[[torch.Tensor], bool]] = [
        lambda batch: len(batch) > 1,
        lambda batch: len(batch) == 1,
        lambda batch: batch.shape[1] > 60,
    ]
    for is_wrong in wrong_in:
        monkeypatch.setattr(stand_in, "is_wrong", staticmethod(is_wrong))
        with pytest.raises(BadInput, match="other vectors"):
            vectors(encoder.computed_by("openvino"))
    told = Told()
    assert mine(workspace, backend="auto", progress=told, **DENSE).agreement is None
    assert told.lines[0].startswith("torch computes the encoder, because OpenVINO cannot: models/tiny has other")


def test_agreement_is_the_smallest_cosine_and_what_else_is_in_the_top() -> None:
    """Twenty passages on the axes, and a query for which the tenth and the eleventh change places.

    A query without a token does not count.
    """
    read = np.eye(20, dtype=np.float32)
    asked = np.arange(40, 0, -2, dtype=np.float32)[None]
    other = asked.copy()
    other[0, 9:11] = other[0, 10:8:-1]
    nothing = np.zeros((1, 20), np.float32)
    found = VectorAgreement.of(
        "openvino in bf16", (np.concatenate([other, nothing]), read), (np.concatenate([asked, nothing]), read)
    )
    cosine = float((asked * other).sum() / (asked * asked).sum())
    assert (found.passages, found.queries, found.top, found.replaced) == (20, 1, 10, 1)
    assert found.smallest_cosine == pytest.approx(cosine)
    assert "of 10 passages in the top 10 of the queries, 1 (10.0%) would not be there by torch" in found.text
    assert VectorAgreement.read({**vars(found), "of a later version": 1}) == found


@pytest.mark.parametrize(("wrong", "replaced"), [([0, 0, 0, 5], 1), ([4, 3, 2, 1], 0)])
def test_agreement_of_few_passages_looks_at_half_of_them(wrong: list[int], replaced: int) -> None:
    """If all of them were looked at, nothing could be wrong."""
    read = np.eye(4, dtype=np.float32)
    asked = np.array([[4, 3, 2, 1]], np.float32)
    found = VectorAgreement.of("openvino in fp32", (np.array([wrong], np.float32), read), (asked, read))
    assert (found.top, found.replaced) == (2, replaced)


def test_agreement_on_one_passage_is_a_cosine_alone() -> None:
    one = np.ones((1, 3), np.float32)
    found = VectorAgreement.of("openvino in fp32", (one, one), (one, one))
    assert found.top == 0
    assert found.smallest_cosine == pytest.approx(1)
    assert found.text.endswith("have a cosine of at least 1.00000")


def test_in_agreement_a_duplicate_replaces_nothing() -> None:
    """Two passages are equally good; which of them is in the top is decided by the last bit."""
    asked = np.array([[1, 0.5, 0]], np.float32)
    read = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    moved = read.copy()
    moved[2, 1] = 1.01
    assert VectorAgreement.of("openvino in fp32", (asked, moved), (asked, read)).replaced == 0


def test_in_agreement_a_vector_that_became_zero_has_the_cosine_0() -> None:
    ones = np.ones((2, 3), np.float32)
    found = VectorAgreement.of("openvino in fp32", (ones, ones * np.array([[1], [0]], np.float32)), (ones, ones))
    assert (found.passages, found.smallest_cosine) == (2, 0)


def test_agreement_is_measured_and_told_once(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the record of the encoder's first run, and of a hybrid run over it."""
    monkeypatch.setattr(stand_in, "shift", 0.002)
    told = Told()
    first = mine(workspace, backend="openvino", progress=told, **DENSE)
    assert told.lines == [first.agreement and first.agreement.text]
    assert first.agreement is not None
    assert (first.agreement.passages, first.agreement.queries, first.agreement.top) == (16, 2, 8)
    assert 0.99 < first.agreement.smallest_cosine < 1
    with monkeypatch.context() as measured:
        measured.setattr(dense_run, "measure", lambda *_: 1 / 0)
        assert mine(workspace, backend="openvino", depth=3, **DENSE).agreement is None
        assert mine(workspace, backend="openvino", **DENSE).agreement == first.agreement
        assert mine(workspace, backend="torch", **DENSE).agreement is None
        united = mine(workspace, backend="openvino", retriever="hybrid", encoder="models/tiny")
    assert united.agreement == first.agreement


@pytest.mark.parametrize(("of_openvino", "chosen"), [(1.0, "openvino"), (3.0, "torch")])
def test_auto_takes_the_faster_back_end_and_never_asks_again(
    stand_in: type[StandIn],
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    of_openvino: float,
    chosen: str,
) -> None:
    """Neither a second measurement nor another number format or version changes the back end of an encoder."""
    measured = set_speed(monkeypatch, {"torch": 2.0, "openvino": of_openvino})
    told = Told()
    plan = curate.plan_mine(workspace, backend="auto", **DENSE)
    assert (measured, any("Back end auto: the run decides" in note for note in plan.notes)) == ([], True)
    first = mine(workspace, backend="auto", progress=told, **DENSE)
    assert set(measured) == {"torch", "openvino"}
    seconds = min(2.0, of_openvino)
    assert told.lines[0].startswith(f"{chosen} computes the encoder, because it took {seconds:.2g} s")
    assert record_of(workspace, first.run_id).facts["options"]["backend"] == chosen
    measured = set_speed(monkeypatch, {"torch": 3.0 - of_openvino, "openvino": 2.0})
    assert mine(workspace, backend=chosen, **DENSE).run_id == first.run_id  # type: ignore[arg-type]
    again = curate.plan_mine(workspace, backend="auto", depth=3, **DENSE)
    assert "Every passage is already embedded." in again.notes
    monkeypatch.setattr(openvino_model, "version", lambda _name: "2.0")
    monkeypatch.setenv("CURATE_DTYPE", "bf16")
    other = mine(workspace, backend="auto", depth=3, **DENSE)
    assert (record_of(workspace, other.run_id).facts["options"]["backend"], measured) == (chosen, [])


def test_auto_keeps_the_first_decision_unless_another_run_answers(
    stand_in: type[StandIn], workspace: Workspace
) -> None:
    """A single run by torch does not change what `auto` means. It says by which run it goes."""
    first = mine(workspace, backend="openvino", **DENSE)
    mine(workspace, backend="torch", **DENSE)
    by_torch = mine(workspace, backend="torch", depth=3, **DENSE)
    for depth, run_id, line in (
        (100, first.run_id, f"openvino computes the encoder, as in run {first.run_id}"),
        (3, by_torch.run_id, f"torch computes the encoder, as in run {by_torch.run_id}"),
    ):
        told = Told()
        assert mine(workspace, backend="auto", depth=depth, progress=told, **DENSE).run_id == run_id
        assert told.lines == [line]
    third = mine(workspace, backend="auto", depth=4, **DENSE)
    assert record_of(workspace, third.run_id).facts["options"]["backend"] == "openvino"


def test_auto_refuses_where_openvino_is_gone(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors by torch beside those of the run would be another encoder's. A run by torch that exists is found."""
    first = mine(workspace, backend="openvino", **DENSE)
    by_torch = mine(workspace, backend="torch", depth=3, **DENSE)
    with monkeypatch.context() as gone:
        gone.setattr(openvino_model, "version", not_there)
        with pytest.raises(NotAvailable, match=rf"run {first.run_id} .*openvino==1\.0.*--backend torch"):
            mine(workspace, backend="auto", **DENSE)
        assert mine(workspace, backend="auto", depth=3, **DENSE).run_id == by_torch.run_id
    monkeypatch.setattr(openvino_model, "device", lambda: "cuda")
    with pytest.raises(BadSettings, match=rf"run {first.run_id} .*--device cpu.*--backend torch"):
        mine(workspace, backend="auto", **DENSE)


def test_embedding_anew_by_another_back_end_or_version_is_told(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mine(workspace, backend="openvino", **DENSE)
    told = Told()
    curate.evaluate(workspace, split="train", encoder="models/tiny", depth=3, progress=told)
    anew = f"run {first.run_id} has this encoder by OpenVINO 1.0, and torch gives other vectors: all passages are"
    assert told.lines[0].startswith(anew)
    assert told.lines[0].endswith('backend = "openvino" under [mine] in curate.toml')
    told = Told()
    mine(workspace, backend="torch", depth=4, progress=told, **DENSE)
    assert told.lines == []
    monkeypatch.setattr(openvino_model, "version", lambda _name: "2.0")
    plan = curate.plan_mine(workspace, backend="openvino", depth=2, **DENSE)
    assert any(note.startswith(f"run {first.run_id}") or "OpenVINO 2.0 gives" in note for note in plan.notes)


def test_auto_takes_torch_if_only_the_tower_of_the_queries_cannot_be_converted(
    stand_in: type[StandIn], workspace: Workspace, tiny_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_towers(workspace.root / "models" / "towers", tiny_model)
    monkeypatch.setattr(stand_in, "shift", 9.0)
    sides = []
    convert = Encoder._converted

    def of_side(self: Encoder, model: Any, side: Any) -> Any:
        sides.append(side)
        monkeypatch.setattr(stand_in, "is_wrong", staticmethod(lambda _batch: side == "query"))
        return convert(self, model, side)

    monkeypatch.setattr(Encoder, "_converted", of_side)
    told = Told()
    mine(workspace, backend="auto", retriever="dense", encoder="models/towers", progress=told)
    assert "query" in sides
    assert told.lines[0].startswith("torch computes the encoder, because OpenVINO cannot: models/towers has other")


def test_auto_does_not_blame_openvino_for_what_torch_refuses(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise BadInput("the weights are damaged")

    monkeypatch.setattr(encoder_module, "load_transformer", refuse)
    told = Told()
    with pytest.raises(BadInput, match="the weights are damaged"):
        mine(workspace, backend="auto", progress=told, **DENSE)
    assert told.lines == []


def test_auto_asks_for_each_encoder(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files with another pooling are another encoder."""
    mine(workspace, backend="openvino", **DENSE)
    measured = set_speed(monkeypatch, {"torch": 1.0, "openvino": 2.0})
    mine(workspace, backend="auto", pooling="cls", **DENSE)
    assert set(measured) == {"torch", "openvino"}


def test_auto_goes_on_with_the_job_that_was_killed(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its encoder is in no record yet, but its vectors are there."""
    set_speed(monkeypatch, {"torch": 2.0, "openvino": 1.0})
    with monkeypatch.context() as killed:
        killed.setattr(dense_run, "write_candidates", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            mine(workspace, backend="auto", **DENSE)
    measured = set_speed(monkeypatch, {"torch": 1.0, "openvino": 2.0})
    assert mine(workspace, backend="auto", **DENSE).agreement is not None
    assert measured == []


def test_augment_and_rebuild_mine_by_the_back_end_of_the_run(
    stand_in: type[StandIn], workspace: Workspace, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever curate.toml says by then."""
    monkeypatch.setattr(stand_in, "shift", 0.003)
    toml = workspace.root / "curate.toml"
    toml.write_text('[mine]\nbackend = "openvino"\n', "utf-8")
    first = mine(workspace, **DENSE)
    assert first.agreement is not None
    toml.write_text('[mine]\nbackend = "torch"\n', "utf-8")
    again = Workspace(workspace.root)
    curate.denoise(again, scorer=str(tiny_cross_encoder()), depth=3, accept_judge=True)
    augmented = curate.augment(again)
    prints = {record_of(again, run_id).inputs["encoder"] for run_id in (first.run_id, augmented.run_id)}
    assert prints == {Encoder.open("models/tiny", again.root, backend="openvino").fingerprint}
    (shard,) = again.root.glob(f"tables/candidates/{first.run_id}/*.parquet")
    before = shard.read_bytes()
    shard.unlink()
    rebuild(again)
    assert shard.read_bytes() == before


def test_a_record_without_a_back_end_is_of_torch(stand_in: type[StandIn], workspace: Workspace) -> None:
    """Versions before there were back ends wrote none. Today's setting does not change how a run was made."""
    (workspace.root / "curate.toml").write_text('[mine]\nbackend = "openvino"\n', "utf-8")
    again = Workspace(workspace.root)
    first = record_of(again, mine(again, backend="torch", **DENSE).run_id)
    old = {key: value for key, value in first.facts["options"].items() if key != "backend"}
    stripped = replace(first, facts={**first.facts, "options": old})
    assert options_of(stripped) == options_of(first)
    command = command_to_mine(stripped, "train", again.settings.mine)
    assert command == command_to_mine(first, "train", again.settings.mine)
    assert "--backend torch" in command


def test_evaluate_mines_by_the_back_end_of_the_settings(stand_in: type[StandIn], workspace: Workspace) -> None:
    (workspace.root / "curate.toml").write_text('[mine]\nbackend = "openvino"\n', "utf-8")
    curate.evaluate(Workspace(workspace.root), split="train", encoder="models/tiny", depth=3)
    (record,) = workspace.records("mine")
    assert record.facts["options"]["backend"] == "openvino"


def test_the_command_line_names_the_back_end(
    stand_in: type[StandIn],
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An option goes before curate.toml, as everywhere."""
    monkeypatch.chdir(workspace.root)
    (workspace.root / "curate.toml").write_text('[mine]\nbackend = "openvino"\n', "utf-8")
    command = ["mine", "--retriever", "dense", "--encoder", "models/tiny"]
    assert run([*command, "--json"]) == 0
    out = capsys.readouterr()
    assert json.loads(out.out)["agreement"]["backend"] == "openvino in fp32"
    assert "openvino in fp32 beside torch in float32, on 16 passages and 2 queries" in out.err
    for backend, left in (("openvino", 0), ("torch", 16)):
        assert run([*command, "--backend", backend, "--depth", "3", "--dry-run", "--json"]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert plan["total"] - plan["cached"] == (left or 2)  # passages to embed, or queries that search
    assert run([*command, "--backend", "tensorrt"]) == 2


def test_doctor_examines_the_encoder_as_the_back_end_computes_it(
    stand_in: type[StandIn], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors that are other ones are red, as torch's would be."""
    monkeypatch.setattr(encoder_module, "LONGEST_CHANGE", {"fp32": 1e9})
    monkeypatch.setattr(stand_in, "shift", 5.0)
    found = curate.doctor(workspace, encoder="models/tiny", backend="openvino")
    (subject,) = [one for one in found.subjects if one.kind == "encoder"]
    assert "as transformers computes it" in [check.name for check in subject.checks if check.colour == "red"]
    assert subject.name == Encoder.open("models/tiny", workspace.root, backend="openvino").model_id


def test_doctor_examines_an_encoder_by_a_back_end_that_a_server_lacks(
    stand_in: type[StandIn], workspace: Workspace
) -> None:
    """The server is red, and the encoder is examined."""
    found = curate.doctor(workspace, encoder="models/tiny", scorer="http://localhost:1/rerank", backend="openvino")
    by_kind = {one.kind: one for one in found.subjects}
    assert "its server" in by_kind["scorer"].checks[0].found
    assert any("computed by openvino in fp32" in line for line in by_kind["encoder"].about)


# What OpenVINO itself computes


@needs_openvino
@pytest.mark.parametrize("options", [{}, {"pooling": "cls", "query_prompt": "ask: "}, {"normalize": False}])
def test_vectors_are_those_of_torch_in_fp32(options: dict[str, Any], tiny_encoder: Write) -> None:
    by_torch = Encoder.open(str(tiny_encoder()), None, "fp32", **options)
    for side in ("query", "passage"):
        ours, theirs = (
            np.concatenate([chunk.array for chunk in one.encode(TEXTS, side)])
            for one in (by_torch.computed_by("openvino"), by_torch)
        )
        assert ours == pytest.approx(theirs, abs=1e-4)


@needs_openvino
def test_bf16_is_near_to_fp32(tiny_encoder: Write) -> None:
    folder = str(tiny_encoder())
    found = vectors(Encoder.open(folder, None, "bf16", "openvino"))
    precise = vectors(Encoder.open(folder, None, "fp32"))
    assert (found * precise).sum(1).min() > 0.98
    assert not np.allclose(found, precise, atol=1e-6)


@needs_openvino
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_equal_texts_give_equal_bytes_whatever_the_threads(
    dtype: str, tiny_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tiny_encoder())
    encoder = Encoder.open(folder, None, dtype, "openvino")
    first = vectors(encoder)
    assert np.array_equal(vectors(encoder), first)
    for threads in ("2", "1"):
        monkeypatch.setenv("CURATE_THREADS", threads)
        assert np.array_equal(vectors(encoder.computed_by("openvino")), first)


@needs_openvino
def test_a_model_whose_trace_keeps_the_size_of_its_batch_is_refused(tmp_path: Path, tiny_encoder: Write) -> None:
    from transformers import LongformerConfig, LongformerModel

    folder = tiny_encoder()
    config = LongformerConfig(
        vocab_size=80, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=130, attention_window=[16, 16], pad_token_id=0,
    )  # fmt: skip
    LongformerModel(config).save_pretrained(folder)
    with pytest.raises(BadInput, match=r"OpenVINO.*--backend torch"):
        vectors(Encoder.open(str(folder), tmp_path, "fp32", "openvino"))


@needs_openvino
def test_two_towers_are_both_converted(tmp_path: Path, tiny_model: Write) -> None:
    folder = write_towers(tmp_path / "towers", tiny_model)
    by_torch = Encoder.open(str(folder), None, "fp32")
    for side in ("query", "passage"):
        ours, theirs = (
            np.concatenate([chunk.array for chunk in one.encode(TEXTS, side)])
            for one in (by_torch.computed_by("openvino"), by_torch)
        )
        assert ours == pytest.approx(theirs, abs=1e-4)
