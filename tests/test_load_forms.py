"""The forms that `curate load` reads beside JSON lines, TSV and TREC, and those that it refuses by name."""

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import BadInput, BadSettings
from curate.load.csv_records import Csv, Records
from curate.load.lines import Lines
from curate.load.request import LoadOptions
from curate.load.stage import load
from curate.workspace import Workspace

QUERIES = b"q1\twhat is rain?\nq2\twhat is snow?\n"
RAIN = ("d1", "Rain", "Rain, snow\nand hail")
TABLE = pa.table({"_id": ["d1", "d2"], "title": ["Rain", None], "text": ["It falls.", "Sun"]})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


def file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def passages(workspace: Workspace) -> list[tuple[str, str, str]]:
    return workspace.sql("select passage_id, title, text from passages order by passage_key").rows()


def labels(workspace: Workspace) -> list[tuple[str, str, int, str]]:
    query = """
        select query_id, passage_id, relevance, qrels.split
        from qrels join queries using (query_key) join passages using (passage_key) order by all
    """
    return workspace.sql(query).rows()


def two_passages(workspace: Workspace, tmp_path: Path) -> None:
    load(
        workspace,
        passages=[file(tmp_path, "d.tsv", b"d1\tone\nd2\ttwo\n")],
        queries=[file(tmp_path, "q.tsv", QUERIES)],
    )


def as_source_and_as_qrels(path: Path) -> list[tuple[list[Path], LoadOptions]]:
    return [([path], {}), ([], {"qrels": [path]})]


# CSV


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b'id,title,text\nd1,Rain,"Rain, snow\nand hail"\nd2,,Sun\n'),
        ("windows.csv", b'\xef\xbb\xbfid,title,text\r\nd1,Rain,"Rain, snow\nand hail"\r\nd2,,Sun\r\n'),
        ("semicolons.csv", b'docid;title;contents\nd1;Rain;"Rain, snow\nand hail"\nd2;;Sun\n'),
        (
            "more-columns.txt",
            b'"url","Text","Title","ID"\n"u","Rain, snow\nand hail","Rain","d1"\n"u","Sun","","d2"\n',
        ),
        ("tabs.tsv", b'"id"\t"title"\t"text"\n"d1"\t"Rain"\t"Rain, snow\nand hail"\n"d2"\t""\t"Sun"\n'),
        ("packed.csv.gz", gzip.compress(b'id,title,text\nd1,Rain,"Rain, snow\nand hail"\nd2,,Sun\n', mtime=0)),
    ],
)
def test_csv_with_a_header_of_known_names_is_read(
    workspace: Workspace, tmp_path: Path, name: str, content: bytes
) -> None:
    """Commas, semicolons, or tabs below a quoted header; a quoted cell may hold them, and line ends."""
    load(workspace, passages=[file(tmp_path, name, content)])
    assert passages(workspace) == [RAIN, ("d2", "", "Sun")]


def test_a_single_csv_file_says_by_its_header_what_it_is(workspace: Workspace, tmp_path: Path) -> None:
    """Passages, queries and labels, with the names that TSV and Parquet may have."""
    load(
        workspace,
        file(tmp_path, "a.csv", b"pid,title,text\nd1,,one\n"),
        file(tmp_path, "b.csv", b"qid,query\nq1,what?\n"),
        file(tmp_path, "c-test.csv", b"query-id,corpus-id,score\nq1,d1,1\n"),
    )
    assert labels(workspace) == [("q1", "d1", 1, "test")]


