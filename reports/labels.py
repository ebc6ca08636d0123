"""What labels tell an overview of its own figures: people's verdicts on a sample, and hidden positives."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.annotate.estimates import estimate_in_force
from curate.errors import StepMissing
from curate.selfcheck import hidden_recall as measured_recall
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """Figures, and what they rest on."""

    about: Row
    rows: list[Row]


def estimates(workspace: Workspace, run: str, cutoffs: Row) -> Told | None:
    """Return what the verdicts on the newest sample of the run and cutoffs say; None if there are none.

    cutoffs: their row. The rows are those of `Estimates.estimates`; `about` has the sample and its verdicts.
    """
    found = estimate_in_force(workspace, run, cutoffs)
    if found is None:
        return None
    sample = {name: found.sample[name] for name in ("sample_id", "depth", "drawn_pairs", "drawn_queries")}
    return Told({**sample, "verdicts": found.verdicts, "left_out": found.left_out}, found.estimates)


def hidden_recall(connection: "duckdb.DuckDBPyConnection", workspace: Workspace, run: str, cutoffs: Row) -> Told:
    """Return the recall of hidden positives, with counts and notes; without rows, `missing` says why."""
    try:
        found = measured_recall(connection, workspace, run, cutoffs)
    except StepMissing as error:
        return Told({"counts": None, "notes": [], "missing": str(error)}, [])
    return Told({"counts": found.counts, "notes": found.notes, "missing": None}, found.figures)
