"""Samples of pairs for annotators (curate/annotate/sample.py): queries first, then pairs by decision and rank."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from sampled import DEPTH, QUERIES, judged_run

import curate
from curate import BadSettings, StepMissing, UnknownName, Workspace
from curate.annotate.sample import shares
from curate.annotate.sheet import Sheet
from curate.cli.main import run
from curate.jobs import Job

Make = Callable[..., Workspace]
DECISIONS = ("false_negative", "uncertain", "hard_negative")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return judged_run(tmp_path)


def drawn(workspace: Workspace, name: str = "audit") -> pl.DataFrame:
    return workspace.scan("sample_pairs").filter(sample_id=name).collect()


def test_pairs_are_drawn_from_each_decision_and_range_of_ranks(workspace: Workspace) -> None:
    """168 candidates are unlabelled: a third of each decision, at ranks 2 to 5 and 6 to 8."""
    found = curate.draw_sample(workspace, "audit", queries=12, pairs=40)
    assert {(row["decision"], row["first_rank"], row["last_rank"]) for row in found.strata} == {
        (decision, *ranks) for decision in DECISIONS for ranks in ((1, 5), (6, 8))
    }
    assert (found.sample["queries"], found.sample["drawn_queries"]) == (QUERIES, 12)
    assert (found.sample["pairs"], found.sample["drawn_pairs"]) == (QUERIES * (DEPTH - 1), 40)
    pairs = drawn(workspace)
    assert pairs.height == sum(row["drawn"] for row in found.strata) == 40
    assert pairs["query_key"].n_unique() <= 12
    decisions = workspace.scan("decisions").collect()
    of_pairs = pairs.join(decisions, on=["query_key", "passage_key"])
    by_stratum = {row["stratum"]: row for row in found.strata}
    for row in of_pairs.to_dicts():
        stratum = by_stratum[row["stratum"]]
        assert row["decision"] == stratum["decision"]
        assert stratum["first_rank"] <= row["rank"] <= stratum["last_rank"]


def test_a_pair_has_the_chance_of_its_query_times_its_own(workspace: Workspace) -> None:
    """12 of 24 queries, and so many of the stratum's pairs in them as were drawn."""
    found = curate.draw_sample(workspace, "audit", queries=12, pairs=40)
    by_stratum = {row["stratum"]: row for row in found.strata}
    for row in drawn(workspace).to_dicts():
        stratum = by_stratum[row["stratum"]]
        assert row["inclusion"] == pytest.approx(12 / 24 * stratum["drawn"] / stratum["in_drawn_queries"])


def test_another_seed_or_name_draws_another_sample_that_stands_for_as_many(workspace: Workspace) -> None:
    """Each pair stands for 1 / inclusion others, which together are about all: each query has equally many."""
    chosen = []
    for name, seed in (("one", 0), ("one-more", 0), ("other", 7)):
        curate.draw_sample(workspace, name, queries=12, pairs=36, seed=seed)
        pairs = drawn(workspace, name)
        assert (1 / pairs["inclusion"]).sum() == pytest.approx(QUERIES * (DEPTH - 1), rel=0.02)
        chosen.append(set(pairs.select("query_key", "passage_key").rows()))
    assert len({frozenset(pairs) for pairs in chosen}) == 3


def test_what_people_or_texts_decided_is_not_in_the_population(make_workspace: Make) -> None:
    """A labelled pair, one judged not relevant and a copy of a positive are known. Only d and e are left."""
    workspace = make_workspace(
        {"a": "one", "b": "two", "c": "One!", "d": "three", "e": "four"},
        {"q": "which?", "r": "what?"},
        qrels=[("q", "a"), ("q", "b", 0), ("r", "e")],
        candidates={"q": list("abcde"), "r": list("de")},
    )
    job = Job(workspace, "denoise", "score-planted", {"run": "bm25-train", "depth": 5})
    pairs = [(0, place) for place in range(5)] + [(1, 3), (1, 4)]
    job.write_rows(
        "scores",
        [{"scorer_id": "judge", "query_key": q, "passage_key": p, "logit": -5.0} for q, p in pairs],
    )
    job.finish(scorer_id="judge", run="bm25-train")
    curate.set_cutoffs(workspace, "default", scorer_id="judge", depth=5)
    found = curate.draw_sample(workspace, "audit")
    assert found.sample["pairs"] == 3
    assert sorted(drawn(workspace).select("query_key", "passage_key").rows()) == [(0, 3), (0, 4), (1, 3)]


