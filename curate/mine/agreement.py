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
TIE = 1e-4  # scores are equal within this share of a query's largest score: float16 has no more digits


@dataclass(frozen=True)
class VectorAgreement:
    """How far two computations of the same vectors differ."""

    backend: str
    """The back end and its number format, for a reader."""
    passages: int
    """The passages of the sample that have a vector."""
    queries: int
    """The queries of the sample that have a vector."""
    smallest_cosine: float
    """The smallest cosine of the two vectors of one text; 0 if one of them is zero."""
    top: int
    """How many of the sample's passages are looked at for each query: the best ones, at most half of all."""
    replaced: int
    """Of all these passages of all queries together, those that the precise vectors put below the top."""

    @classmethod
    def of(
        cls, backend: str, ours: "tuple[Floats, Floats]", precise: "tuple[Floats, Floats]"
    ) -> "VectorAgreement":
        """Return how far vectors agree with `precise` ones: each time those of queries, and those of passages.

        Both are rounded to float16, as a search uses them. A text whose precise vector is zero has no token and
        does not count. A passage that is as good as the last one of the precise top replaces nothing.
        """
        import numpy as np

        there = [vectors.any(axis=1) for vectors in precise]
        own, other = (
            [rows[known].astype(np.float16).astype(np.float64) for rows, known in zip(two, there, strict=True)]
            for two in (ours, precise)
        )
        cosines = [_cosines(one, two) for one, two in zip(own, other, strict=True)]
        queries, passages = map(len, other)
        top = min(TOP, passages // 2)
        return cls(
            backend=backend,
            passages=passages,
            queries=queries,
            smallest_cosine=float(np.concatenate(cosines).min(initial=1.0)),
            top=top,
            replaced=_replaced(own[0] @ own[1].T, other[0] @ other[1].T, top) if top else 0,
        )

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "VectorAgreement":
        """Return the agreement in a job's record. Facts that this version does not know are left out."""
        return cls(**{field.name: facts[field.name] for field in fields(cls) if field.name in facts})

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        looked_at = self.queries * self.top
        cosine = (
            f"{self.backend} beside torch in float32, on {counted(self.passages, 'passages')} and "
            f"{counted(self.queries, 'queries')}: the two vectors of a text have a cosine of at least "
            f"{self.smallest_cosine:.5f}"
        )
        if not looked_at:
            return cosine
        return (
            f"{cosine}, and of {counted(looked_at, 'passages')} in the top {self.top} of the queries, "
            f"{self.replaced:,} ({self.replaced / looked_at:.1%}) would not be there by torch"
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
    cosines: npt.NDArray[np.float64] = np.zeros_like(lengths)
    np.divide((one * two).sum(axis=1), lengths, out=cosines, where=lengths > 0)
    return cosines


def _replaced(ours: "npt.NDArray[np.float64]", precise: "npt.NDArray[np.float64]", top: int) -> int:
    """Return how many passages that are in the top by `ours` are below it by `precise` (queries x passages)."""
    import numpy as np

    best = np.argsort(-ours, axis=1, kind="stable")[:, :top]
    last = np.sort(precise, axis=1)[:, -top, None]
    margin = TIE * np.abs(precise).max(axis=1, keepdims=True)
    return int((np.take_along_axis(precise, best, axis=1) < last - margin).sum())
