"""`curate use`: the choice of the current runs and cutoffs, which outranks the automatic rule."""

from collections.abc import Mapping
from dataclasses import dataclass

from curate.choose_run import chosen_run, newest_first
from curate.cutoffs import TO_SCORE, chosen_cutoffs, current_cutoffs
from curate.jobs import Job, numbered
from curate.workspace import Workspace

SPLITS = ("train", "unlabeled", "dev", "test")


@dataclass(frozen=True)
class Used:
    """What is current after `use`."""

    runs: dict[str, str]
    """Split -> its current run."""
    because: dict[str, str]
    """Split -> why: `chosen`, `denoised last` or `newest`; `cutoffs` -> why: `chosen`, `default` or `set last`."""
    cutoffs: str | None
    """The name of the current cutoffs; None before the first scores."""

    def text(self) -> str:
        """Return what is current for a terminal."""
        lines = [f"{split}: run {run} ({self.because[split]})" for split, run in self.runs.items()]
        named = f"'{self.cutoffs}' ({self.because['cutoffs']})" if self.cutoffs else f"none yet. Run: {TO_SCORE}"
        return "\n".join([*lines, f"cutoffs: {named}"])


def use(workspace: Workspace, *, run: str | None = None, cutoffs: str | None = None, auto: bool = False) -> Used:
    """Choose a run, for its split, and the cutoffs that commands use from now on; return what is current.

    auto: withdraw the earlier choices first. The table `choices` keeps them all. Raises BadSettings for an unknown
    run or unknown cutoffs.
    """
    past = workspace.scan("choices").sort("number").collect().to_dicts()
    in_force = {row["subject"]: row["name"] for row in past}
    wanted: dict[str, str | None] = dict.fromkeys(in_force) if auto else {}
    if run is not None:
        split_of = {row["run_id"]: row["split"] for row in newest_first(workspace)}
        wanted[split_of[chosen_run(workspace, run)]] = run
    if cutoffs is not None:
        wanted["cutoffs"] = chosen_cutoffs(workspace, cutoffs)
    new = {subject: name for subject, name in wanted.items() if in_force.get(subject) != name}
    if new:
        record_choices(workspace, numbered(workspace, "use"), new)
    return current(workspace)


def record_choices(workspace: Workspace, name: str, new: Mapping[str, str | None]) -> None:
    """Write the job `name`. new: `cutoffs` or a split -> the name chosen for it, or None if that is withdrawn."""
    job = Job(workspace, "use", name, new)
    # The highest number and not the count, because some choices may be forgotten.
    last = max(workspace.scan("choices").collect()["number"].to_list(), default=0)
    rows = enumerate(sorted(new.items()), 1 + last)
    job.write_rows("choices", [{"number": n, "subject": about, "name": name} for n, (about, name) in rows])
    job.finish()


def current(workspace: Workspace) -> Used:
    """Return the current run of each split and the current cutoffs."""
    rows = {row["split"]: row for row in newest_first(workspace) if row["because"]}
    runs = {split: rows[split]["run_id"] for split in SPLITS if split in rows}
    because = {split: rows[split]["because"] for split in runs}
    cutoffs = current_cutoffs(workspace)
    if cutoffs:
        because["cutoffs"] = cutoffs["because"]
    return Used(runs, because, cutoffs["name"] if cutoffs else None)
