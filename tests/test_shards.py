"""The one writer, whose files are complete or absent (curate/shards.py, curate/jobs.py)."""

import errno
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import Workspace, sql_files
from curate.errors import BadSettings, Damaged, NoSpace, WorkspaceBusy
from curate.jobs import Job
from curate.rebuild import rebuild
from curate.shards import Lineage, Manifest, done, publish, write_parquet

SCHEMA = pa.schema([("n", pa.int32())])
LINEAGE = Lineage("test", "job", {"depth": 50}, {"passages": "abc"})


def numbers(path: Path) -> int:
    return write_parquet(path, [pa.table({"n": [1, 2, 3]})], SCHEMA)


def test_a_published_shard_has_a_manifest_that_tells_its_bytes_and_lineage(tmp_path: Path) -> None:
    """The manifest is beside the shard."""
    manifest = publish(tmp_path / "a.parquet", numbers, LINEAGE)
    assert manifest.rows == 3
    assert Manifest.read(tmp_path / "a.parquet") == manifest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "a.parquet.json"]
    assert json.loads((tmp_path / "a.parquet.json").read_text())["lineage"]["settings"] == {"depth": 50}


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    """A resumed job must not differ from an uninterrupted one."""
    first, second = (publish(tmp_path / name, numbers, LINEAGE) for name in ("a.parquet", "b.parquet"))
    assert first.sha256 == second.sha256


