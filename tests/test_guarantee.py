"""Cutoffs that keep a promise (curate/calibrate/guarantee.py): how often they do, and what is said if none can."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_scores import DEPTH, Planted
from scipy.stats import binom  # type: ignore[import-untyped]

import curate
from curate.calibrate.guarantee import STAKES, Candidates, Sample, Side, e_value, kept, one_of_each_query, p_value
from curate.cli.main import run
from curate.errors import BadInput, NotMet


class World:
    """Ten candidates of each query, whose probabilities are overrated, and which are alike within a query."""

    def __init__(self, queries: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        odds = random.normal(0, 1, (queries, 1)) + random.normal(-0.5, 1.5, (queries, DEPTH))
        self.relevant = random.random((queries, DEPTH)) < 1 / (1 + np.exp(-odds))
        self.probability = (1 / (1 + np.exp(-2 * odds))).astype(np.float32)

    def candidates(self, side: Side) -> Candidates:
        """Return the cutoffs to be tested, the most careful first."""
        cuts = np.unique(np.quantile(self.probability, np.linspace(0.001, 0.999, 80)).astype(np.float32))
        return Candidates(side, cuts[::-1] if side == "above" else cuts)

    def sample(self, queries: np.ndarray[Any, Any], per_query: int, random: np.random.Generator) -> Sample:
        """Return the verdicts on some candidates of some queries."""
        places = np.argsort(random.random((len(queries), DEPTH)), axis=1)[:, :per_query]
        rows = np.repeat(queries, per_query), places.ravel()
        return Sample(rows[0], self.probability[rows], self.relevant[rows], np.ones(len(rows[0])))

    def wrong(self, side: Side, cutoff: float) -> float:
        """Return the true share of wrong ones beyond a cutoff."""
        above = side == "above"
        beyond = self.probability > np.float32(cutoff) if above else self.probability < np.float32(cutoff)
        return float((~self.relevant if above else self.relevant)[beyond].mean())


def test_an_e_value_is_the_mean_winning_of_all_stakes() -> None:
    """Computed here as a loop over stakes and queries."""
    losses = np.asarray([-0.1, 0.9, -0.3, 0.0, -0.1])
    total = 0.0
    for number in range(STAKES):
        stake = (1 - np.cos(np.pi * (number + 0.5) / STAKES)) / 2 / 0.9
        won = 1.0
        for loss in losses.tolist():
            won *= 1 - stake * loss
        total += won
    assert e_value(losses, 0.9) == pytest.approx(total / STAKES)


def test_pairs_are_judged_by_the_binomial_distribution() -> None:
    """scipy's, of the pairs that were selected. With weights it is a bet."""
    chosen, wrong = np.arange(100) < 63, np.arange(100) < 3
    assert p_value(chosen, wrong, 0.1, None) == pytest.approx(binom.cdf(3, 63, 0.1))
    losses = np.concatenate([np.full(3, 0.9), np.full(60, -0.1)])
    assert p_value(chosen, wrong, 0.1, np.ones(100)) == pytest.approx(min(1, 1 / e_value(losses, 0.9)))


def test_one_judged_pair_of_each_query_counts() -> None:
    """By chance, which the seed decides: every pair of a query has its turn."""
    sample = Sample(
        np.asarray([7, 7, 7, 9]), np.asarray([0.1, 0.2, 0.3, 0.4], np.float32), np.ones(4, bool), np.ones(4)
    )
    drawn = [one_of_each_query(sample, seed) for seed in range(40)]
    assert all(one.query.tolist() == [7, 9] for one in drawn)
    assert {round(float(one.probability[0]), 1) for one in drawn} == {0.1, 0.2, 0.3}


def test_an_e_value_rarely_wins_where_the_promise_is_just_broken() -> None:
    """Its mean over samples is at most 1, so that it exceeds 20 in at most 5 % of them."""
    random = np.random.default_rng(0)
    wins = [e_value((random.random(100) < 0.1).astype(np.float64) - 0.1, 0.9) for _ in range(2000)]
    assert np.mean(wins) <= 1.3
    assert np.mean(np.asarray(wins) >= 20) <= 0.05


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("per_query", [1, 4])
def test_a_promise_is_kept_in_95_of_100_samples(side: Side, per_query: int) -> None:
    """Also where verdicts within a query are alike. A cutoff is found in most samples."""
    world = World(5000, seed=1)
    random = np.random.default_rng(2)
    candidates = world.candidates(side)
    found, broken = 0, 0
    for _ in range(100):
        queries = random.choice(5000, 1200, replace=False)
        sample = one_of_each_query(world.sample(queries, per_query, random), seed=0)
        promise = kept(sample, candidates, 0.15, 0.95)
        found += promise is not None
        broken += promise is not None and world.wrong(side, promise.cutoff) > 0.15
    assert broken <= 5
    assert found >= 50


