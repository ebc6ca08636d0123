"""Calibration (curate/calibrate/, sql/macros/probability.sql): what the logits of a scorer mean."""

import math
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from test_decisions import PASSAGES, cut, decision, logit, score

import curate
from curate import Workspace
from curate.calibration import write_calibration
from curate.cli.main import run
from curate.cutoffs import are_set, cutoffs_in_force, set_cutoffs
from curate.errors import UnknownName
from curate.jobs import numbered

Make = Callable[..., Workspace]


def calibrate(workspace: Workspace, a: float, b: float, c: float, scorer: str = "judge") -> str:
    """Write a calibration and return its id."""
    job = numbered(workspace, "calibrate")
    facts = {"scorer_id": scorer, "form": "beta", "evidence": "labels", "queries": 1, "positives": 1, "others": 1}
    write_calibration(
        workspace,
        job,
        {"calibration": {**facts, "seed": 0, "a": a, "b": b, "c": c}, "reliability": [], "promises": []},
    )
    return job


@pytest.fixture
def scored(make_workspace: Make) -> Workspace:
    """One query with an unlabelled candidate that a scorer gives the logit 0.4 (0.60), and a labelled positive."""
    workspace = make_workspace(
        PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["other", "answer"]}
    )
    score(workspace, {(0, 2): 0.4, (0, 0): 2.0})
    cut(workspace)
    return workspace


def probabilities(workspace: Workspace, logits: list[float], a: float, b: float, c: float) -> np.ndarray[Any, Any]:
    query = "select probability(unnest($logits)::float, $a::double, $b::double, $c::double) as p"
    return workspace.sql(query, logits=logits, a=a, b=b, c=c)["p"].to_numpy()


def test_without_a_calibration_the_probability_is_the_sigmoid_to_the_last_bit(make_workspace: Make) -> None:
    """The bytes are those of 1 / (1 + exp(-x)), also where exp overflows."""
    workspace = make_workspace(PASSAGES, {})
    logits = [*np.random.default_rng(0).normal(0, 6, 5000), 0.0, -0.0, 88.0, -88.0, 800.0, -800.0, 3e38, -3e38]
    query = "select (1 / (1 + exp(-unnest($logits)::float::double)))::float as p"
    plain = workspace.sql(query, logits=logits)["p"].to_numpy()
    assert probabilities(workspace, logits, 1, 1, 0).tobytes() == plain.tobytes()


@pytest.mark.parametrize(("a", "b", "c"), [(0.5, 0.5, -1.0), (2.0, 0.3, 0.7), (0.0, 1.0, 0.0), (1.0, 0.0, -2.0)])
def test_a_calibration_is_the_beta_form(make_workspace: Make, a: float, b: float, c: float) -> None:
    """sigmoid(a ln s(x) - b ln s(-x) + c), computed here as it is written (Kull et al. 2017)."""
    logits = [-30.0, -4.0, -1.0, 0.0, 0.5, 3.0, 30.0]
    found = probabilities(make_workspace(PASSAGES, {}), logits, a, b, c)
    for x, p in zip(logits, found, strict=True):
        log_s, log_other = -math.log1p(math.exp(-x)), -math.log1p(math.exp(x))
        assert p == pytest.approx(1 / (1 + math.exp(-(a * log_s - b * log_other + c))), rel=1e-6)


@pytest.mark.parametrize(("a", "b", "c"), [(0.7, 1.9, -3.0), (5.0, 0.0, 1.0), (0.0, 5.0, 1.0)])
def test_a_higher_logit_is_never_less_probable(make_workspace: Make, a: float, b: float, c: float) -> None:
    """Nothing overflows at the ends of float32 either."""
    found = probabilities(make_workspace(PASSAGES, {}), [-3e38, *np.linspace(-40, 40, 999), 3e38], a, b, c)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


def test_a_new_calibration_is_used_by_cutoffs_that_are_set_after_it(scored: Workspace) -> None:
    """0.4 + 3 is above 0.9. The former revision keeps what it had, and nothing is scored again."""
    before = sorted(scored.root.glob("tables/scores/**/*"))
    made = calibrate(scored, 1, 1, 3)
    assert decision(scored, "other") == "uncertain"
    row = set_cutoffs(scored, "default")
    assert (row["calibration_id"], row["revision"]) == (made, 2)
    assert decision(scored, "other") == "false_negative"
    revisions = scored.sql("select calibration_id from stored_cutoffs order by revision")["calibration_id"]
    assert revisions.to_list() == [None, made]
    assert sorted(scored.root.glob("tables/scores/**/*")) == before


def test_cutoffs_with_two_calibrations_stand_side_by_side(scored: Workspace) -> None:
    """Probability and decision belong to the cutoffs, as the columns of the view say."""
    made = calibrate(scored, 1, 1, -3)
    cut(scored, "calibrated")
    query = "select cutoffs, probability::double as p, decision from decisions where rank = 1 order by cutoffs"
    (first, second) = scored.sql(query).rows()
    assert first[::2] == ("calibrated", "hard_negative")
    assert first[1] == pytest.approx(1 / (1 + math.exp(2.6)))
    assert second[::2] == ("default", "uncertain")
    assert cutoffs_in_force(scored, "calibrated")["calibration_id"] == made


