"""What a command is about to use: its runs and cutoffs if none were named, and what they lack."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from curate.cutoffs import cutoffs_in_force
from curate.workspace import Workspace

WHY = {
    "chosen": "chosen by curate use",
    "denoised last": "denoised last",
    "newest": "the newest over {split}",
}


def states(workspace: Workspace, runs: Iterable[str], cutoffs: str | None) -> list[dict[str, Any]]:
    """Return the rows of `sql/workspace/run_states.sql`: what of each run is scored, and what it lacks."""
    return workspace.select("workspace/run_states", runs=list(runs), cutoffs=cutoffs).to_dicts()


def notes(
    workspace: Workspace,
    runs: Sequence[str],
    cutoffs: str | None,
    *,
    named_run: bool = True,
    named_cutoffs: bool = True,
) -> list[str]:
    """Return lines that say which runs and cutoffs are used if nobody named them, and warnings about the runs.

    A warning says what is unscored, and what was loaded after a run was made.
    """
    found = states(workspace, runs, cutoffs)
    used = [] if named_run else [f"run {row['run_id']} ({_why(row)})" for row in found]
    if cutoffs and not named_cutoffs:
        row = cutoffs_in_force(workspace, cutoffs)
        used.append(f"cutoffs '{cutoffs}' over the top {row['depth']}, scorer {row['scorer_id']}")
    lines = [f"using {', '.join(used)}"] if used else []
    return lines + [f"warning: {text}" for row in found for text in warnings(row, cutoffs)]


def warnings(state: dict[str, Any], cutoffs: str | None) -> list[str]:
    """Return what a run lacks, each with the command that mends it."""
    run, split, found = state["run_id"], state["split"], []
    if cutoffs and state["unscored"]:
        command = f"curate denoise --run {shlex.quote(run)} --cutoffs {shlex.quote(cutoffs)}"
        found.append(
            f"{state['unscored']:,} of {state['candidates']:,} candidates of run {run} are unscored. Run: {command}"
        )
    again = f"curate mine --split {split}"
    if state["passages_since"]:
        found.append(f"{state['passages_since']:,} passages were loaded after run {run} was made. Run: {again}")
    if state["queries_missing"]:
        found.append(f"{state['queries_missing']:,} queries of '{split}' are not in run {run}. Run: {again}")
    return found


def _why(state: dict[str, Any]) -> str:
    because, newest = state["because"], state["newest"]
    why = WHY[because].format(split=state["split"]) if because else "not the current run"
    return why if newest == state["run_id"] else f"{why}; the newest is {newest}"
