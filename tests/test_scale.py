"""The scale of a scorer (curate/denoise/score_checks.py): on which cutoffs of 0.1 and 0.9 mean something."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_scores import Planted

import curate
from curate import Workspace
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.denoise.score_checks import Scale
from curate.errors import StepMissing
from curate.models.cross_encoder import CrossEncoder

Make = Callable[..., Workspace]
Model = Callable[..., Path]
HEALTHY: dict[str, Any] = {
    "negative_below": 0.1, "positive_above": 0.9, "pairs": 100, "lowest": -5.0, "highest": 5.0,
    "within_zero_and_one": 10, "saturated": 0, "positives": 20, "positives_below": 2, "positives_above": 10,
    "random": 20, "random_not_below": 1, "declared": None, "is_trained_here": False, "is_calibrated": False,
}  # fmt: skip
FAULTS = [
    ({"declared": "raw"}, "its files say that its logits are raw"),
    ({"lowest": 0.0, "highest": 1.0, "within_zero_and_one": 100}, "probabilities already"),
    ({"random_not_below": 11}, "11 of 20 random passages have a probability of 0.1 or more"),
    ({"positives_below": 11}, "11 of 20 labelled positives have a probability below 0.1"),
]


@pytest.mark.parametrize(("change", "word"), FAULTS)
def test_a_scale_on_which_cutoffs_mean_nothing_is_recognised(change: dict[str, Any], word: str) -> None:
    """By what the files say, and by positives and random passages."""
    assert Scale(**HEALTHY).faults == Scale(**HEALTHY).warnings == []
    (fault,) = Scale(**{**HEALTHY, **change}).faults
    assert word in fault


@pytest.mark.parametrize(("change", "word"), FAULTS[1:])
def test_a_judge_that_was_trained_here_is_told_and_not_refused(change: dict[str, Any], word: str) -> None:
    """Its loss makes its logits log-odds. What its unseen positives show may still be that 0.1 means nothing."""
    (warning,) = Scale(**{**HEALTHY, **change, "is_trained_here": True}).warnings
    assert word in warning
    (warning,) = Scale(**{**HEALTHY, "positives_above": 0, "is_trained_here": True}).warnings
    assert "hardly anything will count as a false negative" in warning


def test_logits_that_saturate_are_told() -> None:
    """Most of them stand for 0 or 1."""
    (warning,) = Scale(**{**HEALTHY, "saturated": 60}).warnings
    assert "beyond +-9" in warning


def test_too_few_pairs_show_nothing() -> None:
    """Fifteen random passages may be relevant by chance."""
    assert Scale(**{**HEALTHY, "random": 15, "random_not_below": 15}).faults == []


@pytest.fixture
def wide(make_workspace: Make) -> Workspace:
    """Twenty queries with two candidates each."""
    passages = {f"p{number}": f"passage {number} {chr(97 + number % 26)}" for number in range(60)}
    queries = {f"q{number}": f"query {number}" for number in range(20)}
    found = {f"q{number}": [f"p{number}", f"p{number + 20}"] for number in range(20)}
    return make_workspace(passages, queries, qrels=[("q0", "p0")], candidates=found)


@pytest.fixture
def raw_scorer(tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a scorer with logits of 3 to 6 for irrelevant passages, as if it was distilled on raw scores."""
    score = CrossEncoder.score
    monkeypatch.setattr(CrossEncoder, "score", lambda *of: (3 + 3 / (1 + np.exp(-score(*of)))).astype(np.float32))
    return str(tiny_cross_encoder())


def test_cutoffs_on_raw_logits_are_refused_and_the_scores_are_kept(
    wide: Workspace, raw_scorer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their sigmoid lies between 0.95 and 0.998: every candidate would be a false negative."""
    monkeypatch.chdir(wide.root)
    assert run(["denoise", "--scorer", raw_scorer]) == 2
    shown = capsys.readouterr().err
    assert "error[step-missing]: cutoffs at 0.1 and 0.9 mean nothing for tiny-ce" in shown
    assert "random passages have a probability of 0.1 or more" in shown
    assert "  try: curate calibrate --scorer tiny-ce" in shown
    assert wide.sql("select count(*) as n from scores")["n"][0] >= 40
    assert wide.scan("cutoffs").collect().height == 0
    (scorer,) = wide.sql("select distinct scorer_id from scores")["scorer_id"]
    with pytest.raises(StepMissing, match="mean nothing"):
        set_cutoffs(wide, "other", scorer=scorer)


def test_who_knows_that_logits_are_log_odds_can_say_so(wide: Workspace, raw_scorer: str) -> None:
    """The declaration is a row like any calibration, and the cutoffs name it."""
    with pytest.raises(StepMissing):
        curate.denoise(wide, scorer=raw_scorer)
    made = curate.calibrate(wide, scale="log-odds")
    assert (made.calibration["form"], made.calibration["a"], made.calibration["c"]) == ("declared", 1.0, 0.0)
    result = curate.denoise(wide, scorer=raw_scorer)
    assert result.scored_now == 0
    assert result.cutoffs["calibration_id"] == made.calibration_id


def test_cutoffs_that_suit_the_scale_are_not_refused(wide: Workspace, raw_scorer: str) -> None:
    """Whoever gives other cutoffs than 0.1 and 0.9 may know the scale."""
    assert curate.denoise(wide, scorer=raw_scorer, negative_below=0.9985, positive_above=0.999).cutoffs


def test_raw_logits_are_calibrated_without_scoring_again(tmp_path: Path) -> None:
    """The refusal names the command; then the same cutoffs mean what they say."""
    planted = Planted(tmp_path / "set", 120)
    workspace = planted.workspace
    with pytest.raises(StepMissing, match=r"100 of 100 random passages have a probability of 0\.1 or more"):
        set_cutoffs(workspace, "default", scorer="judge")
    curate.calibrate(workspace, scorer="judge")
    assert set_cutoffs(workspace, "default", scorer="judge")["calibration_id"] == "calibrate-00001"
