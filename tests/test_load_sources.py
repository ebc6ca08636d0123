"""The files that `curate load` reads, their splits, and the files that it reports as left out."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import BadSettings
from curate.load.stage import load
from curate.workspace import Workspace

PASSAGES = '{"_id": "p1", "text": "one"}\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


def file(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("queries.train.tsv", "unlabeled"),
        ("queries.tsv", "unlabeled"),
        ("queries.dev.small.tsv", "dev"),
        ("valid.tsv", "dev"),
        ("queries.test.tsv", "test"),
        ("queries.eval.tsv", "test"),
    ],
)
def test_queries_whose_file_says_dev_or_test_are_never_unlabeled(
    workspace: Workspace, tmp_path: Path, name: str, split: str
) -> None:
    """They have no labels here, but they must not be used for training."""
    loaded = load(workspace, queries=[file(tmp_path, name, "q1\twhat is one?\n")])
    assert loaded.totals == {"passages": 0, split: 1}


@pytest.mark.parametrize(
    ("name", "split"),
    [("val.tsv", "dev"), ("qrels.eval.tsv", "dev"), ("judged.tsv", "train"), ("train.tsv", "train")],
)
def test_the_split_of_qrels_stands_in_their_name_else_it_is_said(
    workspace: Workspace, tmp_path: Path, name: str, split: str
) -> None:
    """A name without a split means train, and a note says so. An option that gives the split needs no note."""
    passages = [file(tmp_path, "p.jsonl", PASSAGES)]
    queries = [file(tmp_path, "q.tsv", "q1\twhat is one?\n")]
    labels = file(tmp_path, name, "q1\tp1\t1\n")
    loaded = load(workspace, passages=passages, queries=queries, qrels=[labels])
    assert loaded.totals == {"passages": 1, split: 1}
    assert loaded.notes == ([f"{labels}: no split in its name, taken as train"] if name == "judged.tsv" else [])
    said = load(workspace, passages=passages, queries=queries, qrels=[f"{split}={labels}"])
    assert said.notes == []


def test_a_folder_s_files_are_loaded_or_named(workspace: Workspace, tmp_path: Path) -> None:
    """Endings may have any case. Hidden files and files about the data are not mentioned."""
    folder = tmp_path / "set"
    file(folder, "corpus.JSONL", PASSAGES)
    file(folder, "queries.jsonl", '{"_id": "q1", "text": "what is one?"}\n')
    file(folder, "qrels/dev.TSV", "q1\tp1\t1\n")
    for name in ("README.md", ".hidden", "manifest.json", "qrels/readme.txt"):
        file(folder, name, "")
    other, trec = file(folder, "notes.csv", ""), file(folder, "qrels/test.txt", "")
    loaded = load(workspace, folder)
    assert loaded.totals == {"passages": 1, "dev": 1}
    assert loaded.notes == [
        f"not loaded: {other}: not part of the layout",
        f"not loaded: {trec}; to load it: --qrels test={trec}",
    ]


def test_options_take_folders_of_files(workspace: Workspace, tmp_path: Path) -> None:
    """Parquet collections on a hub often have one folder for each kind, with several files."""
    for name, columns in {
        "corpus/corpus-0.parquet": {"_id": ["p1"], "text": ["one"]},
        "corpus/corpus-1.parquet": {"_id": ["p2"], "text": ["two"]},
        "queries/queries-0.parquet": {"_id": ["q1"], "text": ["what is one?"]},
        "qrels/test-0.parquet": {"query-id": ["q1"], "corpus-id": ["p1"], "score": [1]},
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), tmp_path / name)
    loaded = load(
        workspace, passages=[tmp_path / "corpus"], queries=[tmp_path / "queries"], qrels=[tmp_path / "qrels"]
    )
    assert loaded.totals == {"passages": 2, "test": 1}


def test_an_option_refuses_a_folder_of_several_kinds(workspace: Workspace, tmp_path: Path) -> None:
    """If a whole collection were loaded as passages, its queries would become passages."""
    file(tmp_path, "set/corpus.jsonl", PASSAGES)
    file(tmp_path, "set/queries.jsonl", PASSAGES)
    with pytest.raises(BadSettings, match=r"queries\.jsonl has the name of a file of queries"):
        load(workspace, passages=[tmp_path / "set"])
