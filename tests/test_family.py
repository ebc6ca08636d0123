"""Scorers and encoders of one family (curate/family.py, curate/models/family.py), and who is told of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import write_workspace

import curate
from curate import Workspace
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.family import kin
from curate.jobs import Job
from curate.models.family import common_base
from curate.models.folder import fingerprint, model_id

Model = Callable[..., Path]


def of_a_dense_run(folder: Path, encoder: str, scorer: str) -> Workspace:
    """Return a workspace whose run was made by the model at `encoder` and is judged by the one at `scorer`."""
    workspace = write_workspace(
        folder, {"a": "one text", "b": "another"}, {"q": "question"}, qrels=[("q", "a")], split="test"
    )
    job = Job(workspace, "mine", "dense-train")
    models = [("the-encoder", "encoder", encoder), ("the-scorer", "cross-encoder", scorer)]
    job.write_rows("models", [
        {"model_id": name, "role": role, "path": path, "fingerprint": name, "settings": "{}"}
        for name, role, path in models
    ])  # fmt: skip
    found = {"run_id": "dense-train", "query_key": 0, "score": 1.0}
    job.write_rows("candidates", [{**found, "passage_key": p, "rank": p + 1} for p in (0, 1)])
    job.write_rows("runs", [{"run_id": "dense-train", "retriever": "dense", "split": "test", "depth": 2,
                             "queries": 1, "sources": [], "round": 1, "model_id": "the-encoder"}])  # fmt: skip
    job.finish()
    scored = Job(workspace, "denoise", "score-dense-train", {"run": "dense-train", "depth": 2})
    scored.write_rows("scores", [
        {"scorer_id": "the-scorer", "query_key": 0, "passage_key": p, "logit": 1.0 - p} for p in (0, 1)
    ])  # fmt: skip
    scored.finish(scorer_id="the-scorer", run="dense-train")
    set_cutoffs(workspace, "default", scorer="the-scorer")
    return workspace


def trained(workspace: Workspace, name: str, start: Path) -> None:
    """Write the record of a training that began with the model in `start`."""
    print_ = fingerprint(start, {})
    job = Job(workspace, "train", f"train-{name}", {"init": model_id(start, print_)}, {"init": print_})
    job.finish()


def why(workspace: Workspace) -> str:
    found = kin(workspace, "dense-train", ["the-scorer"])
    return found[0].why if found else "strangers"


def test_a_scorer_that_was_trained_from_the_encoder(tmp_path: Path, tiny_encoder: Model) -> None:
    """The record of the training is certain. The files need not be alike any more."""
    encoder = tiny_encoder("my-encoder")
    workspace = of_a_dense_run(tmp_path / "set", str(encoder), "models/judge")
    assert why(workspace) == "strangers"
    trained(workspace, "judge", encoder)
    assert why(workspace) == "certain: the scorer was trained here from this encoder"


def test_two_models_that_were_trained_here_from_one(tmp_path: Path, tiny_model: Model) -> None:
    """Also by way of a third model."""
    base = tiny_model(tmp_path / "base", head=False)
    workspace = of_a_dense_run(tmp_path / "set", "models/second", "models/judge")
    first = tiny_model(workspace.root / "models" / "first", head=False, seed=5)
    trained(workspace, "first", base)
    trained(workspace, "second", first)
    trained(workspace, "judge", base)
    assert why(workspace) == f"certain: both were trained here from {model_id(base, fingerprint(base, {}))}"


def test_models_from_elsewhere_are_related_if_their_embeddings_are_alike(
    tmp_path: Path, tiny_model: Model
) -> None:
    """A little training leaves them so. Two models with one vocabulary that were made apart are strangers."""
    encoder = tiny_model(tmp_path / "encoder", head=False, seed=1)
    scorer = tiny_model(tmp_path / "scorer", seed=1)
    stranger = tiny_model(tmp_path / "stranger", seed=2)
    assert "very likely: their word embeddings are alike" in str(common_base(scorer, encoder))
    shake(scorer, 0.05)
    assert "very likely" in str(common_base(scorer, encoder))
    assert common_base(stranger, encoder) is None


def test_tokens_that_one_of_two_relatives_has_more_change_nothing(tmp_path: Path, tiny_model: Model) -> None:
    """A training may add some. The tokens before them stay where they are."""
    import torch
    from safetensors.torch import load_file, save_file

    encoder, scorer = (tiny_model(tmp_path / name, head=False, seed=1) for name in ("encoder", "scorer"))
    path = scorer / "model.safetensors"
    weights = load_file(path)
    (name,) = [name for name in weights if name.endswith("word_embeddings.weight")]
    weights[name] = torch.cat([weights[name], torch.randn(3, weights[name].shape[1])])
    save_file(weights, path, metadata={"format": "pt"})
    assert "very likely" in str(common_base(scorer, encoder))


def shake(folder: Path, by: float) -> None:
    """Add noise to the weights of a model, and store them as bfloat16."""
    import torch
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    torch.manual_seed(0)
    weights = {name: (w + by * torch.randn_like(w)).to(torch.bfloat16) for name, w in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


def test_files_that_name_one_model_make_it_likely(tmp_path: Path, tiny_model: Model) -> None:
    """An adapter has no embeddings of its own, but it names its base."""
    encoder = tiny_model(tmp_path / "encoder", head=False)
    config = json.loads((encoder / "config.json").read_text("utf-8"))
    (encoder / "config.json").write_text(json.dumps({**config, "_name_or_path": "org/base"}), "utf-8")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}', "utf-8")
    assert common_base(adapter, encoder) == "likely: the files of both name org/base"
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/other"}', "utf-8")
    assert common_base(adapter, encoder) is None


def test_a_folder_that_is_gone_or_damaged_says_nothing(tmp_path: Path, tiny_model: Model) -> None:
    """Unknown is no family, and no error: a report needs no model."""
    encoder = tiny_model(tmp_path / "encoder", head=False)
    workspace = of_a_dense_run(tmp_path / "set", str(encoder), "http://localhost:1#model")
    assert why(workspace) == "strangers"
    scorer = Path(shutil.copytree(encoder, tmp_path / "scorer"))
    (scorer / "model.safetensors").write_bytes(b"\xff" * 20)
    (scorer / "config.json").write_text("[", "utf-8")
    assert common_base(scorer, encoder) is None


@pytest.mark.parametrize("report", ["judge", "denoised_by_rank", "false_negatives_by_retriever", "overview"])
def test_reports_by_a_judge_warn(
    tmp_path: Path, tiny_model: Model, capsys: pytest.CaptureFixture[str], report: str
) -> None:
    """The warning names both models, how sure it is, and what to compare with. Evaluations tell it, too."""
    encoder, scorer = (str(tiny_model(tmp_path / name, head=name == "scorer")) for name in ("encoder", "scorer"))
    workspace = of_a_dense_run(tmp_path / "set", encoder, scorer)
    name: list[Any] = [] if report == "overview" else [report]
    assert run(["-C", str(workspace.root), "report", *name, "--run", "dense-train"]) == 0
    told = capsys.readouterr().err
    assert (
        told.count("the-scorer, which judges, and the-encoder, which made run dense-train, are of one family") == 1
    )
    assert "(very likely: their word embeddings are alike, with a mean cosine of 1.00)" in told
    evaluated = curate.evaluate(workspace).text()
    assert "are of one family" in evaluated
    assert "The figures above are by people's labels." in evaluated
