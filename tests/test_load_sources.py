"""The files that `curate load` reads, their splits, and the files that it reports as left out."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import BadInput, BadSettings, CurateError
from curate.load.stage import load, plan_load
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.load.request import LoadOptions

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
    other, trec = file(folder, "notes.csv", ""), file(folder, "qrels/train.txt", "")
    both = file(folder, "qrels/judged.txt", "")
    loaded = load(workspace, folder)
    assert loaded.totals == {"passages": 1, "dev": 1}
    assert loaded.notes == [
        f"not loaded: {other}: not part of the layout",
        f"not loaded: {both}; to load it: --qrels SPLIT={both}",
        f"not loaded: {trec}; to load it: --qrels train={trec}",
    ]


@pytest.mark.parametrize("name", ["qrels/dev_small.tsv", "qrels/test.txt", "qrels.valid2.tsv", "test_queries.tsv"])
def test_a_folder_s_file_of_dev_or_test_is_not_left_out_silently(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    """Its queries would be trainable. Given by an option, it is loaded."""
    folder = tmp_path / "set"
    file(folder, "corpus.jsonl", PASSAGES)
    file(folder, "queries.jsonl", '{"_id": "q1", "text": "what is one?"}\n')
    row = "q1\twhat is one?\n" if "queries" in name else "q1\tp1\t1\n"
    path = file(folder, name, row)
    with pytest.raises(
        BadInput, match=r"names dev or test but is not part of the layout.*by an option: --q"
    ) as said:
        load(workspace, folder)
    assert str(path) in str(said.value)
    options: LoadOptions = {"queries": [path]} if "queries" in name else {"qrels": [path]}
    loaded = load(workspace, folder, **options)
    assert loaded.totals == {"passages": 1, "test" if "test" in name else "dev": 1}


def test_the_names_of_a_folder_s_files_may_have_capitals(workspace: Workspace, tmp_path: Path) -> None:
    """`Test.tsv` is test."""
    folder = tmp_path / "set"
    file(folder, "Corpus.jsonl", PASSAGES)
    file(folder, "queries.jsonl", '{"_id": "q1", "text": "what is one?"}\n')
    file(folder, "qrels/Test.tsv", "q1\tp1\t1\n")
    loaded = load(workspace, folder)
    assert (loaded.totals, loaded.notes) == ({"passages": 1, "test": 1}, [])


def test_queries_of_ms_marco_that_are_held_out_anyway_may_be_left_out(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Its bundle has dev.small beside dev, whose queries are in a file of dev."""
    folder = tmp_path / "marco"
    file(folder, "collection.tsv", "p1\tone\n")
    file(folder, "queries.dev.tsv", "q1\twhat is one?\n")
    small = file(folder, "qrels.dev.small.tsv", "q1\t0\tp1\t1\n")
    loaded = load(workspace, folder)
    assert loaded.notes == [f"not loaded: {small}; to load it: --qrels dev={small}"]


