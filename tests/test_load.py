"""`curate load`: the files that it reads, how loads add up, and why kills and repetitions change nothing."""

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import BadInput, BadSettings
from curate.load import texts
from curate.load.stage import load, plan_load
from curate.workspace import Workspace

PASSAGES = '{"_id": "p1", "title": "A", "text": "one"}\n{"_id": "p2", "text": "two"}\n'
QUERIES = '{"_id": "q1", "text": "what is one?"}\n{"_id": "q2", "text": "what is two?"}\n'
REAL = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    file(folder, "corpus.jsonl", PASSAGES)
    file(folder, "queries.jsonl", QUERIES)
    file(folder, "unlabeled.jsonl", '{"_id": "u1", "text": "and three?"}\n')
    file(folder, "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\tp1\t1\n")
    file(folder, "qrels/validation.tsv", "query-id\tcorpus-id\tscore\nq2\tp2\t2\n")
    file(folder, "qrels/train_sparse.tsv", "query-id\tcorpus-id\tscore\nq1\tp2\t1\n")
    return folder


def pairs(workspace: Workspace) -> list[tuple[str, str, int, str, str]]:
    query = """
        select query_id, passage_id, relevance, qrels.split, source
        from qrels join queries using (query_key) join passages using (passage_key)
        order by query_id, passage_id
    """
    return workspace.sql(query).rows()


def texts_of(workspace: Workspace) -> list[tuple[int, str, str, str]]:
    return workspace.sql("select passage_key, passage_id, title, text from passages order by 1").rows()


def tables(workspace: Workspace) -> dict[str, str]:
    """Return the sha256 of every file that holds rows, and of its manifest."""
    root = workspace.root / "tables"
    records = {"stages", "record-copies"}  # they hold times
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not records & {*path.parts}]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_beir_folder_is_loaded_with_its_default_splits(workspace: Workspace, beir: Path) -> None:
    """`validation` is dev.

    A file that is not a split is left out, and the message names the option that loads it.
    """
    loaded = load(workspace, beir)
    assert loaded.counts == {"passages": 2, "queries": 3, "qrels": 2, "annotations": 0}
    assert pairs(workspace) == [("q1", "p1", 1, "train", "train.tsv"), ("q2", "p2", 2, "dev", "validation.tsv")]
    assert loaded.totals == {"passages": 2, "train": 1, "dev": 1, "unlabeled": 1}
    sparse = beir / "qrels" / "train_sparse.tsv"
    assert loaded.notes == [f"not loaded: {sparse}; to load it: --qrels train={sparse}"]
    assert loaded.text().endswith("Next: curate mine")


def test_qrels_of_a_split_replace_the_folder_s_own(workspace: Workspace, beir: Path) -> None:
    """`--qrels train=FILE` names the labels of one split. The other splits keep the folder's labels."""
    load(workspace, beir, qrels=[f"train={beir}/qrels/train_sparse.tsv"])
    assert pairs(workspace) == [
        ("q1", "p2", 1, "train", "train_sparse.tsv"),
        ("q2", "p2", 2, "dev", "validation.tsv"),
    ]


