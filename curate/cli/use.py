"""`curate use`."""

import click

import curate
from curate.cli.options import json_option, show, workspace
from curate.errors import BadSettings


@click.command()
@click.argument("run", required=False)
@click.option("--cutoffs", metavar="NAME", help="Cutoffs to use from now on.")
@click.option("--auto", is_flag=True, help="Withdraw the earlier choices, so that the rule decides again.")
@json_option
def use(run: str | None, cutoffs: str | None, auto: bool, as_json: bool) -> None:
    """Choose the RUN or the cutoffs that reports, exports, trainings and SQL use if none are named.

    Without a choice, the current run of a split is the one denoised last, else the newest; the current cutoffs
    are `default`, else the ones set last. The RUN is chosen for its own split.

    \b
    Example:
      curate use hybrid-train-1a2b3c4d
      curate use --cutoffs strict
      curate use --auto
    """
    if not (run or cutoffs or auto):
        raise BadSettings(
            "nothing to choose. Give a RUN, --cutoffs NAME or --auto; curate status shows what there is"
        )
    here = workspace()
    with here.lock():
        show(curate.use(here, run=run, cutoffs=cutoffs, auto=auto), as_json)
