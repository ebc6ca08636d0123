"""Import of runs that were made by other programs."""

import re
import shutil
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.as_of import AsOf
from curate.counted import counted
from curate.errors import BadInput, BadSettings, Damaged
from curate.job_record import Record
from curate.jobs import Job
from curate.load.lines import Advance, require_file
from curate.load.rejects import Rejects
from curate.load.shown import STDIN, file_name, path_of, printable, shown
from curate.load.stdin import standard_input
from curate.mine.candidates import Queries, finish, job_of, write_candidates
from curate.mine.run_file import SIX, read_run
from curate.mine.stage import Mined
from curate.passages import passage_shards
from curate.progress import SILENT, Progress
from curate.shards import file_sha256
from curate.standing import command_to_mine
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import numpy as np
    import pyarrow as pa

BATCH = 65_536  # lines
KB = 1000


def import_run(
    workspace: Workspace,
    path: str | Path,
    *,
    split: str | None = None,
    name: str | None = None,
    max_rejects: int = 0,
    own_copies: bool | None = None,
    progress: Progress = SILENT,
) -> Mined:
    """Import the run in a TREC or MS MARCO file; ranks are computed again from the scores, ties by passage_key.

    path: the file, or `-` for standard input.
    split: the split whose queries are imported, needed if the file has several. name: the beginning of the run's
    id, by default `trec`. If more than `max_rejects` lines are invalid (wrong columns, not a number, unknown ids,
    repeats), nothing is imported and BadInput is raised, with file, line and reason of the first of these lines.
    own_copies: whether a query's own copy stays, by default as in `curate.toml`. Raises BadSettings for an
    unusable name or split, and if there are no passages.
    """
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise BadSettings(f"'{name}' cannot begin a run's id: use only letters, digits, '.', '_' and '-'")
    passage_shards(workspace)
    kept = workspace.settings.mine.override(own_copies=own_copies).own_copies
    with standard_input() as stdin:
        return _imported(workspace, Path(stdin.file(path)), split, name, kept, max_rejects, progress)


def _imported(
    workspace: Workspace,
    path: Path,
    split: str | None,
    name: str | None,
    kept: bool,
    max_rejects: int,
    progress: Progress,
) -> Mined:
    started = time.monotonic()
    require_file(path)
    sha256 = file_sha256(path)
    damaged = [record for record in _imports(workspace, sha256, split, name, kept) if workspace.damage([record])]
    for record in damaged:
        import_again(workspace, record, path, progress)
    if damaged:
        workspace.refuse_further_damage([f"{record.job}: made again" for record in damaged])
    before = _same(workspace, sha256, split, name, kept)
    if before:
        return Mined.of(before, already=True)
    record = _import(workspace, path, sha256, split, name, kept, max_rejects, progress)
    return replace(Mined.of(record, already=False), seconds=round(time.monotonic() - started, 3))


def import_again(
    workspace: Workspace, record: Record, path: Path | None = None, progress: Progress = SILENT
) -> None:
    """Import a run again as of the time when it was imported, from `path` or the file in its record.

    Raises Damaged if that is not the file that was imported.
    """
    settings, allowed = record.settings, int(record.facts.get("max_rejects", 0))
    again = command_to_mine(record, settings["split"], workspace.settings.mine)
    name = str(record.facts.get("file", ""))
    if path is None and name == STDIN:
        raise Damaged(
            "the run came from standard input, of which no copy is kept. "
            f"Import it again: {again.replace('FILE', '-', 1)} < FILE"
        )
    path = path or path_of(name)
    if not path.is_file() or file_sha256(path) != record.inputs["run"]:
        found = "is not the run that was imported" if path.is_file() else "is missing"
        raise Damaged(
            f"{shown(path)} {found}. Put the imported file there and run: curate rebuild. Or, if it lies "
            f"elsewhere, import it again from there: {again}"
        )
    past = AsOf(workspace, record)
    named, kept = settings.get("name"), settings["own_copies"]
    _import(past, path, record.inputs["run"], settings["split"], named, kept, allowed, progress)


def _import(
    workspace: Workspace,
    path: Path,
    sha256: str,
    split: str | None,
    name: str | None,
    own_copies: bool,
    max_rejects: int,
    progress: Progress,
) -> Record:
    rejects = Rejects(max_rejects)
    with workspace.connect_lazily() as connection:
        not_ranked = _read(workspace, connection, path, rejects, progress)
        rejects.refuse_too_many()
        for line, query_id, why in not_ranked:
            query = printable(query_id)
            raise BadInput(
                f"the third column holds no ranks of the query {query}: {why}. {SIX}", file=shown(path), line=line
            )
        queries = Queries(workspace, _split(connection, path, split), own_copies)
        job = _job(queries, sha256, name)
        _write(job, queries, connection, rejects, progress)
    notes = [f"rejected: {counted(rejects.count, 'lines')}; see the table `rejects`"] if rejects.count else []
    facts = {"notes": notes, "file": file_name(path.absolute()), "max_rejects": max_rejects}
    return finish(job, queries, facts=facts)