def test_an_ms_marco_folder_is_loaded(workspace: Workspace, tmp_path: Path) -> None:
    """Such files have no headers. Tabs separate ids and texts, and labels have TREC's four columns."""
    folder = tmp_path / "marco"
    file(folder, "collection.tsv", "0\tone\n1\ttwo\n")
    file(folder, "queries.train.tsv", "10\twhat is one?\n")
    file(folder, "queries.dev.tsv", "20\twhat is two?\n")
    file(folder, "queries.eval.tsv", "30\tand three?\n")
    file(folder, "qrels.train.tsv", "10\t0\t0\t1\n")
    file(folder, "qrels.dev.tsv", "20\t0\t1\t1\n")
    loaded = load(workspace, folder)
    assert pairs(workspace) == [("10", "0", 1, "train", "qrels.train.tsv"), ("20", "1", 1, "dev", "qrels.dev.tsv")]
    assert loaded.totals == {"passages": 2, "train": 1, "dev": 1, "test": 1}
    assert loaded.notes == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", PASSAGES),
        ("crlf.jsonl", PASSAGES.replace("\n", "\r\n")),
        ("bom.jsonl", "\ufeff" + PASSAGES),
        ("blank-lines.jsonl", "\n" + PASSAGES + "\n"),
        ("other-names.jsonl", PASSAGES.replace("_id", "docid").replace("text", "contents")),
        ("header.tsv", "pid\ttitle\tbody\np1\tA\tone\np2\t\ttwo\n"),
        ("header-below-blank-lines.tsv", "\n\r\ndocno\ttitle\tcontent\np1\tA\tone\np2\t\ttwo\n"),
        ("packed-but-not-called-so.jsonl", gzip.compress(PASSAGES.encode(), mtime=0)),
        (
            "two-members.gz",
            gzip.compress(PASSAGES[:44].encode(), mtime=0) + gzip.compress(PASSAGES[44:].encode(), mtime=0),
        ),
        ("zstd.jsonl.zst", bytes(pa.compress(PASSAGES.encode(), codec="zstd", asbytes=True))),
    ],
)
def test_passages_come_in_many_forms(
    workspace: Workspace, tmp_path: Path, name: str, content: str | bytes
) -> None:
    """The content determines the format and the compression, not the name."""
    load(workspace, passages=[file(tmp_path, name, content)])
    assert texts_of(workspace) == [(0, "p1", "A", "one"), (1, "p2", "", "two")]


def test_passages_come_as_parquet(workspace: Workspace, tmp_path: Path) -> None:
    """Bytes of UTF-8 are texts, as Spark writes them. A title may be null."""
    columns = {"_id": ["p1", "p2"], "title": ["A", None], "text": pa.array([b"one", b"two"])}
    pq.write_table(pa.table(columns), tmp_path / "corpus.parquet")
    load(workspace, passages=[tmp_path / "corpus.parquet"])
    assert texts_of(workspace) == [(0, "p1", "A", "one"), (1, "p2", "", "two")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("beir.tsv", "query-id\tcorpus-id\tscore\nq1\tp1\t1\nq2\tp2\t1\n"),
        ("no-header.tsv", "q1\tp1\t1\nq2\tp2\t1\n"),
        ("trec.txt", "q1 0 p1 1\nq2 Q0  p2 1\n"),
        ("marco.tsv", "q1\t0\tp1\t1\nq2\t0\tp2\t1\n"),
        ("tab-at-the-end.tsv", "q1\t0\tp1\t1\t\nq2\t0\tp2\t1\t\n"),
        ("pairs.tsv", "q1\tp1\nq2\tp2\n"),
        ("named-pairs.tsv", "qid\tpid\nq1\tp1\nq2\tp2\n"),
        ("whole-floats.tsv", "q1\tp1\t1.0\nq2\tp2\t1.\n"),
        (
            "objects.jsonl",
            '{"query_id": "q1", "docid": "p1", "label": 1}\n{"qid": "q2", "pid": "p2", "rel": 1.0}\n',
        ),
    ],
)
def test_qrels_come_in_many_forms(workspace: Workspace, tmp_path: Path, name: str, content: str) -> None:
    """Two columns mean that a pair is relevant. If the name has no split, the split is train."""
    passages, queries = file(tmp_path, "p.jsonl", PASSAGES), file(tmp_path, "q.jsonl", QUERIES)
    load(workspace, passages=[passages], queries=[queries], qrels=[file(tmp_path, name, content)])
    assert pairs(workspace) == [("q1", "p1", 1, "train", name), ("q2", "p2", 1, "train", name)]


def test_qrels_with_a_header_are_quoted_as_beir_writes_them(workspace: Workspace, tmp_path: Path) -> None:
    """Python's csv module quotes an id with a quotation mark. Without a header nothing is quoted."""
    passages = file(tmp_path, "p.jsonl", '{"_id": "5\\"", "text": "five inches"}\n')
    queries = file(tmp_path, "q.jsonl", QUERIES)
    header = file(tmp_path, "train.tsv", '"query-id"\tcorpus-id\tscore\n"q1"\t"5"""\t1\n')
    bare = file(tmp_path, "more-train.tsv", 'q2\t5"\t1\n')
    load(workspace, passages=[passages], queries=[queries], qrels=[header, bare])
    assert [row[:2] for row in pairs(workspace)] == [("q1", '5"'), ("q2", '5"')]


