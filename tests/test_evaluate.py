"""`curate evaluate` (curate/evaluate.py), compared with pytrec_eval, ir_measures and figures by hand."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from curate import Workspace, evaluate
from curate.bootstrap import interval
from curate.cli.main import cli
from curate.errors import BadSettings
from curate.evaluate import plan_evaluate
from curate.jobs import Job

Make = Callable[..., Workspace]
Model = Callable[..., Path]
PASSAGES = {f"p{n:03d}": f"passage {n}" for n in range(200)}
QUERIES = {f"q{n:02d}": f"query {n}" for n in range(30)}


@pytest.fixture
def collection() -> dict[str, Any]:
    """Graded labels, some of them 0 and -1; one query without results, and one without a relevant passage."""
    draw = random.Random(0)
    qrels = [(q, p, draw.choice([-1, 0, 1, 1, 2, 3])) for q in QUERIES for p in draw.sample(list(PASSAGES), 12)]
    qrels = [(q, p, min(grade, 0) if q == "q05" else grade) for q, p, grade in qrels]
    found = {q: draw.sample(list(PASSAGES), draw.randint(1, 120)) for q in QUERIES if q != "q07"}
    return {"qrels": qrels, "candidates": found}


@pytest.fixture
def workspace(make_workspace: Make, collection: dict[str, Any]) -> Workspace:
    return make_workspace(PASSAGES, QUERIES, split="test", run="bm25-test", **collection)


def per_query(workspace: Workspace) -> dict[str, dict[str, float]]:
    """Return a mapping metric -> query -> value from the table."""
    frame = workspace.sql("select metric, query_id, value from metrics join queries using (query_key)")
    found: dict[str, dict[str, float]] = {}
    for metric, query, value in frame.rows():
        found.setdefault(metric, {})[query] = value
    return found


def run_and_qrels(collection: dict[str, Any]) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, int]]]:
    run = {q: {p: float(-rank) for rank, p in enumerate(found)} for q, found in collection["candidates"].items()}
    qrels: dict[str, dict[str, int]] = {}
    for query, passage, grade in collection["qrels"]:
        qrels.setdefault(query, {})[passage] = grade
    return run, qrels


def test_every_value_is_that_of_pytrec_eval(workspace: Workspace, collection: dict[str, Any]) -> None:
    """This holds for queries in the run. The value of other queries is 0."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    run, qrels = run_and_qrels(collection)
    evaluate(workspace)
    ours = per_query(workspace)
    names = {"nDCG@10": "ndcg_cut_10", "MAP": "map", "Recall@5": "recall_5", "Recall@100": "recall_100"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(names.values())).evaluate(run)
    for metric, name in names.items():
        assert set(ours[metric]) == set(QUERIES)
        for query, value in ours[metric].items():
            assert value == pytest.approx(theirs.get(query, {}).get(name, 0.0), abs=1e-9), (metric, query)


def test_every_mean_is_that_of_ir_measures(workspace: Workspace, collection: dict[str, Any]) -> None:
    """This includes MRR@10, and covers all judged queries."""
    ir_measures = pytest.importorskip("ir_measures")
    run, qrels = run_and_qrels(collection)
    theirs = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(name) for name in ("RR@10", "nDCG@10", "AP", "R@50")], qrels, run
    )
    ours = {measured.metric: measured.value.mean for measured in evaluate(workspace).metrics}
    names = {"RR@10": "MRR@10", "nDCG@10": "nDCG@10", "AP": "MAP", "R@50": "Recall@50"}
    for measure, value in theirs.items():
        assert ours[names[str(measure)]] == pytest.approx(value, abs=1e-9)


def test_by_hand(make_workspace: Make) -> None:
    """Two relevant passages are at ranks 2 and 4. A query that the run lacks halves every mean."""
    workspace = make_workspace(
        PASSAGES, {"q1": "one", "q2": "two"}, split="test", run="bm25-test",
        qrels=[("q1", "p001"), ("q1", "p003"), ("q2", "p001")],
        candidates={"q1": ["p000", "p001", "p002", "p003", "p004"]},
    )  # fmt: skip
    found = {measured.metric: measured.value.mean for measured in evaluate(workspace).metrics}
    ideal = 1 + 1 / np.log2(3)
    assert found == pytest.approx(
        {
            "MRR@10": 0.5 / 2,
            "nDCG@10": (1 / np.log2(3) + 1 / np.log2(5)) / ideal / 2,
            "MAP": (1 / 2 + 2 / 4) / 2 / 2,
            "Recall@5": 1 / 2,
        }
    )


def test_recall_stops_at_the_depth_of_the_run(make_workspace: Make) -> None:
    """Recall@100 of ten passages would be meaningless."""
    workspace = make_workspace(
        PASSAGES, {"q1": "one"}, split="test", run="bm25-test", qrels=[("q1", "p001")],
        candidates={"q1": list(PASSAGES)[:10]},
    )  # fmt: skip
    assert [measured.metric for measured in evaluate(workspace).metrics] == [
        "MRR@10", "nDCG@10", "MAP", "Recall@5", "Recall@10",
    ]  # fmt: skip


