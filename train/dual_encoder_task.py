"""The training loop's task for a dual-encoder, which compares each query with the passages of the whole batch."""

from typing import TYPE_CHECKING, Any

from curate.config import TrainDualEncoder
from curate.models.transfer import sent
from curate.ragged import Ragged
from curate.shards import drawn

from .batch import Batch, Batches
from .curve import Outcome
from .losses import contrastive, kl, margin_mse, weighted_contrastive
from .towers import Embedded
from .world import World

if TYPE_CHECKING:
    import torch


class DualEncoderTask:
    """The towers, and the weighted sum of the contrastive loss and the distillation loss from the cross-encoder.

    Cross-batch negatives: RocketQA (NAACL 2021) 3.1.
    """

    lighter = "--gradient-cache, then a smaller --part-tokens"

    def __init__(
        self,
        towers: Any,
        settings: TrainDualEncoder,
        temperature: float,
        dtype: str,
        world: World,
        batches: Batches,
    ) -> None:
        self.model, self.settings, self.temperature = towers, settings, temperature
        self.dtype, self.world, self.batches = dtype, world, batches

    def backward(self, batch: Batch, seed: int) -> Outcome:
        """Add this process's gradients for a batch and return its part of the outcome."""
        if not (batch.queries or self.settings.cross_batch):
            return Outcome(0.0, batch.rows, 0, 0, 0.0)
        queries = self._embedded(batch.queries, "query", seed)
        passages = self._embedded(batch.passages, "passage", seed)
        every = passages.vectors
        if self.settings.cross_batch:
            every = self.world.gather(every, batch.counts)
        scores = queries.vectors @ every.T / self.temperature
        loss, won = self.loss(scores, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        queries.backward()
        passages.backward()
        tokens = int(batch.queries.lengths.sum() + batch.passages.lengths.sum())
        return Outcome(loss.item(), batch.rows, len(batch.passages), tokens, won)

    def loss(self, scores: "torch.Tensor", batch: Batch) -> "tuple[torch.Tensor, float]":
        """Return this process's part of the batch loss, and how many of its rows rank a positive first."""
        import torch

        positive, negative = (sent(mask) for mask in (batch.positive, batch.negative))
        total = (
            self.settings.contrastive_weight * self._contrastive(scores, positive, negative, batch) / batch.rows
        )
        if self.settings.distill != "none":
            total = total + self.settings.distill_weight * self._distilled(scores, batch)
        with torch.no_grad():
            best = scores.masked_fill(~positive, -torch.inf).amax(dim=1)
            against = scores.masked_fill(~negative, -torch.inf).amax(dim=1)
        return total, float((best > against).sum())

    def names(self, batch: Batch) -> str:
        """Return the query and passage ids in a batch."""
        return self.batches.names(batch)

    def _contrastive(
        self, scores: "torch.Tensor", positive: "torch.Tensor", negative: "torch.Tensor", batch: Batch
    ) -> "torch.Tensor":

        if self.settings.positives_loss == "mean" and not self.settings.uncertain:
            return contrastive(scores, positive, negative)
        weights = sent(batch.weights)
        targets = sent(batch.slots)[:, : weights.shape[1]]
        targets = targets.masked_fill(weights.isnan(), -1)
        return weighted_contrastive(scores, negative, targets, weights, self.settings.positives_loss)

    def _distilled(self, scores: "torch.Tensor", batch: Batch) -> "torch.Tensor":

        slots = sent(batch.slots)
        teacher = sent(batch.teacher)
        known = ~teacher.isnan()
        teacher = teacher.masked_fill(~known, 0.0)
        student = scores.gather(1, slots.clamp(min=0))
        if self.settings.distill == "kl":
            return kl(student, teacher, known) / max(batch.taught_rows, 1)
        positive = sent(batch.positive)
        label = positive.gather(1, slots.clamp(min=0)) & (slots >= 0)
        return margin_mse(student, teacher, known, label) / max(batch.taught_pairs, 1)

    def _embedded(self, texts: Ragged, side: str, seed: int) -> Embedded:
        return Embedded(
            lambda part: self.model.embed(part, side),
            texts,
            self.model.dimension,
            dtype=self.dtype,
            cached=self.settings.gradient_cache,
            part_tokens=self.settings.part_tokens,
            seed=drawn(seed, side, self.world.rank),
        )
