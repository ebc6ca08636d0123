"""Pairs of tokens become logits, in batches that depend on nothing but the pairs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.errors import BadInput, CurateError
from curate.models.batching import token_batches
from curate.models.openvino_model import BY_TORCH
from curate.models.pair_tokens import PairTokens, TokenizedPair
from curate.models.pretrained import attention_form, device
from curate.models.transfer import one_ahead, within_memory

if TYPE_CHECKING:
    import torch

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Tokens per forward pass. The budget shapes the batches, and the last bits of a score depend on its batch.
TOKEN_BUDGET = {"cpu": 4096, "cuda": 65536, "mps": 16384}
# Pairs on which the tokens that are put together here must be those of the tokenizer.
PROBES = (
    ("what is a run?", "A run: one retriever's ranked lists."),
    ("zürich 東京", "Two words, and\ttabs\nand lines; e.g. naïve café - 100 %!"),
    ("x", "a passage that is longer than the query by far, so that only the passage is cut " * 40),
    ("a query as long as its passage is " * 60, "and a passage as long as its query is " * 60),
)
# A pair must have the same score alone and beside a longer one. What the number format explains is a share of the
# range of these scores, and a constant.
ALONE = (
    ("what is a run?", "A run: one retriever's ranked lists."),
    ("a", "b c d"),
    ("when does rain fall", "rain and snow and wind and fog and hail and sun and frost and storm " * 3),
)
# Of int8 this is no measure of its quality, which a sample of the run gives: it finds what is wrong altogether.
ALLOWED = {"fp32": (0.01, 1e-3), "bf16": (0.1, 0.05), "int8": (0.5, 0.5)}


def machine_settings(dtype: str, model: Any = None) -> dict[str, Any]:
    """Return the settings of the machine that determine a logit of a loaded model.

    They are number formats, class of device, token budget, and on a GPU the form of the attention. model: None
    means one that is never packed.
    """
    last = {} if dtype == "fp32" else {"last_layer": "fp32"}
    on = device()
    return {
        "dtype": dtype,
        **last,
        "device": on,
        "token_budget": TOKEN_BUDGET[on],
        **attention_form(model),
    }


def score_in_batches(
    scorer_id: str,
    rows: Sequence[TokenizedPair],
    forward: "Callable[[PairTokens], torch.Tensor]",
    advance: Callable[[int], None],
) -> Floats:
    """Return the logits of tokenized pairs as float32, in the same order. Equal rows give equal bytes.

    A pair without ids has no score: its logit is NaN. Raises CurateError if another logit is not finite.
    """
    pairs = PairTokens.of(rows)
    logits = np.full(len(pairs), np.nan, np.float32)
    there = np.flatnonzero(pairs.ids.lengths)
    batches = token_batches(pairs.ids.lengths[there], TOKEN_BUDGET[device()])
    begun = (part for batch in batches for part in within_memory(there[batch], lambda at: forward(pairs.take(at))))
    for batch, coming in one_ahead(begun):
        logits[batch] = coming.array()
        advance(len(batch))
    refuse_if_not_finite(scorer_id, logits[there])
    return logits


def refuse_if_not_finite(scorer_id: str, logits: Floats) -> None:
    """Raise CurateError if a logit is NaN or infinite."""
    if not np.isfinite(logits).all():
        raise CurateError(
            f"{scorer_id} gives scores that are not finite ({int((~np.isfinite(logits)).sum()):,} of "
            f"{len(logits):,}). Nothing of this shard was kept. Use another scorer."
        )


def refuse_if_the_batch_matters(
    folder: Path, dtype: str, rows: Sequence[Any], forward: Callable[[Any], Floats]
) -> None:
    """Raise BadInput if a pair of `rows` has one score alone and another beside the others."""
    try:
        alone = np.concatenate([forward(rows[at : at + 1]) for at in range(len(rows))])
        together = forward(rows)
    except ValueError as error:  # a head that looks for the last token, and no padding id
        raise BadInput(f"{folder} cannot score a batch: {' '.join(str(error).split())[:300]}") from error
    if not (np.isfinite(alone).all() and np.isfinite(together).all()):
        return  # `score_in_batches` tells it
    difference = float(np.abs(alone - together).max())
    if difference > _allowed(alone, dtype):
        raise BadInput(
            f"{folder} gives a pair another score beside longer pairs than alone ({difference:.3g} apart), so "
            "its scores depend on the batch, which curate does not support. Check pad_token_id in config.json."
        )


def refuse_if_converted_wrong(folder: Path, dtype: str, before: Floats, after: Floats) -> None:
    """Raise BadInput if the logits that torch gives in float32 are others after the conversion for OpenVINO."""
    difference = float(np.abs(before - after).max())
    if not difference <= _allowed(before, dtype):
        found = (
            f"has other scores when OpenVINO computes it ({difference:.3g} apart from those of torch)"
            if np.isfinite(after).all()
            else "has scores that are not finite when OpenVINO computes it"
        )
        raise BadInput(f"{folder} {found}. {BY_TORCH}")


def _allowed(logits: Floats, dtype: str) -> float:
    share, constant = ALLOWED[dtype]
    return share * float(np.ptp(logits)) + constant
