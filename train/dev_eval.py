"""The evaluation of a dual-encoder on dev during training: MRR@10 over a sample of the passages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate import sql_files
from curate.ragged import Ragged
from curate.workspace import Workspace

from .tokens import Tokenize
from .towers import Embedded
from .world import World

if TYPE_CHECKING:
    import torch

TOP = 10


@dataclass(frozen=True)
class Sample:
    """Tokenized queries of dev, and tokenized passages to search."""

    queries: Ragged
    passages: Ragged
    relevant: npt.NDArray[np.bool_]
    """Queries x passages: whether the passage is a positive of the query."""
    copies: npt.NDArray[np.bool_]
    """Queries x passages: whether the passage is the query's own copy, which the query does not search."""


def sample(workspace: Workspace, parameters: Mapping[str, Any], tokenize: Tokenize) -> Sample | None:
    """Return the dev sample, a function of the seed and the data, or None if no dev query has a positive."""
    with workspace.connect_lazily() as connection:
        asked = sql_files.select(connection, "train/dev_queries", **parameters).to_arrow_table()
        if not asked.num_rows:
            return None
        places = np.arange(asked.num_rows, dtype=np.int32)
        connection.register("asked", asked.append_column("place", [places]))
        found = sql_files.select(connection, "train/dev_passages", **parameters).to_arrow_table()
    relevant, copies = np.zeros((2, asked.num_rows, found.num_rows), np.bool_)
    for passage, row in enumerate(found.select(["relevant_to", "copy_of"]).to_pylist()):
        relevant[row["relevant_to"], passage] = True
        copies[[] if row["copy_of"] is None else row["copy_of"], passage] = True
    return Sample(
        tokenize(asked["query_key"].to_numpy(), asked["text"].to_pylist(), "query"),
        tokenize(found["passage_key"].to_numpy(), found["text"].to_pylist(), "passage"),
        relevant,
        copies,
    )


def mrr(towers: Any, dev: Sample, dtype: str, world: World) -> float:
    """Return MRR@10 over the sample; the processes divide the embedding, and all return the same value."""
    queries = _vectors(towers, dev.queries, "query", dtype, world)
    passages = _vectors(towers, dev.passages, "passage", dtype, world)
    scores = np.where(dev.copies, -np.inf, (queries @ passages.T).cpu().numpy())
    return reciprocal_ranks(scores, dev.relevant)


def reciprocal_ranks(scores: npt.NDArray[Any], relevant: npt.NDArray[np.bool_]) -> float:
    """Return the mean of 1 / rank of the best relevant passage, counting 0 beyond rank 10.

    Among equal scores, relevant passages rank last. A model that gives every passage the same score, or NaN,
    therefore does not look good.
    """
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    ranks = 1 + (~(scores < best) & ~relevant).sum(axis=1)
    return float(np.where(ranks <= TOP, 1 / ranks, 0.0).mean())


def _vectors(towers: Any, texts: Ragged, side: str, dtype: str, world: World) -> "torch.Tensor":
    import torch

    share = world.share(len(texts))
    with torch.no_grad():
        part = Embedded(
            lambda some: towers.embed(some, side),
            texts[share.start : share.stop],
            towers.dimension,
            dtype=dtype,
            cached=True,
            seed=0,
        )
        return world.gather(part.vectors.detach(), [len(each) for each in world.shares(len(texts))])
