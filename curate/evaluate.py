"""`curate evaluate`: a run against the labels of its split, query by query, and one run against another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.bootstrap import Interval, interval
from curate.choose_run import chosen_run
from curate.errors import BadSettings
from curate.jobs import Job, table_digest
from curate.mine.stage import Request, mine
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

SPLIT = "test"


@dataclass(frozen=True)
class Measured:
    """One metric of one run: its mean over the judged queries."""

    run_id: str
    metric: str
    value: Interval
    difference: Interval | None
    """From the run that it is held against, on the same resampled queries."""


@dataclass(frozen=True)
class Evaluated:
    """What `evaluate` measured."""

    split: str
    queries: int
    """Judged ones: they all count, whether a run has them or not."""
    runs: list[str]
    against: str | None
    metrics: list[Measured]
    models: dict[str, str]
    """Run -> the encoder that made it, where one did."""

    def text(self) -> str:
        """Return the figures for a terminal: a block a run."""
        lines = [f"{self.queries:,} judged queries of '{self.split}'; in brackets 95 % intervals (bootstrap)."]
        for run in self.runs:
            made = f" by {self.models[run]}" if run in self.models else ""
            compared = f", and its difference from {self.against}" if self._is_compared(run) else ""
            lines += ["", f"{run}{made}{compared}"]
            lines += [_line(measured) for measured in self.metrics if measured.run_id == run]
        return "\n".join(lines)

    def _is_compared(self, run: str) -> bool:
        return any(found.difference is not None for found in self.metrics if found.run_id == run)


def evaluate(
    workspace: Workspace,
    *,
    run: Sequence[str] = (),
    split: str | None = None,
    against: str | None = None,
    encoder: str | Sequence[str] = (),
    depth: int | None = None,
    progress: Progress = SILENT,
) -> Evaluated:
    """Measure runs against the qrels of their split, and keep the values of each query in the table `metrics`.

    MRR@10, nDCG@10, MAP and Recall@k, as trec_eval and ir_measures define them; a query that a run lacks counts
    as 0. Without `run`: all runs over `split`, else test. `encoder`: mine a dense run over it with this model (or
    these) first, `depth` deep. `against`: a run to which the others are held, on the same queries. Intervals are
    percentiles of a paired bootstrap over queries. Raises BadSettings where there is no such run, or no label.
    """
    chosen = [chosen_run(workspace, each) for each in run]
    models = _models(encoder, depth)
    for model in models:
        mined = mine(workspace, split=split or SPLIT, encoder=model, **_dense(depth), progress=progress)
        chosen.append(mined.run_id)
    chosen = _over_one_split(workspace, chosen, split, against)
    for each in chosen:
        _measure(workspace, each)
    values = workspace.sql(sql_files.sql("stages", "evaluate_values"), runs=chosen)
    return _summary(workspace, values, chosen, against)


def plan_evaluate(
    workspace: Workspace,
    *,
    run: Sequence[str] = (),
    split: str | None = None,
    against: str | None = None,
    encoder: str | Sequence[str] = (),
    depth: int | None = None,
) -> Plan:
    """Return how many runs `evaluate` with the same arguments would measure, mining them first where need be."""
    models = _models(encoder, depth)
    mined = [Request.of(workspace, split or SPLIT, encoder=model, **_dense(depth)).jobs()[-1] for model in models]
    runs = [job.job for job in mined if job.record]
    held_against = [against] if models and against else []
    asked = [chosen_run(workspace, each) for each in [*run, *held_against]] + runs
    if asked or not models:
        asked = _over_one_split(workspace, asked, split or (SPLIT if models else None), against)
    to_mine = [job.job for job in mined if not job.record]
    done = [each for each in asked if _job(workspace, each).record]
    notes = [f"to mine: {', '.join(to_mine)}"] if to_mine else []
    return Plan("evaluate", "runs", len(asked) + len(to_mine), len(done), notes=notes)


def _models(encoder: str | Sequence[str], depth: int | None) -> list[str]:
    models = [encoder] if isinstance(encoder, str) else list(encoder)
    if depth and not models:
        raise BadSettings("--depth is how deep --encoder MODEL mines; runs that stand are as deep as they are")
    return models


def _dense(depth: int | None) -> dict[str, Any]:
    return {"retriever": "dense", "index": "exact", "depth": depth}


def _over_one_split(workspace: Workspace, asked: list[str], split: str | None, against: str | None) -> list[str]:
    """Return the runs to measure, all over one split, in the order in which they were made."""
    newest_first = workspace.sql(sql_files.sql("stages", "runs_newest_first")).to_dicts()
    split_of = {row["run_id"]: row["split"] for row in reversed(newest_first)}
    if not asked:
        asked = [run for run in split_of if split_of[run] == (split or SPLIT)]
    if against:
        asked = [*asked, chosen_run(workspace, against)]
    if not asked:
        raise BadSettings(f"no runs over '{split or SPLIT}' yet. Run: curate mine --split {split or SPLIT}")
    splits = {split_of[run] for run in asked} | ({split} if split else set())
    if len(splits) > 1:
        raise BadSettings(f"asked for {' and '.join(sorted(splits))} at once; runs over one split can be compared")
    return [run for run in split_of if run in asked]


def _measure(workspace: Workspace, run: str) -> None:
    """Write the metrics of a run, unless they stand: same candidates, same labels."""
    job = _job(workspace, run)
    if job.record:
        return
    with workspace.connect() as connection:
        found = connection.sql(sql_files.sql("stages", "evaluate_queries"), params={"run": run}).to_arrow_table()
    if not found.num_rows:
        raise BadSettings(
            f"the queries of run {run} have no labels. Load some: curate load --qrels SPLIT=FILE, "
            "or evaluate a run over dev or test: curate mine --split test"
        )
    job.write("metrics", 0, lambda: [found])
    job.finish(queries=len(set(found["query_key"].to_pylist())))


def _job(workspace: Workspace, run: str) -> Job:
    inputs = {
        "candidates": table_digest(workspace, "candidates", of_jobs=[run]),
        "qrels": table_digest(workspace, "qrels"),
    }
    return Job(workspace, "evaluate", f"evaluate-{run}", {"run": run}, inputs)


def _summary(workspace: Workspace, values: "pl.DataFrame", runs: list[str], against: str | None) -> Evaluated:
    seed = workspace.settings.seed
    by = {
        key: frame["value"].to_numpy() for key, frame in values.group_by("run_id", "metric", maintain_order=True)
    }
    measured = []
    for run in runs:
        for metric in [metric for of_run, metric in by if of_run == run]:
            ours, theirs = by[(run, metric)], by.get((against, metric)) if against not in (None, run) else None
            difference = None if theirs is None else interval(ours - theirs, seed)
            measured.append(Measured(run, str(metric), interval(ours, seed), difference))
    split: str = workspace.scan("runs").filter(run_id=runs[0]).collect()["split"][0]
    rounds = workspace.sql(sql_files.sql("reports", "rounds")).to_dicts()
    models = {row["run_id"]: row["model"] for row in rounds if row["run_id"] in runs and row["model"]}
    return Evaluated(split, values["query_key"].n_unique(), runs, against, measured, models)


def _line(measured: Measured) -> str:
    value, difference = measured.value, measured.difference
    line = f"  {measured.metric:<12}{value.mean:.4f}  [{value.low:.4f}, {value.high:.4f}]"
    if difference is None:
        return line
    return f"{line}   {difference.mean:+.4f}  [{difference.low:+.4f}, {difference.high:+.4f}]"
