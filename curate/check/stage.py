"""`curate check`: which training texts stand in dev, test or a benchmark. Nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypedDict, Unpack

from curate.check.near import LEAST, Texts
from curate.counted import counted
from curate.errors import BadSettings, StepMissing
from curate.load.shown import shown
from curate.load.stage import load
from curate.options import given_options
from curate.progress import SILENT, Progress
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

SIMILARITY = 0.8
MAX_QUERIES = 0
KINDS = {"query": "training queries", "passage": "positives of training queries"}


class CheckOptions(TypedDict, total=False):
    """The options of `check`."""

    against: Sequence[str | Path] | None
    """Collections, as `curate load` reads them, whose queries and positives must not be trained on either."""
    near: float | None
    """From which share of common shingles two texts are nearly the same; 0.8 by default."""
    max_queries: int | None
    """The training queries that may stand there; 0 by default."""
    max_passages: int | None
    """The positives of training queries that may stand there; by default they are told, and any number may."""


@dataclass(frozen=True)
class Leak:
    """A training text and a text of an evaluation that are the same, or nearly."""

    kind: str
    """query or passage."""
    id: str
    where: str
    """dev, test, or the benchmark."""
    other_id: str
    similarity: float
    """1 for the same text."""
    is_exact: bool
    """Whether the texts differ at most in case, punctuation and white space."""
    text: str
    other_text: str


@dataclass(frozen=True)
class Checked:
    """What `check` found."""

    similarity: float
    compared: dict[str, int]
    """Kind -> the training texts that were compared."""
    evaluated: dict[str, dict[str, int]]
    """Where -> kind -> the texts that they were compared with."""
    left_out: int
    """Queries that do not train anyway, because dev or test has their text."""
    leaks: list[Leak]
    """The most similar one of each training text in each place, queries first, the most similar ones first."""
    allowed: dict[str, int | None]
    """Kind -> the training texts that may leak; None: any number."""

    def leaking(self, kind: str) -> int:
        """Return the number of training texts of a kind that leak."""
        return len({leak.id for leak in self.leaks if leak.kind == kind})

    @property
    def is_clean(self) -> bool:
        """Whether no more leak than may."""
        return all(most is None or self.leaking(kind) <= most for kind, most in self.allowed.items())

    def text(self) -> str:
        """Return the counts for a terminal."""
        lines = [f"near: at least {self.similarity:g} of the shingles of both texts in common"]
        for where, sizes in self.evaluated.items():
            for kind, name in KINDS.items():
                found = [leak for leak in self.leaks if (leak.where, leak.kind) == (where, kind)]
                exact = sum(leak.is_exact for leak in found)
                lines.append(
                    f"{where}: {len(found):,} of {self.compared[kind]:,} {name} stand among {sizes[kind]:,} "
                    f"({exact:,} exactly, {len(found) - exact:,} nearly)"
                )
        if self.left_out:
            queries = counted(self.left_out, "more queries stand", "more query stands")
            lines.append(f"{queries} exactly in dev or test, and will not train")
        told = [
            f"{self.leaking(kind):,} {KINDS[kind]} leak, and {most:,} may"
            for kind, most in self.allowed.items()
            if most is not None and self.leaking(kind) > most
        ]
        return "\n".join([*lines, *(f"FAILED: {line}" for line in told)])


def check(workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[CheckOptions]) -> Checked:
    """Return which training queries, and which of their positives, stand in dev, test or a benchmark.

    Nothing is written. Raises StepMissing if there is no training query or nothing to compare with, and
    BadSettings if `near` is not between 0.7 and 1.
    """
    given = given_options(CheckOptions, options)
    least = given.get("near", SIMILARITY)
    if not LEAST <= least <= 1:
        raise BadSettings(f"near = {least:g}; expected a number from {LEAST:g} to 1, such as {SIMILARITY:g}")
    ours = workspace.select("check/training_texts")
    left_out = int(workspace.select("check/left_out")["queries"][0])
    if not ours.height and left_out:
        raise StepMissing(
            "no query is left to train on: "
            f"{counted(left_out, 'queries stand', 'query stands')} exactly in dev or test"
        )
    if not ours.height:
        raise StepMissing("no query of train or without labels yet", run="curate load COLLECTION")
    evaluated: dict[str, dict[str, int]] = {}
    leaks: list[Leak] = []
    for where, theirs in _evaluations(workspace, given.get("against", ()), progress):
        evaluated[where] = {kind: theirs.filter(kind=kind).height for kind in KINDS}
        for kind in KINDS:
            leaks += _leaks(kind, where, ours.filter(kind=kind), theirs.filter(kind=kind), least)
    if not evaluated:
        raise StepMissing("neither dev nor test has queries, and no benchmark is named: --against COLLECTION")
    places = list(evaluated)
    order = sorted(
        leaks, key=lambda leak: (list(KINDS).index(leak.kind), -leak.similarity, leak.id, places.index(leak.where))
    )
    return Checked(
        similarity=least,
        compared={kind: ours.filter(kind=kind).height for kind in KINDS},
        evaluated=evaluated,
        left_out=left_out,
        leaks=order,
        allowed={"query": given.get("max_queries", MAX_QUERIES), "passage": given.get("max_passages")},
    )


def _evaluations(
    workspace: Workspace, benchmarks: Sequence[str | Path], progress: Progress
) -> "Iterator[tuple[str, pl.DataFrame]]":
    """Yield the name and the texts of dev, test, and each benchmark."""
    own = workspace.select("check/evaluation_texts", all=False)
    for split in own["split"].unique().sort():
        yield split, own.filter(split=split)
    named = [benchmarks] if isinstance(benchmarks, (str, Path)) else benchmarks
    for benchmark in dict.fromkeys(map(Path, named)):
        with TemporaryDirectory(prefix="curate-check-") as folder:
            other = Workspace.create(Path(folder) / "benchmark")
            load(other, benchmark, progress=progress)
            theirs = other.select("check/evaluation_texts", all=False)
            theirs = theirs if theirs.height else other.select("check/evaluation_texts", all=True)
            if not theirs.height:
                raise StepMissing(f"{shown(benchmark)} has no query, so that nothing could be found in it")
            yield shown(benchmark), theirs


def _leaks(kind: str, where: str, ours: "pl.DataFrame", theirs: "pl.DataFrame", least: float) -> Iterator[Leak]:
    """Yield the most similar evaluation text of each training text that has one."""
    texts, others = ours["text"].to_list(), theirs["text"].to_list()
    best: dict[int, tuple[bool, float, int]] = {}
    for near in Texts(others).near(texts, least):
        exact = ours["text_hash"][near.first] == theirs["text_hash"][near.second]
        found = (exact, near.similarity, -near.second)
        best[near.first] = max(found, best.get(near.first, found))
    for first, (exact, similarity, second) in best.items():
        yield Leak(
            kind=kind,
            id=ours["id"][first],
            where=where,
            other_id=theirs["id"][-second],
            similarity=round(similarity, 6),
            is_exact=bool(exact),
            text=texts[first],
            other_text=others[-second],
        )
