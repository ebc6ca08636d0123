"""`curate rebuild`."""

import click

import curate
from curate.cli.options import json_option, progress, show, workspace


@click.command()
@click.option(
    "--forget",
    metavar="JOB",
    help="First delete the record and the shards of a damaged job that cannot be made again. If its "
    "record is lost, give its number.",
)
@json_option
def rebuild(forget: str | None, as_json: bool) -> None:
    """Check every file that a record names, make what is damaged again, and rebuild curate.duckdb.

    Records are restored from their copies. A damaged shard is made again by its job, as of the time when the job
    ran; a load needs its files for that. Tables and views that you added to curate.duckdb stay.

    \b
    Example:
      curate rebuild
      curate rebuild --forget dense-train-1a2b3c4d
    """
    here = workspace()
    with here.lock():
        show(curate.rebuild(here, forget=forget, progress=progress()), as_json)
