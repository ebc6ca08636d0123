"""Named queries: the SQL files of `sql/reports`, with the values of their parameters.

A parameter that is not given takes its default: the newest run, the cutoffs called 'default', the settings
of the workspace. The same queries serve `curate sql NAME`, `curate report` and Python.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.choose_run import chosen_run
from curate.errors import BadSettings
from curate.nearest import nearest
from curate.query_output import json_lines
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

LIMIT = 20
NUMBERS = ("limit", "negatives")
OVER_UNLABELED = ("pseudo_labels", "pseudo_label_outcomes")


def text(name: str) -> str:
    """Return the SQL of a named query; raises BadSettings, with the nearest name, for one that is not there."""
    known = sql_files.report_names()
    if name not in known:
        raise BadSettings(f"no query named '{name}': {nearest(name, known)}")
    return sql_files.text(f"reports/{name}")


def parameters(name: str) -> list[str]:
    """Return the names of a query's parameters, sorted."""
    return sql_files.parameter_names(text(name))


def values(workspace: Workspace, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every parameter of a query; raises BadSettings for one that cannot be.

    Before anything was mined or denoised the error names the command that comes next.
    """
    wanted = parameters(name)
    for key in given:
        if key not in wanted:
            raise BadSettings(f"'{name}' has no parameter '{key}': {nearest(key, wanted)}")
    found: dict[str, Any] = {k: _number(k, v) if k in NUMBERS else v for k, v in given.items()}
    split = "unlabeled" if name in OVER_UNLABELED else "train"
    if "query" in wanted:
        if "query" not in given:
            raise BadSettings(f"'{name}' needs a query id. Give: -p query=ID")
        split = split_of(workspace, found["query"])
    if "run" in wanted:
        found["run"] = chosen_run(workspace, found.get("run"), split)
    if "cutoffs" in wanted:
        found["cutoffs"] = chosen_cutoffs(workspace, found.get("cutoffs"))
    defaults = {"limit": LIMIT, "negatives": workspace.settings.denoise.negatives}
    return {**{key: value for key, value in defaults.items() if key in wanted}, **found}


def chosen_cutoffs(workspace: Workspace, name: str | None) -> str:
    """Return `name` ('default' unless given) if there are such cutoffs; raises BadSettings."""
    with workspace.connect() as connection:
        known = sorted(row[0] for row in connection.table("cutoffs").project("name").fetchall())
    name = name or "default"
    if not known:
        raise BadSettings("no candidate was judged yet. Run: curate denoise --scorer MODEL")
    if name not in known:
        raise BadSettings(f"no cutoffs '{name}'; there are: {', '.join(known)}")
    return name


def split_of(workspace: Workspace, query_id: str) -> str:
    """Return the split of a query; raises BadSettings, with ids that look like it, where nobody has the id."""
    splits = workspace.select("workspace/query_split", query_id=query_id).to_dicts()
    if splits:
        return str(splits[0]["split"])
    near = workspace.select("workspace/near_query_ids", query_id=query_id).to_dicts()
    if not near:
        raise BadSettings("no queries yet. Run: curate load COLLECTION")
    raise BadSettings(f"no query '{query_id}'; near it: {', '.join(row['query_id'] for row in near)}")


def rows(
    connection: "duckdb.DuckDBPyConnection", name: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of a named query; `parameters` as `values` gives them."""
    result = connection.sql(text(name), params=dict(parameters) or None)
    return [json.loads(line) for line in json_lines(result)]


def _number(key: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 1:
        raise BadSettings(f"{key} is a number from 1, found {value!r}")
    return number
