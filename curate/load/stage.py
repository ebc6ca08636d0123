"""`curate load`: files of passages, queries and labels become tables, or are rejected with file and line."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

from curate import sql_files
from curate.as_of import AsOf
from curate.counted import counted
from curate.errors import Damaged, NoSpace
from curate.job_record import Record
from curate.jobs import Job, numbered
from curate.load.labels import load_labels
from curate.load.lines import Advance
from curate.load.own_copies import load_own_copies
from curate.load.rejects import Rejects
from curate.load.request import LoadOptions, LoadRequest, requested
from curate.load.shown import file_name, shown
from curate.load.texts import Counts, load_texts
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.shards import UNWRITABLE, Manifest, fsync
from curate.workspace import Workspace

STEPS = {
    "passages": (load_texts, ("passages",)),
    "queries": (load_texts, ("queries", "unlabeled")),
    "qrels": (load_labels, ("qrels",)),
    "annotations": (load_labels, ("annotations",)),
}
KB = 1000
AGAIN = ".again"  # the folder for shards that are made again, until they are known to be the same


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
    corrected: dict[str, int]
    """Table -> number of labels that replaced an older one."""
    rejected: dict[str, int]
    """Reason -> number of rejected rows."""
    totals: dict[str, int]
    """The number of passages, and of queries by split, in the workspace now."""
    held_out: dict[str, int]
    """The number of queries in the workspace that do not train because dev or test names them, by what else they
    are."""
    own_copies: int
    """The number of queries in the workspace whose own text is a passage with the query's id."""
    notes: list[str] = field(default_factory=list)
    next: str = "curate mine"
    """The command after loading: `curate run` if `curate.toml` has a recipe."""

    def text(self) -> str:
        """Return the outcome for a terminal; the last line is the next command."""
        done = f"already loaded, as {self.job}:" if self.already else f"{self.job}:"
        lines = [f"{done} {_listed(self.counts)}"]
        if self.collapsed:
            lines.append(f"repeated rows, kept once: {_listed(self.collapsed)}")
        if self.corrected:
            lines.append(
                f"corrected: {_listed(self.corrected)}; what was measured, exported or trained before used the "
                "older labels"
            )
        if self.rejected:
            lines.append(f'rejected ({sum(self.rejected.values()):,}; curate sql "from rejects"):')
            lines += [f"  {count:,} x {reason}" for reason, count in self.rejected.items()]
        queries = {split: count for split, count in self.totals.items() if split != "passages"}
        lines.append(
            f"in the workspace: {counted(self.totals['passages'], 'passages')}; queries: {_listed(queries)}"
        )
        if any(self.held_out.values()):
            lines.append(f"held out, because dev or test names them: {_listed(self.held_out)}")
        if self.own_copies:
            lines.append(
                f"{counted(self.own_copies, 'queries are passages', 'query is a passage')} too, with the same id "
                "and text; runs leave a query's "
                "own copy out (to keep it: curate mine --own-copies)"
            )
        return "\n".join([*lines, *self.notes, f"Next: {self._next()}"])

    def _next(self) -> str:
        if not self.totals["passages"]:
            return "curate load --passages FILE"
        if len(self.totals) == 1:
            return "curate load --queries FILE"
        return self.next if self.totals.get("train") else "curate load --qrels train=FILE"


def load(
    workspace: Workspace,
    *sources: str | Path,
    max_rejects: int = 0,
    progress: Progress = SILENT,
    **options: Unpack[LoadOptions],
) -> Loaded:
    """Load files, and folders in the layout of BEIR or MS MARCO, into the tables; existing rows stay.

    `-` in place of a file is standard input. A label of a pair that is judged already replaces the older label,
    which the table keeps. If more than `max_rejects` rows cannot be loaded, nothing is loaded and BadInput is
    raised, with file, line and reason of the first of these rows. Loading the same files again does nothing,
    unless a later load corrected labels or could have made rejected rows loadable.
    """
    with requested(*sources, **options) as request:
        return _load(workspace, request, max_rejects, progress)


def _load(workspace: Workspace, request: LoadRequest, max_rejects: int, progress: Progress) -> Loaded:
    before = _same(workspace, request)
    if before:
        again = load_again(workspace, before, request, progress) if workspace.damage([before]) else []
        if again:
            workspace.refuse_further_damage(again)
        return _loaded(workspace, before, already=True, notes=[*request.notes, *again])
    job = _job(workspace, request, max_rejects)
    rejects = Rejects(max_rejects)
    job.discard()
    try:
        counts = _load_all(job, request, rejects, progress)
        rejects.refuse_too_many(request.notes)
    except BaseException:
        job.discard()
        raise
    _write_rejects(job, rejects)
    record = job.finish(
        **_facts(counts, rejects),
        bytes=request.bytes,
        folder=file_name(Path.cwd()),
    )
    return _loaded(workspace, record, already=False, notes=request.notes)


def load_again(
    workspace: Workspace, record: Record, request: LoadRequest, progress: Progress = SILENT
) -> list[str]:
    """Make the damaged shards of a load again from the same files; return a note about each.

    The files are read as they were then: after the loads before it, and before those after it. So every passage
    and every query gets its own key again. Raises Damaged, and changes nothing, if they now give other rows.
    """
    past = AsOf(workspace, record, AGAIN)
    shutil.rmtree(past.written, ignore_errors=True)
    job = Job(past, "load", record.job, record.settings, record.inputs)
    rejects = Rejects(record.settings["max_rejects"])
    try:
        counts = _load_all(job, request, rejects, progress)
        _write_rejects(job, rejects)
        return _put_back(workspace, record, job, _facts(counts, rejects))
    finally:
        shutil.rmtree(past.written, ignore_errors=True)


