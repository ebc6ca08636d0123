"""Files of scored candidates (curate/scored_candidates.py): they give the decisions of the tables, only sooner."""

import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import add_run, write_workspace
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate import Workspace, scored_candidates, sql_files
from curate.calibration import write_calibration
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.errors import Damaged, NoSpace
from curate.jobs import Job
from curate.progress import Silent
from curate.sandbox import sandbox
from curate.shard_in_work import State
from curate.shards import Manifest, known_sha256
from curate.snapshot_connection import define

ALL = "select * from decisions order by all"
PASSAGES = {f"p{key}": text for key, text in enumerate(("rain", "RAIN!", "snow", "hail", "Hail.", "fog"))}
QUERIES = {"q0": "when does it rain", "q1": "Snow?", "q2": "what is hail", "q3": "who likes wind"}
Rows = list[dict[str, Any]]
Pair = tuple[int, int]


@pytest.fixture(autouse=True)
def small_workspaces_have_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep files from the first score on."""
    monkeypatch.setattr(scored_candidates, "LEAST", 1)
    monkeypatch.setattr(Workspace, "refresh_catalogue", lambda _: True)  # slow, and read by one test only


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    """Return a workspace with a run of two queries, of which one candidate is unscored."""
    workspace = write_workspace(
        tmp_path / "set", PASSAGES, QUERIES,
        qrels=[("q0", "p0")], candidates={"q0": ["p0", "p1", "p2"], "q3": ["p3", "p4"]},
    )  # fmt: skip
    score(workspace, "judge", {(0, 1): -5, (0, 2): -5, (3, 3): 5})
    set_cutoffs(workspace, "default", scorer_id="judge", depth=2, negative_below=0.1, positive_above=0.9)
    workspace.keep_scored_candidates()
    return workspace


def score(workspace: Workspace, scorer: str, logits: dict[Pair, float]) -> None:
    job = Job(workspace, "denoise", f"score-{workspace.next_number}", {"run": "bm25-train", "depth": 50})
    model = {"model_id": scorer, "role": "cross-encoder", "path": scorer, "fingerprint": scorer, "settings": "{}"}
    job.write_rows("models", [model])
    rows = [
        {"scorer_id": scorer, "query_key": query, "passage_key": passage, "logit": logit}
        for (query, passage), logit in sorted(logits.items())
    ]
    job.write_rows("scores", rows)
    job.finish(scorer_id=scorer, run="bm25-train")


def score_more(workspace: Workspace) -> Job:
    """Write a shard of scores, which counts although its job has no record yet."""
    job = Job(workspace, "denoise", "score-more", {"run": "bm25-train", "depth": 50})
    job.write_rows("scores", [{"scorer_id": "judge", "query_key": 3, "passage_key": 4, "logit": 5.0}])
    return job


def files(workspace: Workspace) -> list[Path]:
    """Return the files that a question would read now."""
    now = workspace.snapshot()
    with workspace.connect_lazily(now) as connection:
        sql_files.prepare(connection, "scored_candidates")
        return [file.shard.path for file in now.scored]


def kept(workspace: Workspace) -> set[Path]:
    """Return what lies in the folder, without the manifests."""
    return {path for path in (workspace.root / scored_candidates.FOLDER).iterdir() if path.suffix != ".json"}


def answers(workspace: Workspace, *, from_files: bool = True) -> list[Any]:
    """Return all decisions, and check whether they come from the files."""
    with workspace.connect_lazily() as connection:
        found = sql_files.query(connection, ALL).fetchall()
        assert bool(connection.table("scored_runs").fetchall()) == from_files
    return found


def plain(workspace: Workspace) -> list[Any]:
    """Return all decisions by the views over the tables."""
    with sql_files.connect() as connection:
        define(connection, workspace.snapshot(), sql_files.names_read(ALL))
        return connection.sql(ALL).fetchall()


def decisions(rows: list[Any]) -> set[str]:
    return {row[7] for row in rows}


def a_day_ago(path: Path) -> None:
    then = time.time() - scored_candidates.DAY - 1
    os.utime(path, (then, then))


CALIBRATION = {
    "scorer_id": "anna", "a": 0.5, "b": 0.7, "c": -0.3, "form": "beta", "evidence": "labels",
    "run_id": "bm25-train", "depth": 2, "queries": 9, "positives": 9, "others": 9, "prior": None, "seed": 0,
    "log_loss_before": None, "log_loss": None, "error_before": None, "error": None,
}  # fmt: skip


def annotate(workspace: Workspace, pair: Pair) -> None:
    job = Job(workspace, "load", f"load-{workspace.next_number:05d}")
    row = {"query_key": pair[0], "passage_key": pair[1], "relevant": sum(pair) % 2 == 0, "annotator": "anna"}
    job.write_rows("annotations", [{**row, "revision": workspace.next_number, "corrects": True}])
    job.finish()


def hold_out(workspace: Workspace, query: int) -> None:
    job = Job(workspace, "load", f"load-{workspace.next_number:05d}")
    label = {"query_key": query, "passage_key": 0, "relevance": 1, "split": "test", "source": "test.tsv"}
    job.write_rows("qrels", [{**label, "revision": workspace.next_number, "corrects": False}])
    job.finish()


def copy_of_a_query(workspace: Workspace, pair: Pair) -> None:
    job = Job(workspace, "load", f"load-{workspace.next_number:05d}")
    job.write_rows("own_copies", [dict(zip(("query_key", "passage_key"), pair, strict=True))])
    job.finish()


def mine(workspace: Workspace, split: str, found: dict[int, list[int]]) -> None:
    name = f"run-{workspace.next_number}"
    rows = [(query, passage, rank) for query in found for rank, passage in enumerate(found[query], 1)]
    add_run(workspace, name, split, [
        {"run_id": name, "query_key": q, "passage_key": p, "rank": rank, "score": 1 / rank} for q, p, rank in rows
    ])  # fmt: skip


def cut(workspace: Workspace, name: str, scorers: list[str], depth: int, calibrated: bool) -> None:
    """Set cutoffs of one scorer, or of several that are joined; anna's calibration may be made first."""
    known = workspace.record("calibrate-00001")
    if calibrated and known is None:
        write_calibration(
            workspace, "calibrate-00001", {"calibration": CALIBRATION, "reliability": [], "promises": []}
        )
    scorer: Any = scorers[0] if len(scorers) == 1 else tuple(scorers)
    join: Any = {} if len(scorers) == 1 else {"join": "any"}
    set_cutoffs(workspace, name, scorer=scorer, depth=depth, negative_below=0.2, positive_above=0.7, **join)


