"""Runs made elsewhere: their ranks are recomputed, and their bad lines are named."""

from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from click.testing import CliRunner

from curate import Workspace
from curate.cli.main import cli
from curate.errors import BadInput, BadSettings, Damaged
from curate.load.shown import path_of
from curate.mine.import_run import import_again, import_run

Make = Callable[..., Workspace]

PASSAGES = {"p1": "one", "p2": "two", "p3": "three"}


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Return a workspace with three passages, two train queries and one unlabeled query."""
    queries = {"q1": "first", "q2": "second", "u1": "third"}
    return make_workspace(PASSAGES, queries, qrels=[("q1", "p1"), ("q2", "p2")], unlabeled=["u1"])


def test_ranks_follow_the_scores_and_ties_the_order_of_the_passages(workspace: Workspace) -> None:
    """The ranks in the file, and the order of its lines, do not matter."""
    run = write(workspace, "q1 Q0 p3 1 0.5 x", "q1 Q0 p2 2 0.5 x", "q1 Q0 p1 3 9.0 x", "q2 Q0 p3 1 -1 x")

    mined = import_run(workspace, run)

    assert rows(workspace, mined.run_id) == [
        ("q1", "p1", 1, 9.0),
        ("q1", "p2", 2, 0.5),
        ("q1", "p3", 3, 0.5),
        ("q2", "p3", 1, -1.0),
    ]
    assert (mined.retriever, mined.split, mined.depth, mined.candidates, mined.empty) == ("trec", "train", 3, 4, 0)


def test_a_marco_run_keeps_its_ranks(workspace: Workspace) -> None:
    """The score becomes -rank."""
    mined = import_run(workspace, write(workspace, "q1\tp2\t1", "q1\tp1\t7"))

    assert rows(workspace, mined.run_id) == [("q1", "p2", 1, -1.0), ("q1", "p1", 2, -7.0)]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["q1 p1 81", "q1 p2 79", "q1 p3 12"], "they begin at 12"),
        (["q1 p3 12", "q1 p2 79", "q1 p1 81"], "they begin at 12"),
        (["q1 p1 1", "q1 p2 1"], "several passages have the same"),
        (["q1 p1 3", "q1 p2 2", "q1 p3 1"], "they fall from line to line, as scores do"),
        (["q1 p1 1", "q1 p2 2", "q2 p1 7"], "they begin at 7"),
    ],
)
def test_whole_scores_in_three_columns_are_not_read_as_ranks(
    workspace: Workspace, lines: list[str], why: str
) -> None:
    """Otherwise the worst passage would come first. The ranks of a query begin at 1 and are distinct."""
    run = write(workspace, *lines)

    with pytest.raises(
        BadInput, match=rf"run\.trec:\d: the third column holds no ranks of the query q\d: {why}\. Runs"
    ):
        import_run(workspace, run, max_rejects=9)
    assert workspace.records("mine") == []


def test_the_ranks_of_a_query_may_come_in_any_order(workspace: Workspace) -> None:
    """If they fall in one query, they may still be ranks: in another query they do not."""
    run = write(workspace, "q1 p1 2", "q1 p2 1", "q2 p1 1", "q2 p2 2")

    assert rows(workspace, import_run(workspace, run).run_id) == [
        ("q1", "p2", 1, -1.0),
        ("q1", "p1", 2, -2.0),
        ("q2", "p1", 1, -1.0),
        ("q2", "p2", 2, -2.0),
    ]


def test_a_run_comes_from_standard_input(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is the same run as the file with its bytes."""
    run = write(workspace, "q1 Q0 p1 1 2 x")
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(run.read_bytes())))

    first, again = import_run(workspace, "-"), import_run(workspace, run)

    assert (first.run_id, again.already) == (again.run_id, True)
    record = workspace.record(first.run_id)
    assert record
    assert record.facts["file"] == "stdin"
    with pytest.raises(Damaged, match="curate mine --run - --split train < FILE"):
        import_again(workspace, record)


