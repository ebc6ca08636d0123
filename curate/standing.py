"""What a command is about to use: its runs and cutoffs if none were named, and what they lack."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curate.cutoffs import cutoffs_in_force
from curate.workspace import Workspace

SCORED = ("train", "unlabeled")
"""The splits whose runs are scored."""
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
    named_run: bool,
    named_cutoffs: bool,
) -> list[str]:
    """Return lines that say which runs and cutoffs are used if nobody named them, and warnings about the runs.

    A warning says what is unscored, and what was loaded after a run was made.
    """
    found = states(workspace, runs, cutoffs)
    used = [] if named_run else [f"run {row['run_id']} ({why(row)})" for row in found]
    if cutoffs and not named_cutoffs:
        row = cutoffs_in_force(workspace, cutoffs)
        used.append(f"cutoffs '{cutoffs}' over the top {row['depth']}, scorer {row['scorer_id']}")
    lines = [f"using {', '.join(used)}"] if used else []
    return lines + [f"warning: {text}" for row in found for text in warnings(row, cutoffs)]


def warnings(state: Mapping[str, Any], cutoffs: str | None) -> list[str]:
    """Return what a run lacks, each with the command that mends it."""
    found = [f"{text}. Run: curate mine --split {state['split']}" for text in lacks(state)]
    if cutoffs and state["unscored"] and state["split"] in SCORED:
        count = f"{state['unscored']:,} of {state['candidates']:,} candidates of run {state['run_id']}"
        found.append(f"{count} are unscored. Run: {command_to_score(state, cutoffs)}")
    return found


def lacks(state: Mapping[str, Any]) -> list[str]:
    """Return what of the collection of today is not in a run."""
    run, found = state["run_id"], []
    if state["passages_since"]:
        found.append(f"{state['passages_since']:,} passages were loaded after run {run} was made")
    if state["queries_missing"]:
        found.append(f"{state['queries_missing']:,} queries of '{state['split']}' are not in run {run}")
    return found


def command_to_score(state: Mapping[str, Any], cutoffs: str) -> str:
    """Return the command that scores what is unscored in a run, by the scorer and the depth of the cutoffs."""
    return f"curate denoise --run {shlex.quote(state['run_id'])} --cutoffs {shlex.quote(cutoffs)}"


def why(state: Mapping[str, Any]) -> str:
    """Return why a run is the current one, and which is newer."""
    because, newest = state["because"], state["newest"]
    text = WHY[because].format(split=state["split"]) if because else "not the current run"
    return text if newest == state["run_id"] else f"{text}; the newest is {newest}"
