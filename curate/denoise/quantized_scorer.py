"""A scorer in int8: it is quantized once, on pairs of the first run that it scores, and kept by the workspace.

These pairs are drawn by hash from one half of all pairs. The agreement with torch is measured on the other half,
because a quantized model agrees best on the pairs of its calibration.
"""

from typing import TYPE_CHECKING

from curate import sql_files
from curate.choose_run import newest_first
from curate.config import Denoise
from curate.denoise.resolve_scorer import known_settings, scorer_source
from curate.errors import StepMissing
from curate.models.fold_scorer import judges
from curate.models.int8_store import Int8Store
from curate.models.openvino_model import INT8
from curate.models.scorer import ScorerFolder, Source

if TYPE_CHECKING:
    from pathlib import Path

    from curate.progress import Progress
    from curate.workspace import Workspace

CALIBRATION_PAIRS = 300


def keep_quantized(workspace: "Workspace", run_id: str, settings: Denoise, progress: "Progress") -> None:
    """Quantize the scorer that `settings` name unless the workspace has it in int8.

    One that has scored here, and is gone, is calibrated on the pairs that it was calibrated on before. Raises
    NotAvailable if nncf is not installed, BadSettings or BadInput if the scorer cannot be quantized, and
    StepMissing if there is no pair to calibrate it on.
    """
    source = scorer_source(workspace, settings)
    if not isinstance(source, ScorerFolder) or not (missing := _missing(workspace, source)):
        return
    from curate.models.quantize import PASSES, quantize

    run, depth = _pairs_before(workspace, source) or (run_id, settings.depth)
    with workspace.connect_lazily() as connection:
        pairs = sql_files.select(
            connection, "score/sample", run=run, depth=depth, pairs=CALIBRATION_PAIRS, half=0
        ).to_arrow_table()
    if not pairs.num_rows:
        raise StepMissing(f"{run} has no candidate on which the back end {INT8} could calibrate {source.name}")
    total, store, spec = PASSES * len(missing) * pairs.num_rows, Int8Store(workspace.root), source.for_openvino()
    with progress.task(f"quantizing {source.name} on pairs of {run}", total, "pairs") as advance:
        for model in missing:
            quantize(store, model, spec, pairs, (run, depth), advance)


def is_to_quantize(workspace: "Workspace", settings: Denoise) -> bool:
    """Return whether `settings` ask for a scorer in int8 that the workspace does not have."""
    if settings.backend != INT8:
        return False
    source = scorer_source(workspace, settings)
    return isinstance(source, ScorerFolder) and bool(_missing(workspace, source))


def _missing(workspace: "Workspace", source: ScorerFolder) -> "list[Path]":
    """Return the folders of the judges that the workspace does not have in int8, or not whole."""
    store, spec = Int8Store(workspace.root), source.for_openvino()
    return [model for model in judges(source.folder) if not store.has(model, spec)]


def _pairs_before(workspace: "Workspace", source: Source) -> tuple[str, int] | None:
    """Return the run and the depth of the pairs of an earlier calibration, if that run is still there."""
    runs = {row["run_id"] for row in newest_first(workspace)}
    for settings in known_settings(workspace, source).values():
        of_judges = settings["int8"] if isinstance(settings["int8"], list) else [settings["int8"]]
        if of_judges[0]["run"] in runs:
            return of_judges[0]["run"], of_judges[0]["depth"]
    return None
