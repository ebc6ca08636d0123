"""Denoising, RocketQA's step 3: a cross-encoder judges what the retriever found (NAACL 2021, 3.2).

Scores go into the ledger, once per (scorer, query, passage). Decisions follow from them by the view
`decisions`, so that other cutoffs cost a query and no forward pass.
"""

from dataclasses import dataclass
from typing import Any

from curate import named_queries
from curate.choose_run import chosen_run
from curate.config import Denoise
from curate.cutoffs import set_cutoffs
from curate.denoise.scoring import plan_score, score_run
from curate.plan import Plan
from curate.progress import SILENT, Progress, duration
from curate.workspace import Workspace

AUDIT = ("setting", "denoised_by_rank", "positives_recognised", "shortfall")


@dataclass(frozen=True)
class Denoised:
    """What `denoise` did, and its audit: report -> rows, for the reports in AUDIT."""

    run_id: str
    scorer_id: str
    pairs: int
    scored_now: int
    seconds: float
    cutoffs: dict[str, Any]
    warnings: list[str]
    audit: dict[str, list[dict[str, Any]]]

    def text(self) -> str:
        """Return the outcome for a terminal; the audit's tables are the reports' to show."""
        now = "all of them were in the ledger, nothing was computed"
        if self.scored_now:
            rate = self.scored_now / self.seconds
            now = f"{self.scored_now:,} scored now in {duration(self.seconds)} ({rate:,.0f} pairs/s)"
        return "\n".join(
            [
                f"{self.run_id}, top {self.cutoffs['depth']}, by {self.scorer_id}: {self.pairs:,} pairs; {now}.",
                f"Cutoffs '{self.cutoffs['name']}': hard negative below {self.cutoffs['negative_below']:.6g}, "
                f"false negative above {self.cutoffs['positive_above']:.6g}, uncertain between.",
                *(f"Warning: {warning}." for warning in self.warnings),
            ]
        )


def denoise(
    workspace: Workspace,
    *,
    run: str | None = None,
    cutoffs: str = "default",
    progress: Progress = SILENT,
    **options: Any,
) -> Denoised:
    """Score every candidate of a run's top-k that has no score yet, and set the cutoffs.

    `options` are the fields of `curate.config.Denoise`; the workspace's settings stand for what is not given.
    The run is the newest one over the split train unless given. Raises BadInput for a model that is no
    cross-encoder, CurateError for scores that are all alike or not finite. An interruption loses at most the
    shard in work.
    """
    settings = workspace.settings.denoise.override(**options)
    run_id = chosen_run(workspace, run)
    scored = score_run(workspace, run_id, settings, progress=progress)
    row = set_cutoffs(workspace, cutoffs, scorer_id=scored.scorer_id, **_judged_by(settings))
    return Denoised(
        run_id=run_id,
        scorer_id=scored.scorer_id,
        pairs=scored.pairs,
        scored_now=scored.scored_now,
        seconds=scored.seconds,
        cutoffs=row,
        warnings=scored.warnings,
        audit=audit(workspace, run_id, cutoffs, settings.negatives),
    )


def plan_denoise(
    workspace: Workspace, *, run: str | None = None, cutoffs: str = "default", **options: Any
) -> Plan:
    """Return how many pairs `denoise` would score with these options, and about how long that takes."""
    settings = workspace.settings.denoise.override(**options)
    run_id = chosen_run(workspace, run)
    return plan_score(workspace, "denoise", run_id, settings, cutoffs, **_judged_by(settings))


def _judged_by(settings: Denoise) -> dict[str, Any]:
    return settings.model_dump(include={"depth", "negative_below", "positive_above"})


def audit(workspace: Workspace, run_id: str, cutoffs: str, negatives: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the audit: what was denoised by rank, positives recognised, queries left short."""
    values = {"run": run_id, "cutoffs": cutoffs, "negatives": negatives}
    with workspace.connect() as connection:
        return {
            name: named_queries.rows(
                connection, name, {key: values[key] for key in named_queries.parameters(name)}
            )
            for name in AUDIT
        }