def test_testing_ends_at_the_first_cutoff_that_fails() -> None:
    """A later cutoff that would pass again is not looked at: the order makes the test valid."""
    probability = np.repeat(np.asarray([0.9, 0.8, 0.7], np.float32), [200, 60, 5000])
    relevant = np.repeat([True, False, True], [200, 60, 5000])
    sample = Sample(np.arange(5260), probability, relevant, np.ones(5260))
    cuts = np.asarray([0.85, 0.75, 0.65], np.float32)
    promise = kept(sample, Candidates("above", cuts), 0.1, 0.95)
    assert promise
    assert promise.cutoff == np.float32(0.85)
    assert (promise.pairs, promise.wrong, promise.share) == (200, 0, 0.0)


def test_pairs_that_were_drawn_rarely_count_for_more() -> None:
    """Of 400 confident pairs 2 % are wrong. The 40 doubtful ones, half of them wrong, stand for ten each."""
    probability = np.repeat(np.asarray([0.9, 0.8], np.float32), [400, 40])
    relevant = np.concatenate([np.arange(400) % 50 > 0, np.arange(40) >= 20])
    candidates = Candidates("above", np.asarray([0.85, 0.75], np.float32))
    equal = Sample(np.arange(440), probability, relevant, np.ones(440))
    rare = Sample(np.arange(440), probability, relevant, np.where(probability > 0.85, 1.0, 10.0))
    (one, other) = (kept(sample, candidates, 0.2, 0.9) for sample in (equal, rare))
    assert one
    assert round(one.cutoff, 2) == 0.75
    assert other is None or round(other.cutoff, 2) == 0.85


def test_a_rare_pair_counts_as_much_where_many_others_were_judged() -> None:
    """Of half of the queries, nine candidates were judged for certain and one by chance, which is relevant.

    Of the others, nine irrelevant ones by chance. So 10 % below the cutoff are false; 6 % is hardly ever promised.
    """
    random = np.random.default_rng(0)
    odd = np.arange(1500)[:, None] % 2 == 1
    first = np.arange(10)[None, :] == 0
    rare = np.where(odd, first, ~first)
    chance, probability = np.where(rare, 0.2, 1.0), np.where(rare, 0.05, 0.9).astype(np.float32)
    promised = 0
    for seed in range(60):
        rows = np.nonzero(random.random(chance.shape) < chance)
        sample = Sample(rows[0], probability[rows], (rare & odd)[rows], 1 / chance[rows])
        cuts = Candidates("below", np.asarray([0.1], np.float32))
        promised += kept(one_of_each_query(sample, seed), cuts, 0.06, 0.95) is not None
    assert promised <= 3


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """300 queries. People judged two candidates of each, drawn by chance."""
    planted = Planted(tmp_path_factory.mktemp("judged") / "set", 300, seed=1)
    random = np.random.default_rng(3)
    places = [(q, int(p)) for q in range(300) for p in random.choice(DEPTH, 2, replace=False)]
    planted.annotate([(q, p) for q, p in places if not planted.labelled[q, p]])
    return planted


