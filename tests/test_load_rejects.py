"""Input that `curate load` rejects.

The message names file, line and reason of every row, and nothing is loaded.
"""

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import BadInput
from curate.load.request import LoadOptions
from curate.load.stage import load
from curate.workspace import Workspace

GOOD = b'{"_id": "p1", "text": "one"}\n'
MEGABYTE = b"x" * (1 << 20)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


def file(folder: Path, content: bytes, name: str = "corpus.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def rows_in(workspace: Workspace, table: str) -> int:
    return len(workspace.scan(table).collect())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"_id": "p2", "text": "caf\xe9"}', "not UTF-8: byte 0xe9 at offset 26"),
        (b'{"_id": "p2", "text": "two"', "broken JSON: "),
        (b'{"_id": "p2", "text": two}', "broken JSON: "),
        (b'{"_id": "p2", "text": NaN}', "broken JSON"),
        (b'["p2", "two"]', "not an object: found a list"),
        (b"null", "not an object: found null"),
        (
            b'{"_id": "p2", "txt": "two"}',
            "missing field: no text (text, contents, passage, body, content); found: _id, txt",
        ),
        (b'{"text": "two"}', "missing field: no id (_id, id, passage_id"),
        (b"{}", "missing field: no id"),
        (b'{"_id": "p2", "text": "two", "text": "three"}', "duplicate key: 'text' appears 2 times"),
        (b'{"_id": "p2", "text" : "two","text": "three"}', "duplicate key: 'text' appears 2 times"),
        (b'{"_id": "p2", "text": "two", "te\\u0078t": "three"}', "duplicate key: 'text' appears 2 times"),
        (b'{"_id": "p2", "text": "a\\\\", "_id": 5}', "duplicate key: '_id' appears 2 times"),
        (b'{"_id": "p2", "text": "\\ud800"}', "lone surrogate"),
        (b'{"_id": "p2", "text": "\\udc00 b"}', "lone surrogate"),
        (b'{"_id": "p2", "text": 7}', "text is not a string: it is a number"),
        (b'{"_id": "p2", "text": null}', "text is not a string: it is null"),
        (b'{"_id": "p2", "text": {"en": "two"}}', "text is not a string: it is an object"),
        (b'{"_id": "p2", "text": ["two"]}', "text is not a string: it is a list"),
        (b'{"_id": "p2", "text": "two", "title": 3}', "title is not a string: it is a number"),
        (b'{"_id": 2, "text": "two"}', "ids of two kinds in one file: this one is a number"),
        (b'{"_id": 18446744073709551616, "text": "two"}', "id is a number too large to be read exactly"),
        (
            b'{"_id": "p2", "text": "two", "x": ' + b"[" * 1000 + b'""' + b"]" * 1000 + b"}",
            "broken JSON: nested too deeply",
        ),
        (
            b'{"_id": "p2", "text": "two", "x": ' + b"[" * 9999 + b"]" * 9999 + b"}",
            "broken JSON: nested too deeply",
        ),
        (b'{"_id": 2.5, "text": "two"}', "id is not a string: it is a number with a fraction"),
        (b'{"_id": true, "text": "two"}', "id is not a string: it is true or false"),
        (b'{"_id": null, "text": "two"}', "id is not a string: it is null"),
        (b'{"_id": "", "text": "two"}', "empty id"),
        (b'{"_id": "  ", "text": "two"}', "empty id"),
        (b'{"_id": "p2", "text": ""}', "empty text"),
        (b'{"_id": "p2", "text": " \\n\\u00a0"}', "empty text"),
        (b'{"_id": "p 2", "text": "two"}', "id with white space or control characters: 'p 2'"),
        (b'{"_id": "p\\t2", "text": "two"}', "id with white space or control characters"),
        (b'{"_id": "p\\u00002", "text": "two"}', "id with white space or control characters"),
        (b'{"_id": "p2", "text": "' + MEGABYTE + b'x"}', "text over 1 MiB: 1,048,577 characters"),
        (b'{"_id": "p1", "text": "another"}', "id known with another text or title: first at"),
        (b'{"_id": "p1", "text": "one", "title": "T"}', "id known with another text or title: first at"),
    ],
)
def test_a_bad_line_is_named_with_its_file_its_number_and_the_reason(
    workspace: Workspace, tmp_path: Path, line: bytes, reason: str
) -> None:
    """The bad line is between two good ones. None of them is loaded, because a load takes all rows or none."""
    path = file(tmp_path, GOOD + line + b"\n" + GOOD.replace(b"p1", b"p3"))
    with pytest.raises(BadInput) as error:
        load(workspace, passages=[path])
    assert f"{path}:2: {reason}" in str(error.value)
    assert "nothing was loaded" in str(error.value)
    assert "--max-rejects 1" in str(error.value)
    assert rows_in(workspace, "passages") == 0
    assert not list((workspace.root / "tables").glob("*/load-*"))
    assert not (workspace.root / ".staging").exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"q1\tp1\tx", "relevance is not an integer: 'x'"),
        (b"q1\tp1\t0.5", "relevance is not an integer: '0.5'"),
        (b"q1\tp1\tnan", "relevance is not an integer: 'nan'"),
        (b"q1\tp1\t99999999999", "relevance is not an integer of 32 bits: 99999999999"),
        (b"q1\tp1", "wrong number of columns: found 2, expected 3"),
        (b"q1\tp1\t1\t1", "wrong number of columns: found 4, expected 3"),
        (b"q9\tp1\t1", "unknown query id: q9"),
        (b"q1\tp9\t1", "unknown passage id: p9"),
        (b"\tp1\t1", "empty query id"),
        (b"q1\tp1\t0", "conflicting relevance: 1 before, 0 here"),
        (b"u1\tp1\t1", "unlabeled query is judged: here in the split train"),
    ],
)
def test_a_bad_label_is_named_with_its_line(
    workspace: Workspace, tmp_path: Path, line: bytes, reason: str
) -> None:
    """Labels are checked against the queries and passages of this load and of earlier loads."""
    passages = file(tmp_path, GOOD)
    queries = file(tmp_path, b'{"_id": "q1", "text": "what is one?"}\n', "queries.jsonl")
    unlabeled = file(tmp_path, b'{"_id": "u1", "text": "and two?"}\n', "unlabeled.jsonl")
    labels = file(tmp_path, b"query-id\tcorpus-id\tscore\nq1\tp1\t1\n" + line + b"\n", "train.tsv")
    with pytest.raises(BadInput) as error:
        load(workspace, passages=[passages], queries=[queries], unlabeled=[unlabeled], qrels=[labels])
    assert f"{labels}:3: {reason}" in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", b"", "no rows"),
        ("corpus.jsonl", b"\n\n", "no rows"),
        ("corpus.tsv", b"id\ttext\n", "no rows"),
        ("corpus.jsonl", '{"_id": "p1", "text": "one"}\n'.encode("utf-16"), "corpus.jsonl:1: the file is UTF-16"),
        (
            "corpus.jsonl",
            '{"_id": "p1", "text": "one"}\n'.encode("utf-16-le"),
            "corpus.jsonl:1: the file is UTF-16",
        ),
        ("corpus.jsonl", b'[{"_id": "p1", "text": "one"}]', "corpus.jsonl:1: found a JSON array"),
        ("corpus.jsonl", b'[\n{"_id": "p1", "text": "one"}\n]\n', "corpus.jsonl:1: found a JSON array"),
        ("corpus.jsonl.gz", gzip.compress(GOOD * 99, mtime=0)[:-9], "cannot be read to its end"),
        ("corpus.jsonl.gz", gzip.compress(GOOD, mtime=0)[:12] + b"trash" * 9, "cannot be read to its end"),
        ("corpus.jsonl.zst", b"\x28\xb5\x2f\xfdtrash", "cannot be read to its end"),
        ("corpus.jsonl.bz2", b"BZh91AY&SY", "compressed with bzip2"),
        ("corpus.zip", b"PK\x03\x04....", "a zip archive"),
        ("corpus.parquet", b"PAR1....", "damaged Parquet"),
    ],
)
def test_a_file_that_is_no_rows_is_refused_as_a_whole(
    workspace: Workspace, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """Even --max-rejects does not help, because none of its lines could be right."""
    with pytest.raises(BadInput, match=message):
        load(workspace, passages=[file(tmp_path, content, name)], max_rejects=100)


def test_a_missing_file_a_folder_and_a_pipe_are_named(workspace: Workspace, tmp_path: Path) -> None:
    """The message says what was found in place of a file."""
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "nix", "no such file"),
        (tmp_path, "a folder"),
        (tmp_path / "pipe", "a pipe"),
    ):
        with pytest.raises(BadInput, match=message):
            load(workspace, passages=[path])


