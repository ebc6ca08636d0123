"""`curate augment`."""

import click

from curate.cli.options import dry_run_option, json_option, progress, show, workspace


@click.command()
@click.option("--scorer", metavar="MODEL", help="Cross-encoder; the one of the cutoffs unless given.")
@click.option(
    "--all-above/--best", default=None, help="Keep all passages above the cutoff, or the best one [best]."
)
@click.option("--cutoffs", metavar="NAME", default="default", show_default=True, help="Judge by these cutoffs.")
@dry_run_option
@json_option
def augment(scorer: str | None, all_above: bool | None, cutoffs: str, dry_run: bool, as_json: bool) -> None:
    """Give questions without labels confident pseudo-labels.

    They are mined as the newest train run was and judged as in `curate denoise`. A question without a
    confident passage gets no label.

    \b
    Example:
      curate augment
    """
    from curate.stages import augment as stage

    here = workspace()
    if dry_run:
        return show(stage.plan_augment(here, scorer=scorer, cutoffs=cutoffs), as_json)
    with here.lock():
        result = stage.augment(here, scorer=scorer, all_above=all_above, cutoffs=cutoffs, progress=progress())
    return show(result, as_json)
