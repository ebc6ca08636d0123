"""`curate evaluate`: metrics of runs against the labels of their split, and differences between runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict, Unpack, get_args

from curate import family, judges, sql_files
from curate.bootstrap import Interval, interval
from curate.choose_run import chosen_run, newest_first
from curate.config import EXACT, Split
from curate.counted import counted
from curate.cutoffs import current_cutoffs
from curate.errors import BadSettings, StepMissing, UnknownName
from curate.jobs import Job, table_digest
from curate.mine.request import MineOptions, MineRequest
from curate.mine.stage import mine, plan_mine
from curate.nearest import nearest
from curate.options import given_options
from curate.plan import Plan
from curate.progress import SILENT, Progress, duration
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

SPLIT: Split = "test"


@dataclass(frozen=True)
class Measured:
    """One metric of one run, as its mean over the judged queries."""

    run_id: str
    metric: str
    value: Interval
    difference: Interval | None
    """The difference from the run that it is compared with, on the same resampled queries."""


@dataclass(frozen=True)
class Evaluated:
    """The outcome of `evaluate`."""

    split: str
    queries: int
    """The number of judged queries. All of them count, even if a run lacks some."""
    runs: list[str]
    against: str | None
    metrics: list[Measured]
    models: dict[str, str]
    """Run id -> the encoder that made the run, for runs made with an encoder."""
    notes: list[str] = field(default_factory=list)
    """Which runs were made by an encoder of the current judge's family."""

    def text(self) -> str:
        """Return the figures for a terminal, one block per run."""
        lines = [
            f"{counted(self.queries, 'judged queries')} of '{self.split}'; 95 % bootstrap intervals in brackets."
        ]
        for run in self.runs:
            made = f" by {self.models[run]}" if run in self.models else ""
            compared = f", and its difference from {self.against}" if self._is_compared(run) else ""
            lines += ["", f"{run}{made}{compared}"]
            lines += [_line(measured) for measured in self.metrics if measured.run_id == run]
        return "\n".join([*lines, *([""] if self.notes else []), *self.notes])

    def _is_compared(self, run: str) -> bool:
        return any(found.difference is not None for found in self.metrics if found.run_id == run)


class EvaluateOptions(TypedDict, total=False):
    """The options of `evaluate`."""

    run: Sequence[str] | None
    """Ids of the runs to measure. By default all runs over the split are measured."""
    split: Split | None
    """The split whose runs are measured. The default is `test`."""
    against: str | None
    """Id of a run to compare the other runs with, on the same queries."""
    encoder: str | Sequence[str] | None
    """Before measuring, mine a dense run over the split with each of these models."""
    depth: int | None
    """How deep to mine with `encoder`."""


@dataclass(frozen=True)
class EvaluateRequest:
    """The arguments of `evaluate`, checked and completed."""

    workspace: Workspace
    runs: list[str]
    split: str | None
    against: str | None
    mining: list[MineOptions]
    """Options of the runs to mine before measuring."""

    @classmethod
    def of(cls, workspace: Workspace, **options: Unpack[EvaluateOptions]) -> "EvaluateRequest":
        """Return the request; raises BadSettings for an unknown run, or for a depth without an encoder."""
        given = given_options(EvaluateOptions, options)
        split, against, depth = given.get("split"), given.get("against"), given.get("depth")
        encoder = given.get("encoder", ())
        models = [encoder] if isinstance(encoder, str) else list(encoder)
        if split and split not in get_args(Split):
            raise UnknownName(f"no split '{split}': {nearest(split, get_args(Split))}")
        if depth and not models:
            raise BadSettings("--depth goes with --encoder MODEL: it cannot change the depth of an existing run")
        return cls(
            workspace,
            [chosen_run(workspace, run) for run in given.get("run", ())],
            split or (SPLIT if models else None),
            chosen_run(workspace, against) if against else None,
            [
                MineOptions(split=split or SPLIT, retriever="dense", index=EXACT, depth=depth, encoder=model)
                for model in models
            ],
        )

    def over_one_split(self, mined: Sequence[str]) -> list[str]:
        """Return the runs to measure, including those that were `mined`, in the order in which they were made.

        Raises BadSettings if there are none, or if they belong to several splits.
        """
        split_of = {row["run_id"]: row["split"] for row in reversed(newest_first(self.workspace))}
        asked = [*self.runs, *mined] or [run for run in split_of if split_of[run] == (self.split or SPLIT)]
        asked += [self.against] if self.against else []
        if not asked:
            wanted = self.split or SPLIT
            raise StepMissing(f"no runs over '{wanted}' yet", run=curate_command("mine", "--split", wanted))
        splits = {split_of[run] for run in asked} | ({self.split} if self.split else set())
        if len(splits) > 1:
            there = " and ".join(sorted(splits))
            raise BadSettings(f"asked for {there} at once, but only runs over the same split can be compared")
        return [run for run in split_of if run in asked]