def test_the_same_again_writes_nothing_and_says_the_same(workspace: Workspace) -> None:
    """Even the intervals are the same, because their draws come from the seed."""
    first = evaluate(workspace)
    shards = {path: path.stat().st_mtime_ns for path in workspace.root.glob("tables/metrics/**/*.parquet")}
    assert evaluate(workspace) == first
    assert {path: path.stat().st_mtime_ns for path in workspace.root.glob("tables/metrics/**/*.parquet")} == shards


def test_a_dry_run_counts_what_is_not_measured(workspace: Workspace) -> None:
    """At first it counts one run, and after the evaluation none."""
    plan = plan_evaluate(workspace)
    assert (plan.total, plan.cached) == (1, 0)
    evaluate(workspace)
    assert plan_evaluate(workspace, run=["bm25-test"]).cached == 1


def test_a_dry_run_knows_the_run_that_a_model_is_held_against(workspace: Workspace, tiny_encoder: Model) -> None:
    """That run is measured too, and it has to exist."""
    encoder = str(tiny_encoder())
    plan = plan_evaluate(workspace, encoder=encoder, against="bm25-test")
    assert plan.total == 2
    assert plan.seconds is None  # nothing was measured here yet
    evaluate(workspace)
    assert plan_evaluate(workspace, encoder=encoder, against="bm25-test").seconds is not None
    assert plan.tokens is not None
    assert "200 passages to embed, about" in plan.notes[0]
    with pytest.raises(BadSettings, match="no run 'nosuch'"):
        plan_evaluate(workspace, encoder=encoder, against="nosuch")


def test_one_run_against_another(workspace: Workspace, collection: dict[str, Any]) -> None:
    """A run with reversed lists is compared with the original. The original itself has no difference."""
    from conftest import add_run

    keys = {name: key for key, name in enumerate(PASSAGES)}
    rows = [
        {"run_id": "turned", "query_key": int(q[1:]), "passage_key": keys[p], "rank": rank, "score": -float(rank)}
        for q, found in collection["candidates"].items()
        for rank, p in enumerate(reversed(found), 1)
    ]
    add_run(workspace, "turned", "test", rows)
    result = evaluate(workspace, against="bm25-test")
    means = {(m.run_id, m.metric): m.value.mean for m in result.metrics}
    [difference] = [m.difference for m in result.metrics if (m.run_id, m.metric) == ("turned", "MAP")]
    assert difference is not None
    assert difference.mean == pytest.approx(means["turned", "MAP"] - means["bm25-test", "MAP"])
    assert difference.low < difference.mean < difference.high
    assert all(m.difference is None for m in result.metrics if m.run_id == "bm25-test")
    assert "turned, and its difference from bm25-test" in result.text()


def test_an_interval_holds_the_mean_about_as_often_as_it_says() -> None:
    """Over 200 samples from a known distribution, 95 % intervals contain its mean 180 to 199 times."""
    drawn = np.random.default_rng(1)
    held = 0
    for sample in range(200):
        found = interval(drawn.random(50), sample)
        held += found.low <= 0.5 <= found.high
    assert 180 <= held <= 199


def test_what_cannot_be_evaluated_is_said(make_workspace: Make) -> None:
    """There may be no run over the split, or a run whose queries have no labels."""
    workspace = make_workspace(
        PASSAGES, {"q1": "one"}, unlabeled=["q1"], split="unlabeled", candidates={"q1": ["p001"]}
    )
    with pytest.raises(BadSettings, match=r"no runs over 'test' yet\. Run: curate mine --split test"):
        evaluate(workspace)
    with pytest.raises(BadSettings, match="the queries of run bm25-train have no labels"):
        evaluate(workspace, run=["bm25-train"])


def test_runs_are_listed_with_their_measures(workspace: Workspace) -> None:
    """`curate runs` lists them before and after the evaluation."""
    runner = CliRunner(env={"COLUMNS": "160"})
    before = runner.invoke(cli, ["-C", str(workspace.root), "runs"])
    assert before.exit_code == 0
    assert "bm25-test" in before.output
    assert runner.invoke(cli, ["-C", str(workspace.root), "evaluate"]).exit_code == 0
    mean = workspace.sql("select round(avg(value), 4) as m from metrics where metric = 'MRR@10'")["m"][0]
    measured = runner.invoke(cli, ["-C", str(workspace.root), "runs"]).output
    assert str(mean) in measured
    assert "newer labels" not in measured


def test_a_measure_from_before_the_newest_labels_is_told_as_such(workspace: Workspace) -> None:
    """It cannot be compared with newer ones; measuring the run again makes it current."""
    runner = CliRunner(env={"COLUMNS": "160"})
    call = ["-C", str(workspace.root)]
    assert runner.invoke(cli, [*call, "evaluate"]).exit_code == 0
    more = Job(workspace, "load", "load-2")
    label = {"query_key": 0, "passage_key": 5, "relevance": 1, "split": "test", "source": "more.tsv"}
    more.write_rows("qrels", [label])
    more.finish()
    assert "(outdated by newer labels: curate evaluate)" in runner.invoke(cli, [*call, "runs"]).output
    assert runner.invoke(cli, [*call, "evaluate"]).exit_code == 0
    assert "newer labels" not in runner.invoke(cli, [*call, "runs"]).output
