"""Batches without padding (curate/models/packed.py): the same numbers as with padding, for every type of model.

The tests compute on a CPU, with an attention of the same contract as the one on a GPU: it takes the tokens of all
texts and the offsets of each, and computes one text after the other.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.nn.functional import scaled_dot_product_attention

from curate.models import packed
from curate.models.batching import model_inputs
from curate.models.pretrained import accepted, quiet, token_vectors

SMALL = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 96, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "initializer_range": 0.2,
}  # fmt: skip
DECODER = {**SMALL, "num_key_value_heads": 2, "head_dim": 8, "use_cache": False}
# One layer sees everything, the others only a few tokens on each side.
WINDOW = ["full_attention", "sliding_attention", "sliding_attention"]
OWN: dict[str, dict[str, Any]] = {
    "distilbert": {"vocab_size": 60, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 96, "pad_token_id": 1, "initializer_range": 0.2},
    "modernbert": {**SMALL, "local_attention": 8, "layer_types": WINDOW, "cls_token_id": 0, "sep_token_id": 2, "classifier_pooling": "mean"},
    "llama": DECODER,
    "mistral": {**DECODER, "sliding_window": 5},
    "qwen2": {**DECODER, "use_sliding_window": True, "sliding_window": 5, "layer_types": WINDOW},
    "qwen3": DECODER,
}  # fmt: skip
DECODERS = ("llama", "mistral", "qwen2", "qwen3")
HEADS = [
    *[(kind, head) for kind in packed.TYPES for head in ("AutoModel", "AutoModelForSequenceClassification")],
    *[(kind, "AutoModelForCausalLM") for kind in DECODERS],
]
LENGTHS = (1, 60, 2, 17, 90, 5, 33)


def one_text_after_the_other(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    offsets: torch.Tensor,
    longest: int,
    scale: float | None,
    window: tuple[int, int],
) -> torch.Tensor:
    """Return the attention within each text; a stand-in for the attention on a GPU."""
    assert longest == int(offsets.diff().max())
    assert offsets.dtype == torch.int32
    before, behind = (len(query) if side < 0 else side for side in window)
    found = []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        text = [part[start:end].transpose(0, 1) for part in (query, key, value)]
        at = torch.arange(end - start)
        apart = at[None, :] - at[:, None]
        seen = (apart >= -before) & (apart <= behind)
        found.append(scaled_dot_product_attention(*text, attn_mask=seen, scale=scale).transpose(0, 1))
    return torch.cat(found)


@pytest.fixture(autouse=True)
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let packed models compute here."""
    quiet()
    monkeypatch.setattr(packed, "varlen", one_text_after_the_other)


def model(kind: str, head: str, *, is_packed: bool = False) -> Any:
    """Return a small random model; the same weights each time."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **OWN.get(kind, SMALL), num_labels=3)
    made = getattr(transformers, head).from_config(config, dtype=torch.float32).eval()
    return packed.pack(made) if is_packed else made


def texts(lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    """Return the tokens of texts of these lengths; 3 to 59, which are no special ones."""
    rng = np.random.default_rng(0)
    return [rng.integers(3, 60, length) for length in lengths]


def outputs(of: Any, batch: list[np.ndarray], **more: list[np.ndarray]) -> torch.Tensor:
    """Return what a model gives for a batch: logits, or the vectors of the tokens and zeros for the padding."""
    inputs = model_inputs(of, {"input_ids": batch, **more}, padding=1)
    with torch.inference_mode():
        if not type(of).__name__.endswith("Model"):
            found = of(**accepted(of, inputs)).logits
            return found if found.ndim == 2 else found * inputs["attention_mask"][..., None]
        return token_vectors(of, inputs) * inputs["attention_mask"][..., None]


def same(ours: torch.Tensor, expected: torch.Tensor) -> None:
    """Compare with 1e-5 of numbers around 1."""
    assert float(expected.abs().max()) > 0.1
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "head"), HEADS)
def test_a_packed_model_gives_what_the_padded_one_gives(kind: str, head: str) -> None:
    """Vectors, pooled logits and the logits of a language model, for texts of 1 to 90 tokens."""
    same(outputs(model(kind, head, is_packed=True), texts()), outputs(model(kind, head), texts()))
