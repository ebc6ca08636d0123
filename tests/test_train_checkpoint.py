"""Checkpoints (train/checkpoint.py), which are complete or absent. A kill -9 costs only time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

from curate import Workspace
from curate.errors import BadSettings, CurateError, NoSpace
from curate.train import checkpoint
from curate.train.checkpoint import State
from curate.train.curve import Curve
from curate.train.optimizer import adamw

Make = Callable[..., Workspace]
Model = Callable[..., Path]


def stepped(seed: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """Return a model and its optimizer after one step."""
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 1)
    optimizer = adamw(model, 0.01)
    optimizer.param_groups[0]["lr"] = 0.1
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_what_is_restored_is_what_was_saved(tmp_path: Path) -> None:
    """A checkpoint has the weights, both moments, the step count and the log."""
    model, optimizer = stepped(0)
    checkpoint.save(tmp_path, State(5, {"groups": 3}, "plan", Curve([{"step": 5}])), model, optimizer)
    state = checkpoint.latest(tmp_path)
    assert state is not None
    assert (state.step, state.settings, state.curve.lines) == (5, {"groups": 3}, [{"step": 5}])
    other, other_optimizer = stepped(1)
    checkpoint.restore(tmp_path, state, other, other_optimizer)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        for kind, value in optimizer.state[mine].items():
            assert torch.equal(value, other_optimizer.state[theirs][kind])


def test_only_the_newest_checkpoint_is_kept(tmp_path: Path) -> None:
    """The previous one is deleted once the new one is complete."""
    for step in (5, 10):
        checkpoint.save(tmp_path, State(step), *stepped(0))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000010"]


@pytest.mark.parametrize("call", ["replace", "fsync", "rmtree"])
def test_a_crash_at_any_point_of_saving_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Saving is interrupted at every rename, fsync and removal.

    Either the old or the new checkpoint can be restored.
    """
    owner = {"replace": Path, "fsync": os, "rmtree": shutil}[call]
    real = getattr(owner, call)
    checkpoint.save(tmp_path, State(1), *stepped(0))
    for broken in range(1, 6):
        calls = 0

        def crash(*args: object, broken: int = broken, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == broken:
                raise KeyboardInterrupt
            return real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(owner, call, crash)
            with suppress(KeyboardInterrupt):
                checkpoint.save(tmp_path, State(broken + 1), *stepped(0))
        state = checkpoint.latest(tmp_path)
        assert state is not None
        assert state.step in range(1, broken + 2)
        checkpoint.restore(tmp_path, state, *stepped(1))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    """With one flipped byte, it is neither loaded nor silently overwritten."""
    checkpoint.save(tmp_path, State(1), *stepped(0))
    tensors = tmp_path / "step-000000001" / "tensors.safetensors"
    data = bytearray(tensors.read_bytes())
    data[-1] ^= 1
    tensors.write_bytes(data)
    state = checkpoint.latest(tmp_path)
    assert state is not None
    with pytest.raises(CurateError, match=r"tensors.safetensors is damaged. Delete"):
        checkpoint.restore(tmp_path, state, *stepped(1))


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ENOSPC in the middle, the temporary folder is deleted."""
    monkeypatch.setattr(
        checkpoint, "fsync", lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(NoSpace, match="No space left on device"):
        checkpoint.save(tmp_path / "c", State(1), *stepped(0))
    assert list((tmp_path / "c").iterdir()) == []


@pytest.mark.parametrize("save", [checkpoint.save, checkpoint.save_best])
def test_a_disk_that_refuses_safetensors_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[..., None]
) -> None:
    """The library safetensors has its own type of error for an exceeded quota or file size."""

    def refuse(*_arguments: object) -> None:
        raise SafetensorError("I/O error: File too large (os error 27)")

    monkeypatch.setattr(safetensors.torch, "save_file", refuse)
    model, optimizer = stepped(0)
    given = (State(1), model, optimizer) if save is checkpoint.save else (1, model)
    with pytest.raises(NoSpace, match=r"cannot write .*File too large.* run the same command again"):
        save(tmp_path / "c", *given)
    assert list((tmp_path / "c").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("folds", [1, 2])
def test_a_training_that_is_killed_ends_with_the_bytes_of_one_that_is_not(
    make_workspace: Make, tiny_cross_encoder: Model, folds: int
) -> None:
    """The training gets kill -9 twice, and then the same command runs to the end."""
    passages = {f"p{n}": f"passage {n} on {'abcdefgh'[n % 8]}" for n in range(40)}
    queries = {f"q{n}": f"what of {'abcdefgh'[n % 8]} {n}" for n in range(16)}
    workspace = make_workspace(
        passages, queries, qrels=[(query, f"p{n}") for n, query in enumerate(queries)],
        candidates={query: list(passages) for query in queries},
    )  # fmt: skip
    command = [
        sys.executable, "-m", "curate", "-q", "-C", str(workspace.root), "train", "cross-encoder",
        "--init", str(tiny_cross_encoder()), "--groups", "1200", "--epochs", "1000", "--folds", str(folds),
        "--max-length", "40",
    ]  # fmt: skip
    subprocess.run([*command, "--name", "whole"], check=True)
    killed = [*command, "--name", "killed", "--checkpoint-every", "10"]
    for _ in range(2):
        _kill_after_a_checkpoint(killed, workspace.root / "models")
    subprocess.run(killed, check=True)
    whole, resumed = (
        [path.read_bytes() for path in sorted((workspace.root / "models" / name).rglob("model.safetensors"))]
        for name in ("whole", "killed")
    )
    assert len(whole) == folds
    assert whole == resumed


def _checkpoints(folder: Path) -> set[Path]:
    """Return the checkpoints below a folder. The training may remove one meanwhile, which os.walk passes over."""
    return {Path(root, name) for root, names, _ in os.walk(folder) for name in names if name.startswith("step-")}


def _kill_after_a_checkpoint(command: list[str], folder: Path) -> None:
    before = _checkpoints(folder)
    process = subprocess.Popen(command)
    while not _checkpoints(folder) - before and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_what_a_system_leaves_in_a_folder_is_not_foreign(tmp_path: Path) -> None:
    """NFS keeps deleted files that are open, and macOS remembers a view. Anything else stops the training."""
    for name in (".nfs000000000001", ".DS_Store", "step-000000001"):
        (tmp_path / name).touch()
    checkpoint.check_own(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadSettings, match=r"holds notes\.txt"):
        checkpoint.check_own(tmp_path)
