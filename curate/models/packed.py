"""Batches without padding on a GPU: all texts in one sequence, whose attention keeps them apart.

A packed model takes padded rows and gives padded vectors, as any other does, so heads and poolings stay what they
are. In between, its transformer computes the tokens alone, in one row, where the positions of each text begin
anew. The attention is torch's for texts of various lengths, which compiles nothing for a new length.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

# The model types whose vectors and logits are those of the padded form: tests/test_packed.py proves each of them.
TYPES = (
    "bert", "camembert", "distilbert", "electra", "llama", "mistral", "modernbert", "qwen2", "qwen3", "roberta",
    "xlm-roberta",
)  # fmt: skip
ATTENTION = "curate_packed"
LAYOUT = "packed"  # the argument that brings the layout of a batch to the layers


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a padded batch stand once the padding is left out."""

    rows: int
    width: int
    places: "torch.Tensor"
    """int64: for each token its place in the padded batch, row after row."""
    offsets: "torch.Tensor"
    """int32, texts + 1: the tokens before each text, and of all."""
    longest: int
    """The tokens of the longest text."""

    def flat(self, values: "torch.Tensor") -> "torch.Tensor":
        """Return 1 x tokens from rows x width."""
        return values.flatten()[self.places][None]

    def padded(self, vectors: "torch.Tensor") -> "torch.Tensor":
        """Return rows x width x dimension from 1 x tokens x dimension. Padding is zero."""
        empty = vectors.new_zeros(self.rows * self.width, vectors.shape[-1])
        return empty.index_copy(0, self.places, vectors[0]).view(self.rows, self.width, -1)


def layout(mask: "npt.NDArray[np.int64]") -> tuple["npt.NDArray[np.int64]", "npt.NDArray[np.int32]", int]:
    """Return the places, the offsets and the longest text of a `Layout` from a batch's mask (rows x width)."""
    import numpy as np

    lengths = mask.sum(1)
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int32)
    return np.flatnonzero(mask), offsets, int(lengths.max())


def is_packed(model: Any) -> bool:
    """Return whether `pack` was applied to the model."""
    return bool(model.config._attn_implementation == ATTENTION)  # noqa: SLF001 - transformers has no other name


def can_pack(config: Any, dtype: str, on: str) -> bool:
    """Return whether a model with this configuration may be packed on the device `on` in the format `dtype`.

    It may on a GPU, in bf16, if its type is one of TYPES. Whether it is, its trial says (packed_trial.py).
    """
    # For a decoder that sees both sides, a padded window is one token wider than what the attention is told.
    wider = not getattr(config, "is_causal", True)
    return (
        on == "cuda"
        and dtype == "bf16"
        and config.model_type in TYPES
        and not (wider and getattr(config, "sliding_window", None))
    )


def drops_attention(config: Any) -> bool:
    """Return whether the model is trained with dropout inside its attention, which a packed one does not have."""
    return any(getattr(config, name, 0.0) for name in ("attention_probs_dropout_prob", "attention_dropout"))


def pack(model: Any) -> Callable[[], None]:
    """Make the transformer of `model` leave out the padding of its batches. Return a function that undoes it.

    Each call then needs the `Layout` of its batch as the argument LAYOUT.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, attention)
    configs = [model.config, model.base_model.config]
    before = [config._attn_implementation for config in configs]  # noqa: SLF001
    hooks = [
        model.base_model.register_forward_pre_hook(_without_padding, with_kwargs=True),
        model.base_model.register_forward_hook(_with_padding, with_kwargs=True),
    ]

    def attend(names: list[str]) -> None:
        for config, name in zip(configs, names, strict=True):  # set_attn_implementation refuses old ModernBERT
            config._attn_implementation = name  # noqa: SLF001

    def undo() -> None:
        attend(before)
        for hook in hooks:
            hook.remove()

    attend([ATTENTION, ATTENTION])
    return undo


def varlen(
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    offsets: "torch.Tensor",
    longest: int,
    scale: float | None,
    window: tuple[int, int],
) -> "torch.Tensor":
    """Return the attention within each text (tokens x heads x dimension), as the three arguments are.

    window: the tokens that a token sees before and behind itself; -1: all.
    """
    from torch.nn.attention.varlen import varlen_attn

    found: Any = varlen_attn(
        query, key, value, offsets, offsets, longest, longest, scale=scale, window_size=window
    )
    result: torch.Tensor = found
    return result


def attention(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    _mask: None,
    *,
    packed: Layout,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **_others: Any,
) -> "tuple[torch.Tensor, None]":
    """Return the attention (1 x tokens x heads x dimension) in the form that transformers asks for."""
    if dropout:
        raise RuntimeError("packed attention has no dropout")
    groups = query.shape[1] // key.shape[1]
    # Autocast leaves the vectors that were turned by their positions in fp32.
    query, key, value = (part[0].transpose(0, 1).to(value.dtype) for part in (query, key, value))
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    before = -1 if sliding_window is None else sliding_window - 1
    behind = 0 if (module.is_causal if is_causal is None else is_causal) else before
    return varlen(query, key, value, packed.offsets, packed.longest, scaling, (before, behind))[None], None


def _without_padding(
    transformer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[()], dict[str, Any]]:
    """Return the arguments of a forward pass over the tokens alone."""
    batch: Layout = kwargs[LAYOUT]
    ids = args[0] if args else kwargs["input_ids"]
    changed = {"input_ids": ids, "position_ids": _positions(transformer, ids)}
    if kwargs.get("token_type_ids") is not None:
        changed["token_type_ids"] = kwargs["token_type_ids"]
    flat = {name: batch.flat(values) for name, values in changed.items()}
    return (), {**kwargs, **flat, "attention_mask": None}


def _with_padding(transformer: Any, _args: Any, kwargs: dict[str, Any], output: Any) -> Any:
    """Return the output of a forward pass as of padded rows."""
    output.last_hidden_state = kwargs[LAYOUT].padded(output.last_hidden_state)
    if output.get("pooler_output") is not None:
        output.pooler_output = transformer.pooler(output.last_hidden_state)
    return output


def _positions(transformer: Any, ids: "torch.Tensor") -> "torch.Tensor":
    """Return the position of each token of padded rows.

    Models in the manner of RoBERTa count from behind the padding id, and leave out the tokens that have this id.
    """
    import torch

    table = getattr(getattr(transformer, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    if padding is None:
        return torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    counted = ids.ne(padding).long()
    return counted.cumsum(1) * counted + int(padding)
