"""Exact search by inner product: queries stay in memory, passages stream by, and each query keeps its best.

A first pass multiplies vectors that are rounded to the format in which the processor is fastest. It drops the
passages that cannot be among the best, by a bound on how far such a product is from the true one. A second pass
scores the remaining pairs one by one, and decides. So neither format nor device nor sizes of blocks change a result.

A score is the sum, in float64, of products in float32, rounded to float32. The order is canonical: score descending,
then passage_key ascending.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import torch

SCORE = "sum in float64"
"""What a score is. It is part of the identity of all that keeps scores, and changes when their bytes change."""
FOLD = 16
"""The largest of so many products is looked at first."""
LARGEST = 1e38
"""Products below it have room in float32 and bfloat16."""
KEYS = (1 << 32) - 1
NONE = -(1 << 63)
"""The rank of no passage, below all others."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of blocks. They decide time and memory, and nothing else."""

    queries: int
    """Queries in a matrix product."""
    passages: int
    """Passages in a matrix product; a multiple of FOLD."""
    chunk: int
    """Bytes of passages that are in memory, before they are rounded."""
    rows: int
    """Passages that are rounded, or pairs that are scored, at once. Of pairs no fewer: a GPU may sum up other numbers
    of pairs in another order."""


SIZES = {"cpu": Sizes(1024, 8192, 128 << 20, 256), "cuda": Sizes(2048, 32_768, 2 << 30, 65_536)}


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

    from curate.models.pretrained import device, multiplies_bf16
    from curate.models.threads import use_threads

    use_threads()
    if not len(queries):
        return _unpacked(torch.empty((0, depth), dtype=torch.int64))
    where = "cuda" if (where or device()) == "cuda" else "cpu"  # mps has no float64
    sizes, dtype = SIZES[where], torch.bfloat16 if multiplies_bf16(where) else torch.float32
    with torch.inference_mode(), _summed_in_float32():
        room = _Room(min(sizes.queries, len(queries)), sizes, dtype, where)
        asked = torch.from_numpy(queries).to(where).float().split(sizes.queries)
        groups = [_Group(vectors, depth, room) for vectors in asked]
        centre = None
        for start, array in chunks(passages, sizes.chunk):
            vectors = torch.from_numpy(array).to(where)
            if centre is None:
                centre = vectors[:: -(-len(vectors) // sizes.passages)].mean(0, dtype=torch.float32)
            chunk = _Chunk(start, vectors, centre, sizes, dtype)
            for group in groups if len(chunk.keys) else ():
                _Look(group, chunk).run()
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


@contextmanager
def _summed_in_float32() -> Iterator[None]:
    """Let products of float32 and bfloat16 be summed up in float32, as the bound supposes."""
    import torch

    matmul, precision = torch.backends.cuda.matmul, torch.get_float32_matmul_precision()
    reduced = matmul.allow_bf16_reduced_precision_reduction
    matmul.allow_bf16_reduced_precision_reduction = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        matmul.allow_bf16_reduced_precision_reduction = reduced
        torch.set_float32_matmul_precision(precision)


class _Chunk:
    """Passages with a token, as they are and rounded."""

    def __init__(
        self, start: int, vectors: "torch.Tensor", centre: "torch.Tensor", sizes: Sizes, dtype: "torch.dtype"
    ) -> None:
        """Subtract `centre` before rounding: what all vectors share changes no order, and would take digits."""
        import torch

        there = vectors[:, 0] != 0  # looking at all of each vector takes longer
        there[~there] = vectors[~there].any(1)
        self.keys = start + there.nonzero()[:, 0]
        self.vectors = vectors if len(self.keys) == len(vectors) else vectors[there]
        self.centre = centre
        rows = -(-len(self.keys) // FOLD) * FOLD
        self.rounded = torch.empty((rows, len(centre)), dtype=dtype, device=vectors.device)
        self.rounded[len(self.keys) :] = 0
        lengths = torch.zeros(3, device=vectors.device)
        for at in range(0, len(self.keys), sizes.rows):
            whole = self.vectors[at : at + sizes.rows].float()
            centred = whole - centre
            self.rounded[at : at + len(whole)] = centred
            lost = centred - self.rounded[at : at + len(whole)].float()
            longest = [torch.linalg.vector_norm(each, dim=1).max() for each in (whole, centred, lost)]
            lengths = torch.maximum(lengths, torch.stack(longest))
        self.length, self.centred, self.lost = lengths.tolist()


class _Room:
    """Memory that the groups use in turn, because fresh memory takes time."""

    def __init__(self, queries: int, sizes: Sizes, dtype: "torch.dtype", where: str) -> None:
        import torch

        self.sizes, self.dtype = sizes, dtype
        self.bits = torch.int16 if dtype == torch.bfloat16 else torch.int32
        self.products = torch.empty(queries * sizes.passages, dtype=dtype, device=where)
        self.places = torch.empty((queries, sizes.passages), dtype=torch.int32, device=where)
        self.values = torch.empty((queries, sizes.passages), dtype=self.bits, device=where)


class _Group:
    """Some queries, and the best passages found for them so far."""

    def __init__(self, vectors: "torch.Tensor", depth: int, room: _Room) -> None:
        import torch

        self.vectors, self.depth, self.room = vectors, depth, room
        self.rounded = vectors.to(room.dtype)
        self.silent = ~vectors.any(1)
        self.length = torch.linalg.vector_norm(vectors, dim=1)
        self.lost = torch.linalg.vector_norm(vectors - self.rounded.float(), dim=1)
        self.best = torch.empty((len(vectors), 0), dtype=torch.int64, device=vectors.device)

    def error(self, chunk: _Chunk) -> "torch.Tensor":
        """Bound, for every query, how far a product may be from the true one.

        (q + dq)(p + dp) - qp <= |dq||p + dp| + |q||dp|. A sum of n products in float32 is off by less than n ulp. The
        last term is for numbers so small that float32 loses them.
        """
        if not float(self.length.max()) * chunk.length < LARGEST:
            raise BadInput("a score is not finite: the embeddings contain NaN or numbers that are too large")
        rounding = self.lost * chunk.centred + (self.length + self.lost) * chunk.lost
        summing = (self.vectors.shape[1] + 1) * 2**-22 * self.length * chunk.length
        return 1.001 * rounding + summing + 2**-50 * (1 + self.length) * (1 + chunk.length)

    def reached(self, chunk: _Chunk) -> "torch.Tensor":
        """Return the score of the last of the best, less what the centre scores; -inf if there is room for more."""
        if self.best.shape[1] < self.depth:
            return self.length.new_full((len(self.best),), float("-inf"))
        last = self.best[:, -1]
        scores = _scores(last).double() - self.vectors.double() @ chunk.centre.double()
        return scores.float().masked_fill(last == NONE, float("-inf"))


class _Look:
    """A look at the passages of a chunk for a group of queries.

    Numbers above zero have the order of their bits, and integers are compared several times faster. A query whose
    `floor` would not be above zero lets every passage through.
    """

    def __init__(self, group: _Group, chunk: _Chunk) -> None:
        import torch

        self.group, self.chunk, self.room = group, chunk, group.room
        self.error, self.reached = group.error(chunk), group.reached(chunk)
        self.least, self.most = (getattr(torch.iinfo(self.room.bits), name) for name in ("min", "max"))
        width, depth = min(self.room.sizes.passages, len(chunk.rounded)), group.depth
        self.fold = max(fold for fold in (1, 2, 4, 8, FOLD) if fold == 1 or width >= 4 * fold * depth)
        shape = len(group.best), width // self.fold
        self.highest = torch.full(shape, self.least, dtype=self.room.bits, device=group.best.device)
        self.last = self.highest[:, 0].clone()
        self.filled = torch.zeros(len(group.best), dtype=torch.int64, device=group.best.device)

    def run(self) -> None:
        """Multiply, keep what may be among the best, score it."""
        width = self.room.sizes.passages
        for at in range(0, len(self.chunk.rounded), width):
            products = self._products(self.chunk.rounded[at : at + width])
            highest = products.amax(1)
            self._raise_floor(highest)
            row, column = (highest >= self.floor[:, None]).nonzero(as_tuple=True)
            cells = products.transpose(1, 2)[row, column]
            hit, layer = (cells >= self.floor[row, None]).nonzero(as_tuple=True)
            place = at + layer * products.shape[2] + column[hit]
            there = place < len(self.chunk.keys)  # the last rows only fill up
            self._keep(row[hit][there], place[there], cells[hit, layer][there])
        self._settle()

    def _products(self, columns: "torch.Tensor") -> "torch.Tensor":
        """Return the bits of the products: queries x fold x the rest of the passages."""
        import torch

        rows, width = len(self.group.rounded), len(columns)
        products = self.room.products[: rows * width].view(rows, width)
        torch.mm(self.group.rounded, columns.T, out=products)
        return products.view(self.room.bits).view(rows, self.fold, width // self.fold)

    def _raise_floor(self, highest: "torch.Tensor") -> None:
        """Find the least bits that a product among the best may have, by `highest` of the next passages.

        The largest products of folds belong to different passages, so that `depth` passages reach the last of the
        `depth` largest.
        """
        import torch

        columns = self.highest[:, : highest.shape[1]]
        torch.maximum(columns, highest, out=columns)
        if self.highest.shape[1] >= self.group.depth:
            self.last = _largest(self.highest, self.group.depth)[:, -1]
        self._set_floor()

    def _set_floor(self) -> None:
        import torch

        unit = torch.finfo(self.room.dtype).eps / 2  # the relative error of the products, which are rounded, too
        last = self.last.contiguous().view(self.room.dtype).float()
        floor = torch.maximum(self.reached - self.error, last * (1 - unit) - 2 * self.error)
        bits = (floor * (1 - 2 * unit)).to(self.room.dtype).view(self.room.bits)
        self.floor = bits.masked_fill(~(floor > 0), self.least).masked_fill(self.group.silent, self.most)

    def _keep(self, row: "torch.Tensor", place: "torch.Tensor", value: "torch.Tensor") -> None:
        """Put passages aside; `row` ascends."""
        import torch

        counts = torch.bincount(row, minlength=len(self.filled))
        width = self.room.places.shape[1]
        if int((self.filled + counts).max()) > width:
            self._settle()
        first = torch.arange(len(self.filled), device=row.device) * width + self.filled - counts.cumsum(0) + counts
        target = first[row] + torch.arange(len(row), device=row.device)
        self.room.places.view(-1)[target] = place.int()
        self.room.values.view(-1)[target] = value
        self.filled += counts

    def _settle(self) -> None:
        """Score the passages that were put aside, those first that raise the floor for the others."""
        import torch

        width = int(self.filled.max())
        values = self.room.values[: len(self.filled), :width]
        aside = torch.arange(width, device=values.device) < self.filled[:, None]
        first = aside & (values >= torch.maximum(self.last, self.floor)[:, None])
        self._let_in(first)
        self._let_in(aside & ~first & (values >= self.floor[:, None]))
        self.filled.zero_()

    def _let_in(self, chosen: "torch.Tensor") -> None:
        """Score the passages at the chosen places, and let the best of them in."""
        import torch

        row, column = chosen.nonzero(as_tuple=True)
        place = self.room.places[row, column].long()
        ranks = torch.full(chosen.shape, NONE, device=chosen.device)
        ranks[row, column] = _ranks(self._score(row, place), self.chunk.keys[place])
        self.group.best = _largest(torch.cat([self.group.best, ranks], 1), self.group.depth)
        self.reached = self.group.reached(self.chunk)
        self._set_floor()

    def _score(self, row: "torch.Tensor", place: "torch.Tensor") -> "torch.Tensor":
        import torch

        size = self.room.sizes.rows
        pairs, scores = len(row), torch.empty(len(row) + size, device=row.device)
        row, place = (torch.nn.functional.pad(each, (0, -len(each) % size)) for each in (row, place))
        for at in range(0, len(row), size):
            queries = self.group.vectors.index_select(0, row[at : at + size])
            queries *= self.chunk.vectors.index_select(0, place[at : at + size])
            scores[at : at + size] = queries.sum(1, dtype=torch.float64)
        return scores[:pairs]


def _largest(numbers: "torch.Tensor", count: int) -> "torch.Tensor":
    """Return the `count` largest integers of each row, or all if there are fewer, the largest first."""
    import numpy as np
    import torch

    count = min(count, numbers.shape[1])
    if numbers.device.type != "cpu":
        return numbers.topk(count, dim=1).values
    ordered = np.sort(numbers.numpy(), axis=1)  # twenty times faster than torch
    return torch.from_numpy(ordered[:, ::-1][:, :count].copy())


def _ranks(scores: "torch.Tensor", keys: "torch.Tensor") -> "torch.Tensor":
    """Return integers in canonical order: the bits of the score, ordered as numbers, then those of the key, turned."""
    import torch

    bits = (scores + 0.0).view(torch.int32)  # -0.0 + 0.0 is 0.0
    return (torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long() << 32) + (KEYS - keys)


def _scores(ranks: "torch.Tensor") -> "torch.Tensor":
    import torch

    bits = (ranks >> 32).int()
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32)


def _unpacked(ranks: "torch.Tensor") -> TopPassages:
    none = ranks == NONE
    keys, scores = (KEYS - (ranks & KEYS)).masked_fill(none, -1), _scores(ranks).masked_fill(none, float("-inf"))
    return TopPassages(keys.numpy(), scores.numpy())
