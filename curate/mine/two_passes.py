"""The two passes of exact search.

The first multiplies vectors that are rounded to the format in which the processor is fastest. It drops the
passages that cannot be among the best, by a bound on how far such a product is from the true one. The second
scores the remaining pairs one by one, and decides. So the first changes no result, whatever its format and blocks.
Where it drops too little, because scores are closer than its digits, products in float64 take its place.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput

if TYPE_CHECKING:
    import torch

FOLD = 16
"""The largest of so many products is looked at first."""
CROWDED = 32
"""If more than 1 in so many passages may be among the best, a product in float64 takes less time than pairs."""
FAR = 2
"""A passage that is farther from the centre than so many times the median passes by the first pass."""
LARGEST = 1e38
"""Scores below it have room in float32."""
NOT_FINITE = "a score is not finite: the embeddings contain NaN or numbers that are too large"
KEYS = (1 << 32) - 1
NONE = -(1 << 63)
"""The rank of no passage, below all others."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of blocks. They decide time and memory, and nothing else."""

    queries: int
    """Queries in a matrix product."""
    passages: int
    """Passages in a matrix product, at most; a multiple of FOLD."""
    bytes: int
    """Bytes of the passages in a matrix product, in float32, at most."""
    rows: int
    """Pairs that are scored, or passages that are rounded or multiplied in float64, at once. Of pairs never fewer:
    a GPU may sum up another number of pairs in another order."""

    def block(self, dimension: int) -> int:
        """Return the number of passages in a block."""
        return max(FOLD, min(self.passages, self.bytes // (4 * dimension)) // FOLD * FOLD)


SIZES = {"cpu": Sizes(256, 65_536, 128 << 20, 256), "cuda": Sizes(1024, 65_536, 256 << 20, 8192)}


@contextmanager
def summed_in_float32() -> Iterator[None]:
    """Let products of float32 and bfloat16 be summed up in float32, as the bound supposes."""
    import torch

    backends: Any = torch.backends  # torch's types lack the newer switches
    cuda = backends.cuda.matmul
    switches: list[tuple[Any, str, Any]] = [(cuda, "allow_bf16_reduced_precision_reduction", False)]
    by_name = hasattr(cuda, "fp32_precision")  # since torch 2.9; then the older function may raise
    if by_name:
        switches += [(each, "fp32_precision", "ieee") for each in (cuda, backends.mkldnn.matmul)]
    before = [getattr(each, name) for each, name, _ in switches]
    precision = None if by_name else torch.get_float32_matmul_precision()
    try:
        for each, name, value in switches:
            setattr(each, name, value)
        if precision:
            torch.set_float32_matmul_precision("highest")
        yield
    finally:
        for (each, name, _), value in zip(switches, before, strict=True):
            setattr(each, name, value)
        if precision:
            torch.set_float32_matmul_precision(precision)


class Block:
    """Passages with a token: as they are; and without their centre, times a power of two, rounded.

    What all vectors share changes no order, and would take digits. The power of two keeps the digits of numbers so
    small that they would vanish.
    """

    def __init__(self, start: int, vectors: "torch.Tensor", sizes: Sizes, dtype: "torch.dtype") -> None:
        """Round float32 vectors, the first of which is passage `start`; raises BadInput if one is not finite."""
        import torch

        there = vectors[:, 0] != 0  # looking at all of each vector takes longer
        there[~there] = vectors[~there].any(1)
        self.keys = start + there.nonzero()[:, 0]
        self.vectors = vectors if len(self.keys) == len(vectors) else vectors[there]
        count, dimension = self.vectors.shape
        if not count:
            return
        low, high = torch.stack(torch.aminmax(self.vectors)).tolist()
        self.largest = max(-low, high)
        if not self.largest < LARGEST:
            raise BadInput(NOT_FINITE)
        sample = self.vectors[:: -(-count // sizes.rows)]
        self.scale = power_of_two(sample.abs().amax(1)).median()
        middle = sample.sort(0).values[
            len(sample) // 2
        ]  # which a passage that is far from all others hardly moves
        self.centre = middle * self.scale
        self.rounded = torch.empty((-(-count // FOLD) * FOLD, dimension), dtype=dtype, device=vectors.device)
        self.rounded[count:] = 0
        lengths, lost = (torch.empty(count, device=vectors.device) for _ in range(2))
        for at in range(0, count, sizes.rows):
            part = slice(at, min(at + sizes.rows, count))
            centred = self.vectors[part] * self.scale - self.centre
            self.rounded[part] = centred
            lengths[part] = torch.linalg.vector_norm(centred, dim=1)
            lost[part] = torch.linalg.vector_norm(centred - self.rounded[part].float(), dim=1)
        near = lengths <= FAR * lengths.median()
        self.near, self.far = near.nonzero()[:, 0], (~near).nonzero()[:, 0]
        self.rounded[self.far] = 0
        self.length, self.lost = lengths[near].max(), lost[near].max()
        self.whole = self.length + torch.linalg.vector_norm(self.centre)  # at least the length of each near vector


class Group:
    """Some queries, and the best passages found for them so far."""

    def __init__(self, vectors: "torch.Tensor", depth: int, sizes: Sizes, products: "torch.Tensor") -> None:
        """Take float32 queries that have a token.

        products: memory that groups use in turn, because fresh memory takes time.
        """
        import torch

        self.vectors, self.sizes, self.products = vectors, sizes, products
        self.best = torch.full((len(vectors), depth), NONE, device=vectors.device)
        self.seen = 0
        self.largest = float(vectors.abs().max())
        self.scale = power_of_two(vectors.abs().amax(1))
        self.scaled = vectors * self.scale[:, None]
        self.rounded = self.scaled.to(products.dtype)
        self.length = torch.linalg.vector_norm(self.scaled, dim=1)
        self.lost = torch.linalg.vector_norm(self.scaled - self.rounded.float(), dim=1)
        self.bits, self.dropped = (torch.int16, 16) if products.dtype == torch.bfloat16 else (torch.int32, 0)

    def look(self, block: Block) -> None:
        """Let the best of the passages in; raises BadInput if a score may not be finite."""
        import torch

        if not self.largest * block.largest * self.vectors.shape[1] < LARGEST:
            raise BadInput(NOT_FINITE)
        everyone = torch.arange(len(self.vectors), device=self.vectors.device)
        if len(block.far):
            self._multiply(block, everyone, block.far)
        shape = len(self.vectors), len(block.rounded)
        products = self.products[: math.prod(shape)].view(shape)
        torch.mm(self.rounded, block.rounded.T, out=products)
        bits = products.view(self.bits).view(shape[0], FOLD, -1)
        highest = bits.amax(1)
        floor = self._floor(block, highest)
        row, column = (highest >= floor[:, None]).nonzero(as_tuple=True)
        crowded = torch.bincount(row, minlength=shape[0]) > shape[1] // CROWDED
        if crowded.any():
            self._multiply(block, everyone[crowded], block.near)
            row, column = (each[~crowded[row]] for each in (row, column))
        hit, layer = (bits.transpose(1, 2)[row, column] >= floor[row, None]).nonzero(as_tuple=True)
        self._let_in(block, row[hit], layer * highest.shape[1] + column[hit])
        self.seen += len(block.keys)

    def _floor(self, block: Block, highest: "torch.Tensor") -> "torch.Tensor":
        """Return the least bits that the product of a passage among the best may have.

        highest: the largest of FOLD products each. They belong to different passages, so that as many passages as
        are wanted reach the last of so many largest. Numbers above zero have the order of their bits, and integers
        are compared several times faster. A query whose floor would not be above zero lets every passage through.
        """
        import torch

        depth, dtype = self.best.shape[1], self.products.dtype
        error, last = self._error(block), self.best[:, -1]
        of_centre = self.scaled.double() @ block.centre.double()
        reached = scores_of(last).double() * self.scale * block.scale - of_centre
        floor = torch.where(last == NONE, -math.inf, reached) - error
        if self.seen < depth <= highest.shape[1]:
            least = _largest(highest, depth)[:, -1].contiguous().view(dtype).double()
            floor = torch.maximum(floor, least * (1 - torch.finfo(dtype).eps / 2) - 2 * error)
        bits = (floor.float().view(torch.int32) >> self.dropped).to(self.bits)  # rounded down
        return bits.masked_fill(bits <= 0, torch.iinfo(self.bits).min)

    def _error(self, block: Block) -> "torch.Tensor":
        """Bound, for every query q, how far the product with a passage may be from its score less the centre's.

        Let p be the passage without the centre c, n the dimension, dq and dp what rounding took from q and p, and
        u = 2**-24 the rounding of a number in float32.
        Rounding: qp - (q - dq)(p - dp) = dq p + (q - dq) dp, at most |dq||p| + (|q| + |dq|)|dp|.
        Summing: n products and their sum in float32 are off by (n + 1) u |q||p|, or twice that if a processor cuts
        numbers off instead of rounding them; the same again is room for the subtraction of c, off by u |q||p|.
        Scores: one is off by u |q||p + c|, and two are compared.
        Last comes what numbers lose that are too small for float32.
        """
        n, lengths = self.vectors.shape[1], self.length.double()
        rounding = 1.001 * (self.lost * block.length + (self.length + self.lost) * block.lost)
        summing = lengths * (2.0**-22 * (n + 1) * block.length + 2.0**-23 * block.whole)
        vanished = 2.0**-60 * (1 + lengths) * (1 + block.whole) + 2.0**-148 * self.scale.double() * block.scale
        error: torch.Tensor = rounding + summing + vanished
        return error

    def _multiply(self, block: Block, rows: "torch.Tensor", places: "torch.Tensor") -> None:
        """Let in the best of the passages at some places, for some queries, by products in float64.

        They leave open only scores that are halfway between two numbers in float32: even of equal ones few pass.
        """
        import torch

        queries = self.vectors[rows].double()
        slack = torch.linalg.vector_norm(queries, dim=1) * queries.shape[1] * 2.0**-50
        for some in torch.split(places, self.sizes.rows):
            passages = block.vectors[some].double()
            most = torch.addr(queries @ passages.T, slack, torch.linalg.vector_norm(passages, dim=1)).float()
            row, column = (_ranks(most, block.keys[some]) > self.best[rows, -1:]).nonzero(as_tuple=True)
            self._let_in(block, rows[row], some[column])

    def _let_in(self, block: Block, row: "torch.Tensor", place: "torch.Tensor") -> None:
        """Score pairs of a query and a place in the block, and let the best in; `row` ascends."""
        import torch

        rows, inverse, counts = torch.unique_consecutive(row, return_inverse=True, return_counts=True)
        if not len(rows):
            return
        column = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[inverse]
        ranks = torch.full((len(rows), int(counts.max())), NONE, device=row.device)
        ranks[inverse, column] = _ranks(self.scores(block, row, place), block.keys[place])
        self.best[rows] = _largest(torch.cat([self.best[rows], ranks], 1), self.best.shape[1])

    def scores(self, block: Block, row: "torch.Tensor", place: "torch.Tensor") -> "torch.Tensor":
        """Return the scores of pairs of a query and a place in the block."""
        import torch

        size = self.sizes.rows
        scores = torch.empty(-(-len(row) // size) * size, device=row.device)
        padded = [torch.nn.functional.pad(each, (0, len(scores) - len(row))) for each in (row, place)]
        parts = [torch.split(each, size) for each in (scores, *padded)]
        for part, queries, passages in zip(*parts, strict=True):
            products = self.vectors.index_select(0, queries).double()
            products *= block.vectors.index_select(0, passages).double()
            part[:] = products.sum(1)
        return scores[: len(row)]


def power_of_two(numbers: "torch.Tensor") -> "torch.Tensor":
    """Return powers of two, in float32, which times the numbers, greater than 0, are near 1."""
    import torch

    exponents = torch.frexp(numbers).exponent.clamp(-126, 126)
    return (127 - exponents << 23).view(torch.float32)


def _largest(numbers: "torch.Tensor", count: int) -> "torch.Tensor":
    """Return the `count` largest integers of each row, the largest first."""
    import numpy as np
    import torch

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