def _job(queries: Queries, sha256: str, name: str | None) -> Job:
    return job_of(queries, "trec", {"name": name} if name else {}, {"run": sha256}, name)


def _same(
    workspace: Workspace, sha256: str, split: str | None, name: str | None, own_copies: bool
) -> Record | None:
    """Return the record of an earlier import of this file over the same passages and queries, or None."""
    for record in _imports(workspace, sha256, split, name, own_copies):
        job = _job(Queries(workspace, record.settings["split"], own_copies), sha256, name)
        if job.name == record.job:
            return job.record
    return None


def _imports(
    workspace: Workspace, sha256: str, split: str | None, name: str | None, own_copies: bool
) -> list[Record]:
    """Return the records of all imports of this file under this name, with or without own copies."""
    return [
        record
        for record in workspace.records("mine")
        if record.inputs.get("run") == sha256
        and split in {None, record.settings["split"]}
        and record.settings.get("name") == name
        and record.settings["own_copies"] == own_copies
    ]


def _read(
    workspace: Workspace, connection: "duckdb.DuckDBPyConnection", path: Path, rejects: Rejects, progress: Progress
) -> list[tuple[int, str, str]]:
    """Create the table `outcomes` on the connection, and add invalid lines to the rejects.

    Returns (line, query id, reason) if the third of three columns does not hold ranks.
    """

    def reject(line: int, reason: str, text: str) -> None:
        rejects.add(file_name(path), line, reason, text)

    for left in workspace.root.glob(".import-*"):  # left by a killed import
        shutil.rmtree(left)
    with (
        tempfile.TemporaryDirectory(prefix=".import-", dir=workspace.root) as folder,
        progress.task(f"reading {printable(path.name)}", path.stat().st_size // KB, "kB") as advance,
    ):
        lines = Path(folder) / "lines.parquet"
        _as_parquet(path, lines, reject, lambda count: advance(count // KB))
        connection.read_parquet([str(lines)]).create_view("run_lines", replace=True)
        sql_files.execute(connection, "mine/import_outcomes")
        not_ranked: list[tuple[int, str, str]] = sql_files.select(connection, "mine/import_not_ranked").fetchall()
    refused = sql_files.select(connection, "mine/import_refused").to_arrow_reader(BATCH)
    for row in (row for batch in refused for row in batch.to_pylist()):
        reject(**row)
    return not_ranked


def _as_parquet(path: Path, target: Path, reject: Any, advance: Advance) -> None:
    import pyarrow as pa

    from curate.shards import write_parquet

    columns = {"line": pa.int64(), "query_id": pa.string(), "passage_id": pa.string(), "score": pa.float64()}
    columns["rank"] = pa.int64()
    schema = pa.schema(columns)
    found = read_run(path, reject, advance)

    def batches() -> "Iterator[pa.Table]":
        while rows := list(islice(found, BATCH)):
            yield pa.Table.from_pydict({name: [getattr(row, name) for row in rows] for name in columns}, schema)

    write_parquet(target, batches(), schema)


def _split(connection: "duckdb.DuckDBPyConnection", path: Path, wanted: str | None) -> str:
    splits = dict(sql_files.select(connection, "mine/import_splits").fetchall())
    there = ", ".join(f"{split} ({counted(lines, 'lines')})" for split, lines in splits.items())
    if not splits:
        raise BadInput("no line that can be imported", file=shown(path))
    if wanted is None and len(splits) > 1:
        raise BadSettings(f"{shown(path)} has queries of several splits: {there}. Choose one: --split NAME")
    if wanted is not None and wanted not in splits:
        raise BadSettings(f"{shown(path)} has no query of the split '{wanted}'; it has {there}")
    return wanted or next(iter(splits))


def _write(
    job: Job, queries: Queries, connection: "duckdb.DuckDBPyConnection", rejects: Rejects, progress: Progress
) -> None:
    def retrieve(keys: "np.ndarray", _number: int) -> "Iterator[pa.Table]":
        run = {"run_id": job.name, "split": queries.split, "own_copies": queries.own_copies}
        block = {"first": int(keys[0]), "last": int(keys[-1])}
        yield sql_files.select(connection, "mine/import_block", **run, **block).to_arrow_table()

    write_candidates(job, queries, retrieve, progress)
    if rejects.kept:
        job.write_rows("rejects", rejects.kept)
