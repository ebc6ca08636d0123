"""Named queries: the SQL files of `sql/reports`, with the values of their parameters.

Parameters have defaults: the current run, the current cutoffs, and the settings of the workspace.
`curate sql NAME`, `curate report` and the Python API share these queries.
"""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from curate import judges, sql_files, standing
from curate.choose_run import chosen_run
from curate.cutoffs import chosen_cutoffs, cutoffs_in_force, known_scorer
from curate.denoise.rank_scores import models_among
from curate.errors import BadSettings, StepMissing, UnknownName
from curate.nearest import nearest
from curate.query_output import json_lines
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

LIMIT = 20
NUMBERS = ("limit", "negatives")
PARAMETERS = {
    "run": "the current run of the split train; for pseudo-labels, of unlabeled; for a query card, of its split",
    "cutoffs": "the current ones",
    "negatives": "negatives of [denoise] in curate.toml",
    "limit": str(LIMIT),
    "scorer": "the scorer of the cutoffs; of two, the first that the cutoffs join, or that scored the run",
    "against": "the other one of these two",
    "query": "none; it must be given: the id of a query",
    "share": "1: all queries",
    "seed": "that of curate.toml",
}
"""Parameter -> its value if nobody gives one."""
WHOLE = {f"{unsigned}{size}int" for unsigned in ("", "u") for size in ("tiny", "small", "big", "huge")}
PLAIN = {"boolean", "integer", "uinteger", *WHOLE, "float", "double", "varchar", "enum"}
"""The types of DuckDB whose values Python has as JSON has them."""
OVER_UNLABELED = ("pseudo_labels", "pseudo_label_outcomes")


def text(name: str) -> str:
    """Return the SQL of a named query; raises BadSettings, with the nearest name, for an unknown name."""
    known = sql_files.report_names()
    if name not in known:
        raise UnknownName(f"no query named '{name}': {nearest(name, known)}")
    return sql_files.text(f"reports/{name}")


def parameters(name: str) -> list[str]:
    """Return the names of a query's parameters, sorted."""
    return sql_files.parameter_names(text(name))


