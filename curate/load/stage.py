"""`curate load`: files of passages, queries and labels become tables, or are refused with file and line."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from curate import sql_files
from curate.errors import BadSettings, NoSpace
from curate.job_record import Record
from curate.jobs import Job, numbered
from curate.load.input_files import Found, Input, in_folder, in_order
from curate.load.labels import load_labels
from curate.load.lines import Advance, require_file
from curate.load.option_files import given_inputs
from curate.load.recognize import recognized
from curate.load.rejects import Rejects
from curate.load.texts import load_texts
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.shards import UNWRITABLE, file_sha256
from curate.workspace import Workspace

Paths = Iterable[str | Path]

STEPS = {
    "passages": (load_texts, ("passages",)),
    "queries": (load_texts, ("queries", "unlabeled")),
    "qrels": (load_labels, ("qrels",)),
    "annotations": (load_labels, ("annotations",)),
}
KB = 1000


@dataclass(frozen=True)
class Loaded:
    """What a load did."""

    job: str
    already: bool
    """Whether the same files had been loaded before, so that nothing was done."""
    counts: dict[str, int]
    """Table -> rows that this load added."""
    collapsed: dict[str, int]
    """Table -> rows that only said again what was known."""
    rejected: dict[str, int]
    """Reason -> rows in the table `rejects`."""
    totals: dict[str, int]
    """What the workspace holds now: passages, and queries by split."""
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the outcome for a terminal; the last line is the next command."""
        done = f"already loaded, as {self.job}:" if self.already else f"{self.job}:"
        lines = [f"{done} {_listed(self.counts)}"]
        if self.collapsed:
            lines.append(f"said twice, kept once: {_listed(self.collapsed)}")
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
    passages: Paths = (),
    queries: Paths = (),
    unlabeled: Paths = (),
    qrels: Paths = (),
    annotations: Paths = (),
    max_rejects: int = 0,
    progress: Progress = SILENT,
) -> Loaded:
    """Load files, and folders in the layout of BEIR or MS MARCO, into the tables; what is there stays.

    `qrels` takes `FILE` or `SPLIT=FILE`. All or nothing: raises BadInput, with file, line and reason of the
    first rows that cannot be taken, when there are more than `max_rejects` of them. The same files again are
    no second load.
    """
    found = find(sources, passages, queries, unlabeled, qrels, annotations)
    hashes = [file_sha256(file.path) for file in found.inputs]
    before = _same(workspace, found.inputs, hashes)
    if before:
        return _loaded(workspace, before, already=True, notes=found.notes)
    job = _job(workspace, found.inputs, hashes, max_rejects)
    rejects = Rejects(max_rejects)
    job.discard()
    try:
        counts, collapsed = _load_all(job, found.inputs, rejects, progress)
        rejects.refuse_too_many()
    except BaseException:
        job.discard()
        raise
    if rejects.kept:
        job.write_rows("rejects", rejects.kept)
    record = job.finish(
        counts=counts, collapsed=collapsed, rejected=dict(rejects.reasons), bytes=_size(found.inputs)
    )
    return _loaded(workspace, record, already=False, notes=found.notes)


def plan_load(
    workspace: Workspace,
    *sources: str | Path,
    passages: Paths = (),
    queries: Paths = (),
    unlabeled: Paths = (),
    qrels: Paths = (),
    annotations: Paths = (),
    max_rejects: int = 0,  # noqa: ARG001 - the twin of `load`
) -> Plan:
    """Return which files `load` would read, as what, and how long that takes at the rate of earlier loads."""
    found = find(sources, passages, queries, unlabeled, qrels, annotations)
    size = _size(found.inputs)
    before = _same(workspace, found.inputs, [file_sha256(file.path) for file in found.inputs])
    files = [f"{file.kind}{f' ({file.split})' if file.split else ''}: {file.path}" for file in found.inputs]
    rates = [record.facts["bytes"] / record.seconds for record in workspace.records("load") if record.seconds]
    return Plan(
        "load",
        "kB",
        total=size // KB,
        cached=size // KB if before else 0,
        seconds=size / rates[-1] if rates and not before else None,
        notes=[*files, *found.notes],
    )