def _put_back(workspace: Workspace, record: Record, job: Job, facts: dict[str, Any]) -> list[str]:
    """Move the shards that replace damaged ones to their places; return a note about each."""
    made = job.outputs
    damaged = {str(damage.path.relative_to(workspace.root)) for damage in workspace.damage([record])}
    changed = {name for name in damaged if made.get(name) != record.outputs[name]}
    keyed = {name for name in changed if name.startswith(("tables/passages/", "tables/queries/"))}
    if keyed or any(record.facts[name] != value for name, value in facts.items()):
        raise Damaged(
            f"{record.job} cannot be made again: its files now give other rows than curate {record.version} "
            f"read from them. Restore {', '.join(sorted(damaged))} from a backup, or load everything into a new "
            "workspace"
        )
    for name in sorted(damaged):
        for path in (workspace.root / name, Manifest.path(workspace.root / name)):
            path.parent.mkdir(parents=True, exist_ok=True)
            (job.workspace.written / path.relative_to(workspace.written)).replace(path)
            fsync(path.parent)
    if changed:  # the names of files, which are data too, are others now
        replace(record, outputs={**record.outputs, **{name: made[name] for name in changed}}).write(
            workspace.stages
        )
    return [f"{name}: made again" for name in sorted(damaged)]


def _write_rejects(job: Job, rejects: Rejects) -> None:
    """Write the rejected rows, and the queries of dev and test that they name."""
    if rejects.kept:
        job.write_rows("rejects", rejects.kept)
    if rejects.claims:
        job.write("claims", 0, lambda: [rejects.claims_table()])


def _facts(counts: dict[str, Counts], rejects: Rejects) -> dict[str, Any]:
    """Return what the record of a load says about its rows."""
    return {
        "counts": {table: count.loaded for table, count in counts.items()},
        "collapsed": {table: count.collapsed for table, count in counts.items() if count.collapsed},
        "corrected": {table: count.corrected for table, count in counts.items() if count.corrected},
        "rejected": dict(rejects.reasons),
        "unread": rejects.unread,
    }


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
        total=-(-size // KB),
        cached=-(-size // KB) if before else 0,
        seconds=size / rates[-1] if rates and not before else None,
        notes=[*files, *request.notes],
    )


def _load_all(job: Job, request: LoadRequest, rejects: Rejects, progress: Progress) -> dict[str, Counts]:
    counts = {}
    with _staging(job.workspace) as staging, progress.task("load", request.bytes // KB, "kB") as advance:
        read = _in_kilobytes(advance)
        for table, (step, kinds) in STEPS.items():
            files = [file for file in request.files if file.kind in kinds]
            counts[table] = step(job, table, files, rejects, staging, read)
    if counts["passages"].loaded or counts["queries"].loaded:
        load_own_copies(job)
    return counts


def _job(workspace: Workspace, request: LoadRequest, max_rejects: int) -> Job:
    settings = {"files": request.identity, "max_rejects": max_rejects}
    numbered_files = enumerate(zip(request.files, request.hashes, strict=True), 1)
    inputs = {f"{number} {file_name(file.path)}": sha256 for number, (file, sha256) in numbered_files}
    return Job(workspace, "load", numbered(workspace, "load"), settings, inputs)


def _same(workspace: Workspace, request: LoadRequest) -> Record | None:
    """Return the earlier load of the same bytes as the same kinds, regardless of file names, or None.

    A load that later ones corrected is not the same any more, nor is one with rejects, which later rows may mend.
    If a shard of the earlier load is damaged, however, it is that load which has to be made again.
    """
    wanted = sorted(zip(request.identity, request.hashes, strict=True))
    records = workspace.records("load")
    for number, record in enumerate(records):
        later = records[number + 1 :]
        outdated = any(other.facts["corrected"] for other in later) or (record.facts["rejected"] and later)
        if outdated and not workspace.damage([record]):
            continue
        in_order = sorted(record.inputs.items(), key=lambda entry: int(entry[0].partition(" ")[0]))
        if sorted(zip(record.settings["files"], (sha256 for _, sha256 in in_order), strict=True)) == wanted:
            return record
    return None


def _loaded(workspace: Workspace, record: Record, *, already: bool, notes: Iterable[str]) -> Loaded:
    facts = {name: record.facts[name] for name in ("counts", "collapsed", "corrected", "rejected")}
    with workspace.connect_lazily() as connection:
        totals = {"passages": 0} | dict(sql_files.select(connection, "load/totals").fetchall())
        held_out = dict(sql_files.select(connection, "load/held_out").fetchall())
    own_copies = totals.pop("own copies")
    return Loaded(
        record.job,
        already,
        **facts,
        totals=totals,
        held_out=held_out,
        own_copies=own_copies,
        notes=[*notes, *_lost(record.facts["unread"])],
        next="curate run" if "recipe" in workspace.settings.model_fields_set else "curate mine",
    )


def _lost(unread: int) -> list[str]:
    """Return a warning if queries of dev or test may be lost with the rejected rows."""
    if not unread:
        return []
    return [
        f"Warning: {unread:,} rejected rows of dev or test could not be read as far as the query's id. "
        "If they name queries, these are not held out."
    ]


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
