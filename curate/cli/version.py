"""`curate --version`."""

import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

import curate

LIBRARIES = ("duckdb", "polars", "pyarrow", "torch", "transformers", "tantivy", "faiss-cpu", "faiss-gpu")
FORM = "curate.version.json"


def version_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--version`, and `--json` for its form with the versions of the libraries."""
    shown = click.option("--version", is_flag=True, expose_value=False, callback=_show, help="Show the version.")
    form = click.option(
        "--json",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_keep,
        help="With --version: all versions.",
    )
    return shown(form(command))


def _keep(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    context.meta[FORM] = wanted


def _show(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(_as_json() if context.meta[FORM] else f"curate {curate.__version__}")
        context.exit()


def _as_json() -> str:
    from curate.query_output import SCHEMA

    libraries = {name: _installed(name) for name in LIBRARIES}
    facts = {
        "schema": f"curate.version/{SCHEMA}",
        "curate": curate.__version__,
        "python": platform.python_version(),
    }
    return json.dumps({**facts, "libraries": libraries})


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