def test_a_reject_names_the_line_on_which_its_record_begins(workspace: Workspace, tmp_path: Path) -> None:
    """The lines inside quoted cells count."""
    path = file(tmp_path, "a.csv", b'id,text\nd1,"one\n\ntwo"\nd2," "\nd3,"three"x\nd4,four,4\nd5,five\n')
    with pytest.raises(BadInput) as error:
        load(workspace, passages=[path])
    assert f"{path}:5: empty text" in str(error.value)
    assert f"{path}:6: broken CSV: a cell goes on after its closing quotation mark" in str(error.value)
    assert f"{path}:7: wrong number of columns: found 3, expected 2" in str(error.value)
    assert load(workspace, passages=[path], max_rejects=3).counts["passages"] == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"d1,one\nd2,two\n", r"a\.csv:1: CSV without a header of known names: found d1,one"),
        ("a.txt", b"d1,one\nd2,two\n", r"a\.txt:1: CSV without a header of known names"),
        ("a.csv", b"id,title,abstract\nd1,A,one\n", r"a\.csv:1: the header has a missing field: no text"),
        ("a.tsv", b"'id'\t'text'\nd1\tone\n", r"a\.tsv:1: a header in single quotes or backticks: found 'id'"),
        ("a.csv", b"id,text,text\nd1,A,one\n", r"a\.csv:1: the header has 2 columns 'text', expected one"),
        ("a.csv", b'id,text\nd1,one\nd2,"two\nd3,three\n', r"a\.csv:3: a quoted cell of this record never ends"),
    ],
)
def test_csv_that_cannot_be_read_is_refused_as_a_whole(
    workspace: Workspace, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """A quotation mark that nobody closes would swallow the rest of the file as one reject."""
    with pytest.raises(BadInput, match=message):
        load(workspace, passages=[file(tmp_path, name, content)], max_rejects=9)


def test_quotation_marks_in_tsv_without_quoting_stay(workspace: Workspace, tmp_path: Path) -> None:
    """The texts of MS MARCO have them. An id in quotation marks is refused, because its labels have none."""
    text = b'"Rain" is "water'
    load(workspace, passages=[file(tmp_path, "a.tsv", b"d1\t" + text + b'"\nd2\t"sun"\nd3\t""\n')])
    assert [row[2] for row in passages(workspace)] == ['"Rain" is "water"', '"sun"', '""']
    with pytest.raises(BadInput, match=':1: quoted id: "d1"; cells may be quoted only below a header'):
        load(workspace, passages=[file(tmp_path, "b.tsv", b'"d1"\t"one"\n')])
    with pytest.raises(BadInput, match=':2: quoted id: "d1"'):
        load(workspace, passages=[file(tmp_path, "c.tsv", b'id\ttext\n"d1"\t"one"\n')])


def test_records_are_those_of_python_s_csv_module(tmp_path: Path) -> None:
    """Cells of a few characters, which csv writes and reads as the oracle."""
    rng = Random(0)
    for separator in ",;\t":
        cells = ["".join(rng.choices('a",;\t\n ', k=rng.randrange(5))) for _ in range(900)]
        rows = [cells[at : at + 3] for at in range(0, len(cells), 3)]
        out = io.StringIO()
        csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
        parser = Csv(separator)
        lines = Lines(file(tmp_path, "a.csv", out.getvalue().encode()), lambda _count: None)
        found = [(line, parser.cells(record)) for line, record in Records(lines, parser)]
        ends = [0]
        for row in csv.reader(io.StringIO(out.getvalue()), delimiter=separator):
            assert found[len(ends) - 1] == (ends[-1] + 1, row)
            ends.append(ends[-1] + 1 + sum(cell.count("\n") for cell in row))


# Arrow and Parquet


def stream(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def saved(folder: Path, **shards: pa.Table) -> Path:
    """Write a folder as `datasets.save_to_disk` does."""
    names = [{"filename": f"{name}.arrow"} for name in shards]
    file(folder, "state.json", json.dumps({"_data_files": names, "_indices_data_files": None}).encode())
    file(folder, "dataset_info.json", b"{}")
    for name, table in shards.items():
        file(folder, f"{name}.arrow", stream(table))
    return folder


def test_arrow_is_read_like_parquet(workspace: Workspace, tmp_path: Path) -> None:
    """As a stream, which `datasets` saves, and as a file, which is also Feather."""
    out = io.BytesIO()
    with pa.ipc.new_file(out, TABLE.schema) as writer:
        writer.write_table(TABLE)
    first = load(workspace, file(tmp_path, "data-00000-of-00001.arrow", stream(TABLE)))
    again = load(workspace, passages=[file(tmp_path, "a.feather", out.getvalue())])
    assert passages(workspace) == [("d1", "Rain", "It falls."), ("d2", "", "Sun")]
    assert (first.counts["passages"], again.collapsed["passages"]) == (2, 2)
    with pytest.raises(BadInput, match=r"cut\.arrow: damaged Arrow"):
        load(workspace, passages=[file(tmp_path, "cut.arrow", stream(TABLE)[:-200])])


def test_a_dataset_that_was_saved_to_disk_is_read(workspace: Workspace, tmp_path: Path) -> None:
    """`state.json` names its files. Others are caches, whose rows would come twice or come back."""
    corpus = saved(tmp_path / "corpus", b=TABLE.slice(1), a=TABLE.slice(0, 1))
    file(corpus, "cache-1234.arrow", stream(pa.table({"_id": ["old"], "text": ["gone"]})))
    load(workspace, corpus)
    assert [row[0] for row in passages(workspace)] == ["d2", "d1"]
    (corpus / "a.arrow").unlink()
    with pytest.raises(BadInput, match=r"a\.arrow: no such file"):
        load(workspace, passages=[corpus])


def test_datasets_saved_under_names_are_read(workspace: Workspace, tmp_path: Path) -> None:
    """The names are splits of labels, as the names of files are."""
    two_passages(workspace, tmp_path)
    folder = tmp_path / "labels"
    file(folder, "dataset_dict.json", b'{"splits": ["train", "test"]}')
    for number, split in ((1, "train"), (2, "test")):
        columns = {"query-id": [f"q{number}"], "corpus-id": [f"d{number}"], "score": [1]}
        saved(folder / split, a=pa.table(columns))
    load(workspace, folder)
    assert labels(workspace) == [("q1", "d1", 1, "train"), ("q2", "d2", 1, "test")]
    assert load(workspace, qrels=[folder]).already


def test_saved_queries_keep_the_splits_of_their_datasets(workspace: Workspace, tmp_path: Path) -> None:
    """Queries of test must not become unlabeled ones, which train."""
    folder = tmp_path / "questions"
    file(folder, "dataset_dict.json", b'{"splits": ["train", "test"]}')
    for number, split in ((1, "train"), (2, "test")):
        saved(folder / split, a=pa.table({"_id": [f"q{number}"], "text": [f"text {number}"]}))
    loaded = load(workspace, queries=[folder])
    assert loaded.totals == {"passages": 0, "unlabeled": 1, "test": 1}


@pytest.mark.parametrize("by_option", [False, True])
def test_a_saved_dataset_has_its_name_from_inside_too(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_option: bool
) -> None:
    """`.` is the folder `test`, whose labels are not for training."""
    two_passages(workspace, tmp_path)
    table = pa.table({"query-id": ["q1"], "corpus-id": ["d1"], "score": [1]})
    monkeypatch.chdir(saved(tmp_path / "test", a=table))
    load(workspace, qrels=["."]) if by_option else load(workspace, ".")
    assert labels(workspace) == [("q1", "d1", 1, "test")]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.decimal128(30, 2), pa.int8(), pa.string()])
