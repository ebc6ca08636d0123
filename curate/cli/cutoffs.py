"""`curate cutoffs`: the named cutoffs, which are listed and set without a model."""

from collections.abc import Mapping
from typing import Any

import click

import curate
from curate.cli.options import json_option, rows_options, say, show_rows, workspace
from curate.counted import counted
from curate.errors import StepMissing


@click.group(invoke_without_command=True)
@rows_options()
@click.pass_context
def cutoffs(context: click.Context, form: str) -> None:
    """List the named cutoffs, or set some. Nothing is scored, and no model is needed.

    \b
    Example:
      curate cutoffs
      curate cutoffs set strict --negative-below 0.05
      curate use --cutoffs strict
    """
    if context.invoked_subcommand:
        return
    from curate.cutoffs import NONE_YET, TO_SCORE, current_cutoffs, every

    here = workspace()
    rows, current = every(here), current_cutoffs(here)
    if not current and form == "table":
        raise StepMissing(NONE_YET, run=TO_SCORE)
    _show([{**row, "current": row["name"] == (current or row)["name"]} for row in rows.values()], form)


@cutoffs.command("set")
@click.argument("name")
@click.option("--negative-below", type=float, help="A hard negative has a probability below this value.")
@click.option("--positive-above", type=float, help="A false negative has a probability above this value.")
@click.option(
    "--duplicate-above",
    type=float,
    help="A candidate that resembles a positive by more than this is a duplicate; 1: only an exact copy is.",
)
@click.option("--depth", type=int, help="Top candidates that are judged per query.")
@click.option(
    "--enough",
    type=int,
    metavar="N",
    help="Hard negatives after which a train query needs no more scores; 0: it needs all.",
)
@click.option(
    "--scorer",
    metavar="MODEL",
    multiple=True,
    help="Scorer whose probabilities count: its id, or its folder; several with --join.",
)
@click.option(
    "--join",
    metavar="HOW",
    help="How several scorers decide: all (each must agree), any (one is enough, if none says the opposite), or "
    "mean (of their probabilities).",
)
@click.option(
    "--calibration",
    metavar="ID",
    multiple=True,
    help="Calibration of the probabilities; none: the sigmoid of the logits [each scorer's newest].",
)
@json_option
def set_(name: str, as_json: bool, **values: Any) -> None:
    """Set the cutoffs NAME. What is not given stays as it was; new cutoffs begin as the current ones.

    If the scorer was calibrated since they were set, they take that calibration.

    \b
    Example:
      curate cutoffs set strict --negative-below 0.05 --positive-above 0.95
      curate cutoffs set both --scorer models/cross-encoder --scorer models/other --join mean
    """
    here = workspace()
    with here.lock():
        given = {key: value for key, value in values.items() if value != ()}
        row = curate.set_cutoffs(here, name, **given)
    from curate.cutoffs import current_cutoffs

    _show([{**row, "current": (current_cutoffs(here) or {}).get("name") == name}], "json" if as_json else "table")


def _show(rows: list[dict[str, Any]], form: str) -> None:
    from curate.query_output import SCHEMA

    if form == "table":
        say("\n".join(_line(row) for row in rows))
    else:
        show_rows(form, rows, {"schema": f"curate.cutoffs/{SCHEMA}", "cutoffs": rows})


def _line(row: Mapping[str, Any]) -> str:
    from curate import judges
    from curate.cutoffs import cutoffs_in_words

    kept = "" if row["pseudo_positives"] == "best" else ", all pseudo-positives"
    many, one = "hard negatives are enough", "hard negative is enough"
    enough = f", {counted(row['enough'], many, one)}" if row["enough"] else ""
    scale = judges.scale_in_words(row) or "not calibrated"
    return (
        f"{row['name']}{' (current)' if row['current'] else ''}: {cutoffs_in_words(row)}, "
        f"top {row['depth']}{enough}{kept}\n"
        f"     by {judges.in_words(row)}, {scale}"
    )
