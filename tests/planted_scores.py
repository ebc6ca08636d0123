"""A workspace whose logits and true relevance are known, for tests of calibrations and promises."""

from pathlib import Path

import numpy as np
from conftest import write_workspace

from curate import Workspace
from curate.jobs import Job

DEPTH = 10
ANSWER = 2.0  # how much higher the logits of relevant passages are, in spreads


class Planted:
    """Queries with ten candidates each. A logit is raw: 4 more than half of the log-odds.

    Logits of random passages lie between 1 and 2.
    """

    def __init__(
        self,
        folder: Path,
        queries: int,
        *,
        share: float = 0.3,
        seed: int = 0,
        answers: bool = True,
        reverse: bool = False,
        blind: bool = False,
    ) -> None:
        random = np.random.default_rng(seed)
        self.relevant = random.random((queries, DEPTH)) < share
        spread = random.normal(0, 1, (queries, DEPTH))
        # Two normal distributions of one width: the log-odds are a straight line in the score.
        score = np.where(self.relevant, ANSWER, 0) + spread
        self.log_odds = ANSWER * score - ANSWER**2 / 2 + np.log(share / (1 - share))
        self.logits = (4 + self.log_odds / (-2 if reverse else 2)).astype(np.float32)
        if blind:  # logits that have nothing to do with relevance
            self.logits = spread.astype(np.float32)
        self.labelled = np.zeros_like(self.relevant)
        if answers:  # one relevant passage of each query is labelled, drawn by chance
            for query in np.flatnonzero(self.relevant.any(axis=1)):
                self.labelled[query, random.choice(np.flatnonzero(self.relevant[query]))] = True
        names = {(q, p): f"p{q}-{p}" for q in range(queries) for p in range(DEPTH)}
        found = {f"q{q}": [names[q, p] for p in range(DEPTH)] for q in range(queries)}
        qrels = [(f"q{q}", names[q, p]) for q, p in zip(*np.nonzero(self.labelled), strict=True)]
        self.workspace = write_workspace(
            folder,
            {name: f"passage number {name}" for name in names.values()},
            {name: f"question number {name}" for name in found},
            qrels=qrels,
            candidates=found,
        )
        self.names = names
        self.write_scores(self.workspace)

    def write_scores(self, workspace: Workspace, scorer: str = "judge") -> None:
        """Write the ledger."""
        queries, depth = self.logits.shape
        rows = [
            {"scorer_id": scorer, "query_key": q, "passage_key": q * depth + p, "logit": float(self.logits[q, p])}
            for q in range(queries)
            for p in range(depth)
        ]
        random = workspace.sql("select query_key, passage_key from random_pairs('bm25-train')").rows()
        known = {(row["query_key"], row["passage_key"]) for row in rows}
        rows += [
            {"scorer_id": scorer, "query_key": q, "passage_key": p, "logit": 1.0 + q % 7 / 7}
            for q, p in random
            if (q, p) not in known
        ]
        job = Job(workspace, "denoise", "score-planted", {"run": "bm25-train", "depth": depth}, {"scorer": "f"})
        facts = {
            "model_id": scorer,
            "role": "cross-encoder",
            "path": "judge",
            "fingerprint": "f",
            "settings": "{}",
        }
        job.write_rows("models", [facts])
        job.write_rows("scores", rows)
        job.finish(scorer_id=scorer, run="bm25-train")

    def annotate(self, pairs: list[tuple[int, int]], inclusion: float | None = None) -> None:
        """Write the true verdicts on pairs (query, place)."""
        job = Job(self.workspace, "load", f"load-{len(self.workspace.records()):05d}")
        job.write_rows(
            "annotations",
            [
                {
                    "query_key": q,
                    "passage_key": q * DEPTH + p,
                    "relevant": bool(self.relevant[q, p]),
                    "annotator": "ann",
                    "inclusion": inclusion,
                    "revision": 1,
                    "corrects": False,
                }
                for q, p in pairs
            ],
        )
        job.finish()