def test_a_sample_never_changes(workspace: Workspace) -> None:
    """The same options return it, other ones are refused, and verdicts that came since change nothing."""
    first = curate.draw_sample(workspace, "audit", pairs=30)
    before = drawn(workspace)
    again = curate.draw_sample(workspace, "audit", pairs=30)
    assert (first.already, again.already) == (False, True)
    assert (first.sample, first.strata) == (again.sample, again.strata)
    with pytest.raises(BadSettings, match="drawn with other settings"):
        curate.draw_sample(workspace, "audit", pairs=31)
    other = curate.draw_sample(workspace, "other", pairs=30)
    assert not other.already
    assert drawn(workspace).equals(before)
    assert (
        not drawn(workspace, "other")
        .select("query_key", "passage_key")
        .equals(before.select("query_key", "passage_key"))
    )


def test_a_lost_sample_is_drawn_again_with_the_same_bytes(workspace: Workspace) -> None:
    """Also if annotations came since."""
    curate.draw_sample(workspace, "audit", pairs=30)
    pair = Sheet.of(workspace, "audit", "ann").pairs[0]
    file = workspace.root / "verdicts.jsonl"
    verdict = {"query_id": pair.query_id, "passage_id": pair.passage_id, "relevant": True, "annotator": "ann"}
    file.write_text(json.dumps(verdict))
    curate.load(workspace, annotations=[file])
    shard = workspace.root / "tables" / "sample_pairs" / "sample-audit" / "00000.parquet"
    bytes_before = shard.read_bytes()
    for table in ("samples", "sample_strata", "sample_pairs"):
        shutil.rmtree(workspace.root / "tables" / table / "sample-audit")
    curate.rebuild(workspace)
    assert shard.read_bytes() == bytes_before


def test_candidates_of_queries_without_labels_are_pseudo_positives(tmp_path: Path) -> None:
    """A sample of a run over unlabeled queries has them as a stratum of their own."""
    workspace = judged_run(tmp_path, split="unlabeled")
    found = curate.draw_sample(workspace, "pseudo", run="bm25-unlabeled", pairs=30)
    assert {row["decision"] for row in found.strata} == {"pseudo_positive", "uncertain", "hard_negative"}


def test_unscored_candidates_are_a_stratum_too(tmp_path: Path) -> None:
    """They are in the top-k, so that they may be false negatives; nothing is known of them."""
    found = curate.draw_sample(judged_run(tmp_path, scored=6), "audit", pairs=30)
    unscored = [row for row in found.strata if row["decision"] == "unscored"]
    assert [(row["first_rank"], row["pairs"], row["probability"]) for row in unscored] == [(6, 2 * QUERIES, None)]


def test_rare_strata_get_more_than_their_part() -> None:
    """The share grows with the root of the size; each gets two, and none more than it has."""
    assert shares([9000, 900, 90, 1], 100) == [70, 22, 7, 1]
    assert shares([3, 3], 100) == [3, 3]
    assert shares([100, 0, 100], 5) == [3, 0, 2]


def test_the_order_shows_nothing_of_ranks_and_keeps_a_query_together(workspace: Workspace) -> None:
    """Each query comes once, its passages in an order that is not that of the ranks."""
    curate.draw_sample(workspace, "audit", queries=24, pairs=168)
    pairs = Sheet.of(workspace, "audit", "ann").pairs
    queries = [pair.query_id for pair in pairs]
    assert sum(one != other for one, other in pairwise(queries)) + 1 == QUERIES
    places = [
        [int(p.passage_id.rpartition("-")[2]) for p in pairs if p.query_id == query] for query in set(queries)
    ]
    assert sum(of_query == sorted(of_query) for of_query in places) < 3
    assert set(vars(pairs[0])) == {"query_id", "passage_id", "query", "title", "passage"}


def test_what_cannot_be_drawn_is_said(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """With what would do."""
    with pytest.raises(BadSettings, match=r"6 strata .*: give 12 or more"):
        curate.draw_sample(workspace, "audit", pairs=11)
    for name in ("import", ".hidden", "a/b", ""):
        with pytest.raises(BadSettings, match="cannot name a sample"):
            curate.draw_sample(workspace, name)
    with pytest.raises(StepMissing, match="no sample"):
        curate.estimate(workspace)
    curate.draw_sample(workspace, "audit", pairs=12)
    with pytest.raises(UnknownName, match="audit"):
        curate.estimate(workspace, "audti")
    assert run(["-C", str(workspace.root), "annotate", "sample", "audit", "--pairs", "12"]) == 0
    assert "sample audit (as it was): 12 pairs of" in capsys.readouterr().out