def test_a_single_file_says_by_its_columns_what_it_is(workspace: Workspace, tmp_path: Path) -> None:
    """If the columns are ambiguous, the name decides.

    If it does not decide either, that is an error, not a guess.
    """
    load(
        workspace,
        file(tmp_path, "a.jsonl", PASSAGES),
        file(tmp_path, "b.jsonl", QUERIES.replace("text", "question")),
        file(tmp_path, "c-test.tsv", "q1\tp1\t1\n"),
    )
    assert pairs(workspace) == [("q1", "p1", 1, "test", "c-test.tsv")]
    with pytest.raises(BadSettings, match="neither its columns nor its name"):
        load(workspace, file(tmp_path, "d.jsonl", QUERIES))
    with pytest.raises(BadSettings, match="nothing to load"):
        load(workspace)


def test_what_is_inside_a_text_stays(workspace: Workspace, tmp_path: Path) -> None:
    """NUL, control characters and U+2028 are data. Only a line feed ends a line."""
    text = "a\u2028b\u0085c\x00d\x1b[0m \t\r\n e\N{GRINNING FACE}\u200b"
    line = json.dumps({"_id": "p1", "text": text}, ensure_ascii=False)
    quoted = '{"_id": "p2", "text": "say \\"text\\": \\\\ x", "metadata": {"text": "t", "_id": 1}}'
    load(workspace, passages=[file(tmp_path, "a.jsonl", f"{line}\n{quoted}\n")])
    assert texts_of(workspace) == [(0, "p1", "", text), (1, "p2", "", 'say "text": \\ x')]


def test_ids_may_be_numbers(workspace: Workspace, tmp_path: Path) -> None:
    """A number is the same id as the string of its digits, which is what label files hold."""
    passages = file(tmp_path, "p.jsonl", '{"id": 7, "text": "one"}\n')
    queries = file(tmp_path, "q.tsv", "10\twhat is one?\n")
    load(workspace, passages=[passages], queries=[queries], qrels=[file(tmp_path, "test.tsv", "10\t7\t1\n")])
    assert pairs(workspace) == [("10", "7", 1, "test", "test.tsv")]


def test_loads_add_up(workspace: Workspace, tmp_path: Path) -> None:
    """Keys continue. Known rows are counted, not stored twice. Labels may refer to earlier passages."""
    load(workspace, passages=[file(tmp_path, "a.jsonl", PASSAGES)], queries=[file(tmp_path, "q.jsonl", QUERIES)])
    more = file(tmp_path, "b.jsonl", '{"_id": "p2", "text": "two"}\n{"_id": "p3", "text": "three"}\n')
    second = load(
        workspace, passages=[more], qrels=[file(tmp_path, "dev.tsv", "q1\tp1\t1\nq1\tp3\t1\nq1\tp3\t1\n")]
    )
    assert (second.job, second.collapsed) == ("load-00002", {"passages": 1, "qrels": 1})
    assert texts_of(workspace) == [(0, "p1", "A", "one"), (1, "p2", "", "two"), (2, "p3", "", "three")]
    third = load(workspace, qrels=[file(tmp_path, "more-dev.tsv", "q1\tp1\t1\nq2\tp2\t0\n")])
    assert (third.counts["qrels"], third.collapsed) == (1, {"qrels": 1})
    with pytest.raises(BadInput, match=":1: id known with another text or title: first in an earlier load"):
        load(workspace, passages=[file(tmp_path, "c.jsonl", '{"_id": "p3", "text": "drei"}\n')])
    with pytest.raises(BadInput, match=":1: query in two splits: dev holds it out, train here"):
        load(workspace, qrels=[file(tmp_path, "train.tsv", "q1\tp2\t1\n")])


def test_the_same_files_again_change_nothing(workspace: Workspace, beir: Path) -> None:
    """This holds even if the folder has been renamed."""
    first = load(workspace, beir)
    before = tables(workspace)
    beir.rename(beir.with_name("moved"))
    again = load(workspace, beir.with_name("moved"))
    assert (first.already, again.already, again.job) == (False, True, "load-00001")
    assert "already loaded" in again.text()
    assert tables(workspace) == before