QUERY, PASSAGE = st.integers(0, len(QUERIES) - 1), st.integers(0, len(PASSAGES) - 1)
PAIR = st.tuples(QUERY, PASSAGE)
RANKED = st.lists(PASSAGE, unique=True, max_size=6)
SCORERS = st.sampled_from([["anna"], ["berta"], ["anna", "berta"]])
LOGITS = st.dictionaries(PAIR, st.sampled_from([-5.0, 0.0, 5.0]), max_size=12)
CHANGE = st.one_of(
    st.tuples(st.just(score), st.sampled_from(["anna", "berta"]), LOGITS),
    st.tuples(st.just(mine), st.sampled_from(["train", "unlabeled"]), st.dictionaries(QUERY, RANKED, max_size=4)),
    st.tuples(st.just(cut), st.sampled_from(["default", "other"]), SCORERS, st.integers(1, 6), st.booleans()),
    st.tuples(st.just(annotate), PAIR),
    st.tuples(st.just(hold_out), QUERY),
    st.tuples(st.just(copy_of_a_query), PAIR),
)  # fmt: skip


@settings(max_examples=5, deadline=None)
@given(changes=st.lists(CHANGE, min_size=3, max_size=4))
def test_they_give_the_decisions_of_the_tables_after_every_change(changes: list[Any]) -> None:
    """Scores, runs, cutoffs of one and of several, calibrations, annotations, held-out queries and own copies."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = write_workspace(
            Path(folder) / "set", PASSAGES, QUERIES,
            qrels=[("q0", "p0"), ("q1", "p3", 0), ("q2", "p3")],
            candidates={"q0": ["p1", "p2", "p0"], "q1": ["p2", "p3"], "q2": ["p4", "p5"], "q3": ["p5", "p0"]},
        )  # fmt: skip
        score(workspace, "anna", {(0, 1): -5, (0, 2): -5, (1, 3): 0, (2, 5): 5, (3, 5): 5})
        score(workspace, "berta", {(0, 2): 5, (3, 0): -5})
        set_cutoffs(workspace, "default", scorer_id="anna", depth=2, negative_below=0.1, positive_above=0.9)
        for change, *of in [(score, "anna", {}), *changes]:
            change(workspace, *of)
            assert answer(workspace) == plain(workspace)  # some files may be superseded or missing
            workspace.keep_scored_candidates()
            assert answer(workspace) == plain(workspace)


def answer(workspace: Workspace) -> list[Any]:
    with workspace.connect_lazily() as connection:
        return sql_files.query(connection, ALL).fetchall()


def test_a_new_score_counts_at_once(here: Workspace) -> None:
    """The file of the older scores is not found any more, although nobody told it."""
    before = files(here)
    assert "unscored" in decisions(answers(here))
    score_more(here).finish(scorer_id="judge", run="bm25-train")
    assert "unscored" not in decisions(answers(here, from_files=False))
    here.keep_scored_candidates()
    assert "unscored" not in decisions(answers(here))
    assert len(files(here)) == 1
    assert files(here) != before


def test_only_what_changed_is_made_again(here: Workspace) -> None:
    """Another threshold, another run and another scorer's scores leave the file; a score of its own does not."""
    first = files(here)
    written = first[0].stat().st_mtime_ns
    set_cutoffs(here, "default", negative_below=0.3)
    mine(here, "train", {1: [0, 1]})
    score(here, "another", {(1, 0): 5.0})
    here.keep_scored_candidates()
    assert (files(here), first[0].stat().st_mtime_ns) == (first, written)
    score_more(here)  # as long as its job has no record, it may be anyone's
    assert files(here) == []


