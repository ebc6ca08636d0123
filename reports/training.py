"""The learning curves of the models that took part, from the logs of their trainings."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from curate.workspace import Workspace

MOST = 60
"""The points of a curve that are kept: more cannot be told apart in a chart."""
OTHER = ("learning_rate", "rows", "won", "seconds", "pairs_per_second", "tokens_per_second", "waited_for_data")
"""Figures of a training line that are no measure on dev."""


def training_curves(workspace: Workspace, lineage: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the learning curves of the trainings in `lineage`: one row per model and step.

    won: the share of groups or rows in which a positive ranks first. dev_measure, dev: name and value of what was
    measured on dev at that step, if anything. A model without a readable log has no rows.
    """
    names = [row["job"].removeprefix("train-") for row in lineage if row["stage"] == "train"]
    folders = [name.replace("+", "/") for name in names]
    return [row for name in folders for row in _curve(name, workspace.root / "models" / f"{name}.log.jsonl")]


def _curve(model: str, path: Path) -> Iterator[dict[str, Any]]:
    steps: dict[int, dict[str, Any]] = {}
    for line in _lines(path):
        row = steps.setdefault(
            int(line["step"]),
            {"model": f"models/{model}", "step": int(line["step"]), "loss": None, "won": None}
            | {"dev_measure": None, "dev": None},
        )
        if "loss" in line:
            row |= {
                "loss": line["loss"],
                "won": round(line["won"] / line["rows"], 4) if line.get("rows") else None,
            }
        else:
            (row["dev_measure"], row["dev"]) = next(
                (item for item in line.items() if item[0] not in ("step", *OTHER)), (None, None)
            )
    rows = [steps[step] for step in sorted(steps)]
    every = -(-len(rows) // MOST)
    yield from (
        row for i, row in enumerate(rows) if i % max(every, 1) == 0 or row["dev"] is not None or i == len(rows) - 1
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log that can be read. A kill may have cut the last one."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        try:
            found = json.loads(line, parse_constant=lambda _: None)  # NaN, of a training that diverged
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("step"), int):
            yield found
