"""The AdamW optimizer, and a learning rate with linear warm-up and linear decay."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the steps: it rises over the first `warmup` share of them, then falls towards 0."""

    steps: int
    peak: float
    warmup: float

    def at(self, step: int) -> float:
        """Return the learning rate of a step; steps count from 0."""
        rise = max(1, round(self.steps * self.warmup))
        up, down = (step + 1) / rise, (self.steps - step) / max(1, self.steps - rise)
        return self.peak * min(up, down, 1.0)


def adamw(model: "torch.nn.Module", weight_decay: float) -> "torch.optim.AdamW":
    """Return AdamW over the model's trainable parameters; one-dimensional ones (biases, norms) do not decay."""
    import torch

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, fused=True)
