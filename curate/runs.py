"""Which run a command means when none is named."""

from curate import relations
from curate.errors import BadSettings
from curate.workspace import Workspace


def chosen_run(workspace: Workspace, run_id: str | None, split: str = "train") -> str:
    """Return `run_id` if there is such a run, or the newest run over `split`; raises BadSettings."""
    runs = workspace.sql(relations.sql("stages", "runs_newest_first")).to_dicts()
    if run_id:
        if any(run["run_id"] == run_id for run in runs):
            return run_id
        known = ", ".join(run["run_id"] for run in runs) or "none yet"
        raise BadSettings(f"no run '{run_id}'; there are: {known}")
    for run in runs:
        if run["split"] == split:
            return str(run["run_id"])
    raise BadSettings(f"no candidates for the split '{split}' yet. Run: curate mine --split {split}")
