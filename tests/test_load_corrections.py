"""Corrections: a newer label of a pair replaces the older one, and the table keeps both."""

from pathlib import Path

import pytest

from curate import BadInput, Workspace, load

CORPUS = '{"_id": "p1", "text": "one"}\n{"_id": "p2", "text": "two"}\n'
QUERIES = '{"_id": "q1", "text": "what is one?"}\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace whose load-00001 says that p1 answers q1."""
    workspace = Workspace.create(tmp_path / "ws")
    files = file(tmp_path, "corpus.jsonl", CORPUS), file(tmp_path, "q.jsonl", QUERIES)
    load(workspace, passages=[files[0]], queries=[files[1]], qrels=[file(tmp_path, "train.tsv", "q1\tp1\t1\n")])
    return workspace


def file(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, "utf-8")
    return folder / name


def labels(workspace: Workspace) -> list[tuple[str, int]]:
    query = "select passage_id, relevance from qrels join passages using (passage_key) order by passage_id"
    return workspace.sql(query).rows()


def said(relevant: str, annotator: str = "ann") -> str:
    return f'{{"query_id": "q1", "passage_id": "p1", "relevant": {relevant}, "annotator": "{annotator}"}}\n'


def test_a_newer_label_replaces_the_older_one(workspace: Workspace, tmp_path: Path) -> None:
    """The corrected label counts everywhere; the older one stays in stored_qrels."""
    loaded = load(workspace, qrels=[file(tmp_path, "better-train.tsv", "q1\tp1\t0\nq1\tp2\t1\n")])
    assert (loaded.counts["qrels"], loaded.corrected) == (2, {"qrels": 1})
    assert "corrected: qrels 1" in loaded.text()
    assert labels(workspace) == [("p1", 0), ("p2", 1)]
    assert workspace.sql("select passage_key from positives").rows() == [(1,)]
    history = (
        "select relevance, source, revision, corrects from stored_qrels where passage_key = 0 order by revision"
    )
    assert workspace.sql(history).rows() == [(1, "train.tsv", 1, False), (0, "better-train.tsv", 2, True)]


def test_a_correction_can_be_taken_back_by_loading_the_first_file_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Its bytes were loaded before, but they are not what is in force."""
    load(workspace, qrels=[file(tmp_path, "better-train.tsv", "q1\tp1\t0\n")])
    again = load(workspace, qrels=[file(tmp_path, "train.tsv", "q1\tp1\t1\nq1\tp2\t0\n")])
    assert (again.already, again.corrected) == (False, {"qrels": 1})
    assert labels(workspace) == [("p1", 1), ("p2", 0)]
    back = load(workspace, qrels=[tmp_path / "better-train.tsv"])
    assert (back.already, back.corrected, labels(workspace)[0]) == (False, {"qrels": 1}, ("p1", 0))
    assert load(workspace, qrels=[tmp_path / "better-train.tsv"]).already


def test_the_same_label_again_corrects_nothing(workspace: Workspace, tmp_path: Path) -> None:
    """What is compared is the label in force."""
    loaded = load(workspace, qrels=[file(tmp_path, "more-train.tsv", "q1\tp1\t1\nq1\tp2\t1\n")])
    assert (loaded.counts["qrels"], loaded.collapsed, loaded.corrected) == (1, {"qrels": 1}, {})


def test_within_a_load_two_labels_of_a_pair_are_a_conflict(workspace: Workspace, tmp_path: Path) -> None:
    """Nobody can know which of them is newer."""
    with pytest.raises(BadInput, match="conflicting relevance: 0 before, 2 here"):
        load(workspace, qrels=[file(tmp_path, "odd-train.tsv", "q1\tp1\t0\nq1\tp1\t2\n")])
    assert labels(workspace) == [("p1", 1)]


def test_an_annotator_s_newer_verdict_replaces_the_older_one(workspace: Workspace, tmp_path: Path) -> None:
    """Only his own: the verdict of another annotator is a further vote."""
    load(workspace, annotations=[file(tmp_path, "a.jsonl", said("true") + said("false", "bob"))])
    loaded = load(workspace, annotations=[file(tmp_path, "b.jsonl", said("false"))])
    assert loaded.corrected == {"annotations": 1}
    votes = workspace.sql("select annotator, relevant from annotations order by annotator").rows()
    assert votes == [("ann", False), ("bob", False)]
    assert workspace.sql("select relevant, source from judgements").rows() == [(False, "annotation")]
    assert len(workspace.sql("from stored_annotations")) == 3


def test_rows_that_were_rejected_can_be_loaded_once_their_passages_are_there(tmp_path: Path) -> None:
    """The file is the same, but this time its label is known to fit."""
    workspace = Workspace.create(tmp_path / "ws")
    labels_file = file(tmp_path, "test.tsv", "q1\tp1\t1\nq1\tp3\t1\n")
    files = file(tmp_path, "corpus.jsonl", CORPUS), file(tmp_path, "q.jsonl", QUERIES)
    load(workspace, passages=[files[0]], queries=[files[1]])
    assert load(workspace, qrels=[labels_file], max_rejects=1).counts["qrels"] == 1
    load(workspace, passages=[file(tmp_path, "more.jsonl", '{"_id": "p3", "text": "three"}\n')])
    assert load(workspace, qrels=[labels_file]).counts["qrels"] == 1
    assert [passage for passage, _ in labels(workspace)] == ["p1", "p3"]
