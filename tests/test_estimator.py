"""Shares and their intervals from a sample (curate/annotate/estimator.py), beside brute force and glide-py."""

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]
from scipy.stats import t as student

from curate.annotate.estimator import Share, Strata, Verdicts, estimated, student_t

MANY = 1e9  # pairs of a population that no sample exhausts


def verdicts(
    relevant: list[float],
    *,
    stratum: list[int] | None = None,
    query: list[int] | None = None,
    probability: list[float] | None = None,
    inclusion: float = 0.0,
) -> Verdicts:
    """Return judged pairs: of one stratum, each of a query of its own and without a probability, unless said."""
    count = len(relevant)
    return Verdicts(
        np.asarray(stratum or [0] * count),
        np.asarray(query or range(count)),
        np.asarray(relevant, np.float64),
        np.asarray(probability or [0.0] * count),
        np.full(count, inclusion),
    )


def strata(*pairs: float, probability: list[float] | None = None, kind: list[str] | None = None) -> Strata:
    """Return strata with so many pairs, each of its own kind unless said."""
    kinds = kind or [str(number) for number in range(len(pairs))]
    return Strata(np.asarray(kinds), np.asarray(pairs), np.asarray(probability or [0.0] * len(pairs)))


def share(of: Strata, judged: Verdicts, drawn: float = 0.0, *, part: list[bool] | None = None) -> Share:
    """Return the share over all strata."""
    found = estimated(of, judged, drawn, np.ones(len(of.pairs), bool), None if part is None else np.asarray(part))
    assert found is not None
    return found


def test_strata_count_by_their_pairs_and_not_by_their_labels() -> None:
    """Half of 9,000 pairs and all of 1,000 are relevant: 5,500 of 10,000, however many labels each of them has."""
    judged = verdicts([1, 0, 1, 0, 1, 1], stratum=[0, 0, 0, 0, 1, 1])
    assert share(strata(9000, 1000), judged).value == pytest.approx(0.55)


def test_the_recall_is_a_share_of_the_relevant_pairs() -> None:
    """Of 900 pairs that were kept, a tenth is relevant, and of 100 that were taken out, all: 100 of 190."""
    judged = verdicts([1, *[0] * 9, 1, 1, 1, 1], stratum=[0] * 10 + [1] * 4)
    found = share(strata(900, 100), judged, part=[False, True])
    assert found.value == pytest.approx(100 / 190)
    assert found.low < 100 / 190 < found.high


def test_the_scorer_corrects_a_sample_that_is_not_like_the_rest() -> None:
    """It knows the truth here. The sample has half relevant, but by the scorer only a fifth of the stratum is."""
    truth = [1.0, 1.0, 0.0, 0.0] * 3
    found = share(strata(MANY, probability=[0.2]), verdicts(truth, probability=truth))
    assert found.value == pytest.approx(0.2)
    assert found.control == 1.0


def test_a_scorer_that_tells_nothing_is_not_believed() -> None:
    """Its probabilities go against the truth: the mean of the labels remains, and nothing was saved."""
    found = share(
        strata(MANY, probability=[0.9]), verdicts([1, 1, 0, 0] * 3, probability=[0.1, 0.2, 0.8, 0.9] * 3)
    )
    assert (found.value, found.control, found.saved) == (0.5, 0.0, 0.0)


def test_a_scorer_that_corrects_too_far_is_not_believed() -> None:
    """One of 12 labels is relevant, and its mean is 0.25 here and 0.1 in the stratum: 0.08 - 0.15 is no share."""
    truth = [1.0, *[0.0] * 11]
    scorer = [0.8, *[0.2] * 11]
    found = share(strata(MANY, probability=[0.1]), verdicts(truth, probability=scorer))
    assert found.value == pytest.approx(1 / 12)
    assert found.control == 0.0
    assert found.low < found.value < found.high


def test_labels_that_the_control_saved_are_those_that_its_variance_stands_for() -> None:
    """Half of the spread of the labels is explained: as many labels again would be needed without it."""
    random = np.random.default_rng(0)
    scorer = random.random(4000)
    truth = (random.random(4000) < scorer).astype(float)
    found = share(strata(MANY, probability=[0.5]), verdicts(truth.tolist(), probability=scorer.tolist()))
    explained = np.corrcoef(truth, scorer)[0, 1] ** 2
    assert found.saved == pytest.approx(4000 * explained / (1 - explained), rel=0.01)


def test_pairs_of_one_query_that_are_alike_say_less() -> None:
    """Ten queries of ten pairs each, alike within a query, tell as much as ten pairs: ten times the variance."""
    relevant = [float(query % 2) for query in range(10) for _ in range(10)]
    alone = share(strata(MANY), verdicts(relevant))
    together = share(strata(MANY), verdicts(relevant, query=[query for query in range(10) for _ in range(10)]))
    # n / (n - 1) for n queries: 100 / 99 and 10 / 9.
    assert (together.error / alone.error) ** 2 == pytest.approx(10 * (10 / 9) / (100 / 99))
    assert together.worth < 11 < 90 < alone.worth