def test_a_state_file_of_another_program_makes_no_saved_dataset(workspace: Workspace, folder: Path) -> None:
    """Only a `state.json` that names data files is one of `datasets`."""
    file(folder, "state.json", '{"done": true}')
    assert load(workspace, folder).totals == {"passages": 1, "train": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    file(tmp_path, "set/corpus.jsonl", PASSAGES)
    file(tmp_path, "set/queries.jsonl", '{"_id": "q1", "text": "what is one?"}\n')
    file(tmp_path, "set/qrels/train.tsv", "q1\tp1\t1\n")
    file(tmp_path, "set/qrels/train_sparse.tsv", "q1\tp1\t2\n")
    return tmp_path / "set"


def test_labels_that_an_option_replaces_are_not_suggested(workspace: Workspace, folder: Path) -> None:
    """The note says why the file in the folder is left out. The option may also name that file itself."""
    loaded = load(workspace, folder, qrels=[f"train={folder}/qrels/train_sparse.tsv"])
    assert loaded.notes == [f"not loaded: {folder}/qrels/train.tsv: --qrels gives other labels for train"]
    sparse = f"{folder}/qrels/train_sparse.tsv"
    plan = plan_load(workspace, folder, qrels=[f"train={folder}/qrels/train.tsv"])
    assert plan.notes[-1] == f"not loaded: {sparse}; to load it: --qrels train={sparse}"


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to("nowhere"), "no such file: it is a link to nowhere"),
        (lambda path: path.symlink_to(path.name), "Symbolic link loop|cannot be read: Too many levels"),
        (Path.mkdir, "found a folder, expected a file"),
        (os.mkfifo, "found a pipe or a device, expected a file"),
        (lambda path: path.symlink_to("/dev/null"), "found a pipe or a device, expected a file"),
    ],
)
def test_what_stands_in_place_of_a_file_is_named(
    workspace: Workspace, folder: Path, name: str, make: Callable[[Path], None], message: str
) -> None:
    """Without its corpus every label would be unknown, and without its labels every query unlabeled."""
    path = folder / name
    path.rename(folder / ".away")
    make(path)
    if name == "qrels" and path.is_dir():
        load(workspace, folder)  # without labels, as a folder may be
        return
    with pytest.raises(BadInput, match=f"{path}: ({message})"):
        load(workspace, folder)


def test_a_shard_that_is_not_there_is_not_left_out(workspace: Workspace, tmp_path: Path) -> None:
    """In a folder of files of one kind, too, a link to nowhere is an error."""
    file(tmp_path, "corpus/a.jsonl", PASSAGES)
    (tmp_path / "corpus" / "b.jsonl").symlink_to("nowhere")
    with pytest.raises(BadInput, match=r"b\.jsonl: no such file: it is a link to nowhere"):
        load(workspace, passages=[tmp_path / "corpus"])


def test_a_name_that_is_too_long_is_no_bug(workspace: Workspace) -> None:
    """The system refuses it before any file is read."""
    with pytest.raises(BadInput, match="cannot be read: File name too long"):
        load(workspace, "x" * 300)


@pytest.mark.parametrize("content", ["", "{", '{"_id": "p1"}\n', "id\ttext\n", "q1 Q0 p1 1 2 x\n", '["a"]\n'])
def test_the_name_of_a_file_cannot_control_the_terminal(
    workspace: Workspace, tmp_path: Path, content: str
) -> None:
    """Escape codes and line feeds in it are shown escaped, and suggested commands quote it."""
    path = file(tmp_path, "my \x1b[2J\nqueries and passages.txt", content)
    attempts: list[tuple[list[Path], LoadOptions]] = [
        ([path], {}),
        ([], {"passages": [path]}),
        ([], {"qrels": [path]}),
    ]
    for sources, options in attempts:
        with pytest.raises(CurateError) as error:
            load(workspace, *sources, **options)
        said = str(error.value)
        assert "my \\x1b[2J\\nqueries" in said
        assert "\x1b" not in said
        assert "\nqueries" not in said


def test_a_name_that_is_not_utf_8_is_escaped_in_the_tables(workspace: Workspace, tmp_path: Path) -> None:
    """Such names exist on disk, but no table can hold them."""
    passages = file(tmp_path, os.fsdecode(b"d\xe9.jsonl"), PASSAGES)
    queries = file(tmp_path, os.fsdecode(b"q\xe9.tsv"), "q1\twhat is one?\n")
    labels = file(tmp_path, os.fsdecode(b"train\xe9.tsv"), "q1\tp1\t1\nq9\tp1\t1\n")
    load(workspace, passages=[passages], queries=[queries], qrels=[labels], max_rejects=1)
    assert workspace.sql("select source from qrels").rows() == [(r"train\udce9.tsv",)]
    assert workspace.sql("select file from rejects").rows() == [(rf"{tmp_path}/train\udce9.tsv",)]


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
