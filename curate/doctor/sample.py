"""The texts that a model is examined with: labelled queries, their positives and candidates, random passages."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.errors import StepMissing
from curate.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

POSITIVES, FOUND, RANDOM = 2, 8, 6
"""Passages of a query: labelled ones, those on top of the current run, and those drawn by chance."""
TextPair = tuple[str, str]


@dataclass(frozen=True)
class Sample:
    """Queries and passages of a workspace, and the pairs of them that a model is asked about."""

    queries: list[str]
    passages: list[str]
    pairs: "Ints"
    """pairs x 2: index into queries, index into passages. Those of a query stand together."""
    kinds: list[str]
    """Of each pair: `positive`, `candidate` or `random`."""
    measured: list[bool]
    """Of each query: whether it is labelled and the model was not trained on it."""
    seen: int
    """The labelled queries among them that the model was trained on."""

    @property
    def texts(self) -> list[TextPair]:
        """The texts of the pairs."""
        return [(self.queries[query], self.passages[passage]) for query, passage in self.pairs.tolist()]

    @property
    def text(self) -> str:
        """What was drawn, for a terminal."""
        counts = ", ".join(f"{self.kinds.count(kind):,} {name}" for kind, name in NAMES.items())
        return (
            f"{len(self.queries):,} queries, {sum(self.measured):,} of them labelled and unseen; pairs: {counts}"
        )

    def of_query(self, query: int) -> "Ints":
        """Return the positions of the pairs of a query."""
        import numpy as np

        return np.flatnonzero(self.pairs[:, 0] == query)


NAMES = {"positive": "labelled positives", "candidate": "candidates", "random": "random passages"}


def draw_sample(workspace: Workspace, path: str, queries: int) -> Sample:
    """Return the texts for a model; the same ones at every call.

    path: that of the model in the workspace, by which it is known what it was trained on. Raises StepMissing if
    there is no passage or no query with a text.
    """
    import pyarrow as pa

    with workspace.connect_lazily() as connection:
        asked = sql_files.select(connection, "doctor/queries", path=path, queries=queries).to_arrow_table()
        keys = asked["query_key"].to_pylist()
        connection.register("asked", pa.table({"query_key": pa.array(keys, pa.int32())}))
        sizes = {"positives": POSITIVES, "found": FOUND, "random": RANDOM}
        rows: list[dict[str, Any]] = (
            sql_files.select(connection, "doctor/pairs", **sizes).to_arrow_table().to_pylist()
        )
    if not keys:
        raise StepMissing(f"{workspace.root} holds no queries yet", run="curate load --queries FILE")
    if not rows:
        raise StepMissing(
            f"{workspace.root} holds no passage to compare with a query", run="curate load COLLECTION"
        )
    return _sample(asked.to_pylist(), rows)


def _sample(asked: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Sample:
    import numpy as np

    place = {row["query_key"]: at for at, row in enumerate(asked)}
    texts = {row["passage_key"]: row["passage"] for row in rows}
    passage = {key: at for at, key in enumerate(texts)}
    rows = sorted(rows, key=lambda row: (place[row["query_key"]], row["passage_key"]))
    pairs = [(place[row["query_key"]], passage[row["passage_key"]]) for row in rows]
    return Sample(
        queries=[row["text"] for row in asked],
        passages=list(texts.values()),
        pairs=np.asarray(pairs, np.int64).reshape(-1, 2),
        kinds=[row["kind"] for row in rows],
        measured=[row["is_labelled"] and not row["is_seen"] for row in asked],
        seen=sum(row["is_labelled"] and row["is_seen"] for row in asked),
    )
