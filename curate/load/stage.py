"""`curate load`: files of passages, queries and labels become tables, or are rejected with file and line."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

from curate.errors import NoSpace
from curate.job_record import Record
from curate.jobs import Job, numbered
from curate.load.labels import load_labels
from curate.load.lines import Advance
from curate.load.rejects import Rejects
from curate.load.request import LoadOptions, LoadRequest, requested
from curate.load.shown import file_name, shown
from curate.load.texts import load_texts
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.shards import UNWRITABLE
from curate.workspace import Workspace

STEPS = {
    "passages": (load_texts, ("passages",)),
    "queries": (load_texts, ("queries", "unlabeled")),
    "qrels": (load_labels, ("qrels",)),
    "annotations": (load_labels, ("annotations",)),
}
KB = 1000


@dataclass(frozen=True)
class Loaded:
    """The outcome of a load."""

    job: str
    already: bool
    """Whether the same files were loaded before, so that nothing was done."""
    counts: dict[str, int]
    """Table -> number of rows that this load added."""
    collapsed: dict[str, int]
    """Table -> number of rows that repeated known rows."""
    rejected: dict[str, int]
    """Reason -> number of rejected rows."""
    totals: dict[str, int]
    """The number of passages, and of queries by split, in the workspace now."""
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the outcome for a terminal; the last line is the next command."""
        done = f"already loaded, as {self.job}:" if self.already else f"{self.job}:"
        lines = [f"{done} {_listed(self.counts)}"]
        if self.collapsed:
            lines.append(f"repeated rows, kept once: {_listed(self.collapsed)}")
        if self.rejected:
            lines.append(f'rejected ({sum(self.rejected.values()):,}; curate sql "from rejects"):')
            lines += [f"  {count:,} x {reason}" for reason, count in self.rejected.items()]
        queries = {split: count for split, count in self.totals.items() if split != "passages"}
        lines.append(f"in the workspace: {self.totals['passages']:,} passages; queries: {_listed(queries)}")
        return "\n".join([*lines, *self.notes, f"Next: {self._next()}"])

    def _next(self) -> str:
        if not self.totals["passages"]:
            return "curate load --passages FILE"
        return "curate mine" if len(self.totals) > 1 else "curate load --queries FILE"


def load(
    workspace: Workspace,
    *sources: str | Path,
    max_rejects: int = 0,
    progress: Progress = SILENT,
    **options: Unpack[LoadOptions],
) -> Loaded:
    """Load files, and folders in the layout of BEIR or MS MARCO, into the tables; existing rows stay.

    `-` in place of a file is standard input.
    If more than `max_rejects` rows cannot be loaded, nothing is loaded and BadInput is raised, with file, line and
    reason of the first of these rows. Loading the same files again does nothing.
    """
    with requested(*sources, **options) as request:
        return _load(workspace, request, max_rejects, progress)


def _load(workspace: Workspace, request: LoadRequest, max_rejects: int, progress: Progress) -> Loaded:
    before = _same(workspace, request)
    if before:
        return _loaded(workspace, before, already=True, notes=request.notes)
    job = _job(workspace, request, max_rejects)
    rejects = Rejects(max_rejects)
    job.discard()
    try:
        counts, collapsed = _load_all(job, request, rejects, progress)
        rejects.refuse_too_many()
    except BaseException:
        job.discard()
        raise
    if rejects.kept:
        job.write_rows("rejects", rejects.kept)
    record = job.finish(counts=counts, collapsed=collapsed, rejected=dict(rejects.reasons), bytes=request.bytes)
    return _loaded(workspace, record, already=False, notes=request.notes)


def plan_load(
    workspace: Workspace,
    *sources: str | Path,
    max_rejects: int = 0,  # noqa: ARG001 - the twin of `load`
    **options: Unpack[LoadOptions],
) -> Plan:
    """Return the files that `load` would read, their kinds, and the time at the rate of the last load."""
    with requested(*sources, **options) as request:
        return _plan(workspace, request)


def _plan(workspace: Workspace, request: LoadRequest) -> Plan:
    size, before = request.bytes, _same(workspace, request)
    files = [
        f"{file.kind}{f' ({file.split})' if file.split else ''}: {shown(file.path)}" for file in request.files
    ]
    rates = [record.facts["bytes"] / record.seconds for record in workspace.records("load") if record.seconds]
    return Plan(
        "load",
        "kB",
        total=size // KB,
        cached=size // KB if before else 0,
        seconds=size / rates[-1] if rates and not before else None,
        notes=[*files, *request.notes],
    )


def _load_all(
    job: Job, request: LoadRequest, rejects: Rejects, progress: Progress
) -> tuple[dict[str, int], dict[str, int]]:
    counts, collapsed = {}, {}
    with _staging(job.workspace) as staging, progress.task("load", request.bytes // KB, "kB") as advance:
        read = _in_kilobytes(advance)
        for table, (step, kinds) in STEPS.items():
            files = [file for file in request.files if file.kind in kinds]
            counts[table], collapsed[table] = step(job, table, files, rejects, staging, read)
    return counts, {table: count for table, count in collapsed.items() if count}


def _job(workspace: Workspace, request: LoadRequest, max_rejects: int) -> Job:
    settings = {"files": request.identity, "max_rejects": max_rejects}
    numbered_files = enumerate(zip(request.files, request.hashes, strict=True), 1)
    inputs = {f"{number} {file_name(file.path)}": sha256 for number, (file, sha256) in numbered_files}
    return Job(workspace, "load", numbered(workspace, "load"), settings, inputs)


def _same(workspace: Workspace, request: LoadRequest) -> Record | None:
    """Return the earlier load of the same bytes as the same kinds, regardless of file names, or None."""
    wanted = sorted(zip(request.identity, request.hashes, strict=True))
    for record in workspace.records("load"):
        in_order = sorted(record.inputs.items(), key=lambda entry: int(entry[0].partition(" ")[0]))
        if sorted(zip(record.settings["files"], (sha256 for _, sha256 in in_order), strict=True)) == wanted:
            return record
    return None


def _loaded(workspace: Workspace, record: Record, *, already: bool, notes: Iterable[str]) -> Loaded:
    totals = {"passages": 0} | dict(workspace.select("load/totals").iter_rows())
    facts = record.facts
    return Loaded(record.job, already, facts["counts"], facts["collapsed"], facts["rejected"], totals, [*notes])


@contextmanager
def _staging(workspace: Workspace) -> Iterator[Path]:
    """Yield an empty folder for temporary files, after deleting what a killed load left behind.

    Raises NoSpace if the workspace cannot be written.
    """
    folder = workspace.root / ".staging"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
        yield folder
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise NoSpace(
            f"cannot write to {workspace.root}: {error.strerror or error}. Nothing was loaded."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_kilobytes(advance: Advance) -> Advance:
    """Return a function that takes a number of bytes and advances by whole kilobytes."""
    rest = 0

    def read(count: int) -> None:
        nonlocal rest
        whole, rest = divmod(rest + count, KB)
        advance(whole)

    return read


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()) if count) or "nothing"
