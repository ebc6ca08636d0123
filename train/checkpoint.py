"""Checkpoints: weights and optimizer in safetensors, the rest in JSON. A folder that exists is complete.

models/<name>.checkpoint/
  groups.parquet, or rows.parquet and the files beside it: the training data
  step-000000100/               tensors.safetensors and state.json, after 100 steps
  best-000000080.safetensors    the weights that did best on dev so far, here those of step 80
  distilled.parquet             a cross-encoder: the groups by which it learns from the retriever's encoder
  distilled-0123456789abcdef/   its own checkpoints while it does, and then its weights
  saving                        a marker: the writing of the model's own folder has begun
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadSettings, CurateError, NoSpace
from curate.shards import UNWRITABLE, file_sha256, fsync, whole_file

from .curve import Curve

if TYPE_CHECKING:
    import torch

TENSORS, STATE, SAVING = "tensors.safetensors", "state.json", "saving"
OURS = re.compile(
    r"(groups\.parquet|rows\.parquet|queries\.arrow|passages\.arrow)(\.json)?|step-\d{9}|best-\d{9}\.safetensors"
    r"|distilled\.parquet(\.json)?|distilled-[0-9a-f]{16}|saving|\..*\.tmp|\.nfs.*|\.DS_Store"
)
"""The names in a folder of checkpoints, as listed above, those of unfinished files, and what systems leave."""


@dataclass(frozen=True)
class State:
    """The progress of a training, without its tensors."""

    step: int = 0
    """The number of steps done."""
    settings: dict[str, Any] = field(default_factory=dict)
    plan: str = ""
    """The sha256 of the file with the training data."""
    curve: Curve = field(default_factory=Curve)
    tensors: str = ""
    """The sha256 of the tensors."""
    best: dict[str, Any] | None = None
    """The step and measure of the weights that did best on dev, and the measures of the start and the end so far.

    The file with the weights lies beside the checkpoint.
    """
    threads: int = 0
    """The threads of all processes together; gradients depend on them in their last bits. 0: not known."""


def check_own(folder: Path) -> None:
    """Raise BadSettings if `folder` holds anything else than checkpoints: it is deleted after the training."""
    foreign = sorted(path.name for path in folder.glob("*") if not OURS.fullmatch(path.name))
    if folder.is_file() or folder.is_symlink() or foreign:
        what = f"holds {', '.join(foreign[:3])}" if foreign else "is no folder"
        raise BadSettings(
            f"{folder} {what}, which no training wrote, and would be deleted after this one. Move it away, or use "
            "another --name."
        )


def latest(folder: Path) -> State | None:
    """Return the state of the newest checkpoint in `folder`, or None; raises CurateError if it is damaged."""
    steps = _steps(folder)
    if not steps:
        return None
    try:
        kept = json.loads((steps[-1] / STATE).read_text("utf-8"))
        return State(**{**kept, "curve": Curve(**kept["curve"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CurateError(
            f"{steps[-1]} is not a checkpoint: {error}. Delete that folder and train again."
        ) from error


def save(folder: Path, state: State, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer") -> None:
    """Write a checkpoint atomically; the previous one is deleted only once the new one is complete."""
    from safetensors.torch import save_file

    before = _steps(folder)

    def write(temporary: Path) -> None:
        save_file(_tensors(model, optimizer), temporary / TENSORS)
        whole = replace(state, tensors=file_sha256(temporary / TENSORS))
        (temporary / STATE).write_text(json.dumps(asdict(whole)) + "\n", "utf-8")

    publish_folder(folder / f"step-{state.step:09d}", write)
    for old in before:
        shutil.rmtree(old)
    for path in folder.glob("best-*"):
        if state.best and path != _best(folder, state.best["step"]):
            path.unlink()


def restore(folder: Path, state: State, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer") -> None:
    """Load the checkpoint into `model` and `optimizer`; raises CurateError if its tensors are damaged."""
    from safetensors.torch import load_file

    path = folder / f"step-{state.step:09d}" / TENSORS
    if not path.is_file() or file_sha256(path) != state.tensors:
        raise CurateError(f"{path} is damaged. Delete {folder} and train again.")
    tensors = load_file(path)
    _set_weights(model, tensors)
    parameters = dict(model.named_parameters())
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        optimizer.state[parameters[name]][kind] = tensor.to(parameters[name].device)


def save_best(folder: Path, step: int, model: "torch.nn.Module") -> None:
    """Write the model's weights as the best ones, those of `step`; the next checkpoint deletes older files."""
    from safetensors.torch import save_file

    path = _best(folder, step)
    with _refused_by_disk(path), whole_file(path) as temporary:
        save_file(_weights(model), temporary)


def save_weights(folder: Path, step: int, model: "torch.nn.Module") -> None:
    """Write the model's weights after the last step, as the best ones, and delete the checkpoints before them."""
    save_best(folder, step, model)
    for old in _steps(folder):
        shutil.rmtree(old)


def has_weights(folder: Path, step: int) -> bool:
    """Return whether the weights of `step` are in `folder` as the best ones."""
    return _best(folder, step).is_file()


def restore_best(folder: Path, step: int, model: "torch.nn.Module") -> None:
    """Load the weights of `step`, which did best on dev, into `model`; raises CurateError if they are gone."""
    from safetensors.torch import load_file

    path = _best(folder, step)
    if not path.is_file():
        raise CurateError(f"{path} is gone. Delete {folder} and train again.")
    _set_weights(model, load_file(path))


def publish_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary folder, fsync it and rename it to `target`; raises NoSpace on a full disk."""
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with _refused_by_disk(target):
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            write(temporary)
            for path in temporary.rglob("*"):
                if path.is_file():
                    path.chmod(0o644)  # safetensors creates files that only their owner can read
                fsync(path)
            fsync(temporary)
            shutil.rmtree(target, ignore_errors=True)
            temporary.replace(target)
            fsync(target.parent)
    except NoSpace:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def _refused_by_disk(target: Path) -> Iterator[None]:
    """Turn errors of writing to a full disk into NoSpace; safetensors has its own type of error for them."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno not in UNWRITABLE:
            raise
        raise NoSpace(
            f"cannot write {target}: {error}. Free disk space, then run the same command again."
        ) from error


def _best(folder: Path, step: int) -> Path:
    return folder / f"best-{step:09d}.safetensors"


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _weights(model: "torch.nn.Module") -> dict[str, "torch.Tensor"]:
    return {f"weight/{name}": parameter.detach().contiguous() for name, parameter in model.named_parameters()}


def _set_weights(model: "torch.nn.Module", tensors: dict[str, "torch.Tensor"]) -> None:
    """Move the weights from `tensors` into the model; the other tensors remain in `tensors`."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors.pop(f"weight/{name}"))


def _tensors(model: "torch.nn.Module", optimizer: "torch.optim.Optimizer") -> dict[str, "torch.Tensor"]:
    tensors = _weights(model)
    for name, parameter in model.named_parameters():
        for kind, value in optimizer.state[parameter].items():
            tensors[f"{kind}/{name}"] = value.contiguous()
    return tensors
