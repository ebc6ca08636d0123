"""The losses against a double loop, the learning rate and dropout (train/{losses,optimizer,dropout}.py)."""

import math

import pytest
import torch

from curate.train.dropout import dropout, quick_dropout
from curate.train.losses import binary, listwise, won
from curate.train.optimizer import Schedule, adamw

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.1, 3.0, 77.0]])
PRESENT = torch.tensor([[True, True, True], [True, True, False]])  # the second group lacks its last slot


def test_listwise_is_the_sum_of_minus_log_softmax_of_the_positive() -> None:
    """A slot that is not present has no effect, and its value does not matter."""
    by_hand = []
    for row, there in zip(LOGITS.tolist(), PRESENT.tolist(), strict=True):
        total = sum(math.exp(logit) for logit, one in zip(row, there, strict=True) if one)
        by_hand.append(-math.log(math.exp(row[0]) / total))
    assert listwise(LOGITS, PRESENT).item() == pytest.approx(sum(by_hand), rel=1e-6)


def test_binary_is_the_summed_cross_entropy_of_the_pairs_that_are_there() -> None:
    """The target is 1 for the positive and 0 for each negative; there are five pairs here."""
    by_hand = []
    for row, there in zip(LOGITS.tolist(), PRESENT.tolist(), strict=True):
        for slot, (logit, one) in enumerate(zip(row, there, strict=True)):
            if one:
                by_hand.append(math.log1p(math.exp(-logit if slot == 0 else logit)))
    assert len(by_hand) == 5
    wanted = torch.zeros_like(LOGITS)
    wanted[:, 0] = 1
    assert binary(LOGITS, PRESENT, wanted).item() == pytest.approx(sum(by_hand), rel=1e-6)


def test_the_positive_wins_when_it_stands_above_every_negative_that_is_there() -> None:
    """A tie is not a win, so a scorer that gives all pairs the same score wins nothing."""
    assert won(LOGITS, PRESENT).tolist() == [True, False]
    assert won(torch.zeros(1, 3), torch.ones(1, 3, dtype=torch.bool)).tolist() == [False]


def test_the_learning_rate_rises_then_falls_in_straight_lines() -> None:
    """Two of ten steps are warm-up. The last step still has a learning rate above 0."""
    rates = [Schedule(steps=10, peak=8.0, warmup=0.2).at(step) for step in range(10)]
    assert rates == [4, 8, 8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_no_warm_up_and_nothing_but_warm_up_are_both_possible(warmup: float) -> None:
    """The rate stays above 0 and never exceeds its peak."""
    assert all(0 < Schedule(5, 1.0, warmup).at(step) <= 1 for step in range(5))


def test_biases_and_norms_do_not_decay() -> None:
    """They have one dimension."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3))
    decaying, kept = adamw(model, 0.01).param_groups
    assert [p.shape for p in decaying["params"]] == [(3, 3)]
    assert (decaying["weight_decay"], kept["weight_decay"], len(kept["params"])) == (0.01, 0.0, 3)


def test_quick_dropout_drops_the_share_that_it_says_and_keeps_the_mean() -> None:
    """0.1 becomes 26 of 256. The same seed drops the same elements, and evaluation drops nothing."""
    ones = torch.ones(300, 1001)
    torch.manual_seed(0)
    dropped = dropout(ones, 0.1)
    assert (dropped == 0).float().mean().item() == pytest.approx(26 / 256, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1, abs=0.004)
    torch.manual_seed(0)
    assert torch.equal(dropout(ones, 0.1), dropped)
    assert dropout(ones, 0.1, training=False) is ones


def test_quick_dropout_stands_in_for_that_of_the_layers_on_a_cpu() -> None:
    """Inside the context a Dropout layer uses it, and gradients use the same mask. Outside it is torch's."""
    layer, values = torch.nn.Dropout(0.1), torch.ones(64, requires_grad=True)
    torch.manual_seed(0)
    expected = dropout(torch.ones(64), 0.1)
    torch.manual_seed(0)
    with quick_dropout("cpu"):
        result = layer(values)
    result.sum().backward()
    assert torch.equal(result, expected)
    assert values.grad is not None
    assert torch.equal(values.grad, expected)
    torch.manual_seed(0)
    outside = layer(values)
    torch.manual_seed(0)
    with quick_dropout("cuda"):
        assert torch.equal(layer(values), outside)