def test_a_file_whose_name_is_not_utf_8_is_imported_and_found_again(workspace: Workspace) -> None:
    """Its record holds the name with the byte escaped."""
    run = write(workspace, "q1 Q0 p1 1 2 x")
    odd = run.rename(run.parent / b"odd-\xff.trec".decode("utf-8", "surrogateescape"))
    record = workspace.record(import_run(workspace, odd).run_id)
    assert record
    assert record.facts["file"].endswith("odd-\\udcff.trec")
    assert path_of(record.facts["file"]) == odd


def test_the_same_file_again_is_there_already(workspace: Workspace) -> None:
    """A file is recognised by its contents."""
    run = write(workspace, "q1 Q0 p1 1 2 x")

    first, again = import_run(workspace, run), import_run(workspace, run)

    assert (first.already, again.already) == (False, True)
    assert first.run_id == again.run_id


def test_a_name_begins_the_run_id(workspace: Workspace) -> None:
    """For example, a run may come from another engine's BM25.

    The digits are kept, so two files never share an id.
    """
    mined = import_run(workspace, write(workspace, "q1 Q0 p1 1 2 x"), name="anserini")

    assert mined.run_id.startswith("anserini-train-")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q9 Q0 p1 1 2 x", "run.trec:2: unknown query id: q9"),
        ("q1 Q0 p9 1 2 x", "run.trec:2: unknown passage id: p9"),
        ("q1 Q0 p1 2 1 x", "run.trec:2: query and passage repeat an earlier line"),
        ("q1 Q0 p2 2 x", "run.trec:2: wrong number of columns: found 5, expected 6"),
        ("q1 Q0 p2 2 nan x", "run.trec:2: score is not a finite number: 'nan'"),
    ],
)
def test_a_bad_line_refuses_the_file_or_becomes_a_reject(workspace: Workspace, line: str, reason: str) -> None:
    """The error names file and line. With --max-rejects, the line goes into the table `rejects`."""
    run = write(workspace, "q1 Q0 p1 1 2 x", line)

    with pytest.raises(BadInput, match=reason):
        import_run(workspace, run)
    assert workspace.records("mine") == []

    mined = import_run(workspace, run, max_rejects=1)
    rejects = workspace.scan("rejects").collect().to_dicts()
    assert mined.candidates == 1
    assert [(row["line"], row["reason"]) for row in rejects] == [(2, reason.partition(": ")[2])]


def test_a_run_over_several_splits_must_say_which(workspace: Workspace) -> None:
    """The lines of the other splits are then ignored."""
    run = write(workspace, "q1 Q0 p1 1 2 x", "u1 Q0 p2 1 2 x")

    with pytest.raises(BadSettings, match=r"train \(1 line\), unlabeled \(1 line\). Choose one: --split"):
        import_run(workspace, run)
    with pytest.raises(BadSettings, match="no query of the split 'dev'"):
        import_run(workspace, run, split="dev")

    assert rows(workspace, import_run(workspace, run, split="unlabeled").run_id) == [("u1", "p2", 1, 2.0)]


def test_an_empty_file_is_no_run(workspace: Workspace) -> None:
    """The file has no line at all."""
    with pytest.raises(BadInput, match="no line that can be imported"):
        import_run(workspace, write(workspace, ""))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--run", "run.trec", "--depth", "5"], "--depth cannot be combined with --run"),
        (["--max-rejects", "5"], "--max-rejects needs --run FILE"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(
    workspace: Workspace, arguments: list[str], text: str
) -> None:
    """Otherwise one of them would be silently ignored."""
    result = CliRunner().invoke(cli, ["-C", str(workspace.root), "mine", *arguments])

    assert isinstance(result.exception, BadSettings)
    assert text in str(result.exception)


def write(workspace: Workspace, *lines: str) -> Path:
    """Write a run file."""
    path = workspace.root / "run.trec"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def rows(workspace: Workspace, run: str) -> list[tuple[object, ...]]:
    """Return the candidates of a run, by ids."""
    return workspace.sql(
        "select query_id, passage_id, rank, score from candidates join passages using (passage_key) "
        "join queries using (query_key) where run_id = $run order by query_id, rank",
        run=run,
    ).rows()
