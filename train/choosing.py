"""The choice of a cross-encoder's weights during training: the AUC on queries that are held back from it.

The AUC is the share of unlabelled candidates, of all held-back queries, that lie below a labelled positive. All
pairs count in it, so it is less noisy than MRR@10, which sees only where the first positive of each query stands.
And it compares across queries, as the cutoffs do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate import sql_files
from curate.workspace import Workspace

if TYPE_CHECKING:
    from .cross_encoder_task import CrossEncoderTask

MEASURE = "held-back AUC"


@dataclass(frozen=True)
class Choosing:
    """The pairs of the queries that choose the weights."""

    queries: list[str]
    passages: list[str]
    relevant: npt.NDArray[np.bool_]

    def auc(self, task: "CrossEncoderTask") -> float:
        """Return the AUC of the task's model; the processes divide the pairs, and all return the same value."""
        world = task.world
        share = world.share(len(self.queries))
        part = task.logits(self.queries[share.start : share.stop], self.passages[share.start : share.stop])
        logits = world.gather(part[:, None], [len(each) for each in world.shares(len(self.queries))])
        return auc(logits[:, 0].cpu().numpy(), self.relevant)


def choosing_pairs(workspace: Workspace, run_id: str, queries: Sequence[int], seed: int) -> Choosing | None:
    """Return the pairs of `queries`, given by their keys; None if they tell no weights apart."""
    import pyarrow as pa

    with workspace.connect_lazily() as connection:
        connection.register("asked", pa.table({"query_key": pa.array(queries, pa.int32())}))
        found = sql_files.select(connection, "train/choosing_pairs", run=run_id, seed=seed).to_arrow_table()
    relevant = np.asarray(found["relevant"].to_pylist(), np.bool_)
    if relevant.all() or not relevant.any():
        return None
    return Choosing(found["query"].to_pylist(), found["passage"].to_pylist(), relevant)


def auc(scores: npt.NDArray[Any], relevant: npt.NDArray[np.bool_]) -> float:
    """Return the share of (relevant, other) pairs in which the relevant one is higher; equal ones count half."""
    others = np.sort(scores[~relevant])
    below = np.searchsorted(others, scores[relevant], "left") + np.searchsorted(others, scores[relevant], "right")
    return float(below.mean() / 2 / len(others))
