"""The dual-encoder's losses (train/losses.py) against plain loops that define them."""

import math

import numpy as np
import pytest
import torch

from curate.train.losses import contrastive, kl, margin_mse

DRAWN = np.random.default_rng(0)
SCORES = torch.tensor(DRAWN.normal(size=(4, 9)), dtype=torch.float32)
POSITIVE = torch.zeros(4, 9, dtype=torch.bool)
POSITIVE[0, 0] = POSITIVE[1, 2] = POSITIVE[1, 3] = POSITIVE[2, 4] = POSITIVE[3, 6] = True
NEGATIVE = ~POSITIVE & torch.tensor(DRAWN.random((4, 9)) < 0.6)
NEGATIVE[3] = False


def test_contrastive_is_the_double_loop_over_rows_and_their_positives() -> None:
    """-log softmax of each positive against only the row's negatives, averaged over the row's positives."""
    wanted = 0.0
    for row in range(4):
        positives = [column for column in range(9) if POSITIVE[row, column]]
        negatives = [column for column in range(9) if NEGATIVE[row, column]]
        losses = []
        for positive in positives:
            against = sum(math.exp(SCORES[row, column].item()) for column in [positive, *negatives])
            losses.append(math.log(against) - SCORES[row, positive].item())
        wanted += sum(losses) / len(losses)
    assert contrastive(SCORES, POSITIVE, NEGATIVE).item() == pytest.approx(wanted, rel=1e-6)


def test_a_row_without_negatives_adds_nothing_and_has_a_finite_gradient() -> None:
    """Row 3 has no negatives: its loss and gradient are 0, not NaN."""
    scores = SCORES.clone().requires_grad_()
    torch.autograd.backward(contrastive(scores, POSITIVE, NEGATIVE))
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert (scores.grad[3] == 0).all()
    assert contrastive(SCORES[3:], POSITIVE[3:], NEGATIVE[3:]).item() == 0


def test_what_is_neither_positive_nor_negative_takes_no_part() -> None:
    """Its score has no effect."""
    changed = torch.where(POSITIVE | NEGATIVE, SCORES, SCORES + 100)
    assert torch.equal(contrastive(SCORES, POSITIVE, NEGATIVE), contrastive(changed, POSITIVE, NEGATIVE))


def test_without_rows_the_loss_is_zero() -> None:
    """A process without a row of the batch takes part in the step all the same."""
    scores = torch.zeros(0, 9, requires_grad=True)
    loss = contrastive(scores, POSITIVE[:0], NEGATIVE[:0])
    torch.autograd.backward(loss)
    assert loss.item() == 0.0


def test_kl_is_the_sum_over_known_slots() -> None:
    """Rows with fewer than two logits add 0."""
    student, teacher = SCORES[:, :3], SCORES[:, 3:6] * 2
    known = torch.tensor([[True, True, True], [True, False, True], [True, False, False], [False, False, False]])
    wanted = 0.0
    for row, slots in ((0, [0, 1, 2]), (1, [0, 2])):
        p = torch.softmax(teacher[row, slots], 0)
        q = torch.softmax(student[row, slots], 0)
        wanted += sum(p[slot].item() * math.log(p[slot].item() / q[slot].item()) for slot in range(len(slots)))
    assert kl(student, teacher, known).item() == pytest.approx(wanted, rel=1e-5)


def test_margin_mse_is_the_sum_over_pairs_of_a_positive_and_a_negative() -> None:
    """Both passages of a pair must have a logit."""
    student, teacher = SCORES[:2, :3], SCORES[:2, 3:6]
    known = torch.tensor([[True, True, True], [True, True, False]])
    label = torch.tensor([[True, False, False], [True, False, False]])
    wanted = sum(
        ((student[row, 0] - student[row, slot]) - (teacher[row, 0] - teacher[row, slot])).item() ** 2
        for row, slot in ((0, 1), (0, 2), (1, 1))
    )
    assert margin_mse(student, teacher, known, label).item() == pytest.approx(wanted, rel=1e-5)
