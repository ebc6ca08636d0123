"""What a command is about to use: its runs and cutoffs if none were named, and what they lack."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curate import judges
from curate.as_of import AsOf
from curate.config import Mine
from curate.counted import counted
from curate.cutoffs import cutoffs_in_force
from curate.denoise.rank_scores import ranks_here
from curate.denoise.score_job import UNREADABLE, is_read
from curate.job_record import Record
from curate.mined_options import options_of
from curate.suggest import curate_command, option_words
from curate.workspace import Workspace

SCORED = ("train", "unlabeled")
"""The splits whose runs are scored."""
WHY = {
    "chosen": "chosen by curate use",
    "denoised last": "denoised last",
    "newest": "the newest over {split}",
}


def states(workspace: Workspace, runs: Iterable[str], cutoffs: str | None) -> list[dict[str, Any]]:
    """Return the rows of `sql/workspace/run_states.sql`: what of each run is scored, and what it lacks.

    With left: those of the unscored that need no score, because their query has enough hard negatives at better
    ranks; queries_missing: queries of its split that were not there when it was made; all_read: whether a model
    has read all its pairs, so that those without a score can have none; and mined_by: the command that mines it
    anew.
    """
    rows = workspace.select("workspace/run_states", runs=list(runs), cutoffs=cutoffs).to_dicts()
    for row in rows:
        row["left"] = left_unscored(workspace, row["run_id"], cutoffs) if cutoffs and row["enough"] else 0
    records = {record.job: record for record in workspace.records("mine")}
    missing = _queries_missing(workspace, [records[row["run_id"]] for row in rows])
    defaults = workspace.settings.mine
    return [
        {
            **row,
            "queries_missing": missing[row["run_id"]].get(row["split"], 0),
            "all_read": to_score(row) > 0 and _all_read(workspace, row["run_id"], cutoffs),
            "mined_by": command_to_mine(records[row["run_id"]], row["split"], defaults),
        }
        for row in rows
    ]


def left_unscored(workspace: Workspace, run_id: str, cutoffs: str) -> int:
    """Return how many candidates of a run need no score, because their query has enough hard negatives."""
    return int(workspace.select("workspace/left_unscored", run=run_id, cutoffs=cutoffs)["candidates"][0])


def to_score(state: Mapping[str, Any]) -> int:
    """Return how many candidates of a run lack a score that the cutoffs ask for."""
    return int(state["unscored"] - state["left"])


def _queries_missing(workspace: Workspace, runs: Iterable[Record]) -> dict[str, dict[str, int]]:
    """Return run -> split -> the number of its queries that came into it after the run was made."""
    loads = [record.number for record in workspace.records("load")]
    since: dict[int, dict[str, int]] = {max(loads, default=0): {}}
    found = {}
    for record in runs:
        last = max((number for number in loads if number < record.number), default=0)
        if last not in since:
            then = AsOf(workspace, record).select("workspace/query_splits")
            new = workspace.select("workspace/query_splits").join(then, on=["query_key", "split"], how="anti")
            since[last] = dict(new.group_by("split").len().rows())
        found[record.job] = since[last]
    return found


def _all_read(workspace: Workspace, run_id: str, cutoffs: str | None) -> bool:
    row = cutoffs_in_force(workspace, cutoffs)
    ranks = ranks_here(workspace)  # these read no text
    by = zip(judges.scorers(row), judges.fingerprints(row), strict=True)
    models = [print_ for scorer, print_ in by if scorer not in ranks]
    known = [print_ for print_ in models if print_]
    return len(known) == len(models) and is_read(workspace, run_id, row, known)


def command_to_mine(record: Record, split: str, defaults: Mine) -> str:
    """Return the command that makes a run as that of `record` was made, by all options that are not `defaults`."""
    made = options_of(record)
    usual = defaults.model_dump()
    if record.facts.get("language_detected") and defaults.language is None:
        del made["language"]
    other = {key: made[key] for key in usual if key in made and made[key] != usual[key]}
    if "run" not in record.inputs:
        return curate_command("mine", *option_words({"split": split, **other}))
    named = {"split": split, "name": made.get("name")}
    kept = {key: value for key, value in other.items() if key == "own_copies"}
    return curate_command("mine", "--run", "FILE", *option_words({**named, **kept}))


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
        told = [f"scorer {judges.in_words(row)}", judges.scale_in_words(row)]
        used.append(f"cutoffs '{cutoffs}' over the top {row['depth']}, {', '.join(filter(None, told))}")
    lines = [f"using {', '.join(used)}"] if used else []
    return lines + [f"warning: {text}" for row in found for text in warnings(row, cutoffs)]


def warnings(state: Mapping[str, Any], cutoffs: str | None) -> list[str]:
    """Return what a run lacks, each with the command that mends it."""
    found = [f"{text}. Run: {state['mined_by']}" for text in lacks(state)]
    if cutoffs and to_score(state) and state["split"] in SCORED:
        count = f"{to_score(state):,} of {state['candidates']:,} candidates of run {state['run_id']}"
        found.append(
            f"{count} have no score, {UNREADABLE}"
            if state["all_read"]
            else f"{count} are unscored. Run: {command_to_score(state, cutoffs)}"
        )
    return found


def lacks(state: Mapping[str, Any]) -> list[str]:
    """Return what of the collection of today is not in a run."""
    run, found = state["run_id"], []
    if state["passages_since"]:
        found.append(
            f"{counted(state['passages_since'], 'passages were', 'passage was')} loaded after run {run} was made"
        )
    if state["queries_missing"]:
        missing, of = state["queries_missing"], f"of '{state['split']}'"
        found.append(f"{counted(missing, f'queries {of} are', f'query {of} is')} not in run {run}")
    return found


def command_to_score(state: Mapping[str, Any], cutoffs: str) -> str:
    """Return the command that scores what is unscored in a run, by the scorer and the depth of the cutoffs."""
    enough = option_words({"enough": state["enough"]})
    return curate_command("denoise", "--run", state["run_id"], "--cutoffs", cutoffs, *enough)


def why(state: Mapping[str, Any]) -> str:
    """Return why a run is the current one, and which is newer."""
    because, newest = state["because"], state["newest"]
    text = WHY[because].format(split=state["split"]) if because else "not the current run"
    return text if newest == state["run_id"] else f"{text}; the newest is {newest}"