def test_a_last_line_that_is_cut_off_is_told_from_a_bad_one(workspace: Workspace, tmp_path: Path) -> None:
    """A missing line end is not an error in itself. A broken line without one looks like a truncated file."""
    assert load(workspace, passages=[file(tmp_path, GOOD.rstrip())]).counts["passages"] == 1
    with pytest.raises(BadInput, match=r":2: broken JSON: .* is the file cut off\?"):
        load(workspace, passages=[file(tmp_path, GOOD + b'{"_id": "p2", "te')])


def test_broken_json_tells_the_column(workspace: Workspace, tmp_path: Path) -> None:
    """Columns count from 1, as in editors. The word without quotes starts in column 23."""
    with pytest.raises(BadInput, match=r":1: broken JSON: .* at column 2\d"):
        load(workspace, passages=[file(tmp_path, b'{"_id": "p2", "text": two}')])


def test_a_tsv_of_texts_has_two_columns(workspace: Workspace, tmp_path: Path) -> None:
    """A tab inside a text would make a third column, and nobody could tell which one is the text."""
    with pytest.raises(BadInput, match=":2: wrong number of columns: found 3, expected 2"):
        load(workspace, passages=[file(tmp_path, b"p1\tone\np2\ttwo\tthree\n", "corpus.tsv")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"pid\ttitle\tabstract\np1\tA\tone\n", "corpus.tsv:1: the header has a missing field: no text"),
        (b"\n\r\nkey\ttext\np1\tone\n", "corpus.tsv:3: the header has a missing field: no id"),
    ],
)
def test_a_header_that_lacks_a_field_is_no_passage(
    workspace: Workspace, tmp_path: Path, content: bytes, message: str
) -> None:
    """One known name makes the first line a header, which is neither loaded nor ignored."""
    with pytest.raises(BadInput, match=message):
        load(workspace, passages=[file(tmp_path, content, "corpus.tsv")])


