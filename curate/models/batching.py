"""Batches for a model: texts of similar length, within a budget of tokens."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from curate.models.packed import LAYOUT, Layout, is_packed, layout
from curate.models.transfer import sent

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.ragged import Ragged

Column: TypeAlias = "Ragged | Sequence[Sequence[int] | npt.NDArray[np.integer]]"
"""The rows of a batch, one for each text."""


def token_batches(
    lengths: "Sequence[int] | npt.NDArray[np.int64]", budget: int
) -> "Iterator[npt.NDArray[np.int64]]":
    """Yield indices in batches of similar length, the longest texts first.

    A batch has at most `budget` tokens, including padding; a text beyond the budget is a batch of its own. The
    batches depend only on the lengths, so equal texts give equal batches, and equal batches give equal bytes.
    """
    import numpy as np

    sizes = np.asarray(lengths, np.int64)
    order = np.argsort(-sizes, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, budget // max(1, int(sizes[order[start]])))
        yield order[start : start + count]
        start += count


def padded(columns: Mapping[str, Column], padding: int) -> "dict[str, npt.NDArray[np.int64]]":
    """Return each column (`input_ids` and what goes with it) as rows x tokens, and `attention_mask`.

    Short rows are filled up on the right: the ids by `padding`, other columns by 0. So a token keeps the
    position that it has when its text is alone, whatever the tokenizer's own side of padding is.
    """
    import numpy as np

    from curate.ragged import Ragged

    ragged = {name: Ragged.of(rows) for name, rows in columns.items()}
    lengths = ragged["input_ids"].lengths
    there = np.arange(max(1, lengths.max())) < lengths[:, None]
    arrays = {"attention_mask": there.astype(np.int64)}
    for name, rows in ragged.items():
        filled = np.full(there.shape, padding if name == "input_ids" else 0, np.int64)
        filled[there] = rows.flat
        arrays[name] = filled
    return arrays


def model_inputs(model: Any, columns: Mapping[str, Column], padding: int) -> dict[str, Any]:
    """Return `padded` columns as tensors on the device, and for a packed model the layout of the batch."""
    arrays = padded(columns, padding)
    inputs: dict[str, Any] = {name: sent(array) for name, array in arrays.items()}
    if is_packed(model):
        rows, width = arrays["attention_mask"].shape
        places, offsets, longest = layout(arrays["attention_mask"])
        inputs[LAYOUT] = Layout(rows, width, sent(places), sent(offsets), longest)
    return inputs
