"""Calibrations as rows: how the logits of a scorer become probabilities. `curate calibrate` makes them."""

from collections.abc import Mapping
from typing import Any

from curate.jobs import Job
from curate.workspace import Workspace


def write_calibration(workspace: Workspace, job: str, settings: Mapping[str, Any]) -> None:
    """Write the rows of a calibration, which its record has too: `calibration` and the rows of `reliability`."""
    made = Job(workspace, "calibrate", job, settings)
    made.write_rows("calibrations", [{"calibration_id": job, **settings["calibration"]}])
    made.write_rows("reliability", [{"calibration_id": job, **row} for row in settings["reliability"]])
    made.finish()
