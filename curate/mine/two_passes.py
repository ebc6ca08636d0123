"""The two passes of exact search.

The first multiplies vectors that are rounded to the format in which the processor is fastest. It drops the
passages that cannot be among the best, by a bound on how far such a product is from the true one. The second
scores the remaining pairs one by one, and decides. So the first changes no result, whatever its format and blocks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.errors import BadInput

if TYPE_CHECKING:
    import torch

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
    """Passages that are rounded, or pairs that are scored, at once. Of pairs never fewer: a GPU may sum up another
    number of pairs in another order."""


SIZES = {"cpu": Sizes(1024, 16_384, 128 << 20, 256), "cuda": Sizes(2048, 32_768, 2 << 30, 65_536)}


@contextmanager
def summed_in_float32() -> Iterator[None]:
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


class Chunk:
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
        length, self.centred, self.lost = lengths.tolist()
        self.length: float = (
            length + self.centred
        )  # at least that of each vector, centred or not, and of the centre


class Room:
    """Memory that the groups use in turn, because fresh memory takes time."""

    def __init__(self, queries: int, sizes: Sizes, dtype: "torch.dtype", where: str) -> None:
        import torch

        self.sizes, self.dtype = sizes, dtype
        self.bits, self.dropped = (torch.int16, 16) if dtype == torch.bfloat16 else (torch.int32, 0)
        self.products = torch.empty(queries * sizes.passages, dtype=dtype, device=where)
        self.places = torch.empty((queries, sizes.passages), dtype=torch.int32, device=where)
        self.values = torch.empty((queries, sizes.passages), dtype=self.bits, device=where)


class Group:
    """Some queries, and the best passages found for them so far."""

    def __init__(self, vectors: "torch.Tensor", depth: int, room: Room) -> None:
        import torch

        self.vectors, self.depth, self.room = vectors, depth, room
        self.rounded = vectors.to(room.dtype)
        self.silent = ~vectors.any(1)
        self.length = torch.linalg.vector_norm(vectors, dim=1)
        self.lost = torch.linalg.vector_norm(vectors - self.rounded.float(), dim=1)
        self.best = torch.empty((len(vectors), 0), dtype=torch.int64, device=vectors.device)

    def error(self, chunk: Chunk) -> "torch.Tensor":
        """Bound, for every query, how far a product may be from the true one.

        Of rounded vectors: qp - (q - dq)(p - dp) = dq p + (q - dq) dp, at most |dq||p| + (|q| + |dq|)|dp|. A sum
        of n products in float32 is off by less than n ulp. The last term is for numbers so small that they vanish.
        """
        if not float(self.length.max()) * chunk.length < LARGEST:
            raise BadInput("a score is not finite: the embeddings contain NaN or numbers that are too large")
        rounding = self.lost * chunk.centred + (self.length + self.lost) * chunk.lost
        summing = (self.vectors.shape[1] + 1) * 2.0**-22 * self.length * chunk.length
        lost = 2.0**-50 * (1 + self.length) * (1 + chunk.length)
        error: torch.Tensor = 1.001 * rounding + summing + lost
        return error

    def reached(self, chunk: Chunk) -> "torch.Tensor":
        """Return the score of the last of the best, less that of the centre; -inf if there is room for more."""
        import torch

        if self.best.shape[1] < self.depth:
            return torch.full_like(self.length, float("-inf"))
        last = self.best[:, -1]
        scores: torch.Tensor = scores_of(last).double() - self.vectors.double() @ chunk.centre.double()
        return torch.where(last == NONE, float("-inf"), scores.float())


class Look:
    """A look at the passages of a chunk for a group of queries.

    Numbers above zero have the order of their bits, and integers are compared several times faster. A query whose
    `floor` would not be above zero lets every passage through.
    """

    def __init__(self, group: Group, chunk: Chunk) -> None:
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
        bits = ((floor * (1 - unit)).view(torch.int32) >> self.room.dropped).to(self.room.bits)  # rounded down
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
        ranks[row, column] = _ranks(self.score(row, place), self.chunk.keys[place])
        self.group.best = _largest(torch.cat([self.group.best, ranks], 1), self.group.depth)
        self.reached = self.group.reached(self.chunk)
        self._set_floor()

    def score(self, row: "torch.Tensor", place: "torch.Tensor") -> "torch.Tensor":
        """Return the scores of pairs of a query and a place in the chunk."""
        import torch

        size = self.room.sizes.rows
        pairs, scores = len(row), torch.empty(len(row) + size, device=row.device)
        row, place = (torch.nn.functional.pad(each, (0, -len(each) % size)) for each in (row, place))
        for at in range(0, len(row), size):
            queries = self.group.vectors.index_select(0, row[at : at + size])
            queries *= self.chunk.vectors.index_select(0, place[at : at + size]).float()
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
    """Return integers that are larger for a better passage: the score decides, then the smaller key."""
    import torch

    bits = (scores + 0.0).view(torch.int32)  # -0.0 + 0.0 is 0.0
    return (torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long() << 32) + (KEYS - keys)


def scores_of(ranks: "torch.Tensor") -> "torch.Tensor":
    """Return the scores in ranks; NONE has none."""
    import torch

    bits = (ranks >> 32).int()
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32)