def values(workspace: Workspace, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every parameter of a query; raises BadSettings for an unknown name or a bad value.

    If nothing was mined or denoised yet, the error names the command to run.
    """
    wanted = parameters(name)
    for key in given:
        if key not in wanted:
            raise UnknownName(f"'{name}' has no parameter '{key}': {nearest(key, wanted)}")
    found: dict[str, Any] = {key: _checked(key, value) for key, value in given.items()}
    split = "unlabeled" if name in OVER_UNLABELED else "train"
    if "query" in wanted:
        if "query" not in given:
            raise BadSettings(
                f"'{name}' needs the id of a query. Run: curate report query ID, or curate sql {name} -p query=ID"
            )
        split = split_of(workspace, found["query"])
    if "run" in wanted:
        found["run"] = chosen_run(workspace, found.get("run"), split)
    if "cutoffs" in wanted:
        found["cutoffs"] = chosen_cutoffs(workspace, found.get("cutoffs"))
    if "against" in wanted:
        found["scorer"], found["against"] = _two_scorers(workspace, name, found)
    elif "scorer" in wanted:
        found["scorer"] = _scorer(workspace, name, found)
    defaults = {"limit": LIMIT, "negatives": workspace.settings.denoise.negatives, "share": 1.0}
    defaults["seed"] = workspace.settings.seed
    return {**{key: value for key, value in defaults.items() if key in wanted}, **found}


def notes(workspace: Workspace, given: Mapping[str, Any], used: Mapping[str, Any]) -> list[str]:
    """Return which run and cutoffs a query uses if none were `given`, and what the run lacks."""
    if "run" not in used:
        return []
    named_run, named_cutoffs = bool(given.get("run")), bool(given.get("cutoffs"))
    return standing.notes(
        workspace, [used["run"]], used.get("cutoffs"), named_run=named_run, named_cutoffs=named_cutoffs
    )


def split_of(workspace: Workspace, query_id: str) -> str:
    """Return the split of a query; raises BadSettings, with similar ids, if no query has this id."""
    splits = workspace.select("workspace/query_split", query_id=query_id).to_dicts()
    if splits:
        return str(splits[0]["split"])
    near = workspace.select("workspace/near_query_ids", query_id=query_id).to_dicts()
    if not near:
        raise StepMissing("no queries yet", run="curate load COLLECTION")
    raise UnknownName(f"no query '{query_id}'; similar ids: {', '.join(row['query_id'] for row in near)}")


def rows(
    connection: "duckdb.DuckDBPyConnection", name: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of a named query for the `parameters` that `values` returned, with values that JSON has.

    They are what `curate sql --json` gives. To have DuckDB write the JSON would have it plan each query once more.
    """
    result = sql_files.query(connection, text(name), parameters)
    if not all(map(_is_plain, result.types)):
        return [json.loads(line) for line in json_lines(result)]
    readers = [json.loads if str(kind) == "JSON" else _in_json for kind in result.types]
    return [
        {
            column: None if value is None else read(value)
            for column, read, value in zip(result.columns, readers, row, strict=True)
        }
        for row in result.fetchall()
    ]


def _scorer(workspace: Workspace, name: str, found: Mapping[str, Any]) -> str:
    if found.get("scorer"):
        return known_scorer(workspace, found["scorer"])
    row = cutoffs_in_force(workspace, found["cutoffs"])
    models = models_among(workspace, judges.scorers(row))
    if len(models) == 1:
        return models[0]
    return judges.only_one(row, f"'{name}' is about one scorer", "Name it: --scorer ID (curate sql: -p scorer=ID)")


def _two_scorers(workspace: Workspace, name: str, found: Mapping[str, Any]) -> tuple[str, str]:
    """Return two scorers: those that are named, or that the cutoffs join, or the only two that scored the run."""
    named = [known_scorer(workspace, found[key]) for key in ("scorer", "against") if found.get(key)]
    own = judges.scorers(cutoffs_in_force(workspace, found["cutoffs"]))
    scored = workspace.select("workspace/scorers_of_run", run=found["run"])["scorer_id"].to_list()
    known = own if len(own) == 2 and set(named) <= set(own) else [*own, *scored]
    both = list(dict.fromkeys([*named, *known])) if len(named) < 2 else named
    if len(set(both)) == 2:
        return (both[0], both[1]) if found.get("scorer") or not named else (both[1], both[0])
    if len(named) == 2:
        raise BadSettings(f"'{name}' compares two scorers, and {named[0]} is named twice")
    if len(both) < 2:
        raise StepMissing(
            f"'{name}' compares two scorers, and only {both[0]} has scored run {found['run']}",
            run=curate_command("denoise", "--run", found["run"], "--scorer", "MODEL", "--cutoffs", "NAME"),
        )
    options = "--scorer ID --against ID (curate sql: -p scorer=ID -p against=ID)"
    raise BadSettings(f"'{name}' compares two scorers. Name them, by {options}: {', '.join(both)}")


def _is_plain(kind: Any) -> bool:
    """Return whether a type is plain, or a list or struct of plain ones."""
    if kind.id in ("list", "struct"):
        return all(_is_plain(child) and str(child) != "JSON" for _, child in kind.children)
    return kind.id in PLAIN or str(kind) == "JSON"


def _in_json(value: Any) -> Any:
    """Return a value of a plain type as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _in_json(inner) for key, inner in value.items()}
    return [_in_json(inner) for inner in value] if isinstance(value, list) else value


def _checked(key: str, value: Any) -> Any:
    """Return the value of a parameter, which may be a text; raises BadSettings for one that cannot be meant."""
    if key in NUMBERS:
        return _number(key, value)
    if key not in ("share", "seed"):
        return value
    try:
        found = float(value) if key == "share" else int(value)
    except (TypeError, ValueError):
        found = math.nan
    if math.isnan(found) or (key == "share" and not 0 < found <= 1):
        wanted = "above 0 and at most 1" if key == "share" else "a whole number"
        raise BadSettings(f"{key} must be {wanted}, found {value!r}")
    return found


def _number(key: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 1:
        raise BadSettings(f"{key} must be a whole number from 1, found {value!r}")
    return number
