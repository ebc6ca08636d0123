"""Calibrations as rows: how the logits of a scorer become probabilities. `curate calibrate` makes them."""

from collections.abc import Mapping
from typing import Any

from curate.jobs import Job
from curate.workspace import Workspace


def write_calibration(workspace: Workspace, job: str, settings: Mapping[str, Any]) -> None:
    """Write the rows of a calibration. Its record has them too, so that they can be made again."""
    made = Job(workspace, "calibrate", job, settings)
    made.write_rows("calibrations", [{"calibration_id": job, **settings["calibration"]}])
    for table in ("reliability", "promises"):
        made.write_rows(table, [{"calibration_id": job, **row} for row in settings[table]])
    made.finish()
