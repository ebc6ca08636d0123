"""`curate rebuild`: mends what is damaged in a workspace, from what is whole.

Records are restored from their copies, and manifests from the records. Shards that are missing or damaged are made
again: each job runs once more as of the time when it ran (`curate/as_of.py`), so that it gives the same rows.
Loads and imported runs need their files for this. A job waits for the jobs before it, because without them it
would give other rows.
"""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from curate import sql_files
from curate.annotate.sample import write_sample
from curate.as_of import AsOf
from curate.calibration import write_calibration
from curate.counted import counted
from curate.damage import standing
from curate.denoise.compare_texts import COMPARE, compare_again
from curate.denoise.rank_scores import RANKS, score_ranks_again
from curate.denoise.scoring import score_again
from curate.errors import BadSettings, CurateError, Damaged, NoSpace, UnknownName, WorkspaceBusy
from curate.evaluate import measure
from curate.job_record import (
    FORGOTTEN,
    Record,
    forgotten,
    outputs,
    places,
    read_any,
    recorded_jobs,
    restore_record,
)
from curate.jobs import Job
from curate.judge_split import record_again
from curate.load.input_files import Input
from curate.load.request import LoadRequest
from curate.load.shown import STDIN, path_of, shown
from curate.load.stage import load_again
from curate.lost_jobs import Lost
from curate.mine.import_run import import_again
from curate.mine.request import MineOptions, MineRequest
from curate.mined_options import options_of
from curate.progress import SILENT, Progress
from curate.schema_shard import schema_shard
from curate.shards import Lineage, Manifest, file_sha256
from curate.suggest import curate_command
from curate.use import record_choices
from curate.workspace import Workspace

REBUILD = "curate rebuild"  # the advice of an error that is about damage


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild: the number of shards that records name, and what was mended."""

    shards: int
    mended: list[str]
    catalogue: Path

    def text(self) -> str:
        """Return the result for a terminal."""
        whole = f"{counted(self.shards, 'shards are', 'shard is')} intact; {self.catalogue} was rebuilt."
        return "\n".join([*self.mended, whole])


def rebuild(
    workspace: Workspace, *, forget: str | None = None, yes: bool = False, progress: Progress = SILENT
) -> Rebuilt:
    """Check every record, manifest and shard, mend what is damaged, and rebuild the catalogue.

    forget: a job that cannot be made again, whose record and shards are deleted first, or the number of a record
    that is lost. Raises BadSettings if that is or may be a load, because later jobs refer to its passages and
    queries, and if nothing says what it was, unless `yes`.
    Raises Damaged, with what is needed, for everything that cannot be mended; the rest is mended all the same.
    Raises WorkspaceBusy if another program holds the catalogue.
    """
    mended = _forget(workspace, forget, yes=yes) if forget else []
    lost = _records(workspace, mended)
    for table in sql_files.TABLES:
        schema_shard(workspace.root, table)
    for record in workspace.readable_records():
        mended += _manifests(workspace, record)
        damaged = _damaged(workspace, record)
        if not damaged:
            continue
        try:
            _make_again(workspace, record, progress)
        except CurateError as error:
            if lost and error.run == REBUILD:
                lost.append(f"{record.job} ({', '.join(damaged)}): waits for what is above")
            elif _only_scores(damaged):
                mended.append(_without(workspace, record, damaged, error))
            else:
                lost.append(f"{record.job} ({', '.join(damaged)}): {error}. {_give_up(record)}")
        else:
            mended += [f"{name}: made again" for name in damaged]
    if lost:
        rest = [f"Mended: {'; '.join(mended)}"] if mended else []
        raise Damaged("\n".join(["what follows is lost or damaged, and cannot be made again yet:", *lost, *rest]))
    workspace.records()  # raises Damaged if all of them are gone
    _catalogue(workspace)
    workspace.keep_scored_candidates(progress, anew=True)
    return Rebuilt(len(outputs(workspace.root, workspace.records())), mended, workspace.catalogue.path)


def places_of(workspace: Workspace, job: str) -> list[Path]:
    """Return what `rebuild` would delete to forget a job: its records and the folders of its shards.

    Nothing is deleted for the number of a lost record. Raises UnknownName if there is no such job, and BadSettings
    if it is a load.
    """
    if job.isdecimal():
        return []
    jobs = [name for name in recorded_jobs(workspace.stages) if not name.startswith(f"{FORGOTTEN}-")]
    if job not in jobs:
        raise UnknownName(f"no job '{job}'; the jobs are: {', '.join(jobs) or 'none yet'}")
    record = read_any(workspace.stages, job)
    if record.stage == "load" if record else job.startswith("load-"):
        raise BadSettings(f"{job} cannot be forgotten: later jobs refer to its passages and queries")
    folders = [folder for folder in workspace.root.glob(f"tables/*/{job}") if folder.is_dir()]
    return [*(path for path in places(workspace.stages, job) if path.exists()), *sorted(folders)]


def _forget(workspace: Workspace, job: str, *, yes: bool) -> list[str]:
    """Delete a job's record and shards; return a note about each table. A number gives up a lost record."""
    if job.isdecimal():
        return _forget_number(workspace, int(job), yes=yes)
    deleted = places_of(workspace, job)
    folders = [path for path in deleted if path.is_dir()]
    record = read_any(workspace.stages, job)
    if number := record.number if record else _number_of_unreadable(workspace):
        forgotten(number, job).write(workspace.stages)
    for path in deleted:
        if path in folders:
            shutil.rmtree(path)
        else:
            path.unlink()
    return [f"{folder.relative_to(workspace.root)}: forgotten" for folder in folders]