def test_a_query_judged_in_two_splits_is_a_leak(workspace: Workspace, tmp_path: Path) -> None:
    """Test holds the query out, whatever the order of the files, and the line of train is rejected."""
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    file(folder, GOOD)
    file(folder, b'{"_id": "q1", "text": "what is one?"}\n', "queries.jsonl")
    leak = file(folder / "qrels", b"q1\tp1\t1\n", "train.tsv")
    file(folder / "qrels", b"q1\tp1\t1\n", "test.tsv")
    with pytest.raises(BadInput) as error:
        load(workspace, folder)
    assert f"{leak}:1: query in two splits: test holds it out, train here" in str(error.value)


def test_a_trec_run_is_sent_to_mine(workspace: Workspace, tmp_path: Path) -> None:
    """Six columns are a retriever's ranked list, which holds no labels."""
    run = file(tmp_path, b"q1 Q0 p1 1 9.5 bm25\n", "bm25.run")
    for sources, options in (((), LoadOptions(qrels=[run])), ((run,), LoadOptions())):
        with pytest.raises(BadInput, match="curate mine --run"):
            load(workspace, *sources, **options)


def test_the_first_ten_are_shown_and_all_are_counted_by_reason(workspace: Workspace, tmp_path: Path) -> None:
    """The message stays short, however many rows are rejected."""
    path = file(tmp_path, GOOD + b"{\n" * 20 + b'{"_id": "p2", "text": ""}\n' * 3)
    with pytest.raises(BadInput) as error:
        load(workspace, passages=[path])
    text = str(error.value)
    assert text.startswith("23 rows cannot be loaded")
    assert text.count(f"{path}:") == 10
    assert "... and 13 more" in text
    assert "20 x broken JSON" in text
    assert "3 x empty text" in text


def test_escape_codes_of_the_data_do_not_reach_the_terminal(workspace: Workspace, tmp_path: Path) -> None:
    """A text may contain escape codes; the message shows them escaped."""
    with pytest.raises(BadInput) as error:
        load(workspace, passages=[file(tmp_path, b'{"_id": "\x1b[2J"}\n'.replace(b"\x1b", b"\\u001b"))])
    assert "\x1b" not in str(error.value)


