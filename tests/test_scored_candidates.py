"""Files of scored candidates (curate/scored_candidates.py): they give the decisions of the tables, only sooner."""

import json
import logging
import tempfile
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
from curate.cutoffs import every, set_cutoffs
from curate.errors import NoSpace
from curate.jobs import Job

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


def files(workspace: Workspace) -> list[Path]:
    """Return the files that a question would read now."""
    with workspace.connect_lazily() as connection:
        sql_files.prepare(connection, "cutoffs")
        return workspace.scored_candidates(workspace.records()).found(connection)


def kept(workspace: Workspace) -> set[Path]:
    return set(workspace.root.glob("indexes/scored-candidates/*/*.parquet"))


def answers(workspace: Workspace, *, from_files: bool = True) -> list[Any]:
    """Return all decisions, and check whether they come from the files."""
    with workspace.connect_lazily() as connection:
        found = sql_files.query(connection, ALL).fetchall()
        views = connection.sql("select view_name from duckdb_views()").fetchall()
    assert (("scored_candidates",) in views) == from_files
    return found


def plain(workspace: Workspace) -> list[Any]:
    """Return all decisions by the views over the tables."""
    with sql_files.connect() as connection:
        workspace.define(connection, workspace.records(), sql_files.names_read(ALL))
        return connection.sql(ALL).fetchall()


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
            alone = any(row["scorer_id"] for row in every(workspace).values())
            assert answers(workspace, from_files=alone) == plain(workspace)


def test_a_new_score_counts_at_once(here: Workspace) -> None:
    """The files of the older scores are not found any more, although nobody told them."""
    before = files(here)
    assert "unscored" in decisions(answers(here))
    job = Job(here, "denoise", "score-more", {"run": "bm25-train", "depth": 50})
    job.write_rows("scores", [{"scorer_id": "judge", "query_key": 3, "passage_key": 4, "logit": 5.0}])
    # The shard counts before its job has a record.
    assert "unscored" not in decisions(answers(here, from_files=False))
    job.finish()
    assert "unscored" not in decisions(answers(here))
    assert len(files(here)) == 1
    assert files(here) != before


def decisions(rows: list[Any]) -> set[str]:
    return {row[7] for row in rows}


def test_only_what_changed_is_made_again(here: Workspace) -> None:
    """Another threshold makes no file, another run makes its own, and other scores make all of them."""
    first = files(here)
    written = first[0].stat().st_mtime_ns
    set_cutoffs(here, "default", negative_below=0.3)
    assert (files(here), first[0].stat().st_mtime_ns) == (first, written)
    mine(here, "train", {1: [0, 1]})
    assert set(first) < set(files(here))
    assert first[0].stat().st_mtime_ns == written
    score(here, "judge", {(1, 0): 5.0})
    assert not set(first) & set(files(here))
    assert len(files(here)) == 2


def test_a_reader_keeps_what_it_opened(here: Workspace) -> None:
    """A connection answers as of its time after a job, although the files of that time are superseded."""
    before, superseded = answers(here), kept(here)
    with here.connect_lazily() as connection:
        sql_files.prepare(connection, ALL)
        score(here, "judge", {(3, 4): 5.0})
        assert connection.sql(ALL).fetchall() == before
    assert answers(here) != before
    assert superseded < kept(here)
    set_cutoffs(here, "default", depth=3)  # the next job
    assert kept(here) == set(files(here))
    assert not superseded & kept(here)


@pytest.mark.parametrize("damage", ["missing", "changed", "without its manifest"])
def test_a_file_that_is_not_whole_is_not_read(here: Workspace, damage: str) -> None:
    """The tables answer in its place, and `curate rebuild` makes it again."""
    expected, (path,) = answers(here), files(here)
    if damage == "changed":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        (path if damage == "missing" else path.with_name(f"{path.name}.json")).unlink()
    assert answers(here, from_files=False) == expected
    curate.rebuild(here)
    assert files(here) == [path]
    assert answers(here) == expected


def test_a_kill_while_a_file_is_written_costs_only_the_file(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is complete, the tables answer, and the next job makes the file."""

    def killed(connection: Any, lineage: Any, path: Path) -> int:
        path.write_bytes(b"PAR1 and not much more")
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr(scored_candidates, "_write", killed)
        with pytest.raises(SystemExit):
            score(here, "judge", {(3, 4): 5.0})
    assert "unscored" not in decisions(answers(here, from_files=False))
    set_cutoffs(here, "default", depth=3)
    assert answers(here) == plain(here)


def test_a_full_disk_is_no_reason_to_fail(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All results are saved when a file is made, so the job ends well and the log has the reason."""

    def full(*_: Any) -> int:
        raise NoSpace("the disk is full")

    monkeypatch.setattr(scored_candidates, "_write", full)
    with caplog.at_level(logging.WARNING, "curate"):
        score(here, "judge", {(3, 4): 5.0})
    assert "no scored candidates are kept: the disk is full" in caplog.text
    assert answers(here, from_files=False) == plain(here)


def test_polars_the_command_line_and_other_clients_read_the_same(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`curate sql` may read the files. The catalogue does without them, so they can be deleted at any time."""
    expected = answers(here)
    assert sorted(here.scan("decisions").collect().rows(), key=str) == sorted(expected, key=str)
    monkeypatch.chdir(here.root)
    assert run(["sql", ALL, "--json"]) == 0
    assert [tuple(row.values()) for row in json.loads(capsys.readouterr().out)] == expected
    here.catalogue.write(lambda c: here.define(c, here.records(), sql_files.known_names()), here.records())
    with duckdb.connect(str(here.catalogue.path), read_only=True) as connection:
        assert connection.sql(ALL).fetchall() == expected
        assert "scored_candidates" not in str(connection.sql("select sql from duckdb_views()").fetchall())


def test_a_small_workspace_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a million scores, the tables are joined in no time."""
    monkeypatch.undo()
    workspace = write_workspace(tmp_path / "set", PASSAGES, QUERIES, candidates={"q0": ["p0"]})
    score(workspace, "judge", {(0, 0): -5.0})
    set_cutoffs(workspace, "default", scorer_id="judge", negative_below=0.1, positive_above=0.9)
    assert not (workspace.root / "indexes").exists()
    assert files(workspace) == []