def test_whole_numbers_of_every_type_are_ids(workspace: Workspace, tmp_path: Path, kind: pa.DataType) -> None:
    """Pandas makes numbers with a fraction of whole ones as soon as one is missing."""
    values = pa.array(["1", "2"] if kind == pa.string() else [1, 2]).cast(kind)
    pq.write_table(pa.table({"_id": values, "text": ["one", "two"]}), tmp_path / "a.parquet")
    load(workspace, passages=[tmp_path / "a.parquet"])
    assert [row[0] for row in passages(workspace)] == ["1", "2"]


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (1.5, pa.float64(), "id is not a string: it is a number with a fraction"),
        (float("nan"), pa.float64(), "id is not a string: it is the number nan"),
        (
            2.0**53,
            pa.float64(),
            "id is a number too large to be read exactly: 9007199254740992.0; write it as a string",
        ),
        (
            2.0**24,
            pa.float32(),
            "column '_id' of float holds numbers from 16,777,216 on, which it cannot tell apart",
        ),
        (Decimal("1.50"), None, "id is not a string: it is a number with a fraction"),
        (True, None, "id is not a string: it is true or false"),
    ],
)
def test_other_numbers_are_refused_with_the_truth(
    workspace: Workspace, tmp_path: Path, value: object, kind: pa.DataType | None, reason: str
) -> None:
    """Where a type cannot tell two whole numbers apart, neither could the ids."""
    pq.write_table(pa.table({"_id": pa.array([value], kind), "text": ["one"]}), tmp_path / "a.parquet")
    with pytest.raises(BadInput) as error:
        load(workspace, passages=[tmp_path / "a.parquet"])
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (pa.array([True, False]), [1, 0]),
        (pa.array([Decimal("1.0"), Decimal("0.0")]), [1, 0]),
        (pa.array([2.0, -1.0]), [2, -1]),
        (pa.array(["2.0", "1e0"]), [2, 1]),
        (pa.array([0.5, 1.0]), "relevance is not an integer: it is a number with a fraction"),
        (pa.array([None, 1.0]), "relevance is not an integer: it is null"),
        (pa.array(["0.5", "1"]), "relevance is not an integer: '0.5'"),
        (pa.array([2**40, 1]), "relevance is not an integer of 32 bits: 1099511627776"),
    ],
)
def test_a_relevance_may_be_a_whole_number_of_every_type(
    workspace: Workspace, tmp_path: Path, scores: pa.Array, expected: list[int] | str
) -> None:
    """True is 1, and false is 0."""
    two_passages(workspace, tmp_path)
    table = pa.table({"query-id": ["q1", "q1"], "corpus-id": ["d1", "d2"], "score": scores})
    pq.write_table(table, tmp_path / "train.parquet")
    if isinstance(expected, str):
        with pytest.raises(BadInput) as error:
            load(workspace, qrels=[tmp_path / "train.parquet"])
        assert f"train.parquet:1: {expected}" in str(error.value)
    else:
        load(workspace, qrels=[tmp_path / "train.parquet"])
        assert [row[2] for row in labels(workspace)] == expected


