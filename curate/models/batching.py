"""Batches for a model: texts of similar length, within a budget of tokens."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def token_batches(lengths: Sequence[int], budget: int) -> "Iterator[npt.NDArray[np.int64]]":
    """Yield indices in batches of similar length, the longest texts first.

    A batch has at most `budget` tokens, including padding; a text beyond the budget is a batch of its own. The
    batches depend only on the lengths, so equal texts give equal batches, and equal batches give equal bytes.
    """
    import numpy as np

    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    start = 0
    while start < len(order):
        count = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + count]
        start += count
