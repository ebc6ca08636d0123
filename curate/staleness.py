"""What changed since a model was trained, a scorer calibrated or a set exported."""

from collections.abc import Mapping
from typing import Any

from curate import judges
from curate.cutoffs import DECIDING, every
from curate.job_record import Record
from curate.jobs import table_digest
from curate.workspace import Workspace


def since_export(workspace: Workspace, manifest: Mapping[str, Any]) -> list[str]:
    """Return what an export was made from and is no longer the same: tables, candidates, cutoffs."""
    settings, inputs = manifest["settings"], manifest["inputs"]
    now = {table: table_digest(workspace, table) for table in inputs if table != "candidates"}
    now["candidates"] = table_digest(workspace, "candidates", of_jobs=settings["runs"])
    return _different(inputs, now) + _cutoffs(workspace, settings)


def since_training(workspace: Workspace, record: Record) -> list[str]:
    """Return what a model was trained on and is no longer the same: tables, candidates, scores, cutoffs.

    Only queries, labels and scores that the training reads count (`sql/train`).
    """
    settings, inputs = record.settings, record.inputs
    asked = {"augmented": bool(settings.get("augmented")), "dev": bool(settings.get("dev_every"))}
    now = {
        "passages": table_digest(workspace, "passages"),
        "queries": str(workspace.select("train/queries_digest", **asked)["digest"][0]),
        "candidates": table_digest(workspace, "candidates", of_jobs=runs_of(settings)),
    }
    if "resemblances" in inputs:
        now["resemblances"] = table_digest(workspace, "resemblances")
    cutoffs = settings.get("cutoffs")
    if "scores" in inputs and cutoffs:
        read = {
            "runs": runs_of(settings),
            "cutoffs": cutoffs["name"],
            "scorers": judges.scorers(cutoffs),
            "denoised": settings.get("denoised", True),
            "depth": settings.get("depth", 0),
        }
        now["scores"] = workspace.select("train/scores_digest", **read)["digest"][0]
    return _different(inputs, now) + _cutoffs(workspace, settings)


def since_calibration(workspace: Workspace, calibration: str | None) -> list[str]:
    """Return which tables with labels changed that a calibration learnt from."""
    record = workspace.record(calibration) if calibration else None
    if record is None:
        return []
    return _different(record.inputs, labels_digest(workspace, record.settings["calibration"]["evidence"]))


def labels_digest(workspace: Workspace, evidence: str) -> dict[str, str]:
    """Return table -> its sha256, for the tables with the labels that a calibration from `evidence` reads."""
    tables = {"annotations": ["annotations"], "labels": ["qrels"], "both": ["annotations", "qrels"]}
    return {table: table_digest(workspace, table) for table in tables.get(evidence, [])}


def runs_of(settings: Mapping[str, Any]) -> list[str]:
    """Return the runs that a training or an export used, from its settings."""
    return list(settings.get("runs") or filter(None, [settings.get("run")]))


def _different(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [name for name, digest in now.items() if name in then and then[name] != digest]


def _cutoffs(workspace: Workspace, settings: Mapping[str, Any]) -> list[str]:
    """Return the cutoffs if their values changed. A new revision with the same values changes nothing."""
    then = settings.get("cutoffs")
    if not then:
        return []
    now = every(workspace).get(then["name"], {})
    same = all(then[key] == now.get(key) for key in DECIDING if key in then)
    return [] if same else [f"cutoffs '{then['name']}'"]
