"""`curate report`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.cli.completion_values import REPORTS
from curate.cli.options import ROWS, progress, rows_options, say, show_rows, workspace
from curate.errors import BadSettings
from curate.suggest import curate_command

if TYPE_CHECKING:
    from curate.reports import comparison, report_rows
    from curate.reports.document import Document

PAGES = ("html", "markdown")
"""Formats for people who have no workspace at hand."""
SUFFIXES = {".html": "html", ".htm": "html", ".md": "markdown", ".markdown": "markdown", ".json": "json"}


@click.command()
@click.argument("name", required=False, type=REPORTS)
@click.argument("query_id", required=False)
@click.option("--run", metavar="RUN", help="Run to report on [the current one, see `curate status`].")
@click.option("--cutoffs", metavar="NAME", help="Cutoffs to judge by [the current ones].")
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Two runs, scorers or cutoffs to show side by side, with their differences.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="Suspects, pseudo-labels or passages to show [5; with NAME 20]."
)
@click.option("--scorer", metavar="MODEL", help="Scorer, for judge and agreement [that of the cutoffs].")
@click.option("--against", metavar="MODEL", help="Scorer to compare it with, for agreement [the other of two].")
@click.option("--query", "query", metavar="ID", help="Query to report on, as in `curate report query ID`.")
@click.option(
    "--hidden",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Qrels with every relevant passage of their queries, to measure filters by.",
)
@rows_options((*ROWS, *PAGES), default=None, about="table")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write: .html, .md or .json; its suffix sets the format.",
)
def report(
    name: str | None,
    query_id: str | None,
    run: str | None,
    cutoffs: str | None,
    compare: tuple[str, str] | None,
    limit: int | None,
    scorer: str | None,
    against: str | None,
    query: str | None,
    hidden: Path | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Show what was mined, what denoising removed and what is left to train on.

    Without NAME, an overview, also as a page for the browser (html) or for a pull request (markdown). With NAME,
    one report in full: headline, naive_negatives, funnel, denoised_by_rank, denoised_by_query, denoised_by_split,
    false_negatives_by_rank, false_negatives_by_retriever, retriever_overlap, judge, agreement, disagreements,
    score_histogram, positives_recognised, hidden_positives, calibration_in_force, reliability, cutoff_sweep,
    cutoffs_compared, filters, shortfall, suspects, rescued, query_cards, pseudo_labels, pseudo_label_outcomes,
    duplicate_groups, cost, lineage, rounds, setting, collection or splits. `query ID` shows everything about one
    query.

    \b
    Example:
      curate report
      curate report -o report.html
      curate report suspects --limit 50
      curate report query q17
      curate report --compare default strict
      curate report agreement
      curate report funnel --json
    """
    from curate.reports import report_rows

    form = _form(form, output)
    query = query or query_id
    if query and name in (None, "query"):
        name = "query_card"
    elif query_id:
        raise BadSettings(f"'{name}' does not take a query id", run=curate_command("report", "query", query_id))
    if name == "query":
        raise BadSettings("which query? Give its id", run="curate report query ID")
    if compare:
        _refuse_with_compare(name=name, query=query, scorer=scorer, against=against, limit=limit)
        _compare(compare, run, cutoffs, form, output)
        return
    if name is None and form in ("csv", "ndjson"):
        raise BadSettings(
            f"the overview has several tables. For {form}, give the NAME of one", run="curate report funnel"
        )
    if name and form in PAGES:
        raise BadSettings(f"{form} shows all reports: leave out '{name}'", run=f"curate report --format {form}")
    found: report_rows.Report | report_rows.Overview
    with_examples = name == "agreement" and form == "table"  # the limit is theirs
    about: report_rows.ReportOptions = {"run": run, "cutoffs": cutoffs, "scorer": scorer, "against": against}
    here = workspace()
    if name is None:
        found = report_rows.overview(here, run=run, cutoffs=cutoffs, limit=limit or report_rows.FEW)
    else:
        about["query"] = query
        about["hidden"] = hidden
        about["limit"] = None if with_examples else limit
        found = report_rows.report(here, name, **about)
    notes = report_rows.notes(here, found, run=run, cutoffs=cutoffs)
    for note in notes:
        progress().say(note)
    if with_examples:
        about["limit"] = limit or report_rows.FEW
        _show(found, report_rows.report(here, "disagreements", **about))
    elif form == "table":
        _show(found)
    elif isinstance(found, report_rows.Overview):
        _write(_page(found, notes, form) if form in PAGES else _json(found.json()), output)
    elif output:
        _write(_json(found.json()), output)
    else:
        show_rows(form, found.rows, found.json())


def _form(form: str | None, output: Path | None) -> str:
    """Return the format, by the suffix of the output if none is given; raises BadSettings if they do not fit."""
    if output is None:
        return form or "table"
    by_suffix = SUFFIXES.get(output.suffix.lower())
    if form and by_suffix and form != by_suffix:
        raise BadSettings(
            f"'{output}' is named as {by_suffix}, and --format says {form}: leave out one of the two"
        )
    chosen = form or by_suffix
    if chosen is None:
        raise BadSettings(f"no format for '{output}': name it .html, .md or .json, or give --format")
    if chosen not in SUFFIXES.values():
        raise BadSettings(
            f"--output writes html, markdown or json, not {chosen}", run="curate sql NAME --output FILE"
        )
    return chosen


def _refuse_with_compare(**given: object) -> None:
    named = [key for key, value in given.items() if value is not None]
    if named:
        raise BadSettings(f"--compare shows two sides of everything, so {' and '.join(named)} says nothing")


def _compare(names: tuple[str, str], run: str | None, cutoffs: str | None, form: str, output: Path | None) -> None:
    from curate.reports.comparison import compare, comparison_notes
    from curate.reports.comparison_document import comparison_document
    from curate.reports.page import Page
    from curate.reports.terminal import show_document

    here = workspace()
    found: comparison.Comparison = compare(here, names, run=run, cutoffs=cutoffs)
    notes = comparison_notes(here, found)
    for note in notes:
        progress().say(note)
    if form in ("csv", "ndjson"):
        show_rows(form, found.figures, found.json())
    elif form == "table":
        show_document(Page(), comparison_document(found))
    elif form == "json":
        _write(_json(found.json()), output)
    else:
        _write(_drawn(comparison_document(found, _warnings(notes)), form), output)


def _page(found: "report_rows.Overview", notes: Sequence[str], form: str) -> str:
    from curate.reports.overview_document import document

    return _drawn(document(found, _warnings(notes)), form)


def _warnings(notes: Sequence[str]) -> list[str]:
    return [note.removeprefix("warning: ") for note in notes if note.startswith("warning: ")]


def _drawn(document: "Document", form: str) -> str:
    from curate.reports.html import html
    from curate.reports.markdown import markdown

    return html(document) if form == "html" else markdown(document)


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str) + "\n"


def _write(text: str, output: Path | None) -> None:
    """Write a text to a file, whole or not at all, or to stdout, where it cannot control a terminal."""
    if output is None:
        say(text.removesuffix("\n"))
        return
    from curate.shards import write_text
    from curate.workspace import check_output

    check_output(output)
    write_text(output.resolve(), text)
    progress().say(f"wrote {output}")


def _show(found: "report_rows.Report | report_rows.Overview", *further: "report_rows.Report") -> None:
    from curate.reports.page import Page
    from curate.reports.report_rows import Report
    from curate.reports.terminal import show_overview, show_report

    page = Page()
    if isinstance(found, Report):
        show_report(page, found, *further)
    else:
        show_overview(page, found)
