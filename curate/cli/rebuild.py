"""`curate rebuild`."""

import click

import curate
from curate.cli.options import confirm, json_option, progress, show, workspace


@click.command()
@click.option(
    "--forget",
    metavar="JOB",
    help="First delete the record and the shards of a damaged job that cannot be made again. If its "
    "record is lost, give its number.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="Do not ask before --forget deletes the job, and forget a lost record of which nothing is known.",
)
@json_option
def rebuild(forget: str | None, yes: bool, as_json: bool) -> None:
    """Check every file that a record names, make what is damaged again, and rebuild curate.duckdb.

    Records are restored from their copies. A damaged shard is made again by its job, as of the time when the job
    ran; a load needs its files for that. Tables and views that you added to curate.duckdb stay.

    \b
    Example:
      curate rebuild
      curate rebuild --forget dense-train-1a2b3c4d
      curate rebuild --forget dense-train-1a2b3c4d --yes
    """
    here = workspace()
    if forget:
        from curate.rebuild import places_of

        deleted = ", ".join(str(path.relative_to(here.root)) for path in places_of(here, forget))
        if deleted:
            confirm(f"this deletes {deleted}", yes, "rebuild", "--forget", forget)
    with here.lock():
        show(curate.rebuild(here, forget=forget, yes=yes, progress=progress()), as_json)
