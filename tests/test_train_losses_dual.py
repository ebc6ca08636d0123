"""The dual-encoder's losses (train/losses.py) against plain loops that define them."""

import math
from typing import Literal

import numpy as np
import pytest
import torch

from curate.train.losses import contrastive, kl, margin_mse, weighted_contrastive

DRAWN = np.random.default_rng(0)
SCORES = torch.tensor(DRAWN.normal(size=(4, 9)), dtype=torch.float32)
POSITIVE = torch.zeros(4, 9, dtype=torch.bool)
POSITIVE[0, 0] = POSITIVE[1, 2] = POSITIVE[1, 3] = POSITIVE[2, 4] = POSITIVE[3, 6] = True
NEGATIVE = ~POSITIVE & torch.tensor(DRAWN.random((4, 9)) < 0.6)
NEGATIVE[3] = False
Several = Literal["mean", "lse-pair", "marginal"]
SEVERAL: list[Several] = ["mean", "lse-pair", "marginal"]
NAN = float("nan")
# Row 0 has a positive and two soft labels, row 1 two positives, row 2 one and a soft label, row 3 no negative.
TARGETS = torch.tensor([[0, 5, 7], [2, 3, -1], [4, 8, -1], [6, -1, -1]])
WEIGHTS = torch.tensor([[1.0, 0.3, 0.8], [1.0, 1.0, NAN], [1.0, 0.5, NAN], [1.0, NAN, NAN]])
AGAINST = NEGATIVE.clone()
AGAINST[0, 5] = AGAINST[0, 7] = AGAINST[2, 8] = False


def by_definition(scores: list[float], targets: dict[int, float], negatives: list[int], several: Several) -> float:
    """Return the loss of one row, pair by pair: a target of weight w is 1 - w of a negative of the others."""
    whole = {**dict.fromkeys(negatives, 1.0), **{column: 1 - weight for column, weight in targets.items()}}

    def pairs(column: int) -> float:
        others = ((other, part) for other, part in whole.items() if other != column)
        return sum(part * math.exp(scores[other] - scores[column]) for other, part in others)

    if several == "mean":
        losses = [weight * math.log1p(pairs(column)) for column, weight in targets.items()]
        return sum(losses) / sum(targets.values())
    if several == "lse-pair":
        return math.log1p(sum(weight * pairs(column) for column, weight in targets.items()))
    believed = sum(weight * math.exp(scores[column]) for column, weight in targets.items())
    unbelieved = sum(part * math.exp(scores[column]) for column, part in whole.items())
    return -math.log(believed / (believed + unbelieved))


def rows_by_definition(scores: torch.Tensor, several: Several) -> float:
    total = 0.0
    for row, values in enumerate(scores.double().tolist()):
        places = zip(TARGETS[row].tolist(), WEIGHTS[row].double().tolist(), strict=True)
        targets = {column: weight for column, weight in places if column >= 0}
        negatives = [column for column in range(9) if AGAINST[row, column]]
        total += by_definition(values, targets, negatives, several)
    return total


@pytest.mark.parametrize("several", SEVERAL)
def test_weighted_losses_are_their_definitions_pair_by_pair(several: Several) -> None:
    """Also with scores of a large scale, such as dot products."""
    for scale in (1.0, 30.0):
        scores = SCORES.double() * scale
        found = weighted_contrastive(scores, AGAINST, TARGETS, WEIGHTS, several).item()
        assert found == pytest.approx(rows_by_definition(scores, several), rel=1e-6)


