"""The figures of reports: intervals by query, what other cutoffs would do, and two sides beside each other."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from report_world import CUTS, PROBABILITIES, add_scores, make

from curate import Workspace, sql_files
from curate.bootstrap import interval
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings, UnknownName
from curate.jobs import Job
from curate.reports import report_rows
from curate.reports.comparison import compare, comparison_notes


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace that the tests share: each sets cutoffs of its own, and nothing else."""
    return make(tmp_path_factory.mktemp("figures") / "set")


def interval_of(hits: list[int], total: list[int]) -> tuple[float, float] | None:
    """Return what sql/macros/share_interval.sql gives for the pairs of some queries."""
    with sql_files.connect() as connection:
        for name in ("wilson", "independent_pairs", "share_interval"):
            connection.execute(sql_files.text(f"macros/{name}"))
        (found,) = connection.execute(
            "select share_interval(y, x) from (select unnest($1) as y, unnest($2) as x)", [hits, total]
        ).fetchall()[0]
    return (found["low"], found["high"]) if found else None


def test_the_interval_of_a_share_is_about_that_of_a_bootstrap_over_queries() -> None:
    """With many queries both are the normal one: 0.2 points apart at most, at a width of 4 points."""
    drawn = np.random.default_rng(0)
    total = drawn.integers(1, 20, 400)
    hits = drawn.binomial(total, drawn.beta(1, 4, 400))
    found = interval_of(hits.tolist(), total.tolist())
    assert found is not None
    share = hits.sum() / total.sum()
    linear = (hits - share * total) / total.mean() + share
    expected = interval(linear, 0)
    assert found == pytest.approx((expected.low, expected.high), abs=0.002)
    assert 0.03 < found[1] - found[0] < 0.05


def test_pairs_of_one_query_are_alike_and_count_less_than_pairs_of_many() -> None:
    """Ten queries of ten pairs each: all of a kind in a query, or about half and half in each."""
    alike = interval_of([10, 0] * 5, [10] * 10)
    mixed = interval_of([5, 4, 6, 5, 5] * 2, [10] * 10)
    assert alike is not None
    assert mixed is not None
    assert alike[1] - alike[0] > 2 * (mixed[1] - mixed[0])


def test_a_share_of_nought_has_a_width_and_four_queries_tell_nothing() -> None:
    """No false negative in 20 queries does not mean that there is none in others."""
    found = interval_of([0] * 20, [5] * 20)
    assert found is not None
    assert found[0] == 0
    assert 0.1 < found[1] < 0.25
    assert interval_of([1, 0, 2, 1], [5] * 4) is None


def test_the_headline_counts_what_a_loop_counts(workspace: Workspace) -> None:
    """48 candidates without a label, of which 6 + 4 are above 0.9."""
    (row,) = report_rows.report(workspace, "headline").rows
    unlabelled = [p for known in PROBABILITIES.values() for p in known[1:]]
    assert row["false_negatives"] == sum(p > 0.9 for p in unlabelled) == 10
    assert row["hard_negatives"] == sum(0 < p < 0.1 for p in unlabelled)
    assert row["unscored"] == 1  # q0 has no score for p4
    assert row["false_negative_rate"] == round(10 / (row["unjudged"]), 6)
    assert row["false_negative_low"] < row["false_negative_rate"] < row["false_negative_high"]


def test_naive_negatives_are_the_first_unlabelled_candidates(workspace: Workspace) -> None:
    """Two of each query: p1, which is a false negative in half of the queries, and p2."""
    found = report_rows.report(workspace, "naive_negatives", negatives=2)
    counts = {row["decision"]: (row["pairs"], row["queries"]) for row in found.rows}
    assert counts["false_negative"] == (10, 8)
    assert counts["hard_negative"] == (8, 8)
    assert counts["uncertain"] == (6, 6)
    assert {row["taken"] for row in found.rows} == {24}


