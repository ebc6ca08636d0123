"""The cross-encoder as a task of the loop: pairs in, one loss over their groups out."""

from typing import TYPE_CHECKING, Any

from curate.batching import batches
from curate.config import TrainCrossEncoder
from curate.models import device

from .dropout import quick_dropout
from .groups import Pair
from .loop import Outcome
from .losses import binary, listwise, won

if TYPE_CHECKING:
    import torch

# Tokens of one forward pass within a step: pairs of like length go together, which leaves little padding.
TOKEN_BUDGET = 2048


class Ranking:
    """A cross-encoder, its tokenizer, and the weighted sum of the listwise and the binary loss."""

    def __init__(self, model: Any, tokenizer: Any, settings: TrainCrossEncoder, dtype: str) -> None:
        self.model, self.tokenizer, self.settings, self.dtype = model, tokenizer, settings, dtype

    def loss(self, pairs: list[Pair]) -> Outcome:
        """Return the loss of whole groups; `pairs` come group by group, the positive of each first."""
        import torch

        logits = self.logits([pair["query"] for pair in pairs], [pair["passage"] for pair in pairs])
        first = pairs[0]["group_number"]
        rows = torch.tensor([pair["group_number"] - first for pair in pairs], device=logits.device)
        slots = torch.tensor([pair["slot"] for pair in pairs], device=logits.device)
        shape = (int(rows[-1]) + 1, 1 + self.settings.negatives)
        matrix = logits.new_zeros(shape).index_put((rows, slots), logits)
        present = torch.zeros(shape, dtype=torch.bool, device=logits.device)
        present[rows, slots] = True
        total = self.settings.listwise_weight * listwise(matrix, present)
        total = total + self.settings.binary_weight * binary(matrix, present)
        return Outcome(total, shape[0], len(pairs), int(won(matrix, present).sum()))

    def logits(self, queries: list[str], passages: list[str]) -> "torch.Tensor":
        """Return one fp32 logit a pair, in their order; beyond max_length the longer text loses its end."""
        import torch

        encoded = self.tokenizer(
            queries, passages, truncation="longest_first", max_length=self.settings.max_length
        )
        on, parts = device(), []
        order = list(batches([len(ids) for ids in encoded["input_ids"]], TOKEN_BUDGET))
        for chosen in order:
            rows = {name: [values[index] for index in chosen] for name, values in encoded.items()}
            inputs = self.tokenizer.pad(rows, return_tensors="pt").to(on)
            with torch.autocast(on, torch.bfloat16, enabled=self.dtype == "bf16"), quick_dropout(on):
                parts.append(self.model(**inputs).logits[:, 0].float())
        places = torch.cat([torch.from_numpy(chosen) for chosen in order]).argsort()
        return torch.cat(parts)[places.to(on)]
