"""The threads of torch on a CPU (curate/models/threads.py): their number, and what depends on it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Interrupt

from curate import Workspace
from curate.cli.main import run
from curate.errors import BadSettings
from curate.models.cross_encoder import CrossEncoder
from curate.models.threads import cpus, use_threads
from curate.progress import Lines
from curate.train.cross_encoder import TrainedCrossEncoder, train_cross_encoder

Make = Callable[..., Workspace]
Model = Callable[..., Path]


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """Give torch its own number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_curate_threads_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, torch's own number stays, which never exceeds the CPUs of this process."""
    monkeypatch.setenv("CURATE_THREADS", "3")
    assert (use_threads(), torch.get_num_threads()) == (3, 3)
    monkeypatch.delenv("CURATE_THREADS")
    torch.set_num_threads(1)
    assert use_threads() == 1
    torch.set_num_threads(cpus() + 5)
    assert (use_threads(), torch.get_num_threads()) == (cpus(), cpus())


@pytest.mark.parametrize("given", ["0", "two", "-1", "1.5"])
def test_another_value_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """It is never guessed."""
    monkeypatch.setenv("CURATE_THREADS", given)
    with pytest.raises(BadSettings, match=f"CURATE_THREADS is '{given}', expected a whole number above 0"):
        use_threads()


@pytest.mark.parametrize(
    ("quota", "allowed"),
    [("100000 100000", 1), ("50000 100000", 1), ("99900000 100000", 999), ("max 100000", 999)],
)
def test_a_containers_quota_counts(tmp_path: Path, quota: str, allowed: int) -> None:
    """A container on a large machine may have the time of one CPU only."""
    (tmp_path / "cpu.max").write_text(f"{quota}\n", "ascii")
    assert cpus(tmp_path / "cpu.max") == min(allowed, cpus(tmp_path / "none"))


def test_a_thread_that_waits_sleeps() -> None:
    """OpenMP reads this variable when torch is loaded, so that it is set before. A user's own value stays."""
    code = "import sys, os, curate.models; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    for given, told in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        clean = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
        printed = subprocess.check_output([sys.executable, "-c", code], env=clean | given, text=True)
        assert printed.split() == [told, "False"]


def test_scores_do_not_depend_on_the_number_of_threads(
    tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scoring that is resumed with other threads therefore has the bytes of one that was not interrupted."""
    folder = tiny_cross_encoder()
    queries, passages = [f"query {n}" for n in range(40)], [f"passage {n} " * (1 + n % 7) for n in range(40)]
    pairs = np.stack([np.arange(40)] * 2, axis=1)
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("CURATE_THREADS", threads)
        scorer = CrossEncoder(folder)
        found.append(scorer.score(scorer.prepare(queries, passages, pairs)).tobytes())
        assert torch.get_num_threads() == int(threads)
    assert found[0] == found[1] == found[2]


def test_a_resumed_training_keeps_the_threads_with_which_it_began(
    make_workspace: Make,
    tiny_cross_encoder: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Gradients depend on the number of threads in their last bits, and the result must not."""
    workspace = _mined(make_workspace)
    init = str(tiny_cross_encoder())

    def train(name: str, **options: Any) -> TrainedCrossEncoder:
        small: dict[str, Any] = {"groups": 24, "batch_groups": 4, "max_length": 40, "checkpoint_every": 2}
        return train_cross_encoder(workspace, init=init, name=name, **{**small, **options})

    monkeypatch.setenv("CURATE_THREADS", "2")
    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("resumed", progress=Interrupt(4))
    monkeypatch.setenv("CURATE_THREADS", "1")
    assert train("resumed", progress=Lines()).sha256 == whole.sha256
    assert "as before the interruption (CURATE_THREADS does not change that)" in capsys.readouterr().err
    assert torch.get_num_threads() == 2


def test_the_option_reaches_torch_and_the_record_of_a_training(
    make_workspace: Make, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever trains again needs the number for the same bytes."""
    monkeypatch.delenv("CURATE_THREADS", raising=False)
    workspace = _mined(make_workspace)
    command = ["-q", "-C", str(workspace.root), "train", "cross-encoder", "--init", str(tiny_cross_encoder())]
    assert run([*command, "--groups", "4", "--max-length", "40", "--threads", "3"]) == 0
    assert torch.get_num_threads() == 3
    assert [record.facts["threads"] for record in workspace.records("train")] == [3]
    assert "CURATE_THREADS" not in os.environ


def _mined(make_workspace: Make) -> Workspace:
    passages = {f"p{n}": f"passage {n} on {'abcdefgh'[n % 8]}" for n in range(24)}
    queries = {f"q{n}": f"what of {'abcdefgh'[n % 8]} {n}" for n in range(8)}
    return make_workspace(
        passages, queries, qrels=[(query, f"p{n}") for n, query in enumerate(queries)],
        candidates={query: list(passages) for query in queries},
    )  # fmt: skip