def test_only_a_run_that_a_deciding_scorer_has_scored_has_a_file(here: Workspace) -> None:
    """The others have no logit, so that a file would take room for nothing. The tables answer for them."""
    mine(here, "dev", {1: [0, 1]})
    score(here, "another", {(0, 1): 5.0, (0, 2): 5.0})
    here.keep_scored_candidates()
    assert len(kept(here)) == 1
    set_cutoffs(here, "other", scorer_id="another", depth=2, negative_below=0.1, positive_above=0.9)
    assert answers(here) == plain(here)
    here.keep_scored_candidates()
    assert len(kept(here)) == 2
    assert answers(here) == plain(here)
    assert {row[1] for row in answers(here)} == {"bm25-train", "run-5"}


def test_a_reader_keeps_what_it_opened(here: Workspace) -> None:
    """Files are deleted a day after they were superseded, or by `curate rebuild`, never by the next commands."""
    before, superseded = answers(here), kept(here)
    for path in superseded:
        a_day_ago(path)  # made long ago, and superseded now
    with here.connect_lazily() as connection:
        sql_files.prepare(connection, ALL)
        for passage in (0, 1, 2):
            score(here, "judge", {(3, passage): 5.0})
            here.keep_scored_candidates()
        assert sql_files.query(connection, ALL).fetchall() == before
        assert connection.table("scored_runs").fetchall()
        assert len(kept(here)) == 4
        for path in superseded:
            a_day_ago(path)
        here.keep_scored_candidates()
        assert len(kept(here)) == 3
        assert not superseded & kept(here)
        assert sql_files.query(connection, ALL).fetchall() == before
    curate.rebuild(here)
    assert kept(here) == set(files(here))