# Passages with only a title


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.jsonl",
            b'{"_id": "d1", "title": "Masks", "text": ""}\n{"_id": "d2", "title": "Rain", "text": null}\n',
        ),
        ("a.tsv", b"id\ttitle\ttext\nd1\tMasks\t\nd2\tRain\t\n"),
        ("a.csv", b"id,title,text\nd1,Masks,\nd2,Rain,\n"),
        ("a.arrow", stream(pa.table({"_id": ["d1", "d2"], "title": ["Masks", "Rain"], "text": ["", None]}))),
    ],
)
def test_a_passage_with_only_a_title_is_a_passage(
    workspace: Workspace, tmp_path: Path, name: str, content: bytes
) -> None:
    """Its labels stay. A model reads what beir gives it: title and text, without white space around them."""
    queries = file(tmp_path, "q.tsv", QUERIES)
    judged = file(tmp_path, "test.tsv", b"q1\td1\t2\n")
    load(workspace, passages=[file(tmp_path, name, content)], queries=[queries], qrels=[judged])
    assert labels(workspace) == [("q1", "d1", 2, "test")]
    read = workspace.sql("select passage_text(title, text) from passages order by passage_key").rows()
    assert read == [("Masks",), ("Rain",)]
    with pytest.raises(BadInput, match=":1: empty text"):
        load(workspace, passages=[file(tmp_path, "b.jsonl", b'{"_id": "d3", "title": " ", "text": ""}\n')])


