"""A batch that does not fit into the memory of a GPU is computed in halves (curate/models/transfer.py)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.errors import NoSpace
from curate.models.encoder import Encoder
from curate.models.pair_batches import score_in_batches
from curate.models.pair_tokens import PairTokens, TokenizedPair
from curate.models.transfer import within_memory


def pair(*ids: int) -> TokenizedPair:
    """Return a pair of these tokens."""
    return TokenizedPair(np.array(ids, np.int32), np.zeros(len(ids), np.int8), False, 0)


def with_room_for(
    most: int, compute: Callable[[Any], torch.Tensor], sizes: list[int]
) -> Callable[[Any], torch.Tensor]:
    """Return a function that fails as a GPU does where a batch has more than `most` texts, and notes each size."""

    def computed(batch: Any) -> torch.Tensor:
        sizes.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. More words")
        return compute(batch)

    return computed


def sums(rows: PairTokens) -> torch.Tensor:
    """Return the sum of the tokens of each pair, as if that were its logit."""
    return torch.tensor([float(row.ids.sum()) for row in rows])


def test_a_batch_is_halved_until_it_fits() -> None:
    """Seven pairs, room for two: 7, 3 + 4, then 1 + 2 and 2 + 2. Each pair keeps its place."""
    rows, sizes, told = [pair(*range(n, 2 * n)) for n in (3, 1, 7, 5, 2, 6, 4)], list[int](), list[int]()
    found = score_in_batches("scorer", rows, with_room_for(2, sums, sizes), told.append)
    assert found.tolist() == [float(row.ids.sum()) for row in rows]
    assert sizes == [7, 3, 1, 2, 4, 2, 2]
    assert sum(told) == 7


def test_an_encoder_halves_its_batches(tiny_encoder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The vectors are those of whole batches, but for their last bits."""
    texts, sizes = [f"text {'word ' * n}" for n in range(9)], list[int]()
    encoder = Encoder.open(str(tiny_encoder()))
    whole = np.concatenate([part.array for part in encoder.encode(texts, "passage")])
    vectors = encoder._vectors
    monkeypatch.setattr(
        encoder,
        "_vectors",
        lambda tokens, at, side: with_room_for(3, lambda rows: vectors(tokens, rows, side), sizes)(at),
    )
    parts = np.concatenate([part.array for part in encoder.encode(texts, "passage")])
    assert max(sizes) > 3
    np.testing.assert_allclose(parts, whole, atol=2e-2)


def test_a_single_text_that_does_not_fit_is_refused() -> None:
    """The error says what to do."""
    with pytest.raises(
        NoSpace, match=r"one text alone is too long .*\(CUDA out of memory\)\. Cut it: --max-length"
    ):
        list(within_memory(np.arange(2), with_room_for(0, sums, [])))