def test_with_max_rejects_the_good_rows_are_loaded_and_the_others_kept(
    workspace: Workspace, tmp_path: Path
) -> None:
    """A label for a rejected passage is a reject too, so the limit must be three here, not two."""
    passages = file(tmp_path, GOOD + b'{"_id": "p2", "text": ""}\n' + b'{"_id": "p1", "text": "again"}\n')
    queries = file(tmp_path, b'{"_id": "q1", "text": "what is one?"}\n', "queries.jsonl")
    labels = file(tmp_path, b"q1\tp1\t1\nq1\tp2\t1\n", "dev.tsv")
    files: LoadOptions = {"passages": [passages], "queries": [queries], "qrels": [labels]}
    with pytest.raises(BadInput, match="3 rows"):
        load(workspace, **files, max_rejects=2)
    loaded = load(workspace, **files, max_rejects=3)
    assert loaded.counts == {"passages": 1, "queries": 1, "qrels": 1, "annotations": 0}
    rejects = workspace.scan("rejects").collect().to_dicts()
    assert [(Path(row["file"]).name, row["line"], row["reason"].partition(":")[0]) for row in rejects] == [
        ("corpus.jsonl", 2, "empty text"),
        ("corpus.jsonl", 3, "id known with another text or title"),
        ("dev.tsv", 2, "unknown passage id"),
    ]
    assert rejects[0]["text"] == '{"_id": "p2", "text": ""}'


def test_parquet_is_checked_like_json(workspace: Workspace, tmp_path: Path) -> None:
    """The line is the row's number. A missing column rejects the whole file."""
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table({"docid": ["p1", "p2"], "contents": ["one", None]}), path)
    with pytest.raises(BadInput, match=r"corpus\.parquet:2: text is not a string: it is null"):
        load(workspace, passages=[path])
    pq.write_table(pa.table({"docid": ["p1"], "words": ["one"]}), path)
    with pytest.raises(BadInput, match="missing field: no text"):
        load(workspace, passages=[path])
    pq.write_table(pa.Table.from_arrays([pa.array(["p1"])] * 3, ["docid", "text", "text"]), path)
    with pytest.raises(BadInput, match=r"corpus\.parquet: found 2 columns 'text', expected one"):
        load(workspace, passages=[path])
    broken = pa.array([b"one", b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"docid": ["p1", "p2"], "contents": broken}), path)
    with pytest.raises(BadInput, match=r"corpus\.parquet:2: not UTF-8: byte 0xe9 at offset 3"):
        load(workspace, passages=[path])


def test_one_annotator_cannot_say_both(workspace: Workspace, tmp_path: Path) -> None:
    """Two annotators may differ, and the majority decides. An annotator who contradicts himself is an error."""
    passages = file(tmp_path, GOOD)
    queries = file(tmp_path, b'{"_id": "q1", "text": "what is one?"}\n', "queries.jsonl")
    said = [("ann", True), ("bob", False), ("ann", True), ("ann", False), ("cy", "yes"), ("dee", None)]
    lines = [
        json.dumps({"query_id": "q1", "passage_id": "p1", "relevant": relevant, "annotator": who})
        for who, relevant in said
    ]
    verdicts = file(tmp_path, "\n".join(lines).encode(), "verdicts.jsonl")
    with pytest.raises(BadInput) as error:
        load(workspace, passages=[passages], queries=[queries], annotations=[verdicts])
    assert f"{verdicts}:4: conflicting verdict of one annotator: true before, false here" in str(error.value)
    assert f"{verdicts}:5: relevant is neither true, false nor null: it is a string" in str(error.value)
    loaded = load(workspace, passages=[passages], queries=[queries], annotations=[verdicts], max_rejects=2)
    assert (loaded.counts["annotations"], loaded.collapsed["annotations"]) == (3, 1)


def test_a_folder_without_passages_is_told_beside_the_labels_that_miss_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    file(folder, b'{"_id": "q1", "text": "one"}\n', "queries.jsonl")
    file(folder / "qrels", b"query-id\tcorpus-id\tscore\nq1\tp1\t1\n", "train.tsv")
    with pytest.raises(BadInput, match=r"set has no passages: expected corpus\.jsonl .*--passages"):
        load(workspace, folder)
    load(workspace, folder, passages=[file(tmp_path, GOOD, "one.jsonl")])