def test_what_a_kill_left_goes_after_a_day(here: Workspace) -> None:
    """A temporary file that is younger may be another process's work."""
    (file,) = files(here)
    old, new = (file.with_name(f".{name}.parquet.tmp") for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    a_day_ago(old)
    here.keep_scored_candidates()
    assert kept(here) == {file, new}
    curate.rebuild(here)
    assert kept(here) == {file}
    assert Manifest.path(file).exists()


def damaged(path: Path, what: str) -> None:
    content = bytearray(path.read_bytes())
    if what == "changed":
        content[len(content) // 2] ^= 1
    if what == "unreadable from its end":
        content[-9:] = b"!" * 9
    path.unlink()
    if what == "a folder":
        path.mkdir()
    elif what != "missing":
        path.write_bytes(content)
    if what == "without its manifest":
        Manifest.path(path).unlink()


DAMAGE = ("missing", "changed", "unreadable from its end", "without its manifest")


@pytest.mark.parametrize("what", DAMAGE)
def test_a_file_that_is_not_whole_is_not_read(here: Workspace, what: str) -> None:
    """The tables answer in its place, and `curate rebuild` makes it again."""
    expected, (path,) = answers(here), files(here)
    damaged(path, what)
    assert answers(here, from_files=False) == expected
    curate.rebuild(here)
    assert files(here) == [path]
    assert answers(here) == expected


@pytest.mark.parametrize("what", [*DAMAGE[:3], "a folder"])
def test_a_file_may_vanish_under_an_open_connection(here: Workspace, what: str) -> None:
    """The next question reads the tables."""
    with here.connect_lazily() as connection:
        expected = sql_files.query(connection, ALL).fetchall()
        damaged(files(here)[0], what)
        assert sql_files.query(connection, ALL).fetchall() == expected
        assert connection.table("scored_runs").fetchall() == []


def test_a_file_that_may_not_be_read_is_not_read(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = files(here)

    def refused(of: Path) -> str:
        if of == path:
            raise PermissionError(13, "Permission denied", str(of))
        return known_sha256(of)

    monkeypatch.setattr("curate.damage.known_sha256", refused)
    assert answers(here, from_files=False) == plain(here)


def test_damage_to_the_cutoffs_is_found_before_they_are_read(here: Workspace) -> None:
    """Which scorers decide is known from the records."""
    (path,) = here.shards("cutoffs")
    damaged(path, "changed")
    with here.connect_lazily() as connection, pytest.raises(Damaged, match="tables/cutoffs"):
        sql_files.query(connection, ALL)


def test_to_connect_reads_the_bytes_of_no_file(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read for a question about decisions."""
    (path,) = files(here)
    read: list[Path] = []

    def noted(of: Path) -> str:
        read.append(of)
        return known_sha256(of)

    monkeypatch.setattr("curate.damage.known_sha256", noted)
    with here.connect() as connection:
        sql_files.query(connection, "select count(*) from candidates").fetchall()
        assert path not in read
        sql_files.query(connection, "select count(*) from decisions").fetchall()
        assert path in read


def test_a_connection_reads_one_state_of_the_ledger(here: Workspace) -> None:
    """What counts is listed once, even if a shard of scores comes before the files are looked for."""
    expected = answers(here)
    with here.connect_lazily() as connection:
        assert sql_files.query(connection, "select count(*) from scores").fetchall() == [(3,)]
        score_more(here)
        assert sql_files.query(connection, ALL).fetchall() == expected
        assert sql_files.query(connection, "select count(*) from scores").fetchall() == [(3,)]
        assert connection.table("scored_runs").fetchall() == [("bm25-train", "judge")]


def test_the_sandbox_may_read_what_its_connection_opened(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if a job ends between the two steps."""
    expected, connect = answers(here), Workspace.connect

    def slowly(workspace: Workspace, *args: Any, **config: Any) -> duckdb.DuckDBPyConnection:
        opened = connect(workspace, *args, **config)
        score(workspace, "judge", {(3, 4): 5.0})
        workspace.keep_scored_candidates()
        return opened

    monkeypatch.setattr(Workspace, "connect", slowly)
    with sandbox(here) as connection:
        assert sql_files.query(connection, ALL).fetchall() == expected
        assert connection.table("scored_runs").fetchall() == [("bm25-train", "judge")]


def test_a_command_that_scored_makes_them_once_at_its_end(
    here: Workspace, tiny_cross_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run and scorer is announced when its file is begun."""
    said: list[str] = []

    class Said(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    made: list[tuple[str, str]] = []
    make = scored_candidates.ScoredRun.make

    def noted(of: scored_candidates.ScoredRun, connection: duckdb.DuckDBPyConnection) -> None:
        made.append((of.run_id, of.scorer_id))
        make(of, connection)

    monkeypatch.setattr(scored_candidates.ScoredRun, "make", noted)
    model = str(tiny_cross_encoder())
    options: Any = {"scorer": model, "cutoffs": "tiny", "depth": 3, "accept_judge": True}
    scorer = curate.denoise(here, progress=Said(), **options).scorer_id
    assert made == [("bm25-train", scorer)]
    assert said[-1] == f"joining bm25-train with the scores of {scorer}, for later questions"
    curate.denoise(here, **options)
    assert len(made) == 1
    assert answers(here) == plain(here)


def test_a_request_to_stop_does_not_wait_for_a_file(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results are saved, what there is of the file is deleted, and the tables answer."""
    score(here, "judge", {(3, 4): 5.0})
    before = kept(here)

    def interrupted(*_: Any, path: str, **__: Any) -> None:
        assert State.in_work == {}
        Path(path).write_bytes(b"PAR1 and not much more")
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")

    with monkeypatch.context() as patch:
        patch.setattr(sql_files, "execute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            here.keep_scored_candidates()
    assert kept(here) == before
    assert answers(here, from_files=False) == plain(here)


def test_a_full_disk_is_no_reason_to_fail(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All results are saved when a file is made, so the command ends well and the log has the reason."""

    def full(*_: Any, **__: Any) -> None:
        raise NoSpace("the disk is full")

    monkeypatch.setattr(sql_files, "execute", full)
    score(here, "judge", {(3, 4): 5.0})
    with caplog.at_level(logging.WARNING, "curate"):
        here.keep_scored_candidates()
    assert "no scored candidates are kept: the disk is full" in caplog.text
    assert answers(here, from_files=False) == plain(here)


@pytest.mark.parametrize("first", ["select * from scored_candidates", "select * from scored_runs"])
def test_the_two_views_go_together_whichever_is_read_first(here: Workspace, first: str) -> None:
    expected = plain(here)
    with here.connect_lazily() as connection:
        assert sql_files.query(connection, first).fetchall()
        assert sql_files.query(connection, ALL).fetchall() == expected


def test_the_views_are_there_without_files(here: Workspace) -> None:
    """They have the same columns, and no row."""
    columns = []
    with here.connect_lazily() as connection, sql_files.connect() as bare:
        sql_files.prepare(connection, ALL)
        bare_names = sql_files.names_read(ALL)
        define(bare, here.snapshot(), bare_names)
        for view in ("scored_candidates", "scored_runs"):
            of = [(each.table(view).columns, each.table(view).types) for each in (connection, bare)]
            assert of[0] == of[1]
            columns += of[0][0]
            assert len(connection.table(view)) > len(bare.table(view)) == 0
    assert columns[-2:] == ["run_id", "scorer_id"]


def test_polars_the_command_line_and_other_clients_read_the_same(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`curate sql` may read the files. The catalogue does without them, so they can be deleted at any time."""
    expected = answers(here)
    assert sorted(here.scan("decisions").collect().rows(), key=str) == sorted(expected, key=str)
    monkeypatch.chdir(here.root)
    assert run(["sql", ALL, "--json"]) == 0
    assert [tuple(row.values()) for row in json.loads(capsys.readouterr().out)] == expected
    here.catalogue.write(here.snapshot())
    with duckdb.connect(str(here.catalogue.path), read_only=True) as connection:
        assert connection.sql(ALL).fetchall() == expected
        assert "scored-candidates" not in str(connection.sql("select sql from duckdb_views()").fetchall())


def test_a_small_workspace_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a million scores, the tables are joined in no time."""
    monkeypatch.undo()
    workspace = write_workspace(tmp_path / "set", PASSAGES, QUERIES, candidates={"q0": ["p0"]})
    score(workspace, "judge", {(0, 0): -5.0})
    set_cutoffs(workspace, "default", scorer_id="judge", negative_below=0.1, positive_above=0.9)
    workspace.keep_scored_candidates()
    assert not (workspace.root / "indexes").exists()
    assert files(workspace) == []
