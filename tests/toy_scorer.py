"""Scorers whose logits are written down: no model, no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.config import Denoise
from curate.denoise.resolve_scorer import find_scorer
from curate.jobs import Job
from curate.models.scorer import AS_FOUND
from curate.models.scorer_options import ScorerOptions
from curate.workspace import Workspace

Logit = Callable[[str, str], float]


@dataclass
class ToyScorer:
    """A scorer, its source and its spec in one: it satisfies `PairScorer`, `Source` and `Spec`."""

    name: str
    logit: Logit
    """From the texts of query and passage to the logit."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The pairs that it has scored, in order."""
    dies_after: int | None = None
    """A KeyboardInterrupt stops it once it has scored so many pairs, like Ctrl-C."""
    place: str = ""
    """Its path; by default its name."""
    text: str = "a toy"
    options: ScorerOptions = AS_FOUND

    @property
    def spec(self) -> "ToyScorer":
        return self

    @property
    def settings(self) -> "Settings":
        return Settings(toy=self.name)

    @property
    def fingerprint(self) -> "Fingerprint":
        return Fingerprint(self.name.encode().hex().ljust(64, "0"))

    @property
    def scorer_id(self) -> "Name":
        return Name(self.name)

    def is_in(self, settings: Mapping[str, Any]) -> bool:
        return settings.get("toy") == self.name

    def path(self, root: Path) -> str:
        return self.place or self.name

    def open(self) -> "ToyScorer":
        return self

    def prepare(
        self, queries: Sequence[str], passages: Sequence[str], pairs: npt.NDArray[np.int64]
    ) -> list[tuple[str, str]]:
        return [(queries[q], passages[p]) for q, p in pairs]

    def score(
        self, rows: Sequence[tuple[str, str]], advance: Callable[[int], None] = lambda _count: None
    ) -> npt.NDArray[np.float32]:
        if self.dies_after is not None and len(self.asked) + len(rows) > self.dies_after:
            raise KeyboardInterrupt
        self.asked += rows
        advance(len(rows))
        return np.array([self.logit(*row) for row in rows], np.float32)


def introduce(workspace: Workspace, *names: str) -> None:
    """Write the scorers' rows, so that cutoffs can name them before they have scored anything."""
    for name in names:
        row = find_scorer(workspace, Denoise(scorer=name)).row()
        Job(workspace, "denoise", f"introduce-{name}").write_rows("models", [row])


# A source and a scorer name the same things, once as a function and once as a value.
class Settings(dict[str, Any]):
    """The settings, which can also be called for."""

    def __call__(self) -> dict[str, Any]:
        return dict(self)


class Fingerprint(str):
    """The fingerprint, which can also be asked of settings."""

    def __call__(self, _settings: Mapping[str, Any]) -> str:
        return str(self)


class Name(str):
    """The id, which can also be asked of a fingerprint."""

    def __call__(self, _fingerprint: str) -> str:
        return str(self)
