"""`curate report`."""

from typing import TYPE_CHECKING

import click

from curate.cli.completion_values import REPORTS
from curate.cli.options import progress, rows_options, say_json, show_rows, workspace
from curate.errors import BadSettings
from curate.suggest import curate_command

if TYPE_CHECKING:
    from curate.reports import report_rows


@click.command()
@click.argument("name", required=False, type=REPORTS)
@click.argument("query_id", required=False)
@click.option("--run", metavar="RUN", help="Run to report on [the current one, see `curate status`].")
@click.option("--cutoffs", metavar="NAME", help="Cutoffs to judge by [the current ones].")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Suspects, pseudo-labels or passages to show [5; with NAME 20]."
)
@click.option("--scorer", metavar="MODEL", help="Scorer, for judge and agreement [that of the cutoffs].")
@click.option("--against", metavar="MODEL", help="Scorer to compare it with, for agreement [the other of two].")
@click.option("--query", "query", metavar="ID", help="Query to report on, as in `curate report query ID`.")
@rows_options()
def report(
    name: str | None,
    query_id: str | None,
    run: str | None,
    cutoffs: str | None,
    limit: int | None,
    scorer: str | None,
    against: str | None,
    query: str | None,
    form: str,
) -> None:
    """Show what was mined, what denoising removed and what is left to train on.

    Without NAME, an overview. With NAME, one report in full: funnel, denoised_by_rank,
    false_negatives_by_rank, false_negatives_by_retriever, judge, agreement, disagreements, score_histogram,
    positives_recognised, shortfall, suspects, pseudo_labels, pseudo_label_outcomes, cutoffs_compared, lineage,
    rounds, setting, collection or splits. `query ID` shows everything about one query.

    \b
    Example:
      curate report
      curate report suspects --limit 50
      curate report query q17
      curate report agreement
      curate report funnel --json
      curate report suspects --format csv
    """
    from curate.reports import report_rows

    if name is None and not query and form in ("csv", "ndjson"):
        raise BadSettings(
            f"the overview has several tables. For {form}, give the NAME of one", run="curate report funnel"
        )
    query = query or query_id
    if query and name in (None, "query"):
        name = "query_card"
    elif query_id:
        raise BadSettings(f"'{name}' does not take a query id", run=curate_command("report", "query", query_id))
    if name == "query":
        raise BadSettings("which query? Give its id", run="curate report query ID")
    found: report_rows.Report | report_rows.Overview
    with_examples = name == "agreement" and form == "table"  # the limit is theirs
    about: report_rows.ReportOptions = {"run": run, "cutoffs": cutoffs, "scorer": scorer, "against": against}
    here = workspace()
    if name is None:
        found = report_rows.overview(here, run=run, cutoffs=cutoffs, limit=limit or report_rows.FEW)
    else:
        about["query"] = query
        about["limit"] = None if with_examples else limit
        found = report_rows.report(here, name, **about)
    for note in report_rows.notes(here, found, run=run, cutoffs=cutoffs):
        progress().say(note)
    if with_examples:
        about["limit"] = limit or report_rows.FEW
        _show(found, report_rows.report(here, "disagreements", **about))
    elif form == "table":
        _show(found)
    elif isinstance(found, report_rows.Report):
        show_rows(form, found.rows, found.json())
    else:
        say_json(found.json())


def _show(found: "report_rows.Report | report_rows.Overview", *further: "report_rows.Report") -> None:
    from curate.reports.page import Page
    from curate.reports.report_rows import Report
    from curate.reports.terminal import show_overview, show_report

    page = Page()
    if isinstance(found, Report):
        show_report(page, found, *further)
    else:
        show_overview(page, found)
