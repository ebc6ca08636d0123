"""The audit of a judge on queries that it has not seen: who measures, figures, verdict and refusal."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from conftest import add_run

from curate import Workspace, calibrate, sql_files
from curate.calibration import write_calibration
from curate.cli.main import cli
from curate.cutoffs import set_cutoffs
from curate.denoise.judge_quality import JudgeQuality, judge_quality, refuse_worse
from curate.denoise.score_checks import Scale
from curate.denoise.stage import denoise
from curate.errors import BadSettings, UnsoundJudge
from curate.jobs import Job
from curate.judge_split import JudgeSplit, connected, split_queries, write_judge_queries
from curate.models.trained_here import training_in
from curate.rebuild import rebuild
from curate.reports import report_rows

Make = Callable[..., Workspace]
Model = Callable[..., Path]
SCORER = "judge-12345678"
DEPTH = 4


def many(make: Make, queries: int, **options: Any) -> Workspace:
    """Return a workspace whose query number n has the positive p<n> at rank 2, and three other passages."""
    passages = {f"p{n}": f"passage number {n}" for n in range(queries + 3)}
    asked = {f"q{n}": f"what is {n}" for n in range(queries)}
    ranked = {f"q{n}": [f"p{n + 1}", f"p{n}", f"p{n + 2}", f"p{n + 3}"] for n in range(queries)}
    return make(passages, asked, qrels=[(f"q{n}", f"p{n}") for n in range(queries)], candidates=ranked, **options)


def score(
    workspace: Workspace,
    logit: Callable[[int, int], float],
    *,
    training: str | None = None,
    scored: Callable[[int, int], bool] = lambda _query, _passage: True,
) -> None:
    """Write a score of each candidate by the numbers of its query and passage; `training` trained the scorer."""
    found = workspace.sql(
        "select query_key, passage_key from candidates union select query_key, passage_key from positives"
    )
    rows = [
        {"scorer_id": SCORER, "query_key": query, "passage_key": passage, "logit": logit(query, passage)}
        for query, passage in found.sort(["query_key", "passage_key"]).rows()
        if scored(query, passage)
    ]
    job = Job(workspace, "denoise", "score-bm25-train-1")
    job.write("scores", 0, lambda: [pa.Table.from_pylist(rows, sql_files.schema("scores"))])
    path = f"models/{training}" if training else "elsewhere/judge"
    model = {"model_id": SCORER, "role": "cross-encoder", "path": path, "fingerprint": "f", "settings": "{}"}
    job.write_rows("models", [model])
    job.finish(run="bm25-train")


def saw(workspace: Workspace, queries: list[int], training: str = "judge") -> None:
    """Record the queries that the judge was trained on."""
    job = Job(workspace, "train", f"train-{training}", {"kind": "cross-encoder"})
    write_judge_queries(job, JudgeSplit(1, 0, trained=queries), None)
    job.finish()


def quality(workspace: Workspace) -> JudgeQuality:
    row = {
        "scorer_id": SCORER,
        "depth": DEPTH,
        "negative_below": 0.1,
        "positive_above": 0.9,
        "calibration_id": None,
    }
    return judge_quality(workspace, "bm25-train", row)


def right(query: int, passage: int) -> float:
    """Give the labelled positive the best logit, and the others less the further they are."""
    return 4.0 if passage == query else -float(passage - query)


def wrong(query: int, passage: int) -> float:
    return -right(query, passage)


# Who measures


@pytest.mark.parametrize(
    ("queries", "folds", "measuring", "choosing"),
    [(8, 1, 0, 0), (20, 5, 20, 0), (100, 5, 100, 0), (400, 1, 54, 26), (4000, 1, 200, 100)],
)
def test_few_queries_make_folds_and_many_are_held_back(
    make_workspace: Make, queries: int, folds: int, measuring: int, choosing: int
) -> None:
    """A fifth of 20 would say nothing, so each query is unseen by one of five judges. Of 8, nothing is known."""
    split = split_queries(many(make_workspace, queries), "bm25-train", 0, None)
    assert (split.folds, len(split.unseen()), len(split.choosing)) == (folds, measuring, choosing)
    assert len({*split.trained, *split.unseen(), *split.choosing}) == queries


def test_the_split_is_a_function_of_the_seed(make_workspace: Make) -> None:
    """Another seed holds other queries back; the same one the same, in the same order."""
    workspace = many(make_workspace, 200)
    first, again, other = (split_queries(workspace, "bm25-train", seed, None) for seed in (0, 0, 1))
    assert first == again
    assert set(first.measuring) != set(other.measuring)


def test_queries_that_share_a_text_or_a_positive_stay_together() -> None:
    """0 and 1 have one text, 1 and 2 one positive. The hash of a query is no hash of a passage."""
    links = [
        (0, True, 7),
        (0, False, 70),
        (1, True, 7),
        (1, False, 71),
        (2, True, 9),
        (2, False, 71),
        (3, True, 70),
    ]
    alone = [(query, True, 100 + query) for query in range(4, 15)]
    groups = connected([*links, (3, False, 73), *alone])
    assert groups[:2] == [[0, 1, 2], [3]]


def test_where_positives_connect_everything_only_texts_do() -> None:
    """One passage that answers all ten queries says nothing about which belong together."""
    links = [(query, False, 5) for query in range(10)] + [(query, True, query // 2) for query in range(10)]
    assert connected(links) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_as_many_folds_as_groups_at_most(make_workspace: Make) -> None:
    """Two queries cannot make three parts."""
    with pytest.raises(BadSettings, match=r"--folds 3 needs .* there are 2\. Use fewer folds"):
        split_queries(many(make_workspace, 2), "bm25-train", 0, 3)


# The figures


def test_the_figures_are_those_of_a_double_loop(make_workspace: Make) -> None:
    """MRR@10 of both, and the AUC of positives against all candidates of all queries, with ties."""
    workspace, draw = many(make_workspace, 30), np.random.default_rng(0)
    logits = {(q, p): float(draw.integers(-3, 4)) for q in range(30) for p in range(q, q + 4)}
    score(workspace, lambda query, passage: logits[query, passage])
    found = quality(workspace)
    ranks = {(q, p): rank for q in range(30) for rank, p in enumerate((q + 1, q, q + 2, q + 3), 1)}
    others = [pair for pair in logits if pair[0] != pair[1]]

    def above(mine: Callable[[tuple[int, int]], float]) -> float:
        wins = [
            (mine((q, q)) > mine(other)) + 0.5 * (mine((q, q)) == mine(other))
            for q in range(30)
            for other in others
        ]
        return sum(wins) / len(wins)

    mrr = np.mean([1 / (1 + sum(logits[q, p] >= logits[q, q] for p in range(q + 1, q + 4))) for q in range(30)])
    assert (found.queries, found.retriever_mrr.mean if found.retriever_mrr else None) == (30, 0.5)
    assert found.mrr
    assert found.auc
    assert found.auc_difference
    assert found.mrr.mean == pytest.approx(mrr)
    assert found.auc.mean == pytest.approx(above(lambda pair: logits[pair]))
    by_rank = above(lambda pair: -ranks[pair])
    assert found.auc_difference.mean == pytest.approx(found.auc.mean - by_rank)
    probability = [1 / (1 + math.exp(-logits[q, q])) for q in range(30)]
    assert found.recognised == sum(value > 0.9 for value in probability)
    assert found.lost == sum(value < 0.1 for value in probability)


def test_queries_that_trained_the_judge_do_not_measure_it(make_workspace: Make) -> None:
    """The judge knows 0 to 9 by heart and gets the other 15 wrong: these alone count."""
    workspace = many(make_workspace, 25)
    saw(workspace, list(range(10)))
    score(workspace, lambda q, p: right(q, p) if q < 10 else wrong(q, p), training="judge")
    found = quality(workspace)
    assert (found.queries, found.recognised, found.lost) == (15, 0, 15)
    assert found.verdict == "worse"


def test_positives_that_trained_the_judge_stand_apart(make_workspace: Make) -> None:
    """The report counts the 15 that it has not seen, all of which it loses, and shows the 10 beside them."""
    workspace = many(make_workspace, 25)
    saw(workspace, list(range(10)))
    score(workspace, lambda q, p: right(q, p) if q < 10 else wrong(q, p), training="judge")
    set_cutoffs(workspace, "default", depth=DEPTH)
    rows = report_rows.report(workspace, "positives_recognised").rows
    assert [(row["positives"], row["seen"]) for row in rows] == [(0, 10), (0, 0), (15, 0), (0, 0)]
    assert [(row["share"], row["seen_share"]) for row in rows][::2] == [(0, 1), (1, 0)]


def test_candidates_without_a_score_do_not_lie_below_a_positive(make_workspace: Make) -> None:
    """Of q12 to q23 only the positive and rank 1 were scored. The other ranks say nothing for the judge."""
    workspace = many(make_workspace, 24)
    score(workspace, wrong, scored=lambda query, passage: query < 12 or passage in (query, query + 1))
    found = quality(workspace)
    assert found.auc
    assert found.mrr
    assert (found.queries, found.auc.mean, found.mrr.mean) == (12, 0.0, 0.25)


def test_a_query_with_the_text_of_a_trained_one_does_not_measure(make_workspace: Make) -> None:
    """It came later under another id. The judge knows its answer all the same."""
    passages = {f"p{n}": f"passage number {n}" for n in range(24)}
    asked = {f"q{n}": f"What is {n % 12}{'?' if n < 12 else ''}" for n in range(24)}
    ranked = {f"q{n}": [f"p{n}", f"p{(n + 1) % 24}"] for n in range(24)}
    workspace = make_workspace(passages, asked, qrels=[(q, ranked[q][0]) for q in asked], candidates=ranked)
    saw(workspace, [0, 1])
    score(workspace, right, training="judge")
    assert workspace.sql("select query_key from seen_queries order by 1")["query_key"].to_list() == [0, 1, 12, 13]
    assert quality(workspace).queries == 20


@pytest.mark.parametrize("job", ["train-judge", None])
def test_nothing_is_known_of_a_judge_if_nothing_says_what_it_has_seen(
    make_workspace: Make, job: str | None
) -> None:
    """Its training has no list of its queries, or was forgotten. Then they all count as seen."""
    workspace = many(make_workspace, 20)
    Job(workspace, "train", "train-judge", {"kind": "cross-encoder"}).finish()
    if job is None:
        rebuild(workspace, forget="train-judge")
    score(workspace, right, training="judge")
    found = quality(workspace)
    assert (found.queries, found.verdict) == (0, "unknown")


def test_a_model_from_elsewhere_may_lie_in_the_folder_of_models(make_workspace: Make) -> None:
    """No job has trained it, so it has seen nothing, and its scale is not what a training here makes it."""
    workspace = many(make_workspace, 20)
    score(workspace, right, training="downloaded")
    assert quality(workspace).queries == 20
    row = {
        "scorer_id": SCORER,
        "depth": DEPTH,
        "negative_below": 0.1,
        "positive_above": 0.9,
        "calibration_id": None,
    }
    assert Scale.of(workspace, "bm25-train", row).is_trained_here is False


def test_what_the_start_has_seen_does_not_measure(make_workspace: Make) -> None:
    """A judge that goes on from one that knows q0 to q11: these count as seen, in folds and held back alike."""
    workspace = many(make_workspace, 20)
    saw(workspace, list(range(12)), training="first")
    split = split_queries(workspace, "bm25-train", 0, 5, start="train-first")
    assert sorted(split.unseen()) == list(range(12, 20))
    rows = list(split.rows("train-second", None))
    assert sorted(row["query_key"] for row in rows if row["fold"] is None) == list(range(12))
    alone = replace(split, folds=1, fold_of={}, measuring=[3, 15], trained=[4])
    assert alone.unseen() == [15]
    assert [row["query_key"] for row in alone.rows("train-second", None)] == [4, 3]


def test_the_start_of_a_training_is_known_by_its_job(make_workspace: Make) -> None:
    """A dual-encoder keeps no list of its queries: it has seen all that are labelled."""
    workspace = many(make_workspace, 20)
    Job(workspace, "train", "train-encoder", {"kind": "dual-encoder"}).finish()
    record = training_in(workspace, (workspace.root / "models/encoder").resolve())
    assert record
    assert split_queries(workspace, "bm25-train", 0, None, start=record.job).unseen() == []
    assert training_in(workspace, workspace.root.parent / "encoder") is None


def test_the_audit_has_the_scale_of_the_cutoffs(make_workspace: Make) -> None:
    """A newer calibration that the cutoffs do not use changes no figure."""
    workspace = many(make_workspace, 12)
    score(workspace, right)
    set_cutoffs(workspace, "default", depth=DEPTH)
    calibrate(workspace, scale="log-odds")
    facts = {"scorer_id": SCORER, "form": "beta", "evidence": "labels", "queries": 1, "positives": 1, "others": 1}
    scale = {"calibration": {**facts, "seed": 0, "a": 1, "b": 1, "c": -9}, "reliability": [], "promises": []}
    write_calibration(workspace, "calibrate-00002", scale)
    kept = set_cutoffs(workspace, "default", calibration="none")
    assert judge_quality(workspace, "bm25-train", kept).lost == 0
    assert judge_quality(workspace, "bm25-train", {**kept, "calibration_id": "calibrate-00002"}).lost == 12


# The verdict


@pytest.mark.parametrize(
    ("queries", "logit", "verdict"),
    [
        (30, right, "better"),
        (30, wrong, "worse"),
        (
            30,
            lambda q, p: float(p == q + 1) + (p == q) / 2 - (p - q) / 9,
            "not better",
        ),  # the retriever's own order
        (9, wrong, "unknown"),
    ],
)
def test_the_verdict_needs_more_than_chance(
    make_workspace: Make, queries: int, logit: Callable[[int, int], float], verdict: str
) -> None:
    """An equal order is not better; of nine queries nothing is said, and unknown is not good."""
    workspace = many(make_workspace, queries)
    score(workspace, logit)
    found = quality(workspace)
    assert found.verdict == verdict
    said = {
        "better": "It is better than the retriever.",
        "worse": "It ranks worse than the retriever. What helps: label more queries",
        "not better": "It is not better than the retriever by more than chance. What helps: label more queries",
        "unknown": "nothing is known of it. That takes 10 labelled queries that it has not seen",
    }[verdict]
    assert said in found.lines()[-1]


def test_a_random_judge_of_twenty_queries_is_rarely_called_better_or_worse() -> None:
    """The retriever's order is random, too. At most one draw in twenty goes over the edge by chance."""
    verdicts = []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        judge, retriever = (1 / draw.integers(1, 21, size=20) for _ in range(2))
        rows = [
            {"judge_rr": a, "retriever_rr": b, "judge_auc": None, "retriever_auc": None, "positives": 1,
             "recognised": 0, "lost": 0, "retriever_has_seen": False}
            for a, b in zip(judge, retriever, strict=True)
        ]  # fmt: skip
        verdicts.append(JudgeQuality.of(rows, 20, 0.1, 0.9).verdict)
    assert verdicts.count("not better") >= 38


