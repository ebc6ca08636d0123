"""The types of the public functions: a type checker accepts correct calls and reports wrong ones."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import curate
from curate.config import Denoise, Export, Mine, Section, TrainCrossEncoder, TrainDualEncoder
from curate.denoise.stage import DenoiseOptions
from curate.export.request import ExportOptions
from curate.mine.request import MineOptions
from curate.train.options import CrossEncoderOptions, DualEncoderOptions

RIGHT = """
import curate
from curate.train.dual_encoder import TrainedDualEncoder

workspace = curate.Workspace("my-set")
curate.load(workspace, "collection", qrels=["dev=judged.tsv"], max_rejects=3)
mined = curate.mine(workspace, split="train", retriever="hybrid", encoder="model", depth=50)
curate.plan_mine(workspace, split="dev").seconds
curate.train_cross_encoder(workspace, run=mined.run_id, groups=400, epochs=3, folds=5, dtype="bf16", devices=2)
curate.denoise(workspace, run=mined.run_id, negative_below=0.05, cutoffs="strict").cutoffs
curate.plan_denoise(workspace, cutoffs="strict").notes
curate.augment(workspace, all_above=True).pseudo_labelled
curate.export(workspace, format="triplet", run=[mined.run_id], promote=True, force=True).figures["queries"]
trained = curate.train_dual_encoder(workspace, masks="labels", hard_negatives=0, run=None)
curate.evaluate(workspace, encoder=["a", "b"], against=mined.run_id).metrics[0].value.mean
curate.report(workspace, "funnel", run=mined.run_id, negatives=4).rows
curate.run_recipe(workspace, first="mine", last="denoise").steps
typed: TrainedDualEncoder = trained
"""
WRONG = {
    'curate.mine(workspace, split="training")': "typeddict-item|arg-type",
    "curate.mine(workspace, deep=50)": "call-arg",
    'curate.denoise(workspace, negative_below="low")': "arg-type",
    "curate.plan_denoise(workspace, cutoff='strict')": "call-arg",
    "curate.export(workspace, negatives=0.5)": "arg-type",
    'curate.train_dual_encoder(workspace, masks="all")': "arg-type",
    "curate.train_cross_encoder(workspace, epoch=3)": "call-arg",
    "curate.load(workspace, passage=['a.jsonl'])": "call-arg",
    'curate.report(workspace, "funnel", limit="five")': "arg-type",
    "curate.evaluate(workspace, runs=['a'])": "call-arg",
}


def mypy(folder: Path, code: str) -> tuple[int, str]:
    """Return mypy's exit code and output for a program that uses the package under test."""
    (folder / "program.py").write_text(code, "utf-8")
    place = Path(curate.__file__).parents[1]
    paths = {} if place.name == "site-packages" else {"MYPYPATH": str(place)}
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "program.py"]
    environment = {**os.environ, **paths, "MYPY_CACHE_DIR": str(folder / "cache")}
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout + found.stderr


@pytest.mark.slow
def test_a_type_checker_accepts_right_calls_and_names_wrong_ones(tmp_path: Path) -> None:
    """Options are TypedDicts, so a misspelt one is found before anything runs."""
    if not (Path(curate.__file__).parent / "train").is_dir():
        pytest.skip("mypy finds curate.train only in the package as it is installed: make test")
    assert mypy(tmp_path, RIGHT) == (0, "")
    program = ["import curate", 'workspace = curate.Workspace("my-set")', *WRONG]
    code, said = mypy(tmp_path, "\n".join(program))
    assert code == 1
    for line, (call, kinds) in enumerate(WRONG.items(), 3):
        about = [each for each in said.splitlines() if each.startswith(f"program.py:{line}: error")]
        assert any(f"[{kind}]" in each for each in about for kind in kinds.split("|")), f"{call}: {about or said}"


@pytest.mark.parametrize(
    ("options", "section", "besides"),
    [
        (MineOptions, Mine, {"split"}),
        (DenoiseOptions, Denoise, {"run", "cutoffs"}),
        (ExportOptions, Export, {"name", "run", "cutoffs", "seed"}),
        (CrossEncoderOptions, TrainCrossEncoder, {"run", "name"}),
        (DualEncoderOptions, TrainDualEncoder, {"run", "cutoffs", "name"}),
    ],
)
def test_options_are_the_fields_of_curate_toml(options: type, section: type[Section], besides: set[str]) -> None:
    """Every setting in curate.toml is an option of the function, with the same name and type."""
    fields: dict[str, Any] = {name: field.annotation for name, field in section.model_fields.items()}
    given = {name: kind for name, kind in options.__annotations__.items() if name not in besides}
    assert set(given) == set(fields)
    for name, kind in given.items():
        assert kind in (fields[name], fields[name] | None), name


@pytest.mark.parametrize(
    "plan",
    [
        curate.plan_load,
        curate.plan_mine,
        curate.plan_denoise,
        curate.plan_augment,
        curate.plan_evaluate,
        curate.plan_export,
        curate.plan_train_cross_encoder,
        curate.plan_train_dual_encoder,
    ],
)
def test_a_misspelt_option_is_refused_when_it_is_given_too(plan: Callable[..., object], tmp_path: Path) -> None:
    """A program that no type checker has seen must not go on without what was asked for."""
    workspace = curate.Workspace.create(tmp_path / "set")
    with pytest.raises(curate.BadSettings, match="unknown option 'encoderr'"):
        plan(workspace, encoderr="model")