@pytest.mark.parametrize("several", SEVERAL)
def test_their_gradients_are_finite_differences_of_the_definitions(several: Several) -> None:
    """Each of the 36 scores is moved a little, up and down."""
    scores = SCORES.double().requires_grad_()
    torch.autograd.backward(weighted_contrastive(scores, AGAINST, TARGETS, WEIGHTS, several))
    assert scores.grad is not None
    step = 1e-6
    for row in range(4):
        for column in range(9):
            moved = torch.zeros(4, 9, dtype=torch.float64)
            moved[row, column] = step
            up, down = (rows_by_definition(SCORES.double() + sign * moved, several) for sign in (1, -1))
            assert scores.grad[row, column].item() == pytest.approx((up - down) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("several", SEVERAL)
def test_the_losses_are_one_with_a_single_positive(several: Several) -> None:
    """Then nothing has to be joined, and they are the loss of RocketQA."""
    one = TARGETS[[0, 2, 3], :1]
    positive = torch.zeros(3, 9, dtype=torch.bool).scatter(1, one, value=True)
    found = weighted_contrastive(SCORES[[0, 2, 3]], NEGATIVE[[0, 2, 3]], one, torch.ones(3, 1), several)
    assert found.item() == pytest.approx(contrastive(SCORES[[0, 2, 3]], positive, NEGATIVE[[0, 2, 3]]).item())


def test_the_mean_without_soft_labels_is_the_contrastive_loss() -> None:
    """The same with one, two and no negatives."""
    columns = torch.tensor([[0, -1], [2, 3], [4, -1], [6, -1]])
    weights = torch.tensor([[1.0, NAN], [1.0, 1.0], [1.0, NAN], [1.0, NAN]])
    found = weighted_contrastive(SCORES, NEGATIVE, columns, weights, "mean").item()
    assert found == pytest.approx(contrastive(SCORES, POSITIVE, NEGATIVE).item(), rel=1e-6)


@pytest.mark.parametrize("several", SEVERAL)
def test_a_soft_label_of_1_is_a_positive_and_one_of_0_a_negative(several: Several) -> None:
    """Between the two the loss goes from one to the other."""
    negative = torch.tensor([[False, False, True, True]])
    targets, scores = torch.tensor([[0, 1]]), SCORES[:1, :4]

    def loss(weight: float) -> float:
        weights = torch.tensor([[1.0, weight]])
        return float(weighted_contrastive(scores, negative, targets, weights, several))

    first = torch.tensor([[True, False, False, False]])
    as_negative = contrastive(scores, first, ~first)
    assert loss(0.0) == pytest.approx(as_negative.item())
    positives = torch.tensor([[1.0, 1.0]])
    assert loss(1.0) == weighted_contrastive(scores, negative, targets, positives, several).item()
    assert loss(1.0) == pytest.approx(
        by_definition(scores[0].tolist(), {0: 1.0, 1: 1.0}, [2, 3], several), rel=1e-6
    )


def pulls(several: Several, weight: float = 1.0) -> list[float]:
    """Return the pull on a right positive (score 2) and on a wrong one (score -2), against scores of 1 and 0."""
    scores = torch.tensor([[2.0, -2.0, 1.0, 0.0]], requires_grad=True)
    negative = torch.tensor([[False, False, True, True]])
    weights = torch.tensor([[1.0, weight]])
    torch.autograd.backward(weighted_contrastive(scores, negative, torch.tensor([[0, 1]]), weights, several))
    assert scores.grad is not None
    return [round(-pull, 2) for pull in scores.grad[0, :2].tolist()]


def test_what_a_wrong_positive_does_to_the_other_and_how_hard_it_pulls() -> None:
    """The model gives the wrong one a low score, far below both negatives.

    With the mean each has half of the row, of which the right one needs little, as it is first already. LSEPair
    turns nearly all of the row to the wrong one: it does not doubt labels. The marginal likelihood is content with
    the right one. As a soft label of 0.2 the wrong one pulls less in every loss.
    """
    assert pulls("mean") == [0.17, 0.48]
    assert pulls("lse-pair") == [0.02, 0.95]
    assert pulls("marginal") == [0.32, 0.01]
    assert [pulls(several, 0.2)[1] for several in SEVERAL] == [0.15, 0.78, -0.01]


@pytest.mark.parametrize("several", SEVERAL)
def test_extreme_weights_and_missing_negatives_give_no_nan(several: Several) -> None:
    """Weights of 0 and 1 are soft labels at the ends of the scale; a row may lack negatives."""
    scores = (SCORES[:2, :3] * 1000).requires_grad_()
    targets, weights = torch.tensor([[0, 1, 2], [0, 1, -1]]), torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, NAN]])
    loss = weighted_contrastive(scores, torch.zeros(2, 3, dtype=torch.bool), targets, weights, several)
    torch.autograd.backward(loss)
    assert scores.grad is not None
    assert loss.isfinite()
    assert scores.grad.isfinite().all()
    assert (scores.grad[1] == 0).all()
    nothing = weighted_contrastive(scores[:0], torch.zeros(0, 3).bool(), targets[:0], weights[:0], several)
    assert nothing.item() == 0.0


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