def test_keys_stay_dense_when_repeated_passages_fill_more_than_a_shard(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With shards of two rows, p0 p1 | p1 p0 | p2 p2 | p3 becomes p0 p1 | p2 p3."""
    monkeypatch.setattr(texts, "SHARD", 2)
    names = ["p0", "p1", "p1", "p0", "p2", "p2", "p3"]
    lines = [json.dumps({"_id": name, "text": f"text of {name}"}) for name in names]
    loaded = load(workspace, passages=[file(tmp_path, "a.jsonl", "\n".join(lines))])
    assert (loaded.counts["passages"], loaded.collapsed) == (4, {"passages": 3})
    assert [row[:2] for row in texts_of(workspace)] == [(0, "p0"), (1, "p1"), (2, "p2"), (3, "p3")]
    assert sorted(path.name for path in workspace.root.glob("tables/passages/load-00001/*.parquet")) == [
        "00000.parquet",
        "00001.parquet",
    ]


KILLED = """
import os, pathlib, sys
import curate
from curate.load import texts

texts.SHARD = 2
left = int(sys.argv[3])

def count(*_arguments):
    global left
    left -= 1
    if left < 0:
        os._exit(9)

whole = pathlib.Path.replace
pathlib.Path.replace = lambda self, target: (count(), whole(self, target))[1]
curate.load(curate.Workspace(sys.argv[1]), sys.argv[2])
"""


def test_a_killed_load_leaves_no_trace_in_the_tables(
    tmp_path: Path, beir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load is killed before it publishes its n-th file, and then repeated.

    The bytes are those of an undisturbed load.
    """
    monkeypatch.setattr(texts, "SHARD", 2)
    whole = Workspace.create(tmp_path / "whole")
    load(whole, beir)
    for after in (0, 3, 8):
        workspace = Workspace.create(tmp_path / f"killed-{after}")
        command = [sys.executable, "-c", KILLED, str(workspace.root), str(beir), str(after)]
        assert subprocess.run(command, check=False).returncode == 9
        assert len(workspace.scan("passages").collect()) == 0
        load(workspace, beir)
        assert tables(workspace) == tables(whole)


def test_a_dry_run_names_the_files_and_changes_nothing(workspace: Workspace, beir: Path) -> None:
    """Files that are loaded already take no time."""
    before = tables(workspace)
    plan = plan_load(workspace, beir)
    assert [note.partition(":")[0] for note in plan.notes] == [
        "passages",
        "queries",
        "unlabeled",
        "qrels (train)",
        "qrels (dev)",
        "not loaded",
    ]
    assert tables(workspace) == before
    load(workspace, beir)
    assert plan_load(workspace, beir).seconds is None


@pytest.mark.parametrize(
    ("name", "train", "expected"),
    [
        (
            "squad-win",
            "train_sparse.tsv",
            {"passages": 13443, "train": 11774, "dev": 979, "test": 3095, "unlabeled": 6419},
        ),
        (
            "medquad",
            "train_sparse.tsv",
            {"passages": 16350, "train": 10037, "dev": 1359, "test": 2949, "unlabeled": 29100},
        ),
        ("vaswani", None, {"passages": 11429, "train": 46, "dev": 9, "test": 38}),
        ("cranfield", None, {"passages": 1398, "train": 112, "dev": 22, "test": 91}),
        ("xquad", None, {"passages": 2880, "train": 8496, "dev": 1704, "test": 4080}),
        ("dureader-demo", None, {"passages": 4880, "train": 78, "dev": 20, "test": 98, "unlabeled": 100}),
    ],
)
def test_the_real_collections_have_the_counts_of_their_readmes(
    workspace: Workspace, name: str, train: str | None, expected: dict[str, int]
) -> None:
    """The counts are those of passages, and of queries in each split."""
    folder = REAL / name
    if not folder.is_dir():
        pytest.skip("the real collections are not beside this checkout")
    loaded = load(workspace, folder, qrels=[f"train={folder}/qrels/{train}"] if train else [])
    assert loaded.totals == expected
