"""Whether a model gives packed what it gives padded. Each one is tried when it is loaded, where it will compute.

The attention is compared with that in fp32, for the windows and heads that the model may have. Then the model
itself computes some texts in both forms. Anything but equal numbers means that it stays padded, which is told.
"""

import inspect
import logging
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from curate.models.packed import LAYOUT, Layout, attention, can_pack, layout, pack

if TYPE_CHECKING:
    import torch

LOGGER = logging.getLogger("curate")
ATTENTION_APART = 0.05  # how far the attention of numbers around 1 in bf16 may be from that in fp32
TEXTS = (1, 70, 7, 130)  # tokens of the texts on which the attention is tried
WINDOWS = ((None, False), (None, True), (10, False), (10, True))  # sliding window, whether it is causal
# How far a model's numbers in bf16 may be apart, as a share of how they differ from token to token. Rounding alone
# makes up to 0.03 of it in models of 6 and 12 layers, and texts that see each other 0.5 and more. Logits have a
# constant too.
APART = 0.15
LOGITS_APART = 0.05
SHORT = (1, 40, 7)  # tokens of the texts that a model computes beside a long one
LONG = {False: 4200, True: 600}  # most tokens of the long text, by whether the model is trained: memory is limited


def pack_if_right(model: Any, dtype: str, *, trained: bool = False) -> Any:
    """Return `model`, packed if its configuration allows that and its trial succeeds; else as it was.

    dtype: the number format in which it computes. trained: its gradients are tried as well, under autocast. Raises
    torch.OutOfMemoryError, which says nothing about the numbers.
    """
    import torch

    on = model.device.type
    if not can_pack(model.config, dtype, on):
        return model
    undo: Callable[[], None] = lambda: None  # noqa: E731
    try:
        with torch.inference_mode(False):
            _refuse_other_attention(model.config, on, trained)
            inputs, batch = _texts(model.config, on, trained)
            expected = _outputs(model, inputs, trained)
            undo = pack(model)
            _refuse_other_numbers(_outputs(model, {**inputs, LAYOUT: batch}, trained), expected)
    except torch.OutOfMemoryError:
        undo()
        raise
    except Exception as error:  # noqa: BLE001 - whatever fails, the padded form does not need it
        undo()
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        LOGGER.warning("%s computes with padding, since packed batches fail here: %s", model.name_or_path, why)
    return model


def _refuse_other_attention(config: Any, on: str, trained: bool) -> None:
    heads = config.num_attention_heads
    groups = heads // (getattr(config, "num_key_value_heads", None) or heads)
    dimension = getattr(config, "head_dim", None) or config.hidden_size // heads
    for window, is_causal in WINDOWS:
        if not attention_is_right(dimension, groups, window, is_causal, on, trained):
            raise ArithmeticError(f"attention with heads of {dimension} has other numbers than in fp32")


