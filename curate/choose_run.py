"""The choice of a run when a command names none."""

from collections.abc import Sequence

from curate.errors import BadSettings
from curate.suggest import curate_command
from curate.workspace import Workspace


def chosen_run(workspace: Workspace, run_id: str | None, split: str = "train") -> str:
    """Return `run_id`, or the newest run over `split` if it is None; raises BadSettings for a missing run."""
    runs = workspace.select("workspace/runs_newest_first").to_dicts()
    if run_id:
        if any(run["run_id"] == run_id for run in runs):
            return run_id
        known = ", ".join(run["run_id"] for run in runs) or "none yet"
        raise BadSettings(f"no run '{run_id}'; the runs are: {known}")
    for run in runs:
        if run["split"] == split:
            return str(run["run_id"])
    raise BadSettings(
        f"no candidates for the split '{split}' yet. Run: {curate_command('mine', '--split', split)}"
    )


def training_runs(workspace: Workspace, asked: Sequence[str] | None, *, augmented: bool) -> list[str]:
    """Return the runs that were asked for, or the newest over `train` and, if augmented, over `unlabeled`.

    Raises BadSettings for an unknown run, for a run over dev or test, and if only runs over `unlabeled` are given
    although `augmented` is false.
    """
    wanted: list[str | None] = [*asked] if asked else [None]
    chosen = [chosen_run(workspace, run) for run in wanted]
    newest_first = workspace.select("workspace/runs_newest_first").to_dicts()
    of = {row["run_id"]: row["split"] for row in newest_first}
    wrong = [run for run in chosen if of[run] not in ("train", "unlabeled")]
    if wrong:
        raise BadSettings(f"run '{wrong[0]}' is over {of[wrong[0]]}: dev and test queries are never trained on")
    if not augmented and all(of[run] == "unlabeled" for run in chosen):
        raise BadSettings(
            f"run '{chosen[0]}' is over queries without labels, which --no-augmented leaves out, "
            "so nothing is left. Give a run over train, or drop --no-augmented"
        )
    if augmented and not asked:
        chosen += [run for run in of if of[run] == "unlabeled"][:1]
    return sorted(set(chosen))