def test_the_sweep_says_what_cutoffs_would_do(workspace: Workspace) -> None:
    """Its rows are what the funnel says once the cutoff is set."""
    rows = report_rows.report(workspace, "cutoff_sweep", negatives=2).rows
    assert [row["negative_below"] for row in rows if row["in_force"]] == [0.1]
    for row in rows[:15:5]:
        set_cutoffs(workspace, "tried", negative_below=row["negative_below"])
        funnel = report_rows.report(workspace, "funnel", cutoffs="tried", negatives=2)
        number = {(one["unit"], one["what"]): one["number"] for one in funnel.rows}
        assert row["kept"] == number["pairs", "hard negatives"]
        assert (
            row["short"]
            == number["queries", "queries of the run"] - number["queries", "with 2 or more hard negatives"]
        )
    assert {row["positives_lost"] for row in rows} == {0}  # they have 0.97


def test_queries_are_told_apart_by_length_and_first_word(workspace: Workspace) -> None:
    """Three of each kind; a heading without a question word is none of these."""
    rows = report_rows.report(workspace, "denoised_by_query").rows
    assert [(row["band"], row["queries"]) for row in rows if row["part"] == "length"] == [
        ("up to 3 words", 6),
        ("4 to 6 words", 6),
    ]
    assert {row["band"]: row["queries"] for row in rows if row["part"] == "type"} == {
        "who": 3,
        "what": 3,
        "why": 3,
        "none of these": 3,
    }


def test_an_overview_says_what_each_report_says_alone(workspace: Workspace) -> None:
    """The overview joins candidates and scores once, and asks all reports about that."""
    overview = report_rows.overview(workspace, limit=4)
    for name, found in overview.reports.items():
        if name not in ("training", "selfcheck", "estimates"):  # these are no named queries
            given = {key: value for key, value in found.parameters.items() if key in ("limit", "negatives")}
            assert report_rows.report(workspace, name, **given).rows == found.rows, name


def test_words_that_query_and_passage_share_are_named(workspace: Workspace) -> None:
    """In a collection of twelve queries no word is common."""
    row = report_rows.report(workspace, "suspects", limit=30).rows[0]
    assert row["query"] == "what is a tower"
    assert row["shared_words"] == ["tower"]


def test_two_cutoffs_differ_by_what_a_loop_counts(workspace: Workspace) -> None:
    """p1 has 0.95 in the odd queries: above 0.9, but not above 0.96."""
    set_cutoffs(workspace, "surer", positive_above=0.96)
    found = compare(workspace, ("default", "surer"))
    row = next(row for row in found.figures if (row["part"], row["figure"]) == ("all", "false negatives"))
    assert (row["first"], row["second"]) == (round(10 / 47, 6), 0)
    assert row["difference"] == pytest.approx(-10 / 47, abs=1e-6)
    assert row["low"] < row["difference"] < row["high"] < 0
    assert row["paired"] == 12
    changed = {(row["first"], row["second"]): row["pairs"] for row in found.decisions}
    assert changed["false_negative", "uncertain"] == 10


def test_the_interval_of_a_difference_is_paired_by_query(workspace: Workspace) -> None:
    """A bootstrap over the queries' differences has about the same one."""
    set_cutoffs(workspace, "strict", negative_below=0.05)
    found = compare(workspace, ("default", "strict"))
    row = next(row for row in found.figures if row["figure"] == "hard negatives of a query")
    kept = [
        Counter(cut for cut in (0.1, 0.05) for p in known[1:] if 0 < p < cut) for known in PROBABILITIES.values()
    ]
    changes = np.array([one[0.05] - one[0.1] for one in kept], np.float64)
    expected = interval(changes, 0)
    assert row["difference"] == pytest.approx(changes.mean(), abs=1e-6)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=0.15)


def test_two_scorers_are_compared_under_the_same_cutoffs_and_nothing_is_set(tmp_path: Path) -> None:
    """The second scorer holds nothing relevant."""
    workspace = make(tmp_path / "set")
    add_scores(workspace, "other", {query: [0.5] * 5 for query in PROBABILITIES})
    before = sorted(workspace.scan("cutoffs").collect()["name"].to_list())
    found = compare(workspace, ("judge", "other"))
    row = next(row for row in found.figures if row["figure"] == "denoised")
    assert row["second"] == 1
    assert found.second.setting["scorer_id"] == "other"
    assert sorted(workspace.scan("cutoffs").collect()["name"].to_list()) == before
    assert {row["figure"] for row in found.figures} >= {"MRR@10 of the scorer", "MRR@10 of the retriever"}


