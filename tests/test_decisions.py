"""The decisions on candidates (sql/views/decisions.sql, sql/macros/decision.sql), the heart of curate."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from curate import Workspace, load, mine, sql_files
from curate.cutoffs import set_cutoffs
from curate.jobs import Job

Make = Callable[..., Workspace]
PASSAGES = {
    "answer": "Paris is the capital.",
    "twin": "PARIS -- is the  capital!",
    "other": "Rome has seven hills.",
}


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def score(workspace: Workspace, pairs: dict[tuple[int, int], float], scorer: str = "judge") -> None:
    """Write logits into the ledger."""
    rows = [
        {"scorer_id": scorer, "query_key": q, "passage_key": p, "logit": value} for (q, p), value in pairs.items()
    ]
    job = Job(workspace, "denoise", f"score-{len(workspace.records())}")
    job.write_rows("scores", rows)
    job.finish()


def cut(workspace: Workspace, name: str = "default", below: float = 0.1, above: float = 0.9) -> None:
    set_cutoffs(workspace, name, scorer_id="judge", depth=50, negative_below=below, positive_above=above)


def decision(workspace: Workspace, passage: str, cutoffs: str = "default") -> str:
    query = """
        select decision from decisions inner join passages using (passage_key)
        where passage_id = $passage and cutoffs = $cutoffs
    """
    (row,) = workspace.sql(query, passage=passage, cutoffs=cutoffs)["decision"]
    return str(row)


@pytest.mark.parametrize(
    ("labelled_query", "probability", "expected"),
    [
        (True, 0.09, "hard_negative"),  # confidently irrelevant
        (True, 0.50, "uncertain"),
        (True, 0.91, "false_negative"),  # relevant, but not labelled
        (True, None, "unscored"),  # unknown is never a negative
        (False, 0.91, "pseudo_positive"),  # the same evidence for a query without labels
        (False, 0.09, "hard_negative"),
        (False, None, "unscored"),
    ],
)
def test_a_candidate_nobody_judged_is_decided_by_its_probability(
    make_workspace: Make, labelled_query: bool, probability: float | None, expected: str
) -> None:
    """The rules are those of RocketQA 3.2 and 3.3."""
    qrels = [("q", "answer")] if labelled_query else []
    workspace = make_workspace(PASSAGES, {"q": "capital?"}, qrels=qrels, candidates={"q": ["other"]})
    if probability is not None:
        score(workspace, {(0, 2): logit(probability)})
    cut(workspace)
    assert decision(workspace, "other") == expected


def test_a_labelled_positive_stays_positive_whatever_its_score(make_workspace: Make) -> None:
    """A verdict "relevant" by people outranks every score."""
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["answer"]})
    score(workspace, {(0, 0): -9.0})
    cut(workspace)
    assert decision(workspace, "answer") == "positive"


def test_a_passage_with_the_text_of_a_positive_is_a_duplicate(make_workspace: Make) -> None:
    """Texts that differ only in case, punctuation and white space are the same."""
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["twin"]})
    score(workspace, {(0, 1): -9.0})
    cut(workspace)
    assert decision(workspace, "twin") == "duplicate"


def test_passages_with_one_text_and_different_titles_are_different(tmp_path: Path) -> None:
    """A model reads the title with the text. A page without a title that has the same words is a duplicate."""
    text = "Population, area and mayor: see below."
    corpus = [("seoul", "Seoul", text), ("busan", "Busan", text), ("whole", "", f"Seoul {text}")]
    lines = [json.dumps({"_id": name, "title": title, "text": text}) for name, title, text in corpus]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines), "utf-8")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "seoul population"}', "utf-8")
    (tmp_path / "train.tsv").write_text("q\tseoul\t1\n", "utf-8")
    workspace = Workspace.create(tmp_path / "set")
    files = {"passages": ["corpus.jsonl"], "queries": ["queries.jsonl"], "qrels": ["train.tsv"]}
    load(workspace, **{kind: [tmp_path / name for name in names] for kind, names in files.items()})  # type: ignore[arg-type]
    mine(workspace)
    cut(workspace)
    assert [decision(workspace, name) for name, _, _ in corpus] == ["positive", "unscored", "duplicate"]


def test_a_passage_that_repeats_the_question_is_a_duplicate(make_workspace: Make) -> None:
    """It does not answer the question, and as a negative it would teach that a text is unlike itself."""
    workspace = make_workspace(
        {**PASSAGES, "again": "Which capital?"},
        {"q": "which capital"},
        qrels=[("q", "answer")],
        candidates={"q": ["again"]},
    )
    score(workspace, {(0, 3): 9.0})
    cut(workspace)
    assert decision(workspace, "again") == "duplicate"


def test_a_pair_judged_not_relevant_is_a_negative_without_any_score(make_workspace: Make) -> None:
    """A relevance of 0 is knowledge, unlike a missing row."""
    qrels = [("q", "answer", 1), ("q", "other", 0)]
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=qrels, candidates={"q": ["other"]})
    cut(workspace)
    assert decision(workspace, "other") == "hard_negative"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([True], "positive"),  # an annotation outranks the score
        ([False], "hard_negative"),
        ([True, True, False], "positive"),  # the majority
        ([True, False], "uncertain"),  # a tie is no verdict: the score decides
    ],
)
def test_annotations_outrank_scores(make_workspace: Make, verdicts: list[bool], expected: str) -> None:
    """People's annotations outrank every score."""
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["other"]})
    score(workspace, {(0, 2): 0.0})
    cut(workspace)
    job = Job(workspace, "load", "load-00002")
    job.write_rows(
        "annotations",
        [
            {"query_key": 0, "passage_key": 2, "relevant": verdict, "annotator": f"person {number}"}
            for number, verdict in enumerate(verdicts)
        ],
    )
    job.finish()
    assert decision(workspace, "other") == expected


