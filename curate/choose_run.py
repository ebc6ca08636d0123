"""The current run of each split, which commands use if none is named (`sql/views/current_runs.sql`)."""

from collections.abc import Sequence
from typing import Any

from curate.errors import BadSettings, StepMissing, UnknownName
from curate.nearest import nearest
from curate.suggest import curate_command
from curate.workspace import Workspace


def chosen_run(workspace: Workspace, run_id: str | None, split: str = "train") -> str:
    """Return `run_id`, or the current run over `split` if it is None; raises BadSettings for a missing run."""
    runs = newest_first(workspace)
    if run_id:
        if any(run["run_id"] == run_id for run in runs):
            return run_id
        raise UnknownName(f"no run '{run_id}': {nearest(run_id, [run['run_id'] for run in runs])}")
    for run in runs:
        if run["split"] == split and run["because"]:
            return str(run["run_id"])
    raise StepMissing(f"no candidates for the split '{split}' yet", run=curate_command("mine", "--split", split))


def run_to_denoise(workspace: Workspace, run_id: str | None) -> str:
    """Return `run_id`, or else the run over train chosen with `curate use`, or else the newest one.

    A new run has to be denoised before it can become the current one. Raises BadSettings for a missing run.
    """
    over_train = [run for run in newest_first(workspace) if run["split"] == "train"]
    chosen = [run for run in over_train if run["because"] == "chosen"]
    return chosen_run(workspace, run_id or next((run["run_id"] for run in chosen or over_train), None))


def training_runs(workspace: Workspace, asked: Sequence[str] | None, *, augmented: bool) -> list[str]:
    """Return the runs that were asked for, or the current ones over `train` and, if augmented, over `unlabeled`.

    Raises BadSettings for an unknown run, for a run over dev or test, and if only runs over `unlabeled` are given
    although `augmented` is false.
    """
    wanted: list[str | None] = [*asked] if asked else [None]
    chosen = [chosen_run(workspace, run) for run in wanted]
    runs = newest_first(workspace)
    of = {row["run_id"]: row["split"] for row in runs}
    wrong = [run for run in chosen if of[run] not in ("train", "unlabeled")]
    if wrong:
        raise BadSettings(f"run '{wrong[0]}' is over {of[wrong[0]]}: dev and test queries are never trained on")
    if not augmented and all(of[run] == "unlabeled" for run in chosen):
        raise BadSettings(
            f"run '{chosen[0]}' is over queries without labels, which --no-augmented leaves out, "
            "so nothing is left. Give a run over train, or drop --no-augmented"
        )
    if augmented and not asked:
        chosen += [run["run_id"] for run in runs if run["split"] == "unlabeled" and run["because"]]
    return sorted(set(chosen))


def newest_first(workspace: Workspace) -> list[dict[str, Any]]:
    """Return all runs, newest first; `because` says why a run is the current one of its split, or is None."""
    return workspace.select("workspace/runs_newest_first").to_dicts()
