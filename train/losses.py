"""The losses, on matrices of logits: one row per group, the positive in column 0."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def listwise(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return the mean over groups of -log softmax(positive); slots that are not `present` take no part."""
    import torch

    masked = logits.masked_fill(~present, -torch.inf)
    return torch.nn.functional.cross_entropy(
        masked, torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    )


def binary(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return the mean over present pairs of the cross-entropy with 1 for the positive, 0 for a negative.

    It ties the logits to a scale: what the cutoffs 0.1 and 0.9 need, and what the listwise loss leaves open.
    """
    import torch

    wanted = torch.zeros_like(logits)
    wanted[:, 0] = 1
    return torch.nn.functional.binary_cross_entropy_with_logits(logits[present], wanted[present])


def won(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return, per group, whether the positive's logit is above every negative's."""
    import torch

    negatives = logits.masked_fill(~present, -torch.inf)[:, 1:]
    return logits[:, 0] > negatives.amax(dim=1)
