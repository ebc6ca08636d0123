"""Queries that dev and test hold out: no file and no order of loading lets them train."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from curate import Workspace, load

CORPUS = '{"_id": "p1", "text": "one"}\n{"_id": "p2", "text": "two"}\n'
QUERIES = '{"_id": "q1", "text": "what is one?"}\n{"_id": "q2", "text": "what is two?"}\n'

if TYPE_CHECKING:
    from curate.load.request import LoadOptions


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace with two passages and two queries without labels."""
    workspace = Workspace.create(tmp_path / "ws")
    load(
        workspace, passages=[file(tmp_path, "corpus.jsonl", CORPUS)], queries=[file(tmp_path, "q.jsonl", QUERIES)]
    )
    return workspace


def file(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, "utf-8")
    return folder / name


def splits(workspace: Workspace) -> dict[str, str]:
    return dict(workspace.sql("select query_id, split from queries").rows())


def trainable(workspace: Workspace) -> set[str]:
    return set(workspace.sql("select query_id from training_queries")["query_id"])


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("test.tsv", "q1\tp9\t1"),  # an unknown passage
        ("dev.tsv", "q1\tp9\t1"),
        ("test.tsv", "q1\tp1\t0.5"),  # a relevance that is none
        ("test.tsv", "q1\tp 1\t1"),  # an id that is none
        ("test.tsv", "q1\tp1\t1\t0\t0"),  # too many columns
        ("test.jsonl", '{"query-id": "q1", "score": 1}'),  # a key is missing
        ("queries.test.tsv", "q1\twhat is\tone?"),
        ("queries.test.tsv", "q1\t "),  # a query without text
        ("queries.test.tsv", "q1\tanother text"),
        ("queries.dev.tsv", "q1\twhat is one?"),  # a query that is known already: not even rejected
    ],
)
def test_a_row_of_dev_or_test_holds_its_query_out_even_if_it_is_rejected(
    workspace: Workspace, tmp_path: Path, name: str, line: str
) -> None:
    """The row says that the query belongs to the evaluation, whatever else is wrong with it."""
    are_queries = name.startswith("queries")
    other = "q2\twhat is two?" if are_queries else "q2\tp2\t1"
    if name.endswith(".jsonl"):
        other = '{"query-id": "q2", "corpus-id": "p2", "score": 1}'
    path = file(tmp_path, name, f"{other}\n{line}\n")
    options: LoadOptions = {"queries": [path]} if are_queries else {"qrels": [path]}
    loaded = load(workspace, **options, max_rejects=1)
    held = "dev" if "dev" in name else "test"
    assert splits(workspace) == {"q1": held, "q2": held}
    assert trainable(workspace) == set()
    assert loaded.held_out["named only by rejected or repeated rows"] >= 1
    assert "held out, because dev or test names them: named only by rejected or repeated rows" in loaded.text()


def test_a_rejected_row_holds_out_a_query_that_is_loaded_later(tmp_path: Path) -> None:
    """When the labels are loaded, the query is not known yet."""
    workspace = Workspace.create(tmp_path / "ws")
    passages = file(tmp_path, "corpus.jsonl", CORPUS)
    load(workspace, passages=[passages], qrels=[file(tmp_path, "test.tsv", "q1\tp1\t1\n")], max_rejects=1)
    load(workspace, queries=[file(tmp_path, "q.jsonl", QUERIES)], unlabeled=[])
    assert splits(workspace) == {"q1": "test", "q2": "unlabeled"}
    assert trainable(workspace) == {"q2"}


@pytest.mark.parametrize("order", [("train", "test"), ("test", "train"), ("train", "dev"), ("dev", "test")])
def test_the_held_out_split_wins_in_any_order_of_loading(
    workspace: Workspace, tmp_path: Path, order: tuple[str, str]
) -> None:
    """Test outranks dev, and dev outranks train. Only the labels of the split that wins are in force."""
    labels = {"train": "q1\tp1\t1\nq2\tp2\t1\n", "dev": "q1\tp2\t1\n", "test": "q1\tp2\t1\n"}
    for split in order:
        load(workspace, qrels=[file(tmp_path, f"{split}.tsv", labels[split])], max_rejects=1)
    held = "test" if "test" in order else "dev"
    assert splits(workspace)["q1"] == held
    assert workspace.sql("select split, passage_key from qrels where query_key = 0").rows() == [(held, 1)]
    assert "q1" not in trainable(workspace)