def test_whoever_judges_all_pairs_knows_the_share() -> None:
    """Nothing is left to chance, so that the interval is a point."""
    found = share(strata(4), verdicts([1, 0, 0, 0], query=[0, 0, 1, 1], inclusion=1.0), drawn=1.0)
    assert (found.low, found.value, found.high, found.error) == (0.25, 0.25, 0.25, 0.0)


def test_labels_that_all_agree_do_not_prove_that_there_is_nothing_else() -> None:
    """Twenty irrelevant pairs: about one in six could still be relevant. Wilson's interval says 0.161."""
    found = share(strata(MANY), verdicts([0.0] * 20))
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.161 < found.high < 0.20
    assert share(strata(MANY), verdicts([1.0] * 20)).low == pytest.approx(1 - found.high)


def test_a_stratum_without_a_verdict_is_joined_with_one_of_its_kind() -> None:
    """If there is none, nothing is estimated, unless it has few pairs: then these may be all relevant, or none."""
    judged, whole = verdicts([1, 0, 1, 0]), np.ones(2, bool)
    assert share(strata(500, 500, kind=["kept", "kept"]), judged).value == 0.5
    assert estimated(strata(500, 500), judged, 0.0, whole) is None
    few, none = share(strata(995, 5), judged), share(strata(995), judged)
    assert few.low == pytest.approx(none.low * 0.995)
    assert few.high == pytest.approx(none.high * 0.995 + 0.005)
    assert estimated(strata(995, 5), judged, 0.0, whole, np.asarray([True, False])) is None


def test_one_query_or_no_relevant_pair_gives_no_estimate() -> None:
    """A single query does not show how queries differ. Without a relevant pair there is no share of them."""
    whole = np.ones(1, bool)
    assert estimated(strata(MANY), verdicts([1, 0], query=[3, 3]), 0.0, whole) is None
    assert estimated(strata(MANY), verdicts([0, 0]), 0.0, whole, whole) is None


def test_if_nothing_was_kept_the_recall_is_whole() -> None:
    """There is no stratum outside of the part, so that no verdict could change it."""
    found = share(strata(MANY), verdicts([1, 0, 1]), part=[True])
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)


