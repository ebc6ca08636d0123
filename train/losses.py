"""The losses, on matrices of scores. Each is a sum over the rows that a process has.

A process divides by what the whole batch holds, so that the processes' losses add up to that of one process
with the whole batch, however the rows are dealt.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def listwise(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over groups of -log softmax(positive); slots that are not `present` take no part.

    logits: groups x slots, the positive in column 0.
    """
    import torch

    masked = logits.masked_fill(~present, -torch.inf)
    firsts = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    return torch.nn.functional.cross_entropy(masked, firsts, reduction="sum")


def binary(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over present pairs of the cross-entropy with 1 for the positive, 0 for a negative.

    It ties the logits to a scale: what the cutoffs 0.1 and 0.9 need, and what the listwise loss leaves open.
    """
    import torch

    wanted = torch.zeros_like(logits)
    wanted[:, 0] = 1
    return torch.nn.functional.binary_cross_entropy_with_logits(logits[present], wanted[present], reduction="sum")


def won(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return, per group, whether the positive's logit is above every negative's."""
    import torch

    negatives = logits.masked_fill(~present, -torch.inf)[:, 1:]
    return logits[:, 0] > negatives.amax(dim=1)


def contrastive(scores: "torch.Tensor", positive: "torch.Tensor", negative: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over rows of -log softmax(positive) against the row's negatives.

    scores, positive, negative: rows x passages. A row's other positives, and passages that are neither, take no
    part; of several positives the mean counts. A row without a negative adds 0. Source: RocketQA (NAACL 2021)
    3.1, DPR's loss over the passages of all processes.
    """
    import torch

    # A finite floor: the logsumexp over nothing has no gradient.
    floor = torch.finfo(scores.dtype).min
    against = scores.masked_fill(~negative, floor).logsumexp(dim=1, keepdim=True)
    # Of the positives alone: rows x passages is what a large batch's memory goes to.
    rows, columns = positive.nonzero(as_tuple=True)
    losses = torch.nn.functional.softplus(against[rows, 0] - scores[rows, columns])
    return (losses / positive.sum(dim=1)[rows]).sum()


def kl(student: "torch.Tensor", teacher: "torch.Tensor", known: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over rows of KL(softmax(teacher) || softmax(student)) over the slots that are `known`.

    student, teacher, known: rows x slots. Rows with fewer than two known slots say nothing and add 0.
    """
    import torch

    floor = torch.finfo(student.dtype).min
    wanted = teacher.masked_fill(~known, floor).log_softmax(dim=1)
    given = student.masked_fill(~known, floor).log_softmax(dim=1)
    terms = (wanted.exp() * (wanted - given)).masked_fill(~known, 0.0)
    return terms.sum(dim=1)[known.sum(dim=1) > 1].sum()


def margin_mse(
    student: "torch.Tensor", teacher: "torch.Tensor", known: "torch.Tensor", label: "torch.Tensor"
) -> "torch.Tensor":
    """Return the sum over (positive, negative) pairs of a row of the squared difference of their margins.

    student, teacher, known, label: rows x slots; label is true for a positive. Source: Hofstätter et al. 2020.
    """
    pairs = (known & label).unsqueeze(2) & (known & ~label).unsqueeze(1)
    ours = student.unsqueeze(2) - student.unsqueeze(1)
    theirs = teacher.unsqueeze(2) - teacher.unsqueeze(1)
    return (ours - theirs)[pairs].square().sum()