def test_the_command_sets_cutoffs_that_keep_the_promise(
    judged: Planted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They belong to the calibration, and hold for the truth about all unlabelled candidates."""
    monkeypatch.chdir(judged.workspace.root)
    goals = ["--precision", "0.6", "--share-false", "0.1", "--confidence", "0.9", "--cutoffs", "kept"]
    assert run(["calibrate", "--scorer", "judge", "--json", *goals]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = judged.workspace.sql("select * from cutoffs where name = 'kept'").to_dicts()
    assert row["calibration_id"] == found["calibration_id"]
    cut = {promise["side"]: np.float32(promise["cutoff"]) for promise in found["promises"]}
    assert (row["positive_above"], row["negative_below"]) == (cut["above"], cut["below"])
    decided = judged.workspace.sql(
        "select query_key as q, passage_key % 10 as p, probability from decisions where cutoffs = 'kept'"
    ).rows()
    unlabelled = [(pr, judged.relevant[q, p]) for q, p, pr in decided if not judged.labelled[q, p]]
    assert (
        np.mean([relevant for probability, relevant in unlabelled if probability > row["positive_above"]]) >= 0.6
    )
    assert (
        np.mean([relevant for probability, relevant in unlabelled if probability < row["negative_below"]]) <= 0.1
    )
    promises = judged.workspace.sql("select side, most, confidence from promises order by side").rows()
    assert promises == [("above", 0.4, 0.9), ("below", 0.1, 0.9)]


def test_a_promise_that_no_cutoff_keeps_changes_nothing(
    judged: Planted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 7, and the message says how much was judged."""
    monkeypatch.chdir(judged.workspace.root)
    before = len(judged.workspace.records())
    assert run(["calibrate", "--scorer", "judge", "--precision", "0.999"]) == 7
    shown = capsys.readouterr().err
    assert "error[not-met]: no cutoff of judge, above which 0.999 of the candidates are relevant" in shown
    assert "Nothing was changed" in shown
    assert len(judged.workspace.records()) == before


def test_cutoffs_that_would_cross_are_refused_before_anything_is_written(judged: Planted) -> None:
    """A little precision is promised from low on, and a large share of false ones up to high."""
    before = len(judged.workspace.records())
    with pytest.raises(NotMet, match=r"negative_below = .* lies above positive_above = .* Nothing was changed"):
        curate.calibrate(judged.workspace, scorer="judge", precision=0.3, share_false=0.5, cutoffs="crossed")
    assert len(judged.workspace.records()) == before


def test_pairs_of_unknown_chance_are_left_out_beside_others(tmp_path: Path) -> None:
    """One file says with which chance its pairs were drawn. Those of the other stand for nobody knows how many."""
    planted = Planted(tmp_path / "set", 120)
    places = [(q, p) for q in range(120) for p in range(3) if not planted.labelled[q, p]]
    planted.annotate([place for place in places if place[1]], inclusion=0.2)
    alone = curate.plan_calibrate(planted.workspace, scorer="judge", evidence="annotations")
    planted.annotate([place for place in places if not place[1]])
    both = curate.plan_calibrate(planted.workspace, scorer="judge", evidence="annotations")
    assert both.total == alone.total
    left_out = sum(not place for _, place in places)
    assert any(f"{left_out} annotated pairs are left out" in note for note in both.notes)


def test_labels_without_verdicts_on_other_candidates_promise_nothing(tmp_path: Path) -> None:
    """They do not say which of the unlabelled candidates are relevant."""
    planted = Planted(tmp_path / "set", 120)
    with pytest.raises(NotMet, match="a promise needs verdicts on unlabelled candidates"):
        curate.calibrate(planted.workspace, scorer="judge", precision=0.8)


def test_hidden_labels_count_like_verdicts_on_all_candidates_of_their_queries(tmp_path: Path) -> None:
    """The file has every relevant passage of its queries, and what it does not name is not relevant."""
    planted = Planted(tmp_path / "set", 120)
    named = np.asarray(planted.relevant[:100].any(axis=1))
    rows = [f"q{q}\t{planted.names[q, p]}\t1" for q in range(100) for p in range(DEPTH) if planted.relevant[q, p]]
    file = tmp_path / "hidden.tsv"
    file.write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]) + "\n", "utf-8")
    found = curate.calibrate(planted.workspace, scorer="judge", hidden=file)
    unlabelled = ~planted.labelled[:100] & named[:, None]
    assert found.calibration["positives"] == (planted.relevant[:100] & unlabelled).sum()
    assert found.calibration["others"] == (~planted.relevant[:100] & unlabelled).sum()
    assert planted.workspace.sql("select count(*) as n from annotations")["n"][0] == 0
    file.write_text("query-id\tcorpus-id\tscore\nq1\tp1-1\tmaybe\n", "utf-8")
    with pytest.raises(BadInput, match=r"hidden.tsv:2: relevance is not an integer"):
        curate.calibrate(planted.workspace, scorer="judge", hidden=file)
