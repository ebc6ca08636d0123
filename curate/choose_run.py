"""Which run a command means when none is named."""

from collections.abc import Sequence

from curate.errors import BadSettings
from curate.workspace import Workspace


def chosen_run(workspace: Workspace, run_id: str | None, split: str = "train") -> str:
    """Return `run_id` if there is such a run, or the newest run over `split`; raises BadSettings."""
    runs = workspace.select("workspace/runs_newest_first").to_dicts()
    if run_id:
        if any(run["run_id"] == run_id for run in runs):
            return run_id
        known = ", ".join(run["run_id"] for run in runs) or "none yet"
        raise BadSettings(f"no run '{run_id}'; there are: {known}")
    for run in runs:
        if run["split"] == split:
            return str(run["run_id"])
    raise BadSettings(f"no candidates for the split '{split}' yet. Run: curate mine --split {split}")


def training_runs(workspace: Workspace, asked: Sequence[str] | None, *, augmented: bool) -> list[str]:
    """Return the runs that are asked for, or the newest over `train` and, if augmented, over `unlabeled`."""
    wanted: list[str | None] = [*asked] if asked else [None]
    chosen = [chosen_run(workspace, run) for run in wanted]
    newest_first = workspace.select("workspace/runs_newest_first").to_dicts()
    of = {row["run_id"]: row["split"] for row in newest_first}
    wrong = [run for run in chosen if of[run] not in ("train", "unlabeled")]
    if wrong:
        raise BadSettings(f"run '{wrong[0]}' is over {of[wrong[0]]}: dev and test queries never train")
    if not augmented and all(of[run] == "unlabeled" for run in chosen):
        raise BadSettings(
            f"run '{chosen[0]}' is over queries without labels, which --no-augmented leaves out: "
            "nothing is left. Give a run over train, or leave out --no-augmented"
        )
    if augmented and not asked:
        chosen += [run for run in of if of[run] == "unlabeled"][:1]
    return sorted(set(chosen))