@pytest.mark.parametrize(
    ("which", "step", "expected"),
    [
        ("negative_below", -1, "uncertain"),  # the cutoff lies one float32 below the probability
        ("negative_below", 0, "uncertain"),  # strict: a pair at the cutoff is not a negative
        ("negative_below", 1, "hard_negative"),
        ("positive_above", -1, "false_negative"),
        ("positive_above", 0, "uncertain"),  # strict: a pair at the cutoff is not a positive
        ("positive_above", 1, "uncertain"),
    ],
)
def test_one_ulp_around_a_cutoff_decides(make_workspace: Make, which: str, step: int, expected: str) -> None:
    """Both sides are FLOAT and rounded once, so a column, a literal and a parameter cannot disagree."""
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["other"]})
    score(workspace, {(0, 2): logit(0.37)})
    cut(workspace)
    (probability,) = workspace.sql("select probability from decisions")["probability"].to_numpy()
    edge = float(probability) if step == 0 else float(np.nextafter(probability, np.float32(np.inf * step)))
    below, above = (edge, 0.999) if which == "negative_below" else (0.001, edge)
    cut(workspace, below=below, above=above)
    assert decision(workspace, "other") == expected


def test_polars_reads_the_same_decisions_as_duckdb(make_workspace: Make) -> None:
    """`Workspace.scan` returns the tables and the views as LazyFrames."""
    workspace = make_workspace(
        PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["answer", "twin", "other"]}
    )
    score(workspace, {(0, 2): 5.0})
    cut(workspace)
    frame = workspace.scan("decisions").select("rank", "decision").sort("rank").collect()
    assert frame["decision"].to_list() == ["positive", "duplicate", "false_negative"]
    assert workspace.scan("candidates").filter(pl.col("rank") == 2).collect()["passage_key"].to_list() == [1]


def test_two_settings_stand_side_by_side_in_one_query(make_workspace: Make) -> None:
    """Thresholds are queries: the same scores and two named cutoffs give two decisions."""
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["other"]})
    score(workspace, {(0, 2): logit(0.15)})
    cut(workspace)
    cut(workspace, "loose", below=0.2)
    assert (decision(workspace, "other"), decision(workspace, "other", "loose")) == ("uncertain", "hard_negative")


def test_changed_cutoffs_keep_their_former_row(make_workspace: Make) -> None:
    """Nothing is overwritten. The highest revision of a name is in force, and the others are kept."""
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["other"]})
    cut(workspace)
    cut(workspace, below=0.3)
    cut(workspace, below=0.3)
    revisions = workspace.sql(
        "select revision, negative_below::varchar as below from stored_cutoffs order by revision"
    )
    assert revisions.rows() == [(1, "0.1"), (2, "0.3")]


def test_scores_of_another_scorer_do_not_count(make_workspace: Make) -> None:
    """The ledger keeps every scorer's logits separate."""
    workspace = make_workspace(PASSAGES, {"q": "?"}, qrels=[("q", "answer")], candidates={"q": ["other"]})
    score(workspace, {(0, 2): 5.0}, scorer="somebody else")
    cut(workspace)
    assert decision(workspace, "other") == "unscored"


def test_the_ledger_has_no_room_for_a_missing_logit() -> None:
    """NaN > 0.9 is true in DuckDB and Polars, so NaN must not enter the ledger."""
    assert sql_files.schema("scores").field("logit").type == pa.float32()
