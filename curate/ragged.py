"""Rows of whole numbers with different lengths in one array, such as the tokens of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ragged(Sequence[Ints]):
    """Rows that are parts of one array. Several of them may share a part, and not every part needs a row."""

    values: Ints
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: "Sequence[Sequence[int] | Ints]", dtype: Any = np.int32) -> "Ragged":
        """Return the rows; those that are ragged already as they are."""
        if isinstance(rows, Ragged):
            return rows
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return cls.laid_out(np.concatenate([*rows, ()], dtype=dtype, casting="unsafe"), lengths)

    @classmethod
    def laid_out(cls, values: Ints, lengths: npt.NDArray[np.int64]) -> "Ragged":
        """Return the rows that stand in `values` one after the other."""
        return cls(values, np.cumsum(lengths) - lengths, lengths)

    @classmethod
    def of_arrow(cls, lists: "pa.ListArray") -> "Ragged":
        """Return the rows of an Arrow array, which are not copied."""
        offsets = lists.offsets.to_numpy().astype(np.int64)
        return cls(lists.values.to_numpy(), offsets[:-1], np.diff(offsets))

    @classmethod
    def repeated(cls, row: Sequence[int], count: int) -> "Ragged":
        """Return so many rows, all of them `row`."""
        return cls(np.asarray(row, np.int32), np.zeros(count, np.int64), np.full(count, len(row), np.int64))

    def arrow(self) -> "pa.ListArray":
        """Return the rows as an Arrow array of lists of int32."""
        import pyarrow as pa

        offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(self.flat, pa.int32()))

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> Ints: ...
    @overload
    def __getitem__(self, at: slice) -> "Ragged": ...
    def __getitem__(self, at: int | slice) -> "Ints | Ragged":
        if isinstance(at, slice):
            return Ragged(self.values, self.starts[at], self.lengths[at])
        return self.values[self.starts[at] : self.starts[at] + self.lengths[at]]

    def take(self, rows: Ints) -> "Ragged":
        """Return the rows with these numbers, without copying what is in them."""
        return Ragged(self.values, self.starts[rows], self.lengths[rows])

    def first(self, lengths: "npt.NDArray[np.int64]") -> "Ragged":
        """Return the beginning of each row, which is so long."""
        return Ragged(self.values, self.starts, lengths)

    @property
    def flat(self) -> Ints:
        """The values of all rows, one row after the other."""
        return self.values[ranges(self.starts, self.lengths)]

    def are(self, row: Sequence[int] | Ints) -> Bools:
        """Return which rows are `row`."""
        same: Bools = self.lengths == len(row)
        there = np.flatnonzero(same)
        same[there] = (self.take(there).flat.reshape(len(there), len(row)) == np.asarray(row)).all(axis=1)
        return same


def ranges(starts: Ints, lengths: Ints) -> npt.NDArray[np.int64]:
    """Return the concatenated ranges that begin at each start and have the given lengths."""
    before = np.cumsum(lengths) - lengths
    places = np.repeat(starts - before, lengths)
    places += np.arange(len(places))
    return places


def below(parts: Sequence[Ragged]) -> Ragged:
    """Return the rows of all parts, those of each part below those of the part before."""
    if not parts:
        return Ragged.of([])
    sizes = np.asarray([len(part.values) for part in parts])
    before = np.cumsum(sizes) - sizes
    return Ragged(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.starts + start for part, start in zip(parts, before, strict=True)]),
        np.concatenate([part.lengths for part in parts]),
    )


def beside(parts: Sequence[Ragged]) -> Ragged:
    """Return rows each of which holds the rows of all parts that have its number, one after the other."""
    count = len(parts[0])
    turned = np.arange(len(parts) * count).reshape(len(parts), count).T.ravel()
    lengths = np.sum([part.lengths for part in parts], axis=0)
    return Ragged.laid_out(below(parts).take(turned).flat, lengths)


def gathered(parts: Sequence[Ragged], rows: npt.NDArray[np.int64]) -> Ragged:
    """Return copies of the rows that have these numbers when the rows of all parts are counted on."""
    ends = np.cumsum([len(part) for part in parts])
    order = np.argsort(rows, kind="stable")
    bounds = [0, *np.searchsorted(rows[order], ends).tolist()]
    found = []
    for part, end, (first, last) in zip(parts, ends, pairwise(bounds), strict=True):
        if first < last:
            own = part.take(rows[order[first:last]] - end + len(part))
            found.append(Ragged.laid_out(own.flat, own.lengths))
    return below(found).take(np.argsort(order))
