"""The tokens of pairs, each of a query and a passage together, in a few arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from curate.ragged import Bools, Ragged, below


class TokenizedPair(NamedTuple):
    """The tokens of a query and a passage together."""

    ids: npt.NDArray[np.int32]
    """No ids: one of the texts has no token of its own."""
    segments: npt.NDArray[np.int8]
    """The segment of each token, for the models that tell query and passage apart by it."""
    cut: bool = False
    """Whether one of the texts was cut."""
    judge: int = 0
    """The number of the judge that scores it, 0 for all of them (curate/models/fold_scorer.py)."""


NO_TOKENS = TokenizedPair(np.empty(0, np.int32), np.empty(0, np.int8))


@dataclass(frozen=True, eq=False)
class PairTokens(Sequence[TokenizedPair]):
    """Pairs in order. `ids`, `segments`, `cut` and `judge` have a row for each of them."""

    ids: Ragged
    segments: Ragged
    cut: npt.NDArray[np.bool_]
    judge: npt.NDArray[np.int64]

    @classmethod
    def of(cls, pairs: Sequence[TokenizedPair]) -> "PairTokens":
        """Return pairs that are given one by one; those that are together already as they are."""
        if isinstance(pairs, PairTokens):
            return pairs
        return cls(
            Ragged.of([pair.ids for pair in pairs]),
            Ragged.of([pair.segments for pair in pairs], np.int8),
            np.asarray([pair.cut for pair in pairs], bool),
            np.asarray([pair.judge for pair in pairs], np.int64),
        )

    @classmethod
    def together(cls, parts: "Sequence[PairTokens]") -> "PairTokens":
        """Return the pairs of all parts, one part after the other."""
        return cls(
            below([part.ids for part in parts]),
            below([part.segments for part in parts]),
            np.concatenate([part.cut for part in parts] or [np.empty(0, bool)]),
            np.concatenate([part.judge for part in parts] or [np.empty(0, np.int64)]),
        )

    def __len__(self) -> int:
        return len(self.cut)

    @overload
    def __getitem__(self, at: int) -> TokenizedPair: ...
    @overload
    def __getitem__(self, at: slice) -> "PairTokens": ...
    def __getitem__(self, at: int | slice) -> "TokenizedPair | PairTokens":
        if isinstance(at, slice):
            return PairTokens(self.ids[at], self.segments[at], self.cut[at], self.judge[at])
        return TokenizedPair(self.ids[at], self.segments[at], bool(self.cut[at]), int(self.judge[at]))

    def take(self, rows: npt.NDArray[Any]) -> "PairTokens":
        """Return the pairs with these numbers, without copying their tokens."""
        return PairTokens(self.ids.take(rows), self.segments.take(rows), self.cut[rows], self.judge[rows])

    def only(self, known: Bools) -> "PairTokens":
        """Return the pairs. Those that are not `known` have lost their tokens."""
        lengths = np.where(known, self.ids.lengths, 0)
        return PairTokens(self.ids.first(lengths), self.segments.first(lengths), self.cut & known, self.judge)