def test_a_model_reads_a_passage_as_beir_gives_it(workspace: Workspace) -> None:
    """It strips title, space and text. Python's white space is more than the blank."""
    blanks = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
    for title, text in [("", f"{blanks}a b\n"), ("T", ""), ("T", blanks), (blanks, "a"), ("T", " a ")]:
        ((read,),) = workspace.sql("select passage_text($title, $text)", title=title, text=text).rows()
        assert read == f"{title} {text}".strip()


# Training sets and other JSON


TRAINING = {
    "Tevatron": {"query_id": "1", "query": "q", "positive_passages": [{"docid": "d1", "text": "p"}]},
    "Tevatron ": {"query_id": "1", "query_text": "q", "positive_document_ids": ["d1"]},
    "FlagEmbedding": {"query": "q", "pos": ["p"], "neg": ["n"], "pos_scores": [1.0]},
    "sentence-transformers": {"anchor": "q", "positive": "p", "negative": "n"},
    "sentence-transformers ": {"_id": "1", "query": "q", "answer": "p", "label": 1},
    "sentence-transformers  ": {"query": "q", "passages": ["p", "n"], "labels": [1, 0]},
    "DPR": {"question": "q", "positive_ctxs": [{"text": "p"}], "hard_negative_ctxs": []},
    "PyLate": {"query_id": "1", "document_ids": ["d1"], "scores": [1.0]},
}


@pytest.mark.parametrize("form", TRAINING)
def test_training_rows_never_become_questions(workspace: Workspace, tmp_path: Path, form: str) -> None:
    """Their positives and negatives would be lost. The form is named, whatever option reads the file."""
    lines = json.dumps(TRAINING[form]).encode() + b"\n"
    path = file(tmp_path, "queries.jsonl", lines)
    pq.write_table(pa.Table.from_pylist([TRAINING[form]]), tmp_path / "queries.parquet")
    array = file(tmp_path, "train.json", b"[" + lines + b"]")
    late = file(tmp_path, "late.jsonl", b'{"_id": "q1", "text": "what?"}\n' + lines)
    named = rf"training rows of the form of {form.strip()} \(found: .*see \"Training rows\" in docs/input.md"
    attempts: list[LoadOptions] = [{"queries": [path]}, {"unlabeled": [late]}, {"passages": [array]}]
    for options in attempts:
        with pytest.raises(BadInput, match=named):
            load(workspace, **options, max_rejects=9)
    for source in (path, tmp_path / "queries.parquet"):
        with pytest.raises(BadInput, match=named):
            load(workspace, source)
    assert workspace.records() == []


def test_training_rows_in_a_folder_are_named_too(workspace: Workspace, tmp_path: Path) -> None:
    """Alone they are refused. Beside a collection they are left out, and a note names their form."""
    folder = tmp_path / "set"
    train = file(folder, "train.jsonl", json.dumps(TRAINING["Tevatron"]).encode())
    with pytest.raises(BadInput, match=rf"{train}: training rows of the form of Tevatron .* in docs/input.md"):
        load(workspace, folder)
    file(folder, "corpus.jsonl", b'{"_id": "d1", "text": "rain"}\n')
    run = file(folder, "run.trec", b"q1 Q0 d1 1 9.5 bm25\n")
    said = load(workspace, folder).notes
    assert said[0] == f"not loaded: {run}: a TREC run (6 columns). Run: curate mine --run {run}"
    assert said[1].startswith(f"not loaded: {train}: training rows of the form of Tevatron")