def _number_of_unreadable(workspace: Workspace) -> int | None:
    """Return a number for a record that cannot be read, or None if there is none that cannot be a load's."""
    lost = Lost.of(workspace.root, workspace.readable_records())
    return lost.numbers[0] if lost.numbers and lost.forgettable else None


def _forget_number(workspace: Workspace, number: int, *, yes: bool) -> list[str]:
    """Give up the record with a number, if it is gone and not that of a load; return a note."""
    lost = Lost.of(workspace.root, workspace.readable_records())
    if number not in lost.numbers:
        gone = ", ".join(map(str, lost.numbers)) or "none"
        raise BadSettings(f"the record number {number} is not lost; lost are: {gone}")
    if not lost.forgettable and (lost.loads or not yes):
        raise BadSettings(lost.text(number))
    forgotten(number).write(workspace.stages)
    return [f"the record number {number}: forgotten"]


def _records(workspace: Workspace, mended: list[str]) -> list[str]:
    """Restore records from their copies, with a note in `mended` about each; return texts about the lost ones."""
    unreadable = []
    for job in recorded_jobs(workspace.stages):
        try:
            if restore_record(workspace.stages, job):
                mended.append(f"the record of {job}: restored")
        except Damaged as error:
            unreadable.append(f"{error}{'' if job.startswith('load-') else _or_give_up(job)}")
    lost = Lost.of(workspace.root, workspace.readable_records())
    if len(lost.numbers) <= len(unreadable):  # the number of a record that cannot be read is missing too
        return unreadable
    return unreadable + [lost.text(number) for number in lost.numbers]


def _manifests(workspace: Workspace, record: Record) -> list[str]:
    """Write the manifests again that do not fit to whole shards of a job; return a note about each."""
    import pyarrow.parquet as pq

    mended = []
    for shard in outputs(workspace.root, [record]):
        path = shard.path
        if standing(shard) and path.is_file() and file_sha256(path) == shard.sha256:
            lineage = Lineage(record.stage, record.job, record.settings, record.inputs)
            rows = pq.read_metadata(path).num_rows
            Manifest(path.name, rows, path.stat().st_size, shard.sha256, lineage).write(path)
            mended.append(f"{Manifest.path(path).relative_to(workspace.root)}: restored")
    return mended


def _damaged(workspace: Workspace, record: Record) -> list[str]:
    return sorted(str(damage.path.relative_to(workspace.root)) for damage in workspace.damage([record]))


def _make_again(workspace: Workspace, record: Record, progress: Progress) -> None:
    """Run the job of a record again. Raises CurateError if it cannot be run, or comes out as another job."""
    again = AGAIN.get(record.stage)
    if again is None:
        raise Damaged(f"nothing is known of how to run a job of the stage '{record.stage}' again")
    progress.say(f"making {record.job} again")
    again(workspace, record, progress)
    still = _damaged(workspace, next(found for found in workspace.readable_records() if found.job == record.job))
    if still:
        raise Damaged(f"{', '.join(still)} did not come back")


def _only_scores(damaged: list[str]) -> bool:
    return all(name.startswith("tables/scores/") for name in damaged)


def _without(workspace: Workspace, record: Record, damaged: list[str], error: CurateError) -> str:
    """Take shards of scores out of a job, so that their pairs are unscored; return a note that says so."""
    for name in damaged:
        (workspace.root / name).unlink(missing_ok=True)
    left = {name: sha256 for name, sha256 in record.outputs.items() if name not in damaged}
    replace(record, outputs=left, facts={**record.facts, "lost": sorted(damaged)}).write(workspace.stages)
    of_run = ("--run", record.settings["run"])
    again = (
        ("calibrate", *of_run, "--ranks") if record.stage == RANKS else ("denoise", *of_run, "--scorer", "MODEL")
    )
    return (
        f"{', '.join(damaged)}: these scores are lost ({error}), and their pairs are unscored now. "
        f"Score them again: {curate_command(*again)}"
    )