def test_only_two_of_a_kind_are_compared(workspace: Workspace) -> None:
    """The message says what the names are."""
    with pytest.raises(BadSettings, match="'default' is one of the cutoffs and 'judge' one of the scorers"):
        compare(workspace, ("default", "judge"))
    with pytest.raises(BadSettings, match="compared with itself"):
        compare(workspace, ("default", "default"))
    with pytest.raises(UnknownName, match="did you mean 'default'"):
        compare(workspace, ("defualt", "default"))


def test_the_cost_counts_pairs_that_jobs_computed_and_that_the_ledger_had(workspace: Workspace) -> None:
    """The job scored all 59 pairs. A second run over the same pairs costs nothing."""
    (row,) = report_rows.report(workspace, "cost").rows
    assert (row["pairs"], row["known"], row["saved"], row["pairs_per_second"]) == (59, 59, 0, 29.5)


def test_the_lowest_cutoff_of_a_sweep_is_never_above_positive_above(workspace: Workspace) -> None:
    """There, nothing would be between the cutoffs."""
    set_cutoffs(workspace, "low", negative_below=0.01, positive_above=0.15)
    assert (
        max(row["negative_below"] for row in report_rows.report(workspace, "cutoff_sweep", cutoffs="low").rows)
        == 0.15
    )
    assert CUTS["positive_above"] == 0.9


def test_a_tiny_cutoff_keeps_its_value(workspace: Workspace) -> None:
    """It is no cutoff of 0."""
    set_cutoffs(workspace, "tiny", negative_below=1e-7)
    rows = report_rows.report(workspace, "cutoff_sweep", cutoffs="tiny").rows
    assert [row["negative_below"] for row in rows if row["in_force"]] == [1e-7]


def test_equal_shares_have_one_interval_whatever_they_are() -> None:
    """Seven of each ten, or three of each ten: there is no variance, so each query is one pair."""
    for hits in range(1, 10):
        found, nought = interval_of([hits] * 10, [10] * 10), interval_of([0] * 10, [10] * 10)
        assert found is not None
        assert nought is not None
        assert found[1] - found[0] > nought[1]
    assert interval_of([1] * 10, [7] * 10) == interval_of([10_000_000] * 10, [70_000_000] * 10)


def test_a_difference_without_variance_is_not_called_certain(workspace: Workspace) -> None:
    """Both cutoffs have the same hard negatives: equal in all twelve queries, which tells nothing of others."""
    set_cutoffs(workspace, "same", positive_above=0.91)
    found = compare(workspace, ("default", "same"))
    row = next(row for row in found.figures if row["figure"] == "hard negatives of a query")
    assert (row["difference"], row["low"], row["high"]) == (0, None, None)


def test_runs_of_different_splits_are_not_compared(tmp_path: Path) -> None:
    """They have no query in common."""
    workspace = make(tmp_path / "set")
    job = Job(workspace, "mine", "mine-dev")
    run = workspace.scan("runs").collect().to_dicts()[0]
    job.write_rows("runs", [{**run, "run_id": "bm25-dev", "split": "dev"}])
    job.finish()
    with pytest.raises(
        BadSettings, match="'bm25-train' is a run of the train queries and 'bm25-dev' one of the dev"
    ):
        compare(workspace, ("bm25-train", "bm25-dev"))


def test_a_comparison_warns_of_unscored_candidates_like_the_report(workspace: Workspace) -> None:
    """q0 has no score for p4."""
    set_cutoffs(workspace, "lower", negative_below=0.05)
    found = compare(workspace, ("default", "lower"))
    assert any(note.startswith("warning: ") and "1 " in note for note in comparison_notes(workspace, found))