def test_a_file_of_llama_index_holds_passages_queries_and_labels(workspace: Workspace, tmp_path: Path) -> None:
    """It is one object. The name tells the split of its labels."""
    content = {
        "queries": {"q1": "what is rain?"},
        "corpus": {"d1": "Rain", "d2": "Sun"},
        "relevant_docs": {"q1": ["d1", "d2"]},
        "mode": "text",
    }
    load(workspace, file(tmp_path, "val_dataset.json", json.dumps(content, indent=4).encode()))
    assert passages(workspace) == [("d1", "", "Rain"), ("d2", "", "Sun")]
    assert labels(workspace) == [("q1", "d1", 1, "dev"), ("q1", "d2", 1, "dev")]
    twice = b'{"corpus": {"d3": "a", "d3": "b"}}'
    with pytest.raises(BadInput, match="the key 'd3' appears 2 times"):
        load(workspace, passages=[file(tmp_path, "twice.json", twice)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n  "_id": "d1",\n  "text": "one"\n}\n', r":1: found a JSON object on several lines.* jq -c \. "),
        (b'["q1", "d1", "d2"]\n["q2", "d1", "d2"]\n', ":1: found a JSON array on each line, as ColBERT's triples"),
        (b"[" * 99_999, ":1: found a JSON array, expected JSON lines"),
        (b"d1\tone\rd2\ttwo\r", r"a carriage return alone, .*\. Run: tr '.r' '.n' < \S*/a.tsv > \S*/lf-a.tsv$"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ":1: the file is a pointer of Git LFS"),
        (b"<!DOCTYPE html>\n<p>404</p>\n", ":1: the file is a web page"),
        (gzip.compress(stream(TABLE), mtime=0), ": a table of Parquet or Arrow that is compressed once more"),
    ],
)
def test_a_file_of_another_form_is_named(
    workspace: Workspace, tmp_path: Path, content: bytes, message: str
) -> None:
    """The message says what to run."""
    with pytest.raises(BadInput, match=message):
        load(workspace, passages=[file(tmp_path, "a.tsv", content)], max_rejects=99)


@pytest.mark.parametrize("form", ["run.jsonl", "run.tsv", "run.parquet"])
def test_ranks_are_no_labels(workspace: Workspace, tmp_path: Path, form: str) -> None:
    """A run with named columns has a query, a passage and a score, as qrels have."""
    two_passages(workspace, tmp_path)
    row = {"query_id": "q1", "docid": "d1", "rank": 1, "score": 12}
    file(tmp_path, "run.jsonl", json.dumps(row).encode())
    file(tmp_path, "run.tsv", b"query_id\tdocid\trank\tscore\nq1\td1\t1\t12\n")
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "run.parquet")
    for sources, options in as_source_and_as_qrels(tmp_path / form):
        with pytest.raises(BadInput, match="a run, because it has ranks, not qrels"):
            load(workspace, *sources, **options)


def test_triples_of_ids_are_no_labels(workspace: Workspace, tmp_path: Path) -> None:
    """The third id would be the relevance of the second."""
    two_passages(workspace, tmp_path)
    triples = file(tmp_path, "qidpidtriples.train.tsv", b"1\t10\t20\n")
    for sources, options in as_source_and_as_qrels(triples):
        with pytest.raises(BadInput, match="triples of ids for training"):
            load(workspace, *sources, **options)


# Standard input


def test_standard_input_is_a_file(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` stands in place of a file, packed or not. The same bytes in a file are then already loaded."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def given(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    content = gzip.compress(b"d1\tone\nd2\ttwo\n", mtime=0)
    given(content)
    load(workspace, passages=["-"], queries=[file(tmp_path, "q.tsv", QUERIES)])
    assert load(workspace, passages=[file(tmp_path, "d.gz", content)], queries=[tmp_path / "q.tsv"]).already
    given(b"q1\td1\t1\n")
    load(workspace, qrels=["dev=-"])
    assert labels(workspace) == [("q1", "d1", 1, "dev")]
    given(b'{"docid": "d3", "text": ""}\n')
    with pytest.raises(BadInput, match="\n  stdin:1: empty text"):
        load(workspace, "-")
    with pytest.raises(BadSettings, match="given twice"):
        load(workspace, "-", queries=["-"])
    assert not list(tmp_path.glob(".stdin-*"))
