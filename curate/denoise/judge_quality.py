"""How good a judge is on queries that it has not seen, beside the retriever whose candidates it judges.

A judge is better than the retriever if its MRR@10 or its AUC is higher by more than chance. It is worse if its
MRR@10 is lower by more than chance and its AUC is not higher. Chance is a paired bootstrap over queries: few
queries have wide intervals, so they decide little. The intervals hold 99 %, because those of 95 % are too narrow
for a few dozen queries: with them, one random judge in nine was called better or worse (20 queries). Of fewer than
FEWEST queries nothing is said at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from curate import sql_files
from curate.bootstrap import Interval, interval
from curate.config import Denoise
from curate.errors import UnsoundJudge
from curate.judge_split import TOO_FEW as FEWEST
from curate.models.scorer import PairScorer, score_texts
from curate.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

DEPTH = 20
"""The top candidates that a judge re-ranks at the end of its training."""
PERCENT = 99
SEED = 0
"""The seed of the bootstrap: the same queries have the same intervals in every report."""
BETTER_JUDGES = (
    "label more queries; train it with fewer --epochs; take a judge from elsewhere (--scorer MODEL); or train the "
    "dual-encoder without denoising (--no-denoised)"
)


@dataclass(frozen=True)
class JudgeQuality:
    """Figures of a judge and of the retriever on the same queries, none of which the judge has seen.

    Intervals hold PERCENT, by a bootstrap over queries. Without queries there are none.
    """

    queries: int
    depth: int
    """The top candidates of each query that both rank."""
    mrr: Interval | None
    """MRR@10 of the judge."""
    retriever_mrr: Interval | None
    mrr_difference: Interval | None
    auc: Interval | None
    """The share of unlabelled candidates, of all queries, that a positive which the retriever found lies above."""
    auc_difference: Interval | None
    """How much higher it is than the AUC of the retriever's ranks."""
    positives: int
    """The labelled positives of these queries."""
    recognised: int
    """Those with a probability above the upper cutoff."""
    lost: int
    """Those with a probability below the lower cutoff."""
    negative_below: float
    positive_above: float
    retriever_has_seen: bool
    """Whether the retriever was trained here on the labels of these queries, and is no measure for the judge."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], depth: int, low: float, high: float) -> "JudgeQuality":
        """Return the quality from the rows of `judge_by_query`."""
        import numpy as np

        def column(name: str) -> "np.ndarray[Any, Any]":
            return np.asarray([row[name] for row in rows if row[name] is not None], np.float64)

        def mean(values: "np.ndarray[Any, Any]") -> Interval | None:
            return interval(values, SEED, PERCENT) if len(values) else None

        judge, retriever = column("judge_rr"), column("retriever_rr")
        auc, by_rank = column("judge_auc"), column("retriever_auc")
        return cls(
            queries=len(rows),
            depth=depth,
            mrr=mean(judge),
            retriever_mrr=mean(retriever),
            mrr_difference=mean(judge - retriever),
            auc=mean(auc),
            auc_difference=mean(auc - by_rank),
            positives=sum(row["positives"] for row in rows),
            recognised=sum(row["recognised"] for row in rows),
            lost=sum(row["lost"] for row in rows),
            negative_below=low,
            positive_above=high,
            retriever_has_seen=any(row["retriever_has_seen"] for row in rows),
        )

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "JudgeQuality":
        """Return the quality from the fields in a record."""
        intervals = ("mrr", "retriever_mrr", "mrr_difference", "auc", "auc_difference")
        return cls(**{
            **facts, **{name: Interval(**facts[name]) for name in intervals if facts[name] is not None}
        })  # fmt: skip

    @property
    def verdict(self) -> Literal["better", "not better", "worse", "unknown"]:
        """Whether the judge is better than the retriever; where that has seen the queries, than chance.

        `not better`: the difference may be chance. `unknown`: too few queries.
        """
        mrr, auc = self.mrr_difference, self.auc_difference
        if self.queries < FEWEST or mrr is None:
            return "unknown"
        if self.retriever_has_seen:
            if self.auc is None:
                return "unknown"
            return "better" if self.auc.low > 0.5 else "worse" if self.auc.high < 0.5 else "not better"
        if mrr.low > 0 or (auc and auc.low > 0):
            return "better"
        return "worse" if mrr.high < 0 else "not better"

    @property
    def by_auc_alone(self) -> bool:
        """Whether the judge is better than the retriever by its AUC, and not by its MRR@10."""
        by_mrr = self.mrr_difference is not None and self.mrr_difference.low > 0
        return self.verdict == "better" and not self.retriever_has_seen and not by_mrr

    def lines(self) -> list[str]:
        """Return the figures for a terminal, and what they mean."""
        if not self.queries:
            return [f"The judge: {self._said}"]
        figures = [
            f"The judge, on {self.queries:,} labelled queries that it has not seen ({PERCENT} % intervals):",
            f"  MRR@10 when it re-ranks the top {self.depth:,}: {_shown(self.mrr)}",
            f"    the retriever's: {_shown(self.retriever_mrr)}",
            f"    difference: {_shown(self.mrr_difference, '+')}",
            f"  AUC, positives above other candidates: {_shown(self.auc)}",
            f"    difference from the retriever's ranks: {_shown(self.auc_difference, '+')}",
            f"  of {self.positives:,} labelled positives, {_share(self.recognised, self.positives)} are "
            f"recognised (above {self.positive_above:g})",
            f"    and {_share(self.lost, self.positives)} lost (below {self.negative_below:g})",
        ]
        return [*figures, f"  {self._said}"]

    @property
    def _said(self) -> str:
        too_few = (
            f"nothing is known of it. That takes {FEWEST} labelled queries that it has not seen, with all "
            f"candidates scored, and there are {self.queries:,}. It does not mean that it is good. Label more "
            "queries, or train it with --folds"
        )
        told = {
            "unknown": f"{too_few}.",
            "worse": f"It ranks worse than {self._reference}. What helps: {BETTER_JUDGES}.",
            "not better": f"It is not better than {self._reference} by more than chance. What helps: "
            f"{BETTER_JUDGES}.",
            "better": f"It is better than {self._reference}.",
        }[self.verdict]
        if self.retriever_has_seen and self.verdict != "unknown":
            told += " The retriever was trained on these queries, so its own figures flatter it."
        return told

    @property
    def _reference(self) -> str:
        return "chance" if self.retriever_has_seen else "the retriever"


def judge_quality(workspace: Workspace, run_id: str, cutoffs: Mapping[str, Any]) -> JudgeQuality:
    """Return the quality of the scorer of `cutoffs`, a row of the table, by its scores in the ledger."""
    with workspace.reading() as connection:
        return _quality(connection, run_id, cutoffs)


def refuse_worse(quality: JudgeQuality, scorer_id: str) -> None:
    """Raise UnsoundJudge if the judge ranks worse than the retriever."""
    if quality.verdict == "worse":
        raise UnsoundJudge(
            "\n".join([
                f"{scorer_id} is no judge for these candidates, so no cutoffs were set. Its scores are kept.",
                *quality.lines(),
                "To set the cutoffs all the same: --accept-judge, or accept_judge = true in [denoise].",
            ])
        )  # fmt: skip


def measure_judge(
    workspace: Workspace,
    run_id: str,
    scorer: PairScorer,
    queries: Sequence[int],
    cutoffs: Denoise,
) -> JudgeQuality:
    """Return the quality of a judge on `queries`, given by their keys, which it has not seen. Nothing is kept.

    It re-ranks the top DEPTH.
    """
    import pyarrow as pa

    with workspace.connect_lazily() as connection:
        connection.register("asked", pa.table({"query_key": pa.array(queries, pa.int32())}))
        pairs = sql_files.select(connection, "score/audit_pairs", run=run_id, depth=DEPTH).to_arrow_table()
        logits = score_texts(scorer, pairs)
        scored = pa.table({
            "scorer_id": pa.array([scorer.scorer_id] * len(logits), pa.string()),
            "query_key": pairs["query_key"],
            "passage_key": pairs["passage_key"],
            "logit": pa.array(logits, from_pandas=True),
        })  # fmt: skip
        sql_files.prepare(connection, "scores")  # first, or the next statement would undo this
        connection.from_arrow(scored).create_view("scores", replace=True)  # these alone, not the ledger's
        cuts = cutoffs.model_dump(include={"negative_below", "positive_above"})
        about = {"scorer_id": scorer.scorer_id, "depth": DEPTH, "calibration_id": None}
        return _quality(connection, run_id, {**cuts, **about})


def _quality(connection: Any, run_id: str, cutoffs: Mapping[str, Any]) -> JudgeQuality:
    cuts = {key: cutoffs[key] for key in ("depth", "negative_below", "positive_above")}
    by = {"scorer": cutoffs["scorer_id"], "calibration": cutoffs["calibration_id"]}
    stops = cutoffs.get("enough") is not None
    found = sql_files.select(connection, "score/judge_by_query", run=run_id, stops=stops, **by, **cuts)
    return JudgeQuality.of(found.pl().to_dicts(), *cuts.values())


def _shown(value: Interval | None, sign: str = "") -> str:
    if value is None:
        return "unknown"
    return f"{value.mean:{sign}.3f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"
