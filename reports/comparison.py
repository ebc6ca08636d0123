"""`curate report --compare A B`: the figures of two runs, scorers or cutoffs side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from curate import cutoffs, family, judges, named_queries, sql_files
from curate.bootstrap import interval
from curate.choose_run import chosen_run, newest_first
from curate.cutoffs import cutoffs_in_force
from curate.errors import BadSettings, UnknownName
from curate.nearest import nearest
from curate.query_output import SCHEMA
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]
KINDS = {"cutoffs": "cutoffs", "run": "runs", "scorer": "scorers"}
"""What can be compared, and how several of them are called."""
SEED = 0
VALUES = ("depth", "negative_below", "positive_above", "duplicate_above", "pseudo_positives")


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    kind: str
    """cutoffs, run or scorer: what differs from the other side."""
    run: str
    cutoffs: str
    """Their name; of a scorer its id, under which they are set for this comparison alone."""
    setting: Row
    """The row of the report `setting`."""


@dataclass(frozen=True)
class Comparison:
    """Two sides, their figures, and how they decide about the same pairs."""

    first: Side
    second: Side
    negatives: int
    figures: list[Row]
    """The rows of sql/compare/figures.sql, and those of how well the scorers rank."""
    decisions: list[Row]

    def json(self) -> Row:
        """Return what `--json` prints."""
        return {"schema": f"curate.comparison/{SCHEMA}", **asdict(self)}


def compare(
    workspace: Workspace, names: tuple[str, str], *, run: str | None = None, cutoffs: str | None = None
) -> Comparison:
    """Return the figures of two runs, scorers or cutoffs, by their names, and their differences.

    run, cutoffs: what both sides have in common; by default the current ones. Two scorers decide under the values
    of these cutoffs, each with its own newest calibration. Raises UnknownName if nothing has one of the names, and
    BadSettings if the two are not of one kind, or two runs of different splits.
    """
    kind = _kind(workspace, names)
    if kind in ("run", "cutoffs") and {"run": run, "cutoffs": cutoffs}[kind]:
        raise BadSettings(f"two {KINDS[kind]} are compared, so --{kind} says nothing")
    base = cutoffs_in_force(workspace, None if kind == "cutoffs" else cutoffs)
    common = chosen_run(workspace, run) if kind != "run" else ""
    of = [_of(kind, name, common, base["name"]) for name in names]
    negatives = workspace.settings.denoise.negatives
    with workspace.connect_lazily() as connection:
        if kind == "scorer":
            _set_cutoffs(connection, workspace, base, names)
        sides = [
            Side(
                name,
                kind,
                *one,
                named_queries.rows(connection, "setting", dict(zip(("run", "cutoffs"), one, strict=True)))[0],
            )
            for name, one in zip(names, of, strict=True)
        ]
        _refuse_other_split(sides)
        parameters = {
            "negatives": negatives,
            **{
                f"{place}_{key}": getattr(side, key)
                for place, side in zip(("first", "second"), sides, strict=True)
                for key in ("run", "cutoffs")
            },
        }
        sql_files.execute(connection, "compare/sides", **parameters)
        figures = sql_files.select(connection, "compare/figures", **parameters).pl().to_dicts()
        decisions = sql_files.select(connection, "compare/decisions").pl().to_dicts()
        ranking = _ranking(connection, sides)
    return Comparison(sides[0], sides[1], negatives, [*figures, *ranking], decisions)


def comparison_notes(workspace: Workspace, found: Comparison) -> list[str]:
    """Return the warnings of the report about each side, each once."""
    told: dict[str, None] = {}
    for side in (found.first, found.second):
        if side.kind != "scorer":  # its cutoffs are not set, so nothing on record is about them
            used = {"run": side.run, "cutoffs": side.cutoffs}
            told |= dict.fromkeys(named_queries.notes(workspace, used, used))
        told |= {
            f"warning: {text}": None for text in family.warnings(workspace, side.run, judges.scorers(side.setting))
        }
    return [note for note in told if note.startswith("warning: ")]


def _kind(workspace: Workspace, names: tuple[str, str]) -> str:
    """Return what both names are the names of."""
    known = {
        "cutoffs": list(cutoffs.every(workspace)),
        "run": [row["run_id"] for row in newest_first(workspace)],
        "scorer": [row["model_id"] for row in workspace.select("workspace/scorers").to_dicts()],
    }
    kinds = [[kind for kind, ids in known.items() if name in ids] for name in names]
    for name, found in zip(names, kinds, strict=True):
        if not found:
            every = [name for ids in known.values() for name in ids]
            raise UnknownName(f"nothing to compare is called '{name}': {nearest(name, every)}")
    both = [kind for kind in kinds[0] if kind in kinds[1]]
    if not both:
        raise BadSettings(
            f"'{names[0]}' is one of the {KINDS[kinds[0][0]]} and '{names[1]}' one of the {KINDS[kinds[1][0]]}. "
            "Compare two runs, two scorers or two cutoffs"
        )
    if names[0] == names[1]:
        raise BadSettings(f"'{names[0]}' is compared with itself")
    return both[0]


def _refuse_other_split(sides: Sequence[Side]) -> None:
    """Raise BadSettings if the sides have no query in common, so that nothing can be paired."""
    first, second = sides
    if first.setting["split"] != second.setting["split"]:
        raise BadSettings(
            f"'{first.run}' is a run of the {first.setting['split']} queries and '{second.run}' one of the "
            f"{second.setting['split']} queries. Compare two runs of one split"
        )


def _of(kind: str, name: str, run: str, cutoffs_name: str) -> tuple[str, str]:
    """Return the run and the cutoffs of a side."""
    return (name, cutoffs_name) if kind == "run" else (run, name)


def _set_cutoffs(
    connection: "duckdb.DuckDBPyConnection", workspace: Workspace, base: Mapping[str, Any], scorers: Sequence[str]
) -> None:
    """Have `connection`, and nothing else, know cutoffs by the name of each scorer, with the values of `base`."""
    import pyarrow as pa

    sql_files.prepare(connection, "stored_cutoffs")
    stored = connection.table("stored_cutoffs").to_arrow_table()
    own = judges.calibrations(base)
    rows = [
        {
            **{key: base[key] for key in VALUES},
            "name": scorer,
            "revision": 1,
            "scorer_id": scorer,
            "calibration_id": own[scorer] if scorer in own else _newest(workspace, scorer),
            "enough": base.get("enough"),
        }
        for scorer in scorers
    ]
    whole = pa.concat_tables([stored, pa.Table.from_pylist(rows, stored.schema)])
    connection.from_arrow(whole).create_view("stored_cutoffs", replace=True)


def _newest(workspace: Workspace, scorer: str) -> str | None:
    found = workspace.select("workspace/newest_calibration", scorer=scorer, name="").to_dicts()
    return str(found[0]["calibration_id"]) if found else None


def _ranking(connection: "duckdb.DuckDBPyConnection", sides: Sequence[Side]) -> list[Row]:
    """Return how well each side's scorer and retriever rank, on labelled queries that neither scorer has seen."""
    if any(judges.are_several(side.setting) for side in sides):
        return []
    rows = [
        {row["query_id"]: row for row in named_queries.rows(connection, "judge", _judge(side))} for side in sides
    ]
    both = sorted(rows[0].keys() & rows[1].keys())
    shown = [("MRR@10 of the scorer", "judge_rr")]
    if not any(row["retriever_has_seen"] for side in rows for row in side.values()):  # or it is flattered
        shown.append(("MRR@10 of the retriever", "retriever_rr"))
    return [row for name, column in shown if both for row in [_paired(name, column, rows, both)]]


def _judge(side: Side) -> Row:
    return {"run": side.run, "cutoffs": side.cutoffs, "scorer": side.setting["scorer_id"]}


def _paired(name: str, column: str, rows: Sequence[Mapping[str, Row]], queries: Sequence[str]) -> Row:
    import numpy as np

    first, second = (np.asarray([side[query][column] for query in queries], np.float64) for side in rows)
    change = interval(second - first, SEED)
    varies = bool(np.ptp(second - first) > 0)  # or the bootstrap knows no chance
    return {
        "part": "all",
        "figure": name,
        "unit": "number",
        "first": round(float(first.mean()), 6),
        "second": round(float(second.mean()), 6),
        "difference": round(change.mean, 6),
        "low": round(change.low, 6) if varies else None,
        "high": round(change.high, 6) if varies else None,
        "queries": len(queries),
        "paired": len(queries),
    }
