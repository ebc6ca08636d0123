"""Exact search by inner product: queries stay in memory, passages stream by, and each query keeps its best.

The order is canonical: score descending, then passage_key ascending. Scores are computed over tiles that start at
multiples of `TILE`, regardless of where the embedding files start, so any sharding of the passages gives the same
bits.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import torch

TILE = 8192  # passages per matrix product
GROUP = 1024  # queries per matrix product
NOTHING = -3.0e38  # the score of a passage without tokens, below every score of another passage


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


def exact(queries: "np.ndarray", passages: Iterable["np.ndarray"], depth: int) -> TopPassages:
    """Return the `depth` passages with the largest inner products for every query.

    queries: floats, queries x dimension. passages: float arrays, passages x dimension, of any lengths; the first
    row of the first array is passage 0. A vector of zeros belongs to a text without tokens: it finds nothing and
    is not found. Raises BadInput if a score is not finite.
    """
    import torch

    from curate.models.pretrained import device
    from curate.models.threads import use_threads

    use_threads()
    with torch.inference_mode():
        on = device()
        groups = [
            _Best(torch.from_numpy(queries[at : at + GROUP].astype("float32")).to(on), depth)
            for at in range(0, len(queries), GROUP)
        ]
        product = torch.empty((GROUP, TILE), device=on)  # reused: fresh memory would take a fifth more time
        for start, rows, tile in tiles(passages):
            columns = torch.from_numpy(tile).to(on).T
            silent = ~tile[:rows].any(axis=1)
            empty = torch.from_numpy(silent).to(on) if silent.any() else None
            for group in groups:
                scores = product[: len(group.queries)]
                torch.mm(group.queries, columns, out=scores)
                if empty is not None:
                    scores[:, :rows].masked_fill_(empty, NOTHING)
                group.add(start, scores[:, :rows])
        return _joined(groups, depth)


def tiles(passages: Iterable["np.ndarray"]) -> Iterator[tuple[int, int, "np.ndarray"]]:
    """Yield (first passage, number of passages, float32 TILE x dimension); the last tile is padded with zeros."""
    import numpy as np

    start = filled = 0
    tile = np.empty((0, 0), "float32")
    for array in passages:
        if not len(tile):
            tile = np.zeros((TILE, array.shape[1]), "float32")
        taken = 0
        while taken < len(array):
            step = min(TILE - filled, len(array) - taken)
            tile[filled : filled + step] = array[taken : taken + step]
            taken, filled = taken + step, filled + step
            if filled == TILE:
                yield start, TILE, tile
                start, filled = start + TILE, 0
    if filled:
        tile[filled:] = 0
        yield start, filled, tile


class _Best:
    """The best passages found so far for a group of queries."""

    def __init__(self, queries: "torch.Tensor", depth: int) -> None:
        import torch

        self.queries = queries
        self.depth = depth
        self.scores = torch.empty((len(queries), 0), device=queries.device)
        self.keys = torch.empty((len(queries), 0), dtype=torch.int64, device=queries.device)

    def add(self, start: int, scores: "torch.Tensor") -> None:
        """Add the scores of the next tile. Tiles come in the order of the keys, and the smaller key wins a tie."""
        import torch

        if self.scores.shape[1] == self.depth:
            better = scores > self.scores[:, -1:]
        elif scores.shape[1] > self.depth:
            better = scores >= scores.topk(self.depth).values[:, -1:]
        else:
            better = torch.ones_like(scores, dtype=torch.bool)
        self._merge(scores, better, start)

    def _merge(self, scores: "torch.Tensor", better: "torch.Tensor", start: int) -> None:
        import torch

        row, column = better.nonzero(as_tuple=True)
        counts = torch.bincount(row, minlength=len(scores))
        width = int(counts.max())
        if not width:
            return
        place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
        new_scores = torch.full((len(scores), width), float("-inf"), device=row.device)
        new_keys = torch.full((len(scores), width), -1, dtype=torch.int64, device=row.device)
        new_scores[row, place] = scores[row, column]
        new_keys[row, place] = column + start
        merged = torch.cat([self.scores, new_scores], 1)
        self.scores, order = merged.sort(dim=1, descending=True, stable=True)
        self.scores, order = self.scores[:, : self.depth], order[:, : self.depth]
        self.keys = torch.cat([self.keys, new_keys], 1).gather(1, order)


def _joined(groups: list[_Best], depth: int) -> TopPassages:
    import numpy as np

    if not groups:
        return TopPassages(np.empty((0, depth), "int64"), np.empty((0, depth), "float32"))
    scores = np.concatenate([group.scores.cpu().numpy() for group in groups])
    keys = np.concatenate([group.keys.cpu().numpy() for group in groups])
    if not np.isfinite(scores[keys >= 0]).all():
        raise BadInput("a score is not finite: the embeddings contain NaN or numbers that are too large")
    asks = np.concatenate([group.queries.any(1).cpu().numpy() for group in groups])
    return TopPassages(keys, scores).without((scores == np.float32(NOTHING)) | ~asks[:, None])