def test_a_retriever_that_was_trained_on_the_queries_is_no_measure(make_workspace: Make) -> None:
    """It finds every positive at once, because it knows them. A judge that beats chance is good then."""
    rows = [
        {"judge_rr": 0.5, "retriever_rr": 1.0, "judge_auc": 0.8 + n / 100, "retriever_auc": 1.0, "positives": 1,
         "recognised": 1, "lost": 0, "retriever_has_seen": seen}
        for seen in (True, False) for n in range(12)
    ]  # fmt: skip
    found = JudgeQuality.of(rows[:12], 20, 0.1, 0.9)
    assert (found.verdict, JudgeQuality.of(rows[12:], 20, 0.1, 0.9).verdict) == ("better", "worse")
    assert "better than chance. The retriever was trained on these queries" in found.lines()[-1]


# The refusal


def test_denoise_refuses_a_judge_that_is_worse(make_workspace: Make, tiny_cross_encoder: Model) -> None:
    """The scores stay and no cutoffs are set. The message has figures and what helps. An option accepts it."""
    workspace = many(make_workspace, 40)
    rows = [
        {"run_id": "perfect", "query_key": n, "passage_key": n + at, "rank": at + 1, "score": 1.0 - at}
        for n in range(40)
        for at in range(4)
    ]
    add_run(workspace, "perfect", "train", rows)
    options: dict[str, Any] = {"run": "perfect", "scorer": str(tiny_cross_encoder()), "depth": DEPTH}
    with pytest.raises(UnsoundJudge, match=r"(?s)no cutoffs were set.*MRR@10 .*What helps: .*--accept-judge"):
        denoise(workspace, **options)
    found = "select run_id, count(*) from candidates semi join scores using (query_key, passage_key) group by all"
    assert ("perfect", 160) in workspace.sql(found).rows()
    assert workspace.sql("select count(*) from cutoffs").item() == 0
    calibrate(workspace, scale="log-odds")  # random weights have no scale, which is refused on its own
    accepted = denoise(workspace, accept_judge=True, **options)
    assert accepted.scored_now == 0
    assert "It ranks worse than the retriever" in accepted.text()
    again = denoise(workspace, negative_below=0.05)  # other cutoffs of a judge that was accepted
    assert again.cutoffs["scorer_id"] == accepted.scorer_id


