"""Connections that steps share (curate/snapshot_connection.py), and the catalogue's (curate/catalogue.py)."""

import copy
import pickle
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from curate import Workspace, sql_files
from curate.errors import Damaged
from curate.jobs import Job

Make = Callable[..., Workspace]


@pytest.fixture
def here(make_workspace: Make) -> Workspace:
    """Return a workspace with one run of two candidates."""
    return make_workspace({"p1": "one", "p2": "two"}, {"q": "which"}, candidates={"q": ["p1", "p2"]})


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Return what is defined from now on, call by call."""
    calls: list[set[str]] = []
    real = sql_files.define

    def define(connection: duckdb.DuckDBPyConnection, shards: Callable[..., object], names: set[str]) -> None:
        calls.append(set(names))
        real(connection, shards, names)  # type: ignore[arg-type]

    monkeypatch.setattr(sql_files, "define", define)
    return calls


def add_passage(workspace: Workspace) -> None:
    """Write another passage, which changes one table."""
    job = Job(workspace, "load", "load-00002")
    row = {"passage_key": 2, "passage_id": "p3", "title": "", "text": "three", "text_hash": 3}
    job.write_rows("passages", [row])
    job.finish()


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return the number of rows."""
    return int(sql_files.query(connection, f"select count(*) from {table}").fetchall()[0][0])


def test_what_one_question_defines_is_there_for_the_next(here: Workspace, defined: list[set[str]]) -> None:
    """A view takes longer to define than a short question takes."""
    for _ in range(3):
        with here.reading() as connection:
            assert count(connection, "usable_candidates") == 2
    assert [bool(names) for names in defined] == [False, True]


def test_a_question_sees_what_was_written_before_it(here: Workspace, defined: list[set[str]]) -> None:
    """Then only the tables with other shards are defined again."""
    with here.reading() as connection:
        assert (count(connection, "passages"), count(connection, "usable_candidates")) == (2, 2)
    add_passage(here)
    defined.clear()
    with here.reading() as connection:
        assert (count(connection, "passages"), count(connection, "usable_candidates")) == (3, 2)
    (names,) = defined
    assert "passages" in names
    assert names.isdisjoint({"usable_candidates", "candidates"})


def test_who_reads_goes_on_with_what_there_was(here: Workspace) -> None:
    """Several questions in one block fit together, although another thread loads in the meantime."""
    with here.reading() as connection:
        before = count(connection, "passages")
        other = threading.Thread(target=add_passage, args=(here,))
        other.start()
        other.join()
        with here.reading() as later:
            assert count(later, "passages") == before + 1
        assert count(connection, "passages") == before


def test_threads_share_it(here: Workspace) -> None:
    """Each has a cursor of its own."""
    with ExitStack() as stack:
        cursors = [stack.enter_context(here.reading()) for _ in range(4)]
        counted: list[int] = []
        threads = [threading.Thread(target=lambda c=c: counted.append(count(c, "candidates"))) for c in cursors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counted == [2] * 4


def test_damage_is_found_after_a_change(here: Workspace) -> None:
    """A table that was whole when it was first read is checked again."""
    with here.reading() as connection:
        assert count(connection, "candidates") == 2
    add_passage(here)
    shard = Job(here, "mine", "bm25-train").shard("candidates", 0)
    data = bytearray(shard.read_bytes())
    data[30] ^= 1
    shard.write_bytes(data)
    with here.reading() as connection, pytest.raises(Damaged, match="tables/candidates"):
        count(connection, "candidates")


@pytest.mark.parametrize(
    "harm", [lambda path: path.write_bytes(path.read_bytes()[:-9]), lambda path: path.unlink()]
)
def test_damage_is_found_without_a_change(here: Workspace, harm: Callable[[Path], object]) -> None:
    """Each question compares the files with the records."""
    with here.reading() as connection:
        assert count(connection, "candidates") == 2
    harm(Job(here, "mine", "bm25-train").shard("candidates", 0))
    with pytest.raises(Damaged, match="tables/candidates"), here.reading() as connection:
        count(connection, "candidates")


def test_other_bytes_are_found_without_a_change(here: Workspace) -> None:
    """A file of the same size whose bytes are others is never read."""
    with here.reading() as connection:
        assert count(connection, "candidates") == 2
    shard = Job(here, "mine", "bm25-train").shard("candidates", 0)
    data = bytearray(shard.read_bytes())
    data[30] ^= 1
    shard.write_bytes(data)
    with here.reading() as connection, pytest.raises(Damaged, match="tables/candidates"):
        count(connection, "candidates")


def test_a_copy_of_a_workspace_has_a_connection_of_its_own(here: Workspace) -> None:
    """Other processes may get one."""
    with here.reading() as connection:
        assert count(connection, "passages") == 2
    for other in (copy.deepcopy(here), pickle.loads(pickle.dumps(here))):
        with other.reading() as connection:
            assert count(connection, "passages") == 2


def ask_catalogue(workspace: Workspace, question: str) -> list[tuple[object, ...]]:
    """Return the rows that another client gets."""
    with duckdb.connect(str(workspace.catalogue.path)) as connection:
        return connection.execute(question).fetchall()


def test_the_catalogue_defines_only_what_changed(here: Workspace, defined: list[set[str]]) -> None:
    """Its views read the tables by name, so they need not be written again."""
    here.refresh_catalogue()
    defined.clear()
    add_passage(here)
    assert [names & {"passages", "candidates", "decisions", "stages"} for names in defined][-1] == {
        "passages",
        "stages",
    }
    assert ask_catalogue(here, "select count(*) from passages") == [(3,)]
    assert ask_catalogue(here, "select count(*) from stages where stage = 'load'") == [(2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "drop view decisions",
        "create or replace view decisions as select 1 as mine",
        "drop view scores",
        "create or replace view passages as select 1 as mine",
        "drop macro probability",
    ],
)
def test_what_a_user_changed_in_the_catalogue_is_put_right(here: Workspace, statement: str) -> None:
    """By the next command that writes. What users add under other names stays."""
    here.refresh_catalogue()
    before = ask_catalogue(here, "describe decisions")
    names = "select view_name from duckdb_views() where not internal order by all"
    known = ask_catalogue(here, names)
    ask_catalogue(here, "create view mine as from passages")
    ask_catalogue(here, statement)
    here.refresh_catalogue()
    assert ask_catalogue(here, "describe decisions") == before
    assert ask_catalogue(here, names) == sorted([*known, ("mine",)])
    assert ask_catalogue(here, "select probability(0, 1, 1, 0)") == [(0.5,)]
