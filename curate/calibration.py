"""Calibrations as rows: how the logits of a scorer become probabilities. `curate calibrate` makes them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from curate.jobs import Job
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.calibrate.forms import Curve


def write_calibration(
    workspace: Workspace, job: str, settings: Mapping[str, Any], inputs: Mapping[str, str] | None = None
) -> None:
    """Write the rows of a calibration. Its record has them too, so that they can be made again.

    inputs: the tables with the labels that it learnt from -> their sha256.
    """
    made = Job(workspace, "calibrate", job, settings, dict(inputs or {}))
    made.write_rows("calibrations", [{"calibration_id": job, **settings["calibration"]}])
    for table in ("reliability", "promises"):
        made.write_rows(table, [{"calibration_id": job, **row} for row in settings[table]])
    made.finish()


def calibrated_curve(workspace: Workspace, calibration: str | None) -> "Curve":
    """Return the curve of a calibration; None: that of logits that are log-odds."""
    from curate.calibrate.forms import OWN, Curve

    record = workspace.record(calibration) if calibration else None
    row = record.settings["calibration"] if record else {}
    return Curve(row["a"], row["b"], row["c"]) if row else OWN


def calibrated_elsewhere(workspace: Workspace, run_id: str, cutoffs: Mapping[str, Any]) -> list[str]:
    """Return a warning if the calibration of `cutoffs`, a row of the table, is about another run or depth."""
    record = workspace.record(cutoffs["calibration_id"]) if cutoffs["calibration_id"] else None
    row = record.settings["calibration"] if record else {}
    about = row.get("run_id"), row.get("depth")
    if about[0] is None or about == (run_id, cutoffs["depth"]):
        return []
    return [
        f"{cutoffs['calibration_id']} was learnt from the top {about[1]} of {about[0]}. If another share of the "
        f"top {cutoffs['depth']} of {run_id} is relevant, its probabilities and promises do not hold here"
    ]
