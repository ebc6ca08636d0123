"""A workspace with decisions of every kind, from which the tests of annotation draw samples."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from conftest import add_run

from curate import Workspace, load, set_cutoffs
from curate.jobs import Job

QUERIES, DEPTH = 24, 8
LOGITS = (5.0, 0.0, -5.0)  # of places in turn: false negatives, uncertain ones, hard negatives


def logit(query: int, place: int) -> float:
    """Return the logit of a query's candidate at a place, from 0; the truth is another matter."""
    return LOGITS[(query + place) % 3]


def judged_run(folder: Path, *, split: str = "train", scored: int = DEPTH) -> Workspace:
    """Return a workspace in `folder` with a run, whose first candidates are labelled if the split is train.

    scored: candidates at deeper places have no score.
    """
    workspace = Workspace.create(folder / "set")
    pairs = [(query, place) for query in range(QUERIES) for place in range(DEPTH)]
    passages = _lines(
        folder / "passages.jsonl", ({"_id": f"p{q}-{p}", "text": f"passage {q} {p}"} for q, p in pairs)
    )
    queries = _lines(folder / "queries.jsonl", ({"_id": f"q{q}", "text": f"what is {q}?"} for q in range(QUERIES)))
    if split == "train":
        labels = ({"query_id": f"q{q}", "passage_id": f"p{q}-0", "score": 1} for q in range(QUERIES))
        load(workspace, passages=[passages], queries=[queries], qrels=[_lines(folder / "qrels.jsonl", labels)])
    else:
        load(workspace, passages=[passages], unlabeled=[queries])
    run = f"bm25-{split}"
    keys = [{"query_key": q, "passage_key": q * DEPTH + p} for q, p in pairs]
    found = [
        {**key, "run_id": run, "rank": p + 1, "score": 9.0 - p} for key, (_, p) in zip(keys, pairs, strict=True)
    ]
    add_run(workspace, run, split, found)
    job = Job(workspace, "denoise", "score-planted", {"run": run, "depth": DEPTH})
    about = {"model_id": "judge", "role": "cross-encoder", "path": "judge", "fingerprint": "f", "settings": "{}"}
    job.write_rows("models", [about])
    scores = [
        {**key, "scorer_id": "judge", "logit": logit(q, p)}
        for key, (q, p) in zip(keys, pairs, strict=True)
        if p < scored
    ]
    job.write_rows("scores", scores)
    job.finish(scorer_id="judge", run=run)
    set_cutoffs(workspace, "default", scorer="judge", depth=DEPTH)
    return workspace


def _lines(file: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file
