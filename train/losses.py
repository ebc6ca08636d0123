"""Losses on matrices of scores. Each is a sum over the rows of one process.

The caller divides by the count in the whole batch. The losses of all processes then add up to the loss of a single
process with the whole batch, however the rows are divided.
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


def listwise(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over groups of -log softmax(positive), ignoring slots that are not `present`.

    logits: groups x slots, the positive in column 0.
    """
    import torch

    masked = logits.masked_fill(~present, -torch.inf)
    firsts = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    return torch.nn.functional.cross_entropy(masked, firsts, reduction="sum")


def binary(logits: "torch.Tensor", present: "torch.Tensor", wanted: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over present pairs of the binary cross-entropy.

    wanted: the targets, groups x slots: 1 for a positive and 0 for a negative, or what lies between. This loss
    fixes the scale of the logits, which the cutoffs 0.1 and 0.9 need and the listwise loss leaves open.
    """
    import torch

    return torch.nn.functional.binary_cross_entropy_with_logits(logits[present], wanted[present], reduction="sum")


def won(logits: "torch.Tensor", present: "torch.Tensor") -> "torch.Tensor":
    """Return for each group whether the positive's logit is above the logits of all negatives."""
    import torch

    negatives = logits.masked_fill(~present, -torch.inf)[:, 1:]
    return logits[:, 0] > negatives.amax(dim=1)


def contrastive(scores: "torch.Tensor", positive: "torch.Tensor", negative: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over rows of -log softmax(positive) against the row's negatives.

    scores, positive, negative: rows x passages. A row with several positives adds the mean of their losses; each
    ignores the other positives and the passages that are neither positive nor negative. A row without a negative
    adds 0. Source: RocketQA (NAACL 2021) 3.1, which is DPR's loss over the passages of all processes.
    """
    import torch

    # The floor is finite because the gradient of logsumexp over nothing but -inf is NaN.
    floor = torch.finfo(scores.dtype).min
    against = scores.masked_fill(~negative, floor).logsumexp(dim=1, keepdim=True)
    # Pick out the positives: another matrix of rows x passages would take too much memory in a large batch.
    rows, columns = positive.nonzero(as_tuple=True)
    losses = torch.nn.functional.softplus(against[rows, 0] - scores[rows, columns])
    return (losses / positive.sum(dim=1)[rows]).sum()


def weighted_contrastive(
    scores: "torch.Tensor",
    negative: "torch.Tensor",
    targets: "torch.Tensor",
    weights: "torch.Tensor",
    several: Literal["mean", "lse-pair", "marginal"],
) -> "torch.Tensor":
    """Return the sum over rows of a loss of the row's targets against its negatives.

    scores s, negative: rows x passages. targets: rows x targets, the columns of what is or may be a positive.
    weights: their weights, NaN in unused places. 1 is a positive. A lower weight p is a soft label: the target
    counts p as a positive and 1 - p as a negative, but is never compared with itself. With the positives P, the
    negatives N, and the weights as factors of their terms, a row adds:

    mean      mean over i in P of log(1 + sum over j in N of exp(s_j - s_i)): `contrastive`, if all weights are 1.
    lse-pair  log(1 + sum over i in P and j in N of exp(s_j - s_i)), which is LSEPair (Wang et al. 2026, arXiv
              2602.12727), by public descriptions of it, since its code is not published. The pull on i is in
              proportion to exp(-s_i): the positive with the lowest score has most.
    marginal  -log(sum over P of exp(s_i) / sum over P and N of exp(s)), which is the same paper's SumMargLH. The
              pull is in proportion to exp(s_i): a positive that the model does not believe has least.

    With a single positive the three are equal. A row needs a target of weight 1; without negatives it adds 0.
    """
    import torch

    floor = torch.finfo(scores.dtype).min  # finite, as in `contrastive`
    against = scores.masked_fill(~negative, floor).logsumexp(dim=1, keepdim=True)
    own = scores.gather(1, targets.clamp(min=0))
    weights = weights.nan_to_num(0.0).to(scores.dtype)
    # A place with the weight 0 is unused, or so sure to be no positive that it is a whole negative.
    is_used = targets >= 0
    as_positive = (own + weights.log()).masked_fill(weights == 0, floor)
    as_negative = (own + (-weights).log1p()).masked_fill(~is_used | (weights == 1), floor)
    if several == "marginal":
        every = torch.logaddexp(against[:, 0], as_negative.logsumexp(dim=1))
        return torch.nn.functional.softplus(every - as_positive.logsumexp(dim=1)).sum()
    itself = torch.eye(targets.shape[1], dtype=torch.bool, device=scores.device)
    others = as_negative.unsqueeze(1).masked_fill(itself, floor).logsumexp(dim=2)
    margins = torch.logaddexp(against, others) - own
    if several == "lse-pair":
        pairs = (margins + weights.log()).masked_fill(weights == 0, floor)
        return torch.nn.functional.softplus(pairs.logsumexp(dim=1)).sum()
    return ((weights * torch.nn.functional.softplus(margins)).sum(dim=1) / weights.sum(dim=1)).sum()


def kl(student: "torch.Tensor", teacher: "torch.Tensor", known: "torch.Tensor") -> "torch.Tensor":
    """Return the sum over rows of KL(softmax(teacher) || softmax(student)) over the slots that are `known`.

    student, teacher, known: rows x slots. Rows with fewer than two known slots carry no order and add 0.
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
    """Return the sum, over the (positive, negative) pairs in each row, of the squared difference between margins.

    The margins are those of the student and the teacher; a pair counts if both of its slots are `known`.
    student, teacher, known, label: rows x slots; label is true for a positive. Source: Hofstätter et al. 2020.
    """
    pairs = (known & label).unsqueeze(2) & (known & ~label).unsqueeze(1)
    ours = student.unsqueeze(2) - student.unsqueeze(1)
    theirs = teacher.unsqueeze(2) - teacher.unsqueeze(1)
    return (ours - theirs)[pairs].square().sum()
