"""The rows of the reports: named queries, with the run, scorer and cutoffs that they refer to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from curate import family, judges, named_queries
from curate.choose_run import chosen_run
from curate.cutoffs import cutoffs_in_force
from curate.errors import BadSettings
from curate.load.hidden_labels import hidden_labels
from curate.options import given_options
from curate.query_output import SCHEMA
from curate.suggest import curate_command
from curate.workspace import Workspace

from .kept import keep
from .labels import estimates, hidden_recall
from .training import training_curves

if TYPE_CHECKING:
    import duckdb

ReportRow = dict[str, Any]
ABOUT_THE_COLLECTION = ("collection", "splits")
ABOUT_THE_RUN = (
    "headline",
    "naive_negatives",
    "funnel",
    "denoised_by_rank",
    "denoised_by_query",
    "false_negatives_by_retriever",
    "retriever_overlap",
    "judge",
    "positives_recognised",
    "score_histogram",
    "calibration_in_force",
    "reliability",
    "cutoff_sweep",
    "filters",
    "shortfall",
    "suspects",
    "rescued",
    "query_cards",
    "duplicate_groups",
    "cost",
    "lineage",
)
"""The reports of an overview. They read the decisions of one run under one setting of the cutoffs."""
OF_SEVERAL_RETRIEVERS = ("false_negatives_by_retriever", "retriever_overlap")
ABOUT_PSEUDO_LABELS = ("pseudo_label_outcomes", "pseudo_labels")
BY_A_JUDGE = (
    "denoised_by_rank",
    "false_negatives_by_rank",
    "false_negatives_by_retriever",
    "judge",
    "agreement",
)
"""The reports in which scorers measure a retriever, and might prefer their own family."""
BY_HIDDEN_LABELS = ("filters",)
FEW = 5


@dataclass(frozen=True)
class Report:
    """The answer to one named query."""

    name: str
    parameters: ReportRow
    setting: ReportRow
    """The run, scorer and cutoffs that it refers to; empty unless it takes both a run and cutoffs."""
    rows: list[ReportRow]

    def json(self) -> ReportRow:
        """Return what `--json` prints."""
        return {"schema": f"curate.report.{self.name}/{SCHEMA}", "parameters": self.parameters, "rows": self.rows}


@dataclass(frozen=True)
class Overview:
    """All reports for which the workspace has rows so far."""

    reports: dict[str, Report]
    next: str | None
    """The step that the remaining reports need first; None if no step is missing."""

    def json(self) -> ReportRow:
        """Return what `--json` prints."""
        reports = {name: report.json() for name, report in self.reports.items()}
        return {"schema": f"curate.report/{SCHEMA}", "reports": reports, "next": self.next}


class ReportOptions(TypedDict, total=False):
    """The parameters of the reports; each takes those that its query names. None is as good as left out."""

    run: str | None
    """Id of the run; by default the current one over train, or over the queries of the report."""
    cutoffs: str | None
    """The name of the cutoffs; by default the current ones."""
    limit: int | None
    negatives: int | None
    query: str | None
    """Id of a query, for `query_card`."""
    scorer: str | None
    """Id or folder of a scorer, for `judge`, `agreement` and `disagreements`; by default that of the cutoffs."""
    against: str | None
    """The scorer that it is compared with; by default the other one that has scored the run, if there are two."""
    hidden: Path | str | None
    """For `filters`: a file of qrels with every relevant passage of its queries, to measure them by."""


def report(workspace: Workspace, name: str, **options: Unpack[ReportOptions]) -> Report:
    """Return one report, by the name of its query in `sql/reports`; raises BadSettings for an unknown name."""
    given = given_options(ReportOptions, options)
    hidden = given.pop("hidden", None)
    if hidden and name not in BY_HIDDEN_LABELS:
        raise BadSettings(f"'{name}' is not measured by hidden labels", run="curate report filters --hidden FILE")
    parameters = named_queries.values(workspace, name, given)
    with workspace.connect_lazily() as connection:
        if hidden:
            connection.register("hidden_labels", hidden_labels(Path(hidden)))
        return _answer(connection, name, parameters)


def overview(
    workspace: Workspace, *, run: str | None = None, cutoffs: str | None = None, limit: int = FEW
) -> Overview:
    """Return every report that the workspace has rows for, and the next command to run.

    Raises BadSettings if `run` or `cutoffs` names something that does not exist.
    """
    found = _several(workspace, ABOUT_THE_COLLECTION, {})
    if not found["collection"].rows[0]["passages"]:
        return Overview(found, "no collection yet. Run: curate load COLLECTION")
    chosen: ReportRow = {"limit": limit, "negatives": workspace.settings.denoise.negatives}
    try:
        chosen["run"] = chosen_run(workspace, run)
        row = cutoffs_in_force(workspace, cutoffs)
    except BadSettings as error:
        if run or cutoffs:
            raise
        return Overview(found, str(error))
    chosen |= {"cutoffs": row["name"], "scorer": row["scorer_id"]}
    with _keeping(workspace, chosen) as connection:
        found |= _answers(connection, _about(workspace, chosen["run"], row), chosen)
        recall = hidden_recall(connection, workspace, chosen["run"], row)
    if (people := estimates(workspace, chosen["run"], row)) is not None:
        found["estimates"] = Report("estimates", people.about, {}, people.rows)
    found["selfcheck"] = Report("selfcheck", recall.about, {}, recall.rows)
    found["training"] = Report("training", {}, {}, training_curves(workspace, found["lineage"].rows))
    try:
        unlabeled = chosen_run(workspace, None, "unlabeled")
    except BadSettings:
        return Overview(found, None)
    found |= _several(workspace, ("denoised_by_split",), chosen)
    chosen["run"] = unlabeled
    with _keeping(workspace, chosen) as connection:
        return Overview(found | _answers(connection, ABOUT_PSEUDO_LABELS, chosen), None)


def notes(workspace: Workspace, found: Report | Overview, *, run: str | None, cutoffs: str | None) -> list[str]:
    """Return which run and cutoffs the reports are about if none were named, and warnings about them."""
    reports = [found] if isinstance(found, Report) else list(found.reports.values())
    used = {one.parameters["run"]: one.parameters for one in reports if "run" in one.parameters}
    lines = []
    for of_run, parameters in used.items():
        given = {"run": run == of_run, "cutoffs": cutoffs}
        lines += named_queries.notes(workspace, given, parameters)
    told: dict[str, None] = {}
    for one in reports:
        if one.name in BY_A_JUDGE:
            told |= dict.fromkeys(family.warnings(workspace, one.parameters["run"], _scorers(one)))
        if one.name == "agreement":
            told |= dict.fromkeys(_uncalibrated(workspace, one))
    return [*lines, *(f"warning: {text}" for text in told)]


def _uncalibrated(workspace: Workspace, found: Report) -> list[str]:
    """Return a warning for each scorer whose probabilities are the sigmoids of its logits."""
    own = judges.calibrations(found.setting)
    known = {
        scorer: own[scorer] if scorer in own else workspace.select("workspace/calibrations", scorer=scorer).height
        for scorer in _scorers(found)
    }
    return [
        f"{scorer} is not calibrated, so that its probabilities may mean something else than the other's. Run: "
        + curate_command("calibrate", "--scorer", scorer)
        for scorer, calibration in known.items()
        if not calibration
    ]


def _scorers(found: Report) -> list[str]:
    """Return the scorers that a report is about."""
    named = [found.parameters[key] for key in ("scorer", "against") if key in found.parameters]
    return named or judges.scorers(found.setting)


def _about(workspace: Workspace, run: str, cutoffs: ReportRow) -> list[str]:
    """Return the reports on a run. What has nothing to be compared with is left out, and `judge` of several."""
    sources = workspace.scan("runs").filter(run_id=run).collect()["sources"][0]
    left_out = [*(() if len(sources) > 1 else OF_SEVERAL_RETRIEVERS), *(["judge"] * judges.are_several(cutoffs))]
    return [name for name in ABOUT_THE_RUN if name not in left_out]


def _several(workspace: Workspace, names: Sequence[str], chosen: ReportRow) -> dict[str, Report]:
    with workspace.connect_lazily() as connection:
        return _answers(connection, names, chosen)


@contextmanager
def _keeping(workspace: Workspace, chosen: ReportRow) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open a connection that joins the candidates of the chosen run and cutoffs once, for several reports."""
    with workspace.connect_lazily() as connection:
        keep(connection, chosen["run"], chosen["cutoffs"])
        yield connection


def _answers(
    connection: "duckdb.DuckDBPyConnection", names: Sequence[str], chosen: ReportRow
) -> dict[str, Report]:
    return {
        name: _answer(connection, name, {key: chosen[key] for key in named_queries.parameters(name)})
        for name in names
    }


def _answer(connection: "duckdb.DuckDBPyConnection", name: str, parameters: ReportRow) -> Report:
    setting = {}
    if "run" in parameters and "cutoffs" in parameters:
        of = {key: parameters[key] for key in ("run", "cutoffs")}
        setting = named_queries.rows(connection, "setting", of)[0]
    return Report(name, parameters, setting, named_queries.rows(connection, name, parameters))
