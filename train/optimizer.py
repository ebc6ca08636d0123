"""AdamW, and how the learning rate runs: linear warm-up, linear decay."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step (from 0): up over the first `warmup` share, then down to 0."""

    steps: int
    peak: float
    warmup: float

    def at(self, step: int) -> float:
        """Return the learning rate of a step."""
        rise = max(1, round(self.steps * self.warmup))
        up, down = (step + 1) / rise, (self.steps - step) / max(1, self.steps - rise)
        return self.peak * min(up, down, 1.0)


def adamw(model: "torch.nn.Module", weight_decay: float) -> "torch.optim.AdamW":
    """Return AdamW over the model's parameters; biases and norms (one dimension) do not decay."""
    import torch

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, fused=True)
