"""Rows of different lengths in one array (curate/ragged.py), beside the same done with lists."""

import numpy as np
import pytest

from curate.ragged import Ragged, below, beside, gathered

ROWS = [[3, 1], [], [7], [7, 7, 7], [3, 1]]


def lists(rows: Ragged) -> list[list[int]]:
    return [row.tolist() for row in rows]


def test_rows_are_taken_cut_and_laid_out_without_a_loop() -> None:
    """A row that is taken twice stands in the array once."""
    rows = Ragged.of(ROWS)
    assert lists(rows) == ROWS
    assert lists(rows.take(np.array([4, 1, 3, 3]))) == [[3, 1], [], [7, 7, 7], [7, 7, 7]]
    assert lists(rows[1:3]) == [[], [7]]
    assert rows[3:].flat.tolist() == [7, 7, 7, 3, 1]
    assert lists(rows.first(np.array([1, 0, 1, 2, 0]))) == [[3], [], [7], [7, 7], []]
    assert lists(Ragged.repeated([9, 8], 2)) == [[9, 8], [9, 8]]
    assert lists(Ragged.of([])) == []


@pytest.mark.parametrize("row", [[], [7], [3, 1], [1, 3]])
def test_equal_rows_are_found(row: list[int]) -> None:
    """Rows of the same length can hold other numbers."""
    assert Ragged.of(ROWS).are(row).tolist() == [row == other for other in ROWS]


def test_parts_stand_below_and_beside_each_other() -> None:
    """As lists that are added."""
    more = [[0], [1, 2], [], [4], []]
    first, second = Ragged.of(ROWS), Ragged.of(more)
    assert lists(below([first, second])) == ROWS + more
    assert lists(below([])) == []
    assert lists(beside([first, second, first])) == [a + b + a for a, b in zip(ROWS, more, strict=True)]


def test_rows_of_several_parts_are_gathered_in_any_order() -> None:
    """Their numbers count on from part to part. What comes back is a copy."""
    parts = [Ragged.of(ROWS), Ragged.of([]), Ragged.of([[5], [6, 6]])]
    wanted = [6, 0, 3, 5, 0]
    found = gathered(parts, np.array(wanted))
    assert lists(found) == [[*ROWS, [5], [6, 6]][number] for number in wanted]
    assert not np.shares_memory(found.values, parts[0].values)
    assert lists(gathered(parts, np.array([], np.int64))) == []


def test_rows_go_through_arrow() -> None:
    """A part of an Arrow array has its own rows only."""
    stored = Ragged.of(ROWS).take(np.array([3, 0, 1])).arrow()
    assert stored.to_pylist() == [[7, 7, 7], [3, 1], []]
    assert lists(Ragged.of_arrow(stored.slice(1))) == [[3, 1], []]
