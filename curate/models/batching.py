"""Batches for a model: texts of similar length, within a budget of tokens."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curate.models.packed import LAYOUT, Layout, is_packed, layout
from curate.models.transfer import sent

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


def padded(
    columns: "Mapping[str, Sequence[Sequence[int] | npt.NDArray[np.integer]]]", padding: int
) -> "dict[str, npt.NDArray[np.int64]]":
    """Return each column (`input_ids` and what goes with it) as rows x tokens, and `attention_mask`.

    Short rows are filled up on the right: the ids by `padding`, other columns by 0. So a token keeps the
    position that it has when its text is alone, whatever the tokenizer's own side of padding is.
    """
    import numpy as np

    lengths = [len(ids) for ids in columns["input_ids"]]
    there = np.arange(max(1, *lengths)) < np.asarray(lengths)[:, None]
    arrays = {"attention_mask": there.astype(np.int64)}
    for name, rows in columns.items():
        filled = np.full(there.shape, padding if name == "input_ids" else 0, np.int64)
        filled[there] = np.concatenate(rows)
        arrays[name] = filled
    return arrays


def model_inputs(
    model: Any, columns: "Mapping[str, Sequence[Sequence[int] | npt.NDArray[np.integer]]]", padding: int
) -> dict[str, Any]:
    """Return `padded` columns as tensors on the device, and for a packed model the layout of the batch."""
    arrays = padded(columns, padding)
    inputs: dict[str, Any] = {name: sent(array) for name, array in arrays.items()}
    if is_packed(model):
        rows, width = arrays["attention_mask"].shape
        places, offsets, longest = layout(arrays["attention_mask"])
        inputs[LAYOUT] = Layout(rows, width, sent(places), sent(offsets), longest)
    return inputs
