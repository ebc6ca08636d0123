"""The dual-encoder during training: one tower for both sides, or one for each side."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadSettings
from curate.models.batching import model_inputs, token_batches
from curate.models.embedding_spec import NORMALIZE, TRUNCATE, EmbeddingSpec
from curate.models.encoder import pooled, steps_after
from curate.models.pretrained import device, token_vectors, without_cudnn_attention
from curate.models.transfer import sent
from curate.ragged import Ragged

from .dropout import quick_dropout
from .initial_model import tower_from

if TYPE_CHECKING:
    import torch

# The tokens of one forward pass. It takes texts of similar length, so there is little padding.
TOKEN_BUDGET = {"cpu": 2048, "cuda": 16384, "mps": 8192}
TEMPERATURES = {"cosine": 0.05, "dot": 1.0}
"""By default, scores are divided by it."""
Embed = Callable[[Ragged], "torch.Tensor"]


def check_start(folder: Path, spec: EmbeddingSpec, *, separate: bool) -> None:
    """Raise BadSettings if training does not support the way in which the model embeds."""
    if any(step not in (NORMALIZE, TRUNCATE) for step in spec.after):
        raise BadSettings(f"{folder.name} has a Dense layer after its pooling; start from another model: --init")
    if not spec.include_prompt:
        raise BadSettings(f"{folder.name} excludes its prompt from the pooling; start from another model: --init")
    if spec.query_transformer is not None and not separate:
        raise BadSettings(f"{folder.name} has a tower for each side; use --towers separate")


def towers_from(folder: Path, spec: EmbeddingSpec, *, separate: bool, dtype: str = "fp32") -> Any:
    """Return an fp32 dual-encoder initialised from `folder`: a module with the method `embed(texts, side)`.

    dtype: the number format in which the training computes.
    """
    import torch

    after = steps_after(folder, spec)

    class Towers(torch.nn.Module):
        """A module that maps the token ids of each text to one vector."""

        def __init__(self) -> None:
            super().__init__()
            self.query = tower_from(folder / spec.query_folder, dtype)
            self.passage = tower_from(folder / spec.transformer, dtype) if separate else self.query
            self.dimension = spec.truncate_dim or self.query.config.hidden_size * len(spec.pooling)

        def embed(self, texts: Ragged, side: str) -> torch.Tensor:
            """Return the fp32 vectors, texts x dimension."""
            tower = self.query if side == "query" else self.passage
            batch = model_inputs(tower, {"input_ids": texts}, tower.config.pad_token_id or 0)
            vectors = pooled(token_vectors(tower, batch), batch["attention_mask"], spec.pooling)
            for step in after:
                vectors = step(vectors)
            return vectors

    return Towers().to(device())


class Embedded:
    """The vectors of texts, and the backward pass from their gradient to the weights.

    The texts go through the model in parts of similar length. With `cached`, the activations of a part are
    discarded and recomputed in the backward pass with the same random numbers. Memory then holds the activations
    of only one part, however many texts there are (gradient caching: Gao et al. 2021).
    """

    def __init__(
        self,
        embed: Embed,
        texts: Ragged,
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
        self.plan = list(token_batches(texts.lengths, budget))
        with torch.set_grad_enabled(not cached), computing(dtype):
            self.parts = [self._part(number) for number in range(len(self.plan))]
        vectors = torch.zeros(len(texts), width, device=device())
        for chosen, part in zip(self.plan, self.parts, strict=True):
            vectors[sent(chosen)] = part.detach()
        self.vectors = vectors.requires_grad_()

    def backward(self) -> None:
        """Propagate the gradient of `vectors` to the weights."""
        gradient = self.vectors.grad
        if gradient is None:
            return
        with computing(self.dtype):
            for number, chosen in enumerate(self.plan):
                part = self._part(number) if self.cached else self.parts[number]
                part.backward(gradient[sent(chosen)])  # type: ignore[no-untyped-call]
                self.parts[number] = part.detach()

    def _part(self, number: int) -> "torch.Tensor":
        import torch

        torch.manual_seed((self.seed + number) % 2**63)
        return self.embed(self.texts.take(self.plan[number]))


@contextmanager
def computing(dtype: str) -> Iterator[None]:
    """Compute in bf16 if `dtype` asks for it, with the quick dropout on a CPU and for any width on a GPU."""
    import torch

    on = device()
    with torch.autocast(on, torch.bfloat16, enabled=dtype == "bf16"), quick_dropout(on), without_cudnn_attention():
        yield
