"""`curate run`."""

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace


@click.command()
@click.option("--from", "first", metavar="STEP", default="m-d0", show_default=True, help="First step to run.")
@click.option("--to", "last", metavar="STEP", default="evaluate", show_default=True, help="Last step to run.")
@dry_run_option
@json_option
def run(first: str, last: str, dry_run: bool, as_json: bool) -> None:
    """Follow the recipe in curate.toml: RocketQA's whole procedure.

    The steps are m-d0, mine, m-c, denoise, m-d1, augment, m-d2 and evaluate. Finished steps are not done again,
    and an interrupted step continues.

    \b
    Example:
      curate init my-set --recipe small && cd my-set
      curate load ../my-collection
      curate run --dry-run
      curate run
      curate runs
    """
    here = workspace()
    if dry_run:
        return show(curate.plan_recipe(here, first=first, last=last), as_json)
    with here.lock():
        result = curate.run_recipe(here, first=first, last=last, progress=progress())
    return show(result, as_json)