def test_over_all_samples_the_error_is_the_one_that_is_estimated() -> None:
    """Each way to draw four of six queries, and six of their eight pairs, counts once."""
    relevant = np.asarray([[1, 1], [0, 0], [1, 0], [0, 0], [1, 1], [0, 1]], float)
    values, squares = [], []
    for queries in combinations(range(6), 4):
        for pairs in combinations(list(product(queries, (0, 1))), 6):
            judged = verdicts(
                [relevant[pair] for pair in pairs], query=[query for query, _ in pairs], inclusion=4 / 6 * 6 / 8
            )
            found = share(strata(12), judged, drawn=4 / 6)
            values.append(found.value)
            squares.append(found.error**2)
    assert np.mean(values) == pytest.approx(relevant.mean())
    assert np.mean(squares) == pytest.approx(np.var(values), rel=0.1)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Queries with passages that are alike, a scorer that errs, three decisions: 400 samples of 120 pairs."""
    random = np.random.default_rng(5)
    queries = np.repeat(np.arange(400), 10)
    odds = random.normal(-1.5, 1.2, 400)[queries] + random.normal(0, 1.2, 4000)
    relevant = (random.random(4000) < 1 / (1 + np.exp(-odds))).astype(float)
    probability = 1 / (1 + np.exp(-1.5 * (odds + random.normal(0, 1, 4000))))
    stratum = np.digitize(probability, [0.1, 0.9])
    pairs = np.bincount(stratum).astype(float)
    of = strata(*pairs, probability=(np.bincount(stratum, weights=probability) / pairs).tolist())
    held: dict[Any, list[bool]] = {}
    for _ in range(400):
        inside = np.flatnonzero(np.isin(queries, random.choice(400, 60, replace=False)))
        chosen, chance = [], []
        for number in range(3):
            there = inside[stratum[inside] == number]
            drawn = min(len(there), 40)
            chosen += random.choice(there, drawn, replace=False).tolist()
            chance += [60 / 400 * drawn / len(there)] * drawn
        judged = Verdicts(
            stratum[chosen], queries[chosen], relevant[chosen], probability[chosen], np.asarray(chance)
        )
        shapes = [([True] * 3, None), ([True, False, False], None), ([True] * 3, [False, True, True])]
        for number, (inner, part) in enumerate(shapes):
            found = estimated(of, judged, 60 / 400, np.asarray(inner), None if part is None else np.asarray(part))
            assert found is not None
            mine = np.asarray(inner)[stratum]
            truth = relevant[mine].mean()
            if part is not None:
                truth = relevant[np.asarray(part)[stratum]].sum() / relevant.sum()
            held.setdefault(number, []).append(found.low <= truth <= found.high)
    assert all(0.92 <= np.mean(of_one) <= 0.985 for of_one in held.values()), held


def test_verdicts_that_cancel_out_within_queries_leave_an_interval() -> None:
    """Each query has one relevant pair of two. That is no wider than single pairs say, but not a point either."""
    cancelled = share(strata(MANY), verdicts([1, 0] * 3, query=[0, 0, 1, 1, 2, 2]))
    assert cancelled.error == pytest.approx(share(strata(MANY), verdicts([1, 0] * 3)).error)
    assert cancelled.high - cancelled.low > 0.5


def test_few_queries_have_no_interval_and_no_control() -> None:
    """Two queries have one degree of freedom, too few. With less than ten, the scorer is not believed."""
    assert estimated(strata(MANY), verdicts([1, 0, 0, 0], query=[0, 0, 1, 1]), 0.0, np.ones(1, bool)) is None
    truth = [1.0, 0.0, 0.0] * 4
    of = strata(MANY, probability=[0.2])
    assert share(of, verdicts(truth[:9], probability=truth[:9])).control == 0.0
    assert share(of, verdicts(truth, probability=truth)).control == 1.0


def test_single_labels_have_the_interval_of_wilson() -> None:
    """As scipy has it: 6 of 20 pairs, each of its own query. The two quantiles of Student are the same then."""
    found = share(strata(MANY), verdicts([1.0] * 6 + [0.0] * 14))
    wilson = binomtest(6, 20).proportion_ci(method="wilson")
    # n - 1 degrees of freedom make a variance that is 20 / 19 of Wilson's.
    assert found.low == pytest.approx(wilson.low, abs=0.01)
    assert found.high == pytest.approx(wilson.high, abs=0.01)


@pytest.mark.parametrize("freedom", [2, 2.3, 3, 5, 10, 100, 2000])
def test_quantiles_are_those_of_student(freedom: float) -> None:
    """As scipy has them."""
    assert student_t(0.975, freedom) == pytest.approx(student.ppf(0.975, freedom), rel=1e-6)


class TestBesideGlide:
    """glide-py has the same estimators for populations without end, with the normal distribution's interval."""

    def test_strata(self) -> None:
        """Its classical stratified mean: the same value and variance."""
        estimators = pytest.importorskip("glide.estimators")
        relevant = np.asarray([1, 0, 1, 0, 1, 1, 0, 0, 1, 0], float)
        stratum = np.asarray([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
        theirs = estimators.StratifiedClassicalMeanEstimator().estimate(
            relevant, stratum, stratum_weights=np.asarray([0.3, 0.7])
        )
        ours = share(strata(0.3 * MANY, 0.7 * MANY), verdicts(relevant.tolist(), stratum=stratum.tolist()))
        assert ours.value == pytest.approx(theirs.confidence_interval.mean)
        assert ours.error**2 == pytest.approx(theirs.confidence_interval.var)

    def test_queries(self) -> None:
        """Its clustered mean, for queries with equally many pairs."""
        estimators = pytest.importorskip("glide.estimators")
        random = np.random.default_rng(1)
        query = np.repeat(np.arange(30), 4)
        relevant = (random.random(120) < random.random(30)[query]).astype(float)
        theirs = estimators.ClusteredClassicalMeanEstimator().estimate(relevant, query)
        ours = share(strata(MANY), verdicts(relevant.tolist(), query=query.tolist()))
        assert ours.value == pytest.approx(theirs.confidence_interval.mean)
        assert ours.error**2 == pytest.approx(theirs.confidence_interval.var)

    def test_control(self) -> None:
        """PPI++, of single pairs and of queries, whose unlabelled part is so large that it is the population."""
        estimators = pytest.importorskip("glide.estimators")
        random = np.random.default_rng(2)
        query = np.repeat(np.arange(100_000), 3)
        scorer = np.clip(random.random(100_000)[query] * 0.6 + random.random(300_000) * 0.4, 0, 1)
        relevant = (random.random(300_000) < scorer).astype(float)
        truth = np.where(query < 60, relevant, np.nan)
        of = strata(MANY, probability=[float(scorer.mean())])
        labelled = np.flatnonzero(query < 60)
        given = {"probability": scorer[labelled].tolist()}
        for ours, theirs in (
            (
                share(of, verdicts(relevant[labelled].tolist(), **given)),
                estimators.PPIMeanEstimator().estimate(truth, scorer),
            ),
            (
                share(of, verdicts(relevant[labelled].tolist(), query=query[labelled].tolist(), **given)),
                estimators.ClusteredPPIMeanEstimator().estimate(truth, scorer, query),
            ),
        ):
            # They divide by the spread of the scorer over all pairs, we by that over the judged ones.
            assert ours.value == pytest.approx(theirs.confidence_interval.mean, abs=0.005)
            assert ours.error**2 == pytest.approx(theirs.confidence_interval.var, rel=0.02)