def evaluate(
    workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[EvaluateOptions]
) -> Evaluated:
    """Measure runs against the qrels of their split, and keep the values of each query in the table `metrics`.

    The metrics are MRR@10, nDCG@10, MAP and Recall@k, as trec_eval and ir_measures define them. A query that a run
    lacks counts as 0. Intervals are percentiles of a paired bootstrap over queries. Raises BadSettings if a run
    does not exist or its queries have no labels.
    """
    request = EvaluateRequest.of(workspace, **options)
    mined = [mine(workspace, progress=progress, **asked).run_id for asked in request.mining]
    chosen = request.over_one_split(mined)
    for run in chosen:
        measure(workspace, run)
    values = workspace.select("evaluate/values", runs=chosen)
    return _summary(workspace, values, chosen, request.against)


def plan_evaluate(workspace: Workspace, **options: Unpack[EvaluateOptions]) -> Plan:
    """Return how many runs `evaluate` with the same options would measure, and which it would mine first.

    The time is that of mining, and of measuring at the rate of the newest measurement.
    """
    request = EvaluateRequest.of(workspace, **options)
    asked_runs = [MineRequest.of(workspace, **asked) for asked in request.mining]
    jobs = [(run.job, asked) for run, asked in zip(asked_runs, request.mining, strict=True)]
    mined = [job.name for job, _ in jobs if job.record]
    plans = {job.name: plan_mine(workspace, **asked) for job, asked in jobs if not job.record}
    to_mine = list(plans)
    only_to_mine = to_mine and not (mined or request.runs or request.against)
    chosen = [] if only_to_mine else request.over_one_split(mined)
    done = [run for run in chosen if _job(workspace, run).record]
    notes = [f"to mine: {name}: {_rest_and_time(plan)}" for name, plan in plans.items()]
    notes += [note for run in asked_runs for note in run.notes]
    rest = len(chosen) + len(to_mine) - len(done)
    times = [*(plan.seconds for plan in plans.values()), _seconds_to_measure(workspace, rest)]
    known = [time for time in times if time is not None]
    seconds = sum(known) if len(known) == len(times) else None
    tokens = sum(plan.tokens or 0 for plan in plans.values()) or None
    return Plan("evaluate", "runs", rest + len(done), len(done), seconds, notes, tokens)


def _rest_and_time(plan: Plan) -> str:
    time = "" if plan.seconds is None else f", about {duration(plan.seconds)}"
    return f"{counted(plan.total - plan.cached, plan.unit)}{time}"


def _seconds_to_measure(workspace: Workspace, runs: int) -> float | None:
    """Return how long measuring takes at the rate of the newest measurement; None if there was none."""
    past = workspace.records("evaluate")
    return past[-1].seconds * runs if past else None if runs else 0.0


def measure(workspace: Workspace, run: str) -> None:
    """Write the metrics of a run, unless they exist for the same candidates and labels."""
    job = _job(workspace, run)
    if job.record:
        return
    with workspace.connect_lazily() as connection:
        found = sql_files.select(connection, "evaluate/queries", run=run).to_arrow_table()
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
        "claims": table_digest(workspace, "claims"),
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
    rounds = workspace.select("reports/rounds").to_dicts()
    models = {row["run_id"]: row["model"] for row in rounds if row["run_id"] in runs and row["model"]}
    notes = _of_one_family(workspace, runs)
    return Evaluated(split, values["query_key"].n_unique(), runs, against, measured, models, notes)


def _of_one_family(workspace: Workspace, runs: list[str]) -> list[str]:
    """Return a note for each run whose encoder is of one family with a scorer of the current cutoffs."""
    current = current_cutoffs(workspace)
    return [
        f"{scorer}, which judges candidates here, and {encoder}, which made run {run}, are of one family ({why}). "
        "The figures above are by people's labels. Those by that judge (curate report) may flatter this run."
        for run in (runs if current else [])
        for scorer, encoder, why in family.kin(workspace, run, judges.scorers(current or {}))
    ]


def _line(measured: Measured) -> str:
    value, difference = measured.value, measured.difference
    line = f"  {measured.metric:<12}{value.mean:.4f}  [{value.low:.4f}, {value.high:.4f}]"
    if difference is None:
        return line
    return f"{line}   {difference.mean:+.4f}  [{difference.low:+.4f}, {difference.high:+.4f}]"
