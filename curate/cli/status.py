"""`curate status`."""

import click

import curate
from curate.cli.options import json_option, show, workspace


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show what stands, what is stale, what is unscored, and what comes next.

    \b
    Example:
      curate status
      curate status --json
    """
    show(curate.status(workspace()), as_json)
