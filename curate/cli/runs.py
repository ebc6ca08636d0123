"""`curate runs`."""

import json
from importlib import import_module

import click

from curate.cli.options import json_option, workspace
from curate.errors import BadSettings


@click.command()
@json_option
def runs(as_json: bool) -> None:
    """List the runs by round: the model behind each, what it was trained on, and what was measured.

    \b
    Example:
      curate runs
      curate runs --json
    """
    from curate import named

    with workspace().connect() as connection:
        rows = named.rows(connection, "rounds", {})
    if as_json:
        click.echo(json.dumps({"schema": "curate.runs/1", "runs": rows}, ensure_ascii=False))
        return
    if not rows:
        raise BadSettings("no runs yet. Run: curate mine")
    # By its name: curate.reports builds on the core, and the core does not import it.
    shown = [["" if value is None else value for value in row.values()] for row in rows]
    import_module("curate.reports.tables").print_table(list(rows[0]), shown)
