"""Runs made elsewhere, read line by line."""

import gzip
from pathlib import Path

import pytest

from curate.errors import BadInput
from curate.mine.run_file import read_run

Rejects = list[tuple[int, str, str]]


def test_six_columns_are_a_trec_run(tmp_path: Path) -> None:
    """The score decides; rank and tag are not read. Columns are separated by spaces or tabs."""
    found, rejects = read(tmp_path, "q1 Q0 p1 1 12.5 bm25\nq1\tQ0\tp2\t2\t-1e-3\tbm25\n")

    assert found == [(1, "q1", "p1", 12.5), (2, "q1", "p2", -0.001)]
    assert not rejects


@pytest.mark.parametrize("tag", ["bm25 extra", "my own run", "bm25\t", "bm25\t1\t2"])
def test_what_follows_the_tag_is_left_out(tmp_path: Path, tag: str) -> None:
    """trec_eval does so, too. A line may therefore have any number of columns from six on."""
    found, rejects = read(tmp_path, f"q1 Q0 p1 1 12.5 {tag}\nq1 Q0 p2 2 7 bm25\n")

    assert found == [(1, "q1", "p1", 12.5), (2, "q1", "p2", 7.0)]
    assert not rejects


@pytest.mark.parametrize(
    "text",
    [
        "qid\tQ0\tdocid\trank\tscore\ttag\nq1\tQ0\tp1\t1\t7.0\tx\n",
        "query_id iter doc_id rank score run_id\nq1 Q0 p1 1 7.0 x\n",
        "\ufeffq1 Q0 p1 1 7.0 x\r\n",
        "qid\tpid\trank\nq1\tp1\t1\n",
    ],
)
def test_a_header_a_mark_and_windows_line_ends_are_no_part_of_a_run(tmp_path: Path, text: str) -> None:
    """A header names its columns: the fourth of six, or the third of three, is called rank."""
    found, rejects = read(tmp_path, text)

    assert [line[1:3] for line in found] == [("q1", "p1")]
    assert not rejects


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"q1,p1,1,3.2\n", "the file is separated by commas, which is no run. Runs with scores need six columns"),
        (b'{"q1": {"p1": 1.0}}\n', "the file is JSON, which is no run"),
        (b"PAR1....", "the file is a table of Parquet or Arrow, which is no run"),
        (b"q1 Q0 p1 1 2.0 x\rq1 Q0 p2 2 1.0 x\r", "lines end with a carriage return alone"),
        (
            b"qid\tpid\tscore\nq1\tp1\t3\n",
            "the third of three columns is 'score'. Runs with scores need six columns",
        ),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    """The message says what it is, and what a run looks like."""
    path = tmp_path / "run.txt"
    path.write_bytes(content)

    with pytest.raises(BadInput, match=message):
        list(read_run(path, lambda *_: None))


@pytest.mark.parametrize("line", ["query", "qid pid", "query rank score x"])
def test_a_short_line_of_names_is_no_header(tmp_path: Path, line: str) -> None:
    """Such a line is rejected, and the run below it is read."""
    found, rejects = read(tmp_path, f"{line}\nq1 Q0 p1 1 2.0 x\n")

    assert [row[0] for row in found] == [2]
    assert rejects[0][0] == 1


def test_four_columns_look_like_qrels(tmp_path: Path) -> None:
    """The reason names the command that reads them."""
    _, rejects = read(tmp_path, "q1 0 p1 1\n")

    assert rejects[0][1].endswith("it looks like qrels: curate load --qrels FILE")


def test_three_columns_are_a_marco_run(tmp_path: Path) -> None:
    """The rank decides, and the score becomes -rank."""
    found, _ = read(tmp_path, "q1\tp1\t1\nq1\tp2\t2\n")

    assert found == [(1, "q1", "p1", -1.0), (2, "q1", "p2", -2.0)]


def test_a_gzipped_run_reads_like_a_plain_one(tmp_path: Path) -> None:
    """Its first bytes identify it, not its name."""
    path = tmp_path / "run.txt"
    path.write_bytes(gzip.compress(b"q1 Q0 p1 1 2.0 tag\n", mtime=0))

    assert [line.passage_id for line in read_run(path, lambda *_: None)] == ["p1"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q1 Q0 p2 2 1.0", "wrong number of columns: found 5, expected 6"),
        ("q1 Q0 p2 2 nan tag", "score is not a finite number: 'nan'"),
        ("q1 Q0 p2 2 inf tag", "score is not a finite number: 'inf'"),
        ("q1 Q0 p2 2 1e39 tag", "score is not a finite number: '1e39'"),
        ("q1 Q0 p2 2 1_0 tag", "score is not a finite number: '1_0'"),
        ("q1 Q0 p2 2 high tag", "score is not a finite number: 'high'"),
    ],
)
def test_a_line_that_cannot_be_one_is_rejected_with_its_number(tmp_path: Path, line: str, reason: str) -> None:
    """Blank lines count, but are skipped."""
    found, rejects = read(tmp_path, f"q1 Q0 p1 1 3.0 tag\n\n{line}\nq1 Q0 p3 3 2.0 tag\n")

    assert [passage for _, _, passage, _ in found] == ["p1", "p3"]
    assert rejects == [(3, reason, line)]


@pytest.mark.parametrize("rank", ["0.93", "-1", "first", "²"])
def test_a_third_column_that_is_no_rank_is_rejected(tmp_path: Path, rank: str) -> None:
    """Three columns with scores are not a known format."""
    _, rejects = read(tmp_path, f"q1\tp1\t{rank}\n")

    reason = f"rank is not a whole number from 1: '{rank}'; runs with scores need six columns"
    assert rejects[0][1] == f"{reason}: qid Q0 docid rank score tag"


def test_bytes_that_are_no_utf8_are_rejected(tmp_path: Path) -> None:
    """Only their lines are rejected; the others are read."""
    path = tmp_path / "run.txt"
    path.write_bytes(b"q1 Q0 p\xff 1 2.0 tag\nq1 Q0 p2 1 2.0 tag\n")
    rejects: Rejects = []

    assert len(list(read_run(path, lambda *reject: rejects.append(reject)))) == 1
    assert rejects[0][:2] == (1, "not UTF-8")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(BadInput, match=r"none\.trec: no such file"):
        list(read_run(tmp_path / "none.trec", lambda *_: None))


def read(folder: Path, text: str) -> tuple[list[tuple[int, str, str, float]], Rejects]:
    """Return the result of `read_run` for a file with this text."""
    path = folder / "run.txt"
    path.write_text(text, "utf-8")
    rejects: Rejects = []
    lines = read_run(path, lambda *reject: rejects.append(reject))
    return [(line.line, line.query_id, line.passage_id, line.score) for line in lines], rejects
