"""The back end that `auto` means: OpenVINO where it computes the scorer and was measured to be faster, else torch.

A measurement may come out otherwise the next time, and another back end is another scorer. So it is made once: a
scorer that has scored here, or has begun to, keeps its back end.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.config import Denoise
from curate.counted import counted
from curate.denoise.quantized_scorer import keep_quantized
from curate.denoise.resolve_scorer import Scorer, find_scorer
from curate.models.faster_backend import faster_model
from curate.models.openvino_model import INT8
from curate.models.scorer import ScorerFolder, rows_of_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.progress import Progress
    from curate.workspace import Workspace

TIMED_PAIRS = 64


def chosen_scorer(workspace: "Workspace", run_id: str, settings: Denoise, progress: "Progress") -> Scorer:
    """Return the scorer that scores a run. If `auto` is decided here, say what it is and why.

    A scorer in int8 is quantized first if the workspace does not have it.
    """
    if settings.backend == INT8:
        keep_quantized(workspace, run_id, settings, progress)
    found = find_scorer(workspace, settings)
    if settings.backend != "auto" or not found.is_new or not isinstance(found.source, ScorerFolder):
        return found
    with workspace.connect_lazily() as connection:
        pairs = sql_files.select(
            connection, "score/sample", run=run_id, depth=settings.depth, pairs=TIMED_PAIRS, half=None
        ).to_arrow_table()
    if not pairs.num_rows:
        return found

    def ready(scorer: Scorer) -> "Callable[[], Any]":
        return partial(scorer.model.score, rows_of_texts(scorer.model, pairs))

    return faster_model(
        found,
        lambda: find_scorer(workspace, settings.override(backend="openvino")),
        ready,
        ("scorer", f"{counted(pairs.num_rows, 'pairs')} of the run"),
        progress,
    )
