"""The back end that `auto` means: OpenVINO where it computes the scorer and was measured to be faster, else torch.

A measurement may come out otherwise the next time, and another back end is another scorer. So it is made once: a
scorer that has scored here, or has begun to, keeps its back end.
"""

import time
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.config import Denoise
from curate.denoise.resolve_scorer import Scorer, find_scorer
from curate.errors import BadInput, BadSettings, NotAvailable
from curate.models.openvino_model import openvino_settings
from curate.models.scorer import ScorerFolder, rows_of_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.models.scorer import PairScorer
    from curate.progress import Progress
    from curate.workspace import Workspace

TIMED_PAIRS, ROUNDS = 64, 3


def chosen_scorer(workspace: "Workspace", run_id: str, settings: Denoise, progress: "Progress") -> Scorer:
    """Return the scorer that scores a run. If `auto` is decided here, say what it is and why."""
    found = find_scorer(workspace, settings)
    if settings.backend != "auto" or not found.is_new or not isinstance(found.source, ScorerFolder):
        return found
    with workspace.connect_lazily() as connection:
        pairs = sql_files.select(
            connection, "score/sample", run=run_id, depth=settings.depth, pairs=TIMED_PAIRS
        ).to_arrow_table()
    if not pairs.num_rows:
        return found
    try:
        openvino_settings()  # fails before the model is loaded
        scorers = {"torch": found, "openvino": find_scorer(workspace, settings.override(backend="openvino"))}
        rows = {backend: rows_of_texts(scorer.model, pairs) for backend, scorer in scorers.items()}
        rounds = [
            {backend: _seconds(scorer.model, rows[backend]) for backend, scorer in scorers.items()}
            for _ in range(ROUNDS)
        ]
    except (NotAvailable, BadSettings, BadInput) as error:
        progress.say(f"torch computes the scorer, because OpenVINO cannot: {error}")
        return found
    best = {backend: min(seconds[backend] for seconds in rounds) for backend in scorers}
    faster, slower = sorted(scorers, key=lambda backend: best[backend])
    progress.say(
        f"{faster} computes the scorer, because it took {best[faster]:.2g} s for {pairs.num_rows} pairs of the "
        f"run, and {slower} {best[slower]:.2g} s"
    )
    return scorers[faster]


def _seconds(scorer: "PairScorer", rows: "Sequence[Any]") -> float:
    started = time.monotonic()
    scorer.score(rows)
    return time.monotonic() - started
