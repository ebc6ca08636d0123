"""Workers for tests/test_train_world.py; a new process imports these functions by the module's name."""

import json
from pathlib import Path
from typing import Any

import torch

from curate.config import TrainCrossEncoder, TrainDualEncoder
from curate.errors import CurateError
from curate.models.embedding_spec import read_embedding_spec
from curate.models.pretrained import load_tokenizer
from curate.train.batch import Batches
from curate.train.cross_encoder_task import CrossEncoderTask
from curate.train.dual_encoder_task import DualEncoderTask
from curate.train.initial_model import cross_encoder_from
from curate.train.towers import towers_from
from curate.train.world import World

SEED = 7


def gradients(world: World, folder: Path, options: dict[str, Any], batch_rows: int, target: str) -> None:
    """Write the summed gradient of the first batch and the loss, from the first process."""
    torch.manual_seed(0)
    model = folder / "encoder"
    towers = towers_from(model, read_embedding_spec(model, {}), separate=options.pop("separate", False))
    towers.eval()  # without dropout, whose draws differ with the number of processes
    chosen = TrainDualEncoder(**options)
    batches = Batches(folder / "rows", world, cross_batch=chosen.cross_batch)
    task = DualEncoderTask(towers, chosen, 1.0, "fp32", world, batches)
    _, batch = next(batches.read(batch_rows))
    outcome = task.backward(batch, SEED)
    keep(world, towers, outcome.loss, folder / target)


def keep(world: World, model: torch.nn.Module, part: float, path: Path) -> None:
    """Write the summed gradient and the loss, from the first process."""
    world.sum_gradients(model.parameters())
    [loss] = world.total([part])
    if world.is_first:
        flat = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        torch.save({"gradient": torch.cat(flat), "loss": loss}, path)


def ranking(world: World, folder: Path, groups: int, target: str) -> None:
    """Write a cross-encoder's summed gradient of one batch and the loss, from the first process."""
    model = cross_encoder_from(folder / "tiny-ce", 0)
    model.eval()  # without dropout, as above
    task = CrossEncoderTask(
        model, load_tokenizer(folder / "tiny-ce"), TrainCrossEncoder(max_length=48), "fp32", world
    )
    outcome = task.backward(pairs(groups), SEED)
    keep(world, model, outcome.loss, folder / target)


def pairs(groups: int) -> list[dict[str, Any]]:
    """Return the pairs of groups with one to three negatives and texts of different lengths."""
    return [
        {
            "group_number": group,
            "slot": slot,
            "kind": "near" if slot else "positive",
            "earlier": None,
            "query": f"when does rain {group} fall",
            "passage": "snow and rain " * (1 + (group + slot) % 4),
            "query_id": f"q{group}",
            "passage_id": f"p{slot}",
        }
        for group in range(groups)
        for slot in range(2 + group % 3)
    ]


def fail(world: World, how: str) -> None:
    """Raise an error or exit in the second process while the first waits for it."""
    if world.rank == 1:
        if how == "raise":
            raise CurateError("the second process says why")
        raise SystemExit(9)
    world.wait()


def disagree(world: World, folder: Path) -> None:
    """Write the answers of `agree` for values that all processes share, and for values that differ."""
    found = [world.agree([3, 7]), world.agree([3, world.rank])]
    (folder / f"{world.rank}.json").write_text(json.dumps(found), "utf-8")


def say(world: World, folder: Path) -> None:
    """Write this process's share of five items."""
    share = world.share(5)
    (folder / f"{world.rank}.json").write_text(json.dumps([share.start, share.stop]), "utf-8")