def test_a_calibration_that_was_chosen_stays_until_there_is_a_newer_one(scored: Workspace) -> None:
    """Other values of the cutoffs do not change their scale, also of cutoffs that begin as their copy."""
    first, second = calibrate(scored, 1, 1, 3), calibrate(scored, 1, 1, -3)
    assert set_cutoffs(scored, "default")["calibration_id"] == second
    assert set_cutoffs(scored, "default", calibration=first)["calibration_id"] == first
    assert set_cutoffs(scored, "default", depth=20)["calibration_id"] == first
    assert set_cutoffs(scored, "default", calibration="none")["calibration_id"] is None
    assert set_cutoffs(scored, "strict", depth=30)["calibration_id"] is None
    third = calibrate(scored, 1, 1, 0)
    assert not are_set(scored, "default", depth=20)
    assert set_cutoffs(scored, "default", depth=20)["calibration_id"] == third
    assert are_set(scored, "default", depth=20)


def test_a_calibration_is_of_one_scorer(scored: Workspace) -> None:
    """Another scorer's calibration is neither taken nor accepted."""
    other = calibrate(scored, 1, 1, 3, scorer="somebody else")
    assert set_cutoffs(scored, "default", depth=20)["calibration_id"] is None
    with pytest.raises(UnknownName, match=r"no calibration 'calibrate-00001' of judge"):
        set_cutoffs(scored, "default", calibration=other)
    assert set_cutoffs(scored, "theirs", scorer_id="somebody else")["calibration_id"] == other


def test_every_probability_of_a_set_has_the_same_scale(scored: Workspace) -> None:
    """Decisions, card, histogram, recognised positives and the rows of an export read one macro."""
    calibrate(scored, 1, 1, logit(0.98) - 0.4)
    set_cutoffs(scored, "default")
    card = curate.report(scored, "query_card", query="q").rows
    assert [row["probability"] for row in card] == pytest.approx([0.98, 0.9959], abs=1e-4)
    found = curate.report(scored, "positives_recognised").rows
    assert [row["positives"] for row in found] == [1, 0, 0, 0]
    bins = curate.report(scored, "score_histogram").rows
    assert bins[19]["positives"] == bins[19]["unlabelled"] == 1
    folder = scored.root / curate.export(scored, promote=True).path
    shown = (folder / "README.md").read_text("utf-8")
    assert "calibrated: sigmoid(1 ln s(x) - 1 ln s(-x) + " in shown
    (path,) = folder.glob("provenance/*.parquet")
    (passages,) = pl.read_parquet(path)["passages"].to_list()
    assert [row["probability"] for row in passages] == pytest.approx([0.9959, 0.98], abs=1e-4)


def test_an_export_made_under_another_calibration_is_stale(scored: Workspace) -> None:
    """So is a trained model: both compare what their cutoffs decide by."""
    curate.export(scored, promote=True)
    assert [row["changed"] for row in curate.status(scored).exports] == [[]]
    calibrate(scored, 1, 1, 3)
    assert [row["changed"] for row in curate.status(scored).exports] == [[]]
    set_cutoffs(scored, "default")
    assert [row["changed"] for row in curate.status(scored).exports] == [["cutoffs 'default'"]]


def test_a_candidate_is_unscored_when_the_row_of_its_calibration_is_gone(scored: Workspace) -> None:
    """On no scale there is no probability, and unknown is never negative."""
    made = calibrate(scored, 1, 1, -30)
    set_cutoffs(scored, "default")
    assert decision(scored, "other") == "hard_negative"
    curate.rebuild(scored, forget=made)
    assert decision(scored, "other") == "unscored"


def test_a_damaged_calibration_is_made_again(scored: Workspace) -> None:
    """Its record has its rows."""
    made = calibrate(scored, 1.5, 1.25, 3)
    path = scored.root / "tables" / "calibrations" / made / "00000.parquet"
    before = path.read_bytes()
    shutil.rmtree(path.parent)
    curate.rebuild(scored)
    assert path.read_bytes() == before


def test_the_cutoffs_show_their_calibration(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`curate cutoffs` and `curate status` say on which scale a cutoff is."""
    monkeypatch.chdir(scored.root)
    assert run(["cutoffs"]) == 0
    assert "by judge, not calibrated\n" in capsys.readouterr().out
    calibrate(scored, 1, 1, 3)
    assert run(["cutoffs", "set", "default"]) == 0
    assert "by judge, calibrated by calibrate-00001\n" in capsys.readouterr().out
    assert "by judge, calibrated by calibrate-00001\n" in curate.status(scored).text()
    assert run(["cutoffs", "set", "default", "--calibration", "none"]) == 0
    assert "not calibrated" in capsys.readouterr().out