@cache
def attention_is_right(
    dimension: int, groups: int, window: int | None, is_causal: bool, on: str, trained: bool
) -> bool:
    """Return whether packed attention gives the right numbers on the device `on`; if `trained`, gradients too.

    dimension: that of a head. groups: the heads that share a key. Raises what the attention raises.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    scale, tokens = dimension**-0.5, sum(TEXTS)
    drawn = torch.randn(4, tokens, 2 * groups, dimension, generator=torch.Generator().manual_seed(0))
    query, key, value, direction = drawn.bfloat16().float()
    offsets = torch.tensor([0, *TEXTS], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(on)
    places = torch.arange(tokens, device=on)
    batch = Layout(1, tokens, places, offsets, max(TEXTS))
    of_text = torch.arange(len(TEXTS)).repeat_interleave(torch.tensor(TEXTS))
    apart = torch.arange(tokens)[None, :] - torch.arange(tokens)[:, None]
    most = tokens if window is None else window - 1
    seen = (of_text[:, None] == of_text[None, :]) & (apart >= -most) & (apart <= (0 if is_causal else most))

    def found(*parts: torch.Tensor) -> torch.Tensor:
        # As transformers gives them: heads before tokens, of which the values are the transposed view.
        query, key, value = (part.to(on, torch.bfloat16)[None].transpose(1, 2) for part in parts)
        query, key = query.contiguous(), key.contiguous()
        module = SimpleNamespace(is_causal=is_causal)
        result, _ = attention(module, query, key, value, None, packed=batch, scaling=scale, sliding_window=window)
        return result[0].float().cpu()

    def expected(*parts: torch.Tensor) -> torch.Tensor:
        query, key, value = (part.transpose(0, 1) for part in parts)
        key, value = (part.repeat_interleave(groups, 0) for part in (key, value))
        return scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=scale).transpose(0, 1)

    def everything(compute: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        parts = [part.clone().requires_grad_(trained) for part in (query, key[:, :2], value[:, :2])]
        result = compute(*parts)
        gradients = torch.autograd.grad(result, parts, direction) if trained else ()
        return [result.detach(), *gradients]

    with torch.set_grad_enabled(trained):
        pairs = zip(everything(found), everything(expected), strict=True)
        return all(torch.allclose(ours, right, rtol=0.02, atol=ATTENTION_APART) for ours, right in pairs)


def _texts(config: Any, on: str, trained: bool) -> "tuple[dict[str, torch.Tensor], Layout]":
    """Return a padded batch and its layout. One text is longer than the model's window, if memory allows it."""
    import numpy as np
    import torch

    padding = config.pad_token_id or 0
    positions = (getattr(config, "max_position_embeddings", None) or LONG[trained]) - padding - 1
    window = getattr(config, "sliding_window", None) or 0
    longest = min(positions, 70 if window + 20 > LONG[trained] else max(70, window + 20))
    lengths = np.asarray([*(min(length, longest) for length in SHORT), longest])
    special = [padding, *_numbers(config, "bos_token_id"), *_numbers(config, "eos_token_id")]
    words = np.setdiff1d(np.arange(config.vocab_size), special)
    there = np.arange(longest) < lengths[:, None]
    drawn = np.random.default_rng(0).choice(words, there.shape)
    arrays = {"input_ids": np.where(there, drawn, padding), "attention_mask": there.astype(np.int64)}
    if getattr(config, "type_vocab_size", 0) > 1:
        arrays["token_type_ids"] = np.where(there, np.arange(longest) >= lengths[:, None] // 2, 0)
    inputs = {name: torch.from_numpy(array.astype(np.int64)).to(on) for name, array in arrays.items()}
    places, offsets, _ = layout(arrays["attention_mask"])
    rows, width = there.shape
    return inputs, Layout(rows, width, torch.from_numpy(places).to(on), torch.from_numpy(offsets).to(on), longest)


def _numbers(config: Any, name: str) -> list[int]:
    setting = getattr(config, name, None)
    return setting if isinstance(setting, list) else [] if setting is None else [setting]


def _outputs(model: Any, inputs: dict[str, Any], trained: bool) -> "dict[str, torch.Tensor]":
    """Return what a model gives in a batch: the vectors of the tokens, and its logits if a row has some.

    If it is trained, also the gradient of its embeddings, which has gone through every layer.
    """
    import torch

    seen: list[torch.Tensor] = []
    hook = model.base_model.register_forward_hook(lambda _module, _inputs, output: seen.append(output[0]))
    few = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    padding, model.config.pad_token_id = model.config.pad_token_id, model.config.pad_token_id or 0
    try:
        with torch.set_grad_enabled(trained), torch.autocast(model.device.type, torch.bfloat16, enabled=trained):
            logits = getattr(model(**inputs, **few), "logits", None)
    finally:
        model.config.pad_token_id = padding
        hook.remove()
    vectors = seen[0][inputs["attention_mask"].bool()].float()
    found = {"vectors": vectors.detach()}
    if logits is not None and logits.ndim == 2:
        found["logits"] = logits.detach().float()
    if trained:
        direction = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(0)).to(vectors.device)
        weight = model.get_input_embeddings().weight
        (gradient,) = torch.autograd.grad(vectors, weight, direction)
        found["gradients"] = gradient[inputs["input_ids"].unique()].float()
    return found


def _refuse_other_numbers(found: "dict[str, torch.Tensor]", expected: "dict[str, torch.Tensor]") -> None:
    """Raise ArithmeticError if the outputs of a model are not equal but for what the number format explains."""
    for name, right in expected.items():
        rows = (found[name] - right).norm(dim=1)
        apart = float(rows.mean() if name == "gradients" else rows.max())  # small gradients are mostly rounding
        usual = float((right - right.mean(0)).norm(dim=1).mean())
        if not apart <= APART * usual + (LOGITS_APART if name == "logits" else 0):  # NaN is not equal either
            raise ArithmeticError(f"{name} that differ by {usual:.3g} are {apart:.3g} from those with padding")
