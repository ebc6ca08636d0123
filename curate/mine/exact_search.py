"""Exact search by inner product: queries stay in memory, passages stream by, and each query keeps its best.

A score is the sum, in float64, of products in float32, rounded to float32. The order is canonical: score
descending, then passage_key ascending. `two_passes.py` finds it, the same whatever the blocks and the threads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

SCORE = "sum in float64"
"""What a score is. It is part of the identity of all that keeps scores, and changes when their bytes change."""


@dataclass(frozen=True)
class TopPassages:
    """The best passages of some queries, best first. Rows are queries and columns are ranks."""

    keys: "np.ndarray"
    """int64, the number of the passage in the stream, or -1 if the query has no passage at that rank."""
    scores: "np.ndarray"
    """float32, or -inf if there is no passage."""

    def without(self, dropped: "np.ndarray") -> "TopPassages":
        """Return the passages that are not `dropped` (bool, of the same shape), in the same order."""
        import numpy as np

        if not dropped.any():
            return self
        order = np.argsort(dropped, axis=1, kind="stable")
        keys = np.take_along_axis(np.where(dropped, -1, self.keys), order, 1)
        return TopPassages(keys, np.take_along_axis(np.where(dropped, -np.inf, self.scores), order, 1))

    def top(self, depth: int) -> "TopPassages":
        """Return the `depth` best passages of each query."""
        return TopPassages(self.keys[:, :depth], self.scores[:, :depth])


def exact(
    queries: "np.ndarray", passages: Iterable["np.ndarray"], depth: int, where: str | None = None
) -> TopPassages:
    """Return the `depth` passages with the largest inner products for every query.

    queries: floats, queries x dimension. passages: float arrays, passages x dimension, of any lengths; the first
    row of the first array is passage 0. A vector of zeros belongs to a text without tokens: it finds nothing and
    is not found. where: cuda or cpu; by default where models run. Raises BadInput if a number is not finite, or so
    large that a score may not be.
    """
    import torch

    from curate.mine.two_passes import SIZES, Chunk, Group, Look, Room, summed_in_float32
    from curate.models.pretrained import device, multiplies_bf16
    from curate.models.threads import use_threads

    use_threads()
    if not len(queries):
        return _unpacked(torch.empty((0, depth), dtype=torch.int64))
    where = "cuda" if (where or device()) == "cuda" else "cpu"  # mps has no float64
    sizes, dtype = SIZES[where], torch.bfloat16 if multiplies_bf16(where) else torch.float32
    with torch.inference_mode(), summed_in_float32():
        room = Room(min(sizes.queries, len(queries)), sizes, dtype, where)
        asked = torch.from_numpy(queries).to(where).float()
        groups = [Group(vectors, depth, room) for vectors in torch.split(asked, sizes.queries)]
        centre = None
        for start, array in chunks(passages, sizes.chunk):
            vectors = torch.from_numpy(array).to(where)
            if centre is None:
                centre = vectors[:: -(-len(vectors) // sizes.passages)].mean(0, dtype=torch.float32)
            chunk = Chunk(start, vectors, centre, sizes, dtype)
            for group in groups if len(chunk.keys) else ():
                Look(group, chunk).run()
        return _unpacked(torch.cat([group.best for group in groups]).cpu())


def chunks(arrays: Iterable["np.ndarray"], size: int) -> Iterator[tuple[int, "np.ndarray"]]:
    """Yield (number of the first row, rows) of about `size` bytes; the next rows take the place of the last."""
    import numpy as np

    start = filled = 0
    chunk = np.empty((0, 0))
    for array in arrays:
        if not len(chunk):
            chunk = np.empty((max(1, size // (array.shape[1] * array.itemsize)), array.shape[1]), array.dtype)
        taken = 0
        while taken < len(array):
            step = min(len(chunk) - filled, len(array) - taken)
            chunk[filled : filled + step] = array[taken : taken + step]
            taken, filled = taken + step, filled + step
            if filled == len(chunk):
                yield start, chunk
                start, filled = start + filled, 0
    if filled:
        yield start, chunk[:filled]


def _unpacked(ranks: "torch.Tensor") -> TopPassages:
    from curate.mine.two_passes import KEYS, NONE, scores_of

    none = ranks == NONE
    keys, scores = (KEYS - (ranks & KEYS)).masked_fill(none, -1), scores_of(ranks).masked_fill(none, float("-inf"))
    return TopPassages(keys.numpy(), scores.numpy())
