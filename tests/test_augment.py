"""Augmentation (curate/augment.py), which gives a query a confident pseudo-label or none."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import curate
from curate import Workspace
from curate.augment import plan_augment
from curate.errors import BadSettings
from curate.models.cross_encoder import CrossEncoder

Make = Callable[..., Workspace]
Model = Callable[..., Path]

PASSAGES = {
    "paris": "paris is the capital of france",
    "rome": "rome is the capital of italy",
    "sea": "the sea is salty",
}
QUERIES = {
    "labelled": "capital france",
    "asked": "capital italy",  # two confident passages
    "odd": "salty capital",  # nothing confident
    "copied": "sea capital!",  # dev has the same query
    "dev": "Sea capital",
}
LABELS = [("labelled", "paris")]
PROBABILITY = {  # (query, passage) -> the scorer's probability
    ("asked", "rome"): 0.99, ("asked", "paris"): 0.95, ("odd", "sea"): 0.5, ("odd", "paris"): 0.02,
    ("odd", "rome"): 0.02, ("copied", "sea"): 0.99,
}  # fmt: skip


@pytest.fixture
def judged_set(make_workspace: Make, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a set that was mined by BM25 and denoised by a scorer that knows the truth above."""
    workspace = make_workspace(PASSAGES, QUERIES, qrels=LABELS, unlabeled=["asked", "odd", "copied"])
    add_dev_label(workspace)
    texts = {(QUERIES[q], PASSAGES[p]): value for (q, p), value in PROBABILITY.items()}

    def prepare(_self: CrossEncoder, queries: list[str], passages: list[str], pairs: np.ndarray) -> list[float]:
        return [texts.get((queries[q], passages[p]), 0.01 + 0.001 * q) for q, p in pairs]

    monkeypatch.setattr(CrossEncoder, "passage_tokens", None)  # it reads the texts
    monkeypatch.setattr(CrossEncoder, "prepare", prepare)
    monkeypatch.setattr(
        CrossEncoder,
        "score",
        lambda _self, rows, _advance=None: np.array([math.log(p / (1 - p)) for p in rows], np.float32),
    )
    curate.mine(workspace, retriever="bm25", depth=3)
    curate.denoise(workspace, scorer=str(tiny_cross_encoder()), depth=3)
    return workspace


def add_dev_label(workspace: Workspace) -> None:
    from curate.jobs import Job

    job = Job(workspace, "load", "load-00002")
    job.write_rows(
        "qrels", [{"query_key": 4, "passage_key": 2, "relevance": 1, "split": "dev", "source": "dev.tsv"}]
    )
    job.finish()


def labels(workspace: Workspace) -> list[tuple[str, str]]:
    query = """
        select query_id, passage_id from pseudo_labels
        inner join queries using (query_key) inner join passages using (passage_key) order by all
    """
    return workspace.sql(query).rows()


def test_the_best_passage_above_the_cutoff_becomes_the_pseudo_positive(judged_set: Workspace) -> None:
    """RocketQA keeps only the best passage."""
    result = curate.augment(judged_set)
    assert labels(judged_set) == [("asked", "rome")]
    assert (result.pseudo_labelled, result.pseudo_positives) == (1, 1)


def test_all_above_keeps_every_confident_passage(judged_set: Workspace) -> None:
    """The setting is a row of the cutoffs, so changing it computes nothing and can be undone."""
    curate.augment(judged_set, all_above=True)
    assert labels(judged_set) == [("asked", "paris"), ("asked", "rome")]
    curate.augment(judged_set, all_above=False)
    assert labels(judged_set) == [("asked", "rome")]


def test_a_query_without_a_confident_passage_is_counted_not_guessed(judged_set: Workspace) -> None:
    """A passage with probability 0.5 is not a label."""
    result = curate.augment(judged_set)
    assert (result.queries, result.without_positive) == (3, 1)


def test_a_query_that_dev_asks_gets_no_label(judged_set: Workspace) -> None:
    """Training on it would be training on the evaluation."""
    result = curate.augment(judged_set)
    assert result.asked_by_dev_or_test == 1
    assert "copied" not in dict(labels(judged_set))


def test_it_mines_and_judges_as_the_train_run_was(judged_set: Workspace) -> None:
    """Augmentation uses the retriever and depth of the newest train run, and the scorer and cutoffs of denoise."""
    result = curate.augment(judged_set)
    run = judged_set.scan("runs").filter(run_id=result.run_id).collect().to_dicts()[0]
    assert (run["retriever"], run["depth"], run["split"]) == ("bm25", 3, "unlabeled")


def test_a_dry_run_tells_what_is_next_to_do(judged_set: Workspace) -> None:
    """First there are queries to mine and then to score, then pairs to score, then only the cutoffs, then nothing.

    The time of the first plan includes the scoring, at the rate of the last denoising.
    """
    both, mining = plan_augment(judged_set), curate.plan_mine(judged_set, split="unlabeled", depth=3)
    assert (both.stage, both.unit, both.total) == ("augment", "queries", mining.total)
    assert both.seconds is not None
    assert mining.seconds is not None
    assert both.seconds > mining.seconds
    assert "pairs: about" in both.notes[-1]
    curate.mine(judged_set, split="unlabeled", retriever="bm25", depth=3)
    plan = plan_augment(judged_set)
    assert (plan.stage, plan.unit, plan.cached) == ("augment", "pairs", 0)
    curate.augment(judged_set)
    assert (plan_augment(judged_set).unit, plan_augment(judged_set).text().count("0 to do")) == ("pairs", 1)
    assert plan_augment(judged_set, all_above=True).unit == "cutoffs"


def test_another_scorer_than_the_cutoffs_is_refused_before_it_scores(
    judged_set: Workspace, tiny_cross_encoder: Model
) -> None:
    """Probabilities of two scorers cannot be compared."""
    curate.mine(judged_set, split="unlabeled", retriever="bm25", depth=3)
    before = judged_set.scan("scores").collect().height
    with pytest.raises(BadSettings, match="belong to the scorer"):
        curate.augment(judged_set, scorer=str(tiny_cross_encoder("other", seed=5)))
    assert judged_set.scan("scores").collect().height == before


def test_without_queries_or_cutoffs_the_error_says_what_to_run(make_workspace: Make) -> None:
    """The error says to load queries, or to denoise first."""
    with pytest.raises(BadSettings, match="curate load --unlabeled"):
        curate.augment(make_workspace(PASSAGES, {"labelled": "?"}, qrels=LABELS, candidates={}))