def test_a_query_of_an_unlabeled_file_is_held_out_too(workspace: Workspace, tmp_path: Path) -> None:
    """It would get a pseudo-label, and so would another query with its text."""
    more = (
        '{"_id": "u1", "text": "and three?"}\n{"_id": "u2", "text": "And three"}\n{"_id": "u3", "text": "four?"}\n'
    )
    load(workspace, unlabeled=[file(tmp_path, "u.jsonl", more)])
    assert trainable(workspace) >= {"u1", "u2", "u3"}
    load(workspace, qrels=[file(tmp_path, "test.tsv", "u1\tp1\t1\n")])
    assert splits(workspace)["u1"] == "test"
    assert trainable(workspace) & {"u1", "u2", "u3"} == {"u3"}
    assert workspace.sql("select query_key from leaked_queries").rows() == [(3,)]


def test_labels_of_train_are_told_when_test_takes_their_query(workspace: Workspace, tmp_path: Path) -> None:
    """They were loaded before, when nothing was wrong with them."""
    load(workspace, qrels=[file(tmp_path, "train.tsv", "q1\tp1\t1\n")])
    loaded = load(workspace, qrels=[file(tmp_path, "test.tsv", "q1\tp2\t1\n")])
    assert loaded.held_out["labelled in train too"] == 1
    assert "held out, because dev or test names them: labelled in train too 1" in loaded.text()


def test_the_text_of_a_rejected_query_of_test_is_held_out(workspace: Workspace, tmp_path: Path) -> None:
    """q1 is known with another text. The text of the row must not train under a third id."""
    load(workspace, queries=[file(tmp_path, "queries.test.tsv", "q1\tWhat is two\n")], max_rejects=1)
    assert splits(workspace) == {"q1": "test", "q2": "unlabeled"}
    assert trainable(workspace) == set()


def test_rows_that_cannot_be_read_are_told(workspace: Workspace, tmp_path: Path) -> None:
    """Nobody can know which query they name."""
    labels = file(tmp_path, "test.tsv", "q1\tp1\t1\nq2\n")
    loaded = load(workspace, qrels=[labels], max_rejects=1)
    assert loaded.notes[-1].startswith("Warning: 1 rejected rows of dev or test could not be read")
    again = load(workspace, qrels=[labels], max_rejects=1)
    assert (again.already, again.notes) == (True, loaded.notes)


def test_a_run_for_training_loses_the_queries_that_are_held_out_since(
    workspace: Workspace, tmp_path: Path
) -> None:
    """The run was mined before the labels of test came. Nothing of the query is decided, scored or trained."""
    from conftest import add_run

    from curate.cutoffs import set_cutoffs

    load(workspace, qrels=[file(tmp_path, "train.tsv", "q1\tp1\t1\nq2\tp2\t1\n")])
    add_run(workspace, "bm25-train", "train", [
        {"run_id": "bm25-train", "query_key": query, "passage_key": passage, "rank": rank, "score": 1.0 / rank}
        for query in (0, 1) for rank, passage in enumerate((0, 1), 1)
    ])  # fmt: skip
    set_cutoffs(workspace, "default", scorer_id="judge", depth=5, negative_below=0.1, positive_above=0.9)
    assert set(workspace.scan("decisions").collect()["query_key"]) == {0, 1}
    load(workspace, qrels=[file(tmp_path, "test.tsv", "q1\tp1\t1\n")])
    assert set(workspace.scan("decisions").collect()["query_key"]) == {1}
    assert set(workspace.sql("from pairs_to_score('bm25-train', 5)")["query_key"]) == {1}


def test_a_workspace_of_another_format_is_refused(workspace: Workspace) -> None:
    """Its columns have other meanings, so that mixing them would give wrong answers without a word."""
    from curate import BadSettings
    from curate.shards import Lineage, publish, write_parquet

    shard = workspace.root / "tables" / "passages" / "schema.parquet"
    schema = pa.schema({"passage_key": pa.int32()})
    publish(shard, lambda path: write_parquet(path, [], schema), Lineage("create", "schema"))
    with pytest.raises(BadSettings, match="was made by another version of curate"):
        Workspace(workspace.root)
