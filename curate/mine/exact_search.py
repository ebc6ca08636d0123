"""Exact search by inner product: queries stay in memory, passages stream by, and each query keeps its best.

A score is the inner product in float64, rounded to float32. The order is canonical: score descending, then
passage_key ascending. `two_passes.py` finds it, the same whatever the blocks and the threads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

SCORE = "float64"
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
    import numpy as np
    import torch

    from curate.mine.two_passes import NONE, SIZES, Block, Group, summed_in_float32
    from curate.models.pretrained import device, multiplies_bf16
    from curate.models.threads import use_threads

    use_threads()
    where = "cuda" if (where or device()) == "cuda" else "cpu"  # mps has no float64
    sizes, dtype = SIZES[where], torch.bfloat16 if multiplies_bf16(where) else torch.float32
    asked = np.array(queries, "float32", order="C")  # a copy, which torch can take whatever the array is
    asks = torch.from_numpy(asked.any(axis=1))
    best = torch.full((len(asked), depth), NONE)
    if not asks.any():
        return _unpacked(best)
    with torch.inference_mode(), summed_in_float32():
        vectors = torch.from_numpy(asked)[asks].to(where)
        rows = min(sizes.queries, len(vectors))
        products = torch.empty(rows * sizes.block(vectors.shape[1]), dtype=dtype, device=where)
        groups = [Group(part, depth, sizes, products) for part in torch.split(vectors, rows)]
        for start, array in blocks(passages, sizes.block(vectors.shape[1])):
            block = Block(start, torch.from_numpy(array).to(where), sizes, dtype)
            for group in groups if len(block.keys) else ():
                group.look(block)
        best[asks] = torch.cat([group.best for group in groups]).cpu()
    return _unpacked(best)


def pair_score(query: "np.ndarray", passage: "np.ndarray") -> float:
    """Return the score of one pair."""
    import numpy as np

    return float(np.float32((query.astype("float64") * passage.astype("float64")).sum()))


def blocks(arrays: Iterable["np.ndarray"], size: int) -> Iterator[tuple[int, "np.ndarray"]]:
    """Yield (number of the first row, `size` rows in float32); the next rows take the place of the last."""
    import numpy as np

    start = filled = 0
    block = np.empty((0, 0), "float32")
    for array in arrays:
        if not len(block):
            block = np.empty((size, array.shape[1]), "float32")
        taken = 0
        while taken < len(array):
            step = min(size - filled, len(array) - taken)
            block[filled : filled + step] = array[taken : taken + step]
            taken, filled = taken + step, filled + step
            if filled == size:
                yield start, block
                start, filled = start + size, 0
    if filled:
        yield start, block[:filled]


def _unpacked(ranks: "torch.Tensor") -> TopPassages:
    from curate.mine.two_passes import KEYS, NONE, scores_of

    none = ranks == NONE
    keys, scores = (KEYS - (ranks & KEYS)).masked_fill(none, -1), scores_of(ranks).masked_fill(none, float("-inf"))
    return TopPassages(keys.numpy(), scores.numpy())
