"""The back end that `auto` means: OpenVINO where it computes the scorer and was measured to be faster, else torch.

A measurement may come out otherwise the next time, and another back end is another scorer. So it is made once: a
scorer that has scored here keeps its back end, and so does a job that has begun.
"""

import time
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.config import Denoise
from curate.denoise.resolve_scorer import find_scorer, last_backend
from curate.denoise.score_job import first_waves, score_job
from curate.errors import BadInput, BadSettings, NotAvailable
from curate.models.scorer import rows_of_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.models.scorer import PairScorer
    from curate.workspace import Workspace

PAIRS, ROUNDS = 64, 3


def settled(workspace: "Workspace", run_id: str, settings: Denoise) -> Denoise:
    """Return the settings with the back end that scores a run: `auto` becomes `torch` or `openvino`."""
    if settings.backend != "auto":
        return settings
    backend = last_backend(workspace, settings) or _begun_or_faster(workspace, run_id, settings)
    return settings.override(backend=backend)


def _begun_or_faster(workspace: "Workspace", run_id: str, settings: Denoise) -> str:
    scorers = {"torch": find_scorer(workspace, settings.override(backend="torch"))}
    try:
        scorers["openvino"] = find_scorer(workspace, settings.override(backend="openvino"))
    except (NotAvailable, BadSettings, BadInput):  # not installed, a GPU, or a model that it cannot compute
        return "torch"
    for backend, scorer in scorers.items():
        for wave in first_waves(settings.depth, settings.enough):
            # The row of a new scorer is the first thing that its job writes.
            if score_job(workspace, run_id, settings.depth, scorer.fingerprint, wave=wave).has("models", 0):
                return backend
    with workspace.connect_lazily() as connection:
        pairs = sql_files.select(
            connection, "score/sample", run=run_id, depth=settings.depth, pairs=PAIRS
        ).to_arrow_table()
    rows = {backend: rows_of_texts(scorer.model, pairs) for backend, scorer in scorers.items()}
    rounds = [
        {backend: _seconds(scorer.model, rows[backend]) for backend, scorer in scorers.items()}
        for _ in range(ROUNDS)
    ]
    return min(scorers, key=lambda backend: min(found[backend] for found in rounds))


def _seconds(scorer: "PairScorer", rows: "Sequence[Any]") -> float:
    started = time.monotonic()
    scorer.score(rows)
    return time.monotonic() - started