def test_a_good_judge_and_one_that_nothing_is_known_of_are_not_refused(make_workspace: Make) -> None:
    """Only a judge that is surely worse is refused."""
    for verdict, rows in (("unknown", 3), ("not better", 20)):
        found = JudgeQuality.of(
            [
                {"judge_rr": 0.5, "retriever_rr": 0.5, "judge_auc": 0.5, "retriever_auc": 0.5, "positives": 1,
                 "recognised": 1, "lost": 0, "retriever_has_seen": False}
            ] * rows, 20, 0.1, 0.9,
        )  # fmt: skip
        assert found.verdict == verdict
        refuse_worse(found, SCORER)


def test_the_report_shows_the_audit_query_by_query(make_workspace: Make) -> None:
    """`curate report judge` says it in words; as JSON it has a row for each query."""
    workspace = many(make_workspace, 12)
    score(workspace, right)
    set_cutoffs(workspace, "default", depth=DEPTH)
    shown = CliRunner().invoke(cli, ["-q", "-C", str(workspace.root), "report", "judge"])
    assert "It is better than the retriever." in shown.output
    rows = json.loads(
        CliRunner().invoke(cli, ["-q", "-C", str(workspace.root), "report", "judge", "--json"]).output
    )
    assert len(rows["rows"]) == 12
    assert rows["rows"][0]["query_id"] == "q0"
    assert (rows["rows"][0]["judge_rr"], rows["rows"][0]["retriever_rr"]) == (1.0, 0.5)
