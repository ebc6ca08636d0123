"""How far the vectors of another back end agree with those of torch in float32, on a sample of the texts."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from curate.counted import counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.mine.candidates import Queries
    from curate.models.encoder import Encoder, Side
    from curate.progress import Progress

    Floats = npt.NDArray[np.float32]

SAMPLE_PASSAGES, SAMPLE_QUERIES, TOP = 256, 64, 10


@dataclass(frozen=True)
class VectorAgreement:
    """Two computations of the same vectors beside each other."""

    backend: str
    """The back end and its number format, for a reader."""
    passages: int
    """The passages of the sample that have a vector."""
    queries: int
    """The queries of the sample that have a vector."""
    least_cosine: float
    """The smallest cosine of the two vectors of one text."""
    top: int
    """How many of the sample's passages are looked at for each query: the best ones."""
    others: int
    """Of all these passages of all queries together, those that are not among the best by the other vectors."""

    @classmethod
    def of(
        cls, backend: str, ours: "tuple[Floats, Floats]", precise: "tuple[Floats, Floats]"
    ) -> "VectorAgreement":
        """Return how far vectors agree with `precise` ones: each time those of queries, and those of passages.

        A text whose precise vector is zero has no token and does not count.
        """
        import numpy as np

        there = [vectors.any(axis=1) for vectors in precise]
        own, other = (
            [vectors[known].astype(np.float64) for vectors, known in zip(two, there, strict=True)]
            for two in (ours, precise)
        )
        cosines = [_cosines(one, two) for one, two in zip(own, other, strict=True)]
        queries, passages = map(len, other)
        top = min(TOP, passages)
        best = [np.argsort(-(asked @ read.T), axis=1, kind="stable")[:, :top] for asked, read in (own, other)]
        same = sum(len(np.intersect1d(one, two)) for one, two in zip(*best, strict=True))
        return cls(
            backend=backend,
            passages=passages,
            queries=queries,
            least_cosine=float(np.concatenate(cosines).min(initial=1.0)),
            top=top,
            others=queries * top - same,
        )

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "VectorAgreement":
        """Return the agreement in a job's record. Facts that this version does not know are left out."""
        return cls(**{field.name: facts[field.name] for field in fields(cls) if field.name in facts})

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        looked_at = self.queries * self.top
        return (
            f"{self.backend} beside torch in float32, on {counted(self.passages, 'passages')} and "
            f"{counted(self.queries, 'queries')}: the two vectors of a text have a cosine of at least "
            f"{self.least_cosine:.5f}, and of {counted(looked_at, 'passages')} in the top {self.top} of the "
            f"queries, {self.others:,} ({self.others / max(1, looked_at):.1%}) are others"
        )


def measure(queries: "Queries", encoder: "Encoder", progress: "Progress") -> VectorAgreement:
    """Return how far an encoder that another back end computes agrees with torch in float32."""
    workspace = queries.workspace
    drawn = {"seed": workspace.settings.seed}
    read = workspace.select("mine/passages_to_compare", **drawn, size=SAMPLE_PASSAGES)["text"].to_list()
    asked = workspace.select("mine/sample", **drawn, split=queries.split, size=SAMPLE_QUERIES)["text"].to_list()
    texts: list[tuple[Side, list[str]]] = [("query", asked), ("passage", read)]
    with progress.task(
        f"comparing {encoder.backend} with torch", 2 * (len(read) + len(asked)), "texts"
    ) as advance:

        def vectors(of: "Encoder") -> "tuple[Floats, Floats]":
            import numpy as np

            first, second = (
                np.concatenate([chunk.array for chunk in of.encode(own, side, advance)]) for side, own in texts
            )
            return first, second

        ours, precise = vectors(encoder), vectors(encoder.in_float32())
    return VectorAgreement.of(f"{encoder.backend} in {encoder.dtype}", ours, precise)


def _cosines(one: "npt.NDArray[np.float64]", two: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    import numpy as np

    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    cosines: npt.NDArray[np.float64] = (one * two).sum(axis=1) / lengths
    return cosines
