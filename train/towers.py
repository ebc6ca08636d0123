"""The dual-encoder that is trained: one tower for both sides, or one for each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import BadSettings
from curate.models.batching import token_batches
from curate.models.embedding_spec import EmbeddingSpec
from curate.models.encoder import pooled
from curate.models.pretrained import device

from .dropout import quick_dropout
from .initial_model import tower_from
from .tokens import Ids

if TYPE_CHECKING:
    import torch

# Tokens of one forward pass: texts of like length go together, which leaves little padding.
TOKEN_BUDGET = {"cpu": 2048, "cuda": 16384, "mps": 8192}
Embed = Callable[[Sequence[Ids]], "torch.Tensor"]


def check_start(folder: Path, spec: EmbeddingSpec, *, separate: bool) -> None:
    """Raise BadSettings for a model that cannot be trained as it embeds."""
    if any(step != "normalize" for step in spec.after):
        raise BadSettings(f"{folder.name} has a Dense layer behind its pooling; start from another model: --init")
    if not spec.include_prompt:
        raise BadSettings(f"{folder.name} leaves its prompt out of the pooling; start from another model: --init")
    if spec.query_transformer is not None and not separate:
        raise BadSettings(f"{folder.name} has a tower for each side: train it with --towers separate")


def towers_from(folder: Path, spec: EmbeddingSpec, *, separate: bool) -> Any:
    """Return the fp32 dual-encoder that starts from `folder`: a module with `embed(texts, side)`."""
    import torch

    normalize = bool(spec.after)

    class Towers(torch.nn.Module):
        """Token ids in, one vector a text out."""

        def __init__(self) -> None:
            super().__init__()
            self.query = tower_from(folder / spec.query_folder)
            self.passage = tower_from(folder / spec.transformer) if separate else self.query
            self.dimension = self.query.config.hidden_size * len(spec.pooling)

        def embed(self, texts: Sequence[Ids], side: str) -> torch.Tensor:
            """Return texts x dimension, fp32."""
            tower = self.query if side == "query" else self.passage
            ids, mask = padded(texts, tower.config.pad_token_id or 0)
            hidden = tower(input_ids=ids, attention_mask=mask)[0].float()
            vectors = pooled(hidden, mask, spec.pooling)
            return torch.nn.functional.normalize(vectors) if normalize else vectors

    return Towers().to(device())


def padded(texts: Sequence[Ids], padding: int) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return token ids, texts x the longest, and their mask, on the device."""
    import torch

    width = max(len(ids) for ids in texts)
    ids = np.full((len(texts), width), padding, np.int64)
    mask = np.zeros((len(texts), width), np.int64)
    for row, tokens in enumerate(texts):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return torch.from_numpy(ids).to(device()), torch.from_numpy(mask).to(device())


class Embedded:
    """The vectors of texts, and the way back from their gradient to the weights.

    The texts go through the model in parts of like length. With `cached`, the parts' activations are thrown away
    and computed again on the way back, with the same random numbers, so that memory is one part's however many
    texts there are (gradient caching: Gao et al. 2021).
    """

    def __init__(
        self,
        embed: Embed,
        texts: Sequence[Ids],
        width: int,
        *,
        dtype: str,
        cached: bool,
        seed: int,
        part_tokens: int | None = None,
    ) -> None:
        import torch

        self.embed, self.texts, self.dtype, self.cached, self.seed = embed, texts, dtype, cached, seed
        budget = part_tokens or TOKEN_BUDGET[device()]
        self.plan = list(token_batches([len(ids) for ids in texts], budget)) if texts else []
        with torch.set_grad_enabled(not cached), computing(dtype):
            self.parts = [self._part(number) for number in range(len(self.plan))]
        vectors = torch.zeros(len(texts), width, device=device())
        for chosen, part in zip(self.plan, self.parts, strict=True):
            vectors[torch.from_numpy(chosen).to(vectors.device)] = part.detach()
        self.vectors = vectors.requires_grad_()

    def backward(self) -> None:
        """Send the gradient of `vectors` on to the weights."""
        import torch

        gradient = self.vectors.grad
        if gradient is None:
            return
        with computing(self.dtype):
            for number, chosen in enumerate(self.plan):
                part = self._part(number) if self.cached else self.parts[number]
                part.backward(gradient[torch.from_numpy(chosen).to(gradient.device)])  # type: ignore[no-untyped-call]
                self.parts[number] = part.detach()

    def _part(self, number: int) -> "torch.Tensor":
        import torch

        torch.manual_seed((self.seed + number) % 2**63)
        return self.embed([self.texts[index] for index in self.plan[number]])


@contextmanager
def computing(dtype: str) -> Iterator[None]:
    """Compute in bf16 where it is asked for, with a dropout that a CPU draws quickly."""
    import torch

    on = device()
    with torch.autocast(on, torch.bfloat16, enabled=dtype == "bf16"), quick_dropout(on):
        yield
