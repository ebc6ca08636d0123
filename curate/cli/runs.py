"""`curate runs`: the list of runs, and a run as a TREC file."""

from typing import Any

import click

import curate
from curate.cli.options import json_option, rows_options, say, show, show_rows, workspace
from curate.counted import counted
from curate.errors import StepMissing

MEASURES = ("MRR@10", "nDCG@10", "Recall@50")


@click.group(invoke_without_command=True)
@rows_options()
@click.pass_context
def runs(ctx: click.Context, form: str) -> None:
    """List the runs by round: the model behind each run, its training data and its metrics.

    \b
    Example:
      curate runs
      curate runs --json
      curate runs export bm25-test-5e6f7a8b bm25.trec
    """
    if ctx.invoked_subcommand:
        return
    from curate import named_queries
    from curate.query_output import SCHEMA

    with workspace().connect_lazily() as connection:
        rows = named_queries.rows(connection, "rounds", {})
    if form != "table":
        show_rows(form, rows, {"schema": f"curate.runs/{SCHEMA}", "runs": rows})
        return
    if not rows:
        raise StepMissing("no runs yet", run="curate mine")
    say("\n".join(_shown(row) for row in rows))


@runs.command("export")
@click.argument("run")
@click.argument("file")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@json_option
def export(run: str, file: str, force: bool, as_json: bool) -> None:
    """Write RUN to FILE in TREC's six columns, for trec_eval, ir_measures and other tools. - means stdout.

    The lines are in the order of the run. Tied scores differ in their last bits, so that tools that sort by score
    keep this order.

    \b
    Example:
      curate runs export bm25-test-5e6f7a8b bm25.trec
      curate runs export bm25-test-5e6f7a8b - | head
    """
    written = curate.export_run(workspace(), run, file, force=force)
    if file != "-":
        show(written, as_json)


def _shown(row: dict[str, Any]) -> str:
    """Return a run as a block of lines. Ids are never cut, however narrow the terminal."""
    queries = counted(row["queries"], "queries")
    lines = [f"{row['round']}. {row['run_id']}: {queries} of '{row['split']}', top {row['depth']:,}"]
    measured = [f"{name} {row[name]:.4f}" for name in MEASURES if row[name] is not None]
    if measured:
        outdated = "  (outdated by newer labels: curate evaluate)" if row["outdated"] else ""
        lines.append("  ".join(measured) + outdated)
    if row["model"]:
        trained = f", trained from {row['trained_from']}" if row["trained_from"] else ""
        trained += f" on {' and '.join(row['trained_on'].split())}" if row["trained_on"] else ""
        judged = f", judged by {row['judged_by']}" if row["judged_by"] else ""
        lines.append(f"by {row['model']}{trained}{judged}")
    return "\n     ".join(lines)
