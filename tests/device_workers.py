"""Work for tests/test_devices.py; a new process imports these functions by the module's name."""

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

import torch

from curate.errors import BadInput
from curate.models.threads import use_threads
from curate.progress import Advance
from curate.shard_in_work import shard_in_work


def squares(offset: int, parts: Iterable[int], advance: Advance) -> list[int]:
    """Return the squares of the parts, plus an offset."""
    found = []
    for part in parts:
        found.append(part * part + offset)
        advance(1)
    return found


def surroundings(parts: Iterable[int], _advance: Advance) -> tuple[str | None, str, int, int]:
    """Return which GPU this process sees, how many devices and threads it may use, and those that torch uses."""
    list(parts)
    return (
        os.environ.get("CUDA_VISIBLE_DEVICES"),
        os.environ["CURATE_DEVICES"],
        use_threads(),
        torch.get_num_threads(),
    )


def refuses(parts: Iterable[int], _advance: Advance) -> None:
    """Find a fault in the first part."""
    raise BadInput(f"part {next(iter(parts))} is bad", file="texts.jsonl", line=3)


def breaks(parts: Iterable[int], _advance: Advance) -> None:
    """Fail as no code of curate means to."""
    raise ZeroDivisionError(f"part {next(iter(parts))}")


def fills_memory(parts: Iterable[int], _advance: Advance) -> None:
    """Fail as Python does without memory."""
    raise MemoryError(f"part {next(iter(parts))}")


def does_nothing(parts: Iterable[int], _advance: Advance) -> None:
    """Return nothing."""
    list(parts)


def dies(parts: Iterable[int], _advance: Advance) -> None:
    """End as a process does that the system kills."""
    list(parts)
    os._exit(9)


def logs(parts: Iterable[int], _advance: Advance) -> int:
    """Log a line, as stages do."""
    logging.getLogger("curate.jobs").info("wrote part %d", next(iter(parts)), extra={"shard": "scores/7"})
    return 1


def begins_parts(folder: Path, parts: Iterable[int], _advance: Advance) -> None:
    """Leave a file when a part begins and another when it ends, half a second later."""
    for part in parts:
        with shard_in_work():
            (folder / f"begun-{part}").touch()
            time.sleep(0.5)
            (folder / f"done-{part}").touch()
