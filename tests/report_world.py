"""A workspace for reports: twelve queries with five candidates each, whose probabilities are written down here."""

import math
from pathlib import Path

from conftest import write_workspace

from curate import Workspace
from curate.cutoffs import set_cutoffs
from curate.jobs import Job

QUERIES = {
    f"q{i}": text for i, text in enumerate(["who built the tower", "what is a tower", "tower height", "why"] * 3)
}
PASSAGES = {f"p{i}": f"Passage {i} tells who built the tower and when." for i in range(5)}
PROBABILITIES = {
    f"q{i}": [0.97, 0.95 if i % 2 else 0.5, 0.93 if i % 3 == 0 else 0.04, 0.025 + i / 100, 0.061 * i]
    for i in range(12)
}
"""Of p0 to p4, which stand at ranks 1 to 5. p0 is the labelled positive."""
CUTS = {"depth": 5, "negative_below": 0.1, "positive_above": 0.9}


def make(folder: Path, passages: dict[str, str] = PASSAGES, queries: dict[str, str] = QUERIES) -> Workspace:
    """Return the workspace with a run, the scores of 'judge', and cutoffs 'default'."""
    workspace = write_workspace(
        folder,
        passages,
        queries,
        qrels=[(query, "p0") for query in queries],
        candidates={query: list(passages) for query in queries},
    )
    add_scores(workspace, "judge", PROBABILITIES)
    set_cutoffs(workspace, "default", scorer_id="judge", **CUTS)  # type: ignore[arg-type]
    return workspace


def add_scores(workspace: Workspace, scorer: str, probabilities: dict[str, list[float]]) -> None:
    """Write the scores of a scorer for the run, and the scorer."""
    queries = list(QUERIES)
    job = Job(
        workspace, "denoise", f"score-{scorer}", {"run": "bm25-train", "depth": 5}, {"scorer": scorer[0] * 64}
    )
    rows = [
        {
            "scorer_id": scorer,
            "query_key": queries.index(query),
            "passage_key": key,
            "logit": math.log(p / (1 - p)),
        }
        for query, known in probabilities.items()
        for key, p in enumerate(known)
        if p
    ]
    job.write_rows("scores", rows)
    model = {
        "model_id": scorer,
        "role": "cross-encoder",
        "path": f"models/{scorer}",
        "fingerprint": scorer[0] * 64,
    }
    job.write_rows("models", [{**model, "settings": "{}"}])
    job.finish(scorer_id=scorer, run="bm25-train", pairs=len(rows), scoring_seconds=2.0)
