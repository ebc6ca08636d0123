"""The training loop's task for a cross-encoder: it turns a batch of pairs into gradients of a loss over groups."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.config import TrainCrossEncoder
from curate.models.batching import model_inputs, token_batches
from curate.models.pretrained import accepted, device, padding_id
from curate.models.transfer import sent

from .curve import Outcome
from .groups import Pair
from .losses import binary, listwise, won
from .towers import TOKEN_BUDGET, computing
from .world import World

if TYPE_CHECKING:
    import torch

OF_PEOPLE = ("positive", "judged")
"""The kinds of pairs whose label comes from people."""


class CrossEncoderTask:
    """A cross-encoder, its tokenizer, and the weighted sum of the listwise and the binary loss."""

    lighter = "a smaller --batch-groups or --max-length with another --name"

    def __init__(
        self, model: Any, tokenizer: Any, settings: TrainCrossEncoder, dtype: str, world: World | None = None
    ) -> None:
        self.model, self.tokenizer, self.settings, self.dtype = model, tokenizer, settings, dtype
        self.world = world or World()

    def backward(self, batch: list[Pair], seed: int) -> Outcome:
        """Add the gradients of this process's groups and return this process's part of the outcome.

        The pairs are ordered by group, and each group starts with its positive.
        """
        import torch

        torch.manual_seed((seed + self.world.rank) % 2**63)
        groups = [list(group) for _, group in groupby(batch, key=lambda pair: pair["group_number"])]
        share = self.world.share(len(groups))
        pairs = [pair for group in groups[share.start : share.stop] for pair in group]
        if not pairs:
            return Outcome(0.0, len(groups), 0, 0, 0.0)
        encoded = self._encode([pair["query"] for pair in pairs], [pair["passage"] for pair in pairs])
        loss, first = self._loss(pairs, self._logits(encoded), len(groups), len(batch))
        loss.backward()  # type: ignore[no-untyped-call]
        return Outcome(loss.item(), len(groups), len(pairs), sum(map(len, encoded["input_ids"])), first)

    def logits(self, queries: list[str], passages: list[str]) -> "torch.Tensor":
        """Return the logits of pairs without their gradients, in fp32."""
        import torch

        if not queries:
            return torch.empty(0, device=device())
        with torch.no_grad():
            return self._logits(self._encode(queries, passages))

    def names(self, batch: list[Pair]) -> str:
        """Return the query and passage ids in a batch."""
        return ", ".join(f"{pair['query_id']} {pair['passage_id']}" for pair in batch)

    def _loss(
        self, pairs: list[Pair], logits: "torch.Tensor", groups: int, all_pairs: int
    ) -> "tuple[torch.Tensor, float]":
        """Return this process's part of the batch loss, and how many of its groups rank the positive first.

        groups, all_pairs: the numbers of groups and pairs in the whole batch.
        """
        width = 1 + self.settings.negatives
        matrix, present = grid(pairs, logits, width)
        wanted, _ = grid(pairs, logits.new_tensor([self._target(pair) for pair in pairs]), width)
        total = self.settings.listwise_weight * listwise(matrix, present) / groups
        total = total + self.settings.binary_weight * binary(matrix, present, wanted) / all_pairs
        return total, float(won(matrix, present).sum())

    def _target(self, pair: Pair) -> float:
        """Return the target of the binary loss: the label, unless settings move it."""
        target, settings = float(pair["slot"] == 0), self.settings
        if pair["earlier"] is not None and pair["kind"] not in OF_PEOPLE:
            target = settings.soft_labels * pair["earlier"] + (1 - settings.soft_labels) * target
        return settings.label_smoothing + (1 - 2 * settings.label_smoothing) * target

    def _encode(self, queries: list[str], passages: list[str]) -> Any:
        return self.tokenizer(queries, passages, truncation="longest_first", max_length=self.settings.max_length)

    def _logits(self, encoded: Any) -> "torch.Tensor":
        import torch

        parts = []
        order = list(token_batches([len(ids) for ids in encoded["input_ids"]], TOKEN_BUDGET[device()]))
        with computing(self.dtype):
            for chosen in order:
                rows = {name: [values[index] for index in chosen] for name, values in encoded.items()}
                inputs = model_inputs(self.model, rows, padding_id(self.model, self.tokenizer))
                parts.append(self.model(**accepted(self.model, inputs)).logits[:, 0].float())
        return torch.cat(parts)[sent(np.concatenate(order).argsort())]


def grid(pairs: list[Pair], values: "torch.Tensor", width: int) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the values as groups x slots, `width` of these, and which slots have one."""
    import torch

    first = pairs[0]["group_number"]
    rows = torch.tensor([pair["group_number"] - first for pair in pairs], device=values.device)
    slots = torch.tensor([pair["slot"] for pair in pairs], device=values.device)
    shape = (int(rows[-1]) + 1, width)
    present = torch.zeros(shape, dtype=torch.bool, device=values.device)
    present[rows, slots] = True
    return values.new_zeros(shape).index_put((rows, slots), values), present