def find(
    sources: Paths, passages: Paths, queries: Paths, unlabeled: Paths, qrels: Paths, annotations: Paths
) -> Found:
    """Return the files to load, in the order of loading; raises BadInput for one that is not there."""
    options = {"passages": passages, "queries": queries, "unlabeled": unlabeled, "annotations": annotations}
    options["qrels"] = qrels
    given = [file for kind, paths in options.items() for file in given_inputs(kind, paths)]
    inputs: list[Input] = []
    notes: list[str] = []
    for source in map(Path, sources):
        folder = in_folder(source, given) if source.is_dir() else Found((recognized(source),), ())
        inputs += folder.inputs
        notes += folder.notes
    inputs += given
    if not inputs:
        raise BadSettings("nothing to load. Give a folder or files: curate load SOURCE (more: curate load --help)")
    for file in inputs:
        require_file(file.path)
    notes += [f"{file.path}: no split in its name, taken as train" for file in inputs if file.guessed]
    return Found(tuple(in_order(inputs)), tuple(notes))


def _load_all(
    job: Job, inputs: tuple[Input, ...], rejects: Rejects, progress: Progress
) -> tuple[dict[str, int], dict[str, int]]:
    counts, collapsed = {}, {}
    with _staging(job.workspace) as staging, progress.task("load", _size(inputs) // KB, "kB") as advance:
        read = _in_kilobytes(advance)
        for table, (step, kinds) in STEPS.items():
            files = [file for file in inputs if file.kind in kinds]
            counts[table], collapsed[table] = step(job, table, files, rejects, staging, read)
    return counts, {table: count for table, count in collapsed.items() if count}


def _job(workspace: Workspace, inputs: tuple[Input, ...], hashes: list[str], max_rejects: int) -> Job:
    settings = {"files": _identity(inputs), "max_rejects": max_rejects}
    names = {f"{at} {file.path}": sha for at, (file, sha) in enumerate(zip(inputs, hashes, strict=True), 1)}
    return Job(workspace, "load", numbered(workspace, "load"), settings, names)


def _identity(inputs: tuple[Input, ...]) -> list[str]:
    return [f"{file.kind} {file.split}" if file.split else file.kind for file in inputs]


def _same(workspace: Workspace, inputs: tuple[Input, ...], hashes: list[str]) -> Record | None:
    """Return the load that took the same bytes as the same kinds, whatever the files were called."""
    wanted = sorted(zip(_identity(inputs), hashes, strict=True))
    for record in workspace.records("load"):
        numbered = sorted(record.inputs.items(), key=lambda entry: int(entry[0].partition(" ")[0]))
        if sorted(zip(record.settings["files"], (sha for _name, sha in numbered), strict=True)) == wanted:
            return record
    return None


def _loaded(workspace: Workspace, record: Record, *, already: bool, notes: Iterable[str]) -> Loaded:
    totals = {"passages": 0} | dict(workspace.sql(sql_files.sql("stages", "load_totals")).iter_rows())
    facts = record.facts
    return Loaded(record.job, already, facts["counts"], facts["collapsed"], facts["rejected"], totals, [*notes])


def _size(inputs: tuple[Input, ...]) -> int:
    return sum(file.path.stat().st_size for file in inputs)


@contextmanager
def _staging(workspace: Workspace) -> Iterator[Path]:
    """Yield an empty folder for what is in between; leftovers of a load that was killed go first."""
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
    """Return a function that takes bytes and advances whole kilobytes."""
    rest = 0

    def read(count: int) -> None:
        nonlocal rest
        whole, rest = divmod(rest + count, KB)
        advance(whole)

    return read


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()) if count) or "nothing"