def test_a_failing_writer_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a partial file nor a temporary one remains."""

    def fail(path: Path) -> int:
        path.write_bytes(b"half")
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError, match="the model broke"):
        publish(tmp_path / "a.parquet", fail, LINEAGE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_crash_at_any_point_leaves_a_shard_that_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The steps are data, rename and manifest.

    After a crash at any of them, the shard is redone with the same bytes.
    """
    whole = publish(tmp_path / "whole.parquet", numbers, LINEAGE).sha256
    owner = Path if call == "replace" else os
    real = getattr(owner, call)
    for step in range(1, 10):
        steps = iter(range(1, 100))

        def broken(*arguments: object, at: int = step, steps: Iterator[int] = steps) -> object:
            if next(steps) == at:
                raise OSError(errno.EIO, "power is out")
            return real(*arguments)

        target = tmp_path / f"{step}.parquet"
        monkeypatch.setattr(owner, call, broken)
        try:
            publish(target, numbers, LINEAGE)
        except OSError:
            manifest = done(target, LINEAGE)
            assert manifest is None or manifest.sha256 == whole
        else:
            assert step > 1, "the fault never fired"
            break
        finally:
            monkeypatch.undo()
        assert publish(target, numbers, LINEAGE).sha256 == whole
    else:
        pytest.fail("publish never came to an end")


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    """The exit code is 6, and the message says what to do."""

    def full(path: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(NoSpace, match="No space left"):
        publish(tmp_path / "a.parquet", full, LINEAGE)


@pytest.mark.parametrize(
    "harm", ["truncate", "flip a byte", "lose the manifest", "break the manifest", "other lineage"]
)
def test_a_shard_that_is_not_what_its_manifest_says_is_not_done(tmp_path: Path, harm: str) -> None:
    """A resumed job trusts only intact bytes with equal lineage."""
    target, lineage = tmp_path / "a.parquet", LINEAGE
    publish(target, numbers, LINEAGE)
    assert done(target, LINEAGE)
    data = target.read_bytes()
    if harm == "truncate":
        target.write_bytes(data[:-1])
    elif harm == "flip a byte":
        target.write_bytes(data[:10] + bytes([data[10] ^ 1]) + data[11:])
    elif harm == "lose the manifest":
        Manifest.path(target).unlink()
    elif harm == "break the manifest":
        Manifest.path(target).write_text("{")
    else:
        lineage = Lineage("test", "job", {"depth": 100}, {"passages": "abc"})
    assert done(target, lineage) is None


def loaded(root: Path) -> Workspace:
    """Return a workspace with one load, which is the first job of every workspace."""
    workspace = Workspace.create(root)
    Job(workspace, "load", "load-00001").finish()
    return workspace


def test_a_job_counts_when_its_record_stands(tmp_path: Path) -> None:
    """Nobody sees half a run. Planning the job again finds it complete."""
    workspace = loaded(tmp_path / "set")
    job = Job(workspace, "mine", "bm25-train", {"depth": 1}, {})
    row = {"run_id": "bm25-train", "query_key": 0, "passage_key": 0, "rank": 1, "score": 1.0}
    job.write_rows("candidates", [row])
    assert workspace.scan("candidates").collect().is_empty()
    job.finish(queries=1)
    assert workspace.scan("candidates").collect().height == 1
    assert Job(workspace, "mine", "bm25-train", {"depth": 1}, {}).record
    assert Job(workspace, "mine", "bm25-train", {"depth": 2}, {}).record is None


def test_scores_count_as_soon_as_their_shard_stands(tmp_path: Path) -> None:
    """The ledger's shards hold complete answers, so those of an interrupted job are not computed twice."""
    workspace = loaded(tmp_path / "set")
    row = {"scorer_id": "judge", "query_key": 0, "passage_key": 0, "logit": 1.0}
    Job(workspace, "denoise", "score-1").write_rows("scores", [row])
    assert workspace.scan("scores").collect().height == 1


def test_rebuild_loses_nothing_and_names_damage(tmp_path: Path) -> None:
    """The catalogue is disposable, but other people's tables in it are kept."""
    workspace = loaded(tmp_path / "set")
    with sql_files.connect(str(workspace.root / "curate.duckdb")) as connection:
        connection.execute("create table mine_own as select 42 as answer")
    job = Job(workspace, "mine", "r")
    job.write_rows("candidates", [{"run_id": "r", "query_key": 0, "passage_key": 0, "rank": 1, "score": 1.0}])
    job.finish()
    assert rebuild(workspace).shards == 1
    with sql_files.connect(str(workspace.root / "curate.duckdb"), access_mode="READ_ONLY") as connection:
        assert connection.sql("select answer from mine_own").fetchall() == [(42,)]
        assert connection.sql("select count(*) from candidates").fetchall() == [(1,)]
    job.shard("candidates", 0).write_bytes(b"broken")
    with pytest.raises(Damaged, match=r"tables/candidates/r/00000\.parquet"):
        rebuild(workspace)


def test_a_lost_catalogue_comes_back_with_everything(tmp_path: Path) -> None:
    """The catalogue may get lost, so nothing is stored only there."""
    workspace = Workspace.create(tmp_path / "set")
    (workspace.root / "curate.duckdb").write_bytes(b"not a database at all, but long enough to be looked at")
    rebuild(workspace)
    assert (workspace.root / "curate.duckdb.damaged").exists()
    with sql_files.connect(str(workspace.root / "curate.duckdb"), access_mode="READ_ONLY") as connection:
        assert connection.sql("select count(*) from decisions").fetchall() == [(0,)]


def test_a_moved_workspace_opens_in_any_client_after_one_command(tmp_path: Path) -> None:
    """The catalogue's views have absolute paths. A refresh adapts them to the new folder."""
    first = Workspace.create(tmp_path / "before")
    moved = first.root.rename(tmp_path / "after")
    Workspace(moved).refresh_catalogue()
    with sql_files.connect(str(moved / "curate.duckdb"), access_mode="READ_ONLY") as connection:
        assert connection.sql("select count(*) from passages").fetchall() == [(0,)]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    """The second writer learns which process is writing. Readers never wait."""
    workspace = Workspace.create(tmp_path / "set")
    with workspace.lock(), pytest.raises(WorkspaceBusy, match=str(os.getpid())), Workspace(workspace.root).lock():
        pass
    with workspace.lock():
        assert Workspace(workspace.root).sql("select 1 as one")["one"].to_list() == [1]


def test_a_folder_without_settings_is_no_workspace(tmp_path: Path) -> None:
    """The error says how to make a workspace."""
    with pytest.raises(BadSettings, match="curate init"):
        Workspace.find(tmp_path)


@pytest.mark.parametrize("name", ["my[1]", "my*", "my?"])
def test_a_folder_that_duckdb_would_read_as_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    """For the folder my[1], DuckDB would read the tables of my1."""
    with pytest.raises(BadSettings, match="patterns"):
        Workspace.create(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_every_table_keeps_its_schema_without_rows(tmp_path: Path) -> None:
    """Each table has a shard without rows, so an empty workspace answers every query."""
    workspace = Workspace.create(tmp_path / "set")
    for table in sql_files.TABLES:
        (shard,) = workspace.shards(table)
        assert pq.read_schema(shard).equals(sql_files.schema(table))


def test_what_a_killed_process_has_spilled_goes_with_the_next_command(tmp_path: Path) -> None:
    """Each process spills into its own folder. The folders of running processes are kept."""
    workspace = Workspace.create(tmp_path / "set")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folders = [workspace.root / f".spill-{platform.node()}-{pid}" for pid in (gone.pid, os.getpid())]
    for folder in folders:
        folder.mkdir()
    with workspace.lock():
        assert [folder.exists() for folder in folders] == [False, True]