def _catalogue(workspace: Workspace) -> None:
    """Write the catalogue; one that DuckDB cannot use is set aside as `curate.duckdb.damaged`."""
    catalogue = workspace.catalogue
    try:
        written = workspace.refresh_catalogue()
    except (Damaged, NoSpace):
        raise
    except CurateError:
        catalogue.set_aside()
        written = workspace.refresh_catalogue()
    if not written:
        raise WorkspaceBusy(
            f"the tables are whole, but {catalogue.path} is open in another program. Close it there, then run: "
            "curate rebuild"
        )


def _load(workspace: Workspace, record: Record, progress: Progress) -> None:
    with contextlib.chdir(_folder_of(record)):
        load_again(workspace, record, _request(record), progress)


def _folder_of(record: Record) -> str:
    folder = path_of(str(record.facts.get("folder", ".")))
    return str(folder) if folder.is_dir() else "."


def _request(record: Record) -> LoadRequest:
    """Return the request of a load, from its record; raises Damaged if its files are not what was loaded."""
    in_order = sorted(record.inputs.items(), key=lambda entry: int(entry[0].partition(" ")[0]))
    files = []
    for kind, (name, sha256) in zip(record.settings["files"], in_order, strict=True):
        path = path_of(name.partition(" ")[2])
        if str(path) == STDIN and not path.is_file():
            raise Damaged(
                "the rows came from standard input, of which no copy is kept. "
                "Load them again with the same options and files: curate load - < FILE"
            )
        if not path.is_file() or file_sha256(path) != sha256:
            found = "is not what was loaded" if path.is_file() else "is missing"
            raise Damaged(
                f"{shown(path.absolute())} {found}. Put the file that was loaded there and run: curate rebuild. "
                "Or, if it lies elsewhere, load the same files again from there: curate load FILES"
            )
        what, _, split = kind.partition(" ")
        files.append(Input(what, path, split or None))
    return LoadRequest(tuple(files), ())


def _mine(workspace: Workspace, record: Record, progress: Progress) -> None:
    if "run" in record.inputs:
        import_again(workspace, record, progress=progress)
        return
    options = options_of(record)
    if record.facts.get("language_detected"):
        del options["language"]
    given = {name: options[name] for name in MineOptions.__annotations__ if name in options}
    request = MineRequest.of(AsOf(workspace, record), **given)
    _same_job(request.job, record)
    request.run(progress)


def _evaluate(workspace: Workspace, record: Record, progress: Progress) -> None:  # noqa: ARG001
    measure(AsOf(workspace, record), record.settings["run"])


def _cutoffs(workspace: Workspace, record: Record, progress: Progress) -> None:  # noqa: ARG001
    job = Job(AsOf(workspace, record), "cutoffs", record.job, record.settings)
    job.write_rows("cutoffs", [dict(record.settings)])
    job.finish()


def _calibrate(workspace: Workspace, record: Record, progress: Progress) -> None:  # noqa: ARG001
    write_calibration(AsOf(workspace, record), record.job, record.settings, record.inputs)


def _use(workspace: Workspace, record: Record, progress: Progress) -> None:  # noqa: ARG001
    record_choices(AsOf(workspace, record), record.job, record.settings)


def _denoise(workspace: Workspace, record: Record, progress: Progress) -> None:
    score_again(AsOf(workspace, record), record, progress)


def _ranks(workspace: Workspace, record: Record, progress: Progress) -> None:  # noqa: ARG001
    score_ranks_again(AsOf(workspace, record), record)


def _compare(workspace: Workspace, record: Record, progress: Progress) -> None:
    compare_again(AsOf(workspace, record), record, progress)


def _train(workspace: Workspace, record: Record, progress: Progress) -> None:  # noqa: ARG001
    then = AsOf(workspace, record)
    record_again(then, Job(then, "train", record.job, record.settings, record.inputs), dict(record.facts))


def _sample(workspace: Workspace, record: Record, progress: Progress) -> None:  # noqa: ARG001
    write_sample(Job(AsOf(workspace, record), "sample", record.job, record.settings, record.inputs))


def _same_job(job: Job, record: Record) -> None:
    if job.name != record.job:
        raise Damaged(
            f"it would become another run, {job.name}: its model, the version of its back end or curate changed"
        )


def _give_up(record: Record) -> str:
    return f"Or restore the shard from a backup{'' if record.stage == 'load' else _or_give_up(record.job)}"


def _or_give_up(job: str) -> str:
    return f", or give the job up: {curate_command('rebuild', '--forget', job)}"


AGAIN: dict[str, Callable[[Workspace, Record, Progress], None]] = {
    "load": _load,
    "mine": _mine,
    "denoise": _denoise,
    RANKS: _ranks,
    COMPARE: _compare,
    "calibrate": _calibrate,
    "cutoffs": _cutoffs,
    "use": _use,
    "evaluate": _evaluate,
    "train": _train,
    "sample": _sample,
}
