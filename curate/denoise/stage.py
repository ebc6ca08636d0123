"""Denoising, RocketQA's step 3: a cross-encoder scores the retriever's candidates (NAACL 2021, 3.2).

The ledger holds one score per (scorer, query, passage). The view `decisions` derives the decisions from the
scores, so other cutoffs need a query but no forward pass.
"""

from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from curate import named_queries
from curate.choose_run import chosen_run
from curate.config import Denoise
from curate.cutoffs import set_cutoffs
from curate.denoise.scoring import plan_score, score_run
from curate.options import given_options
from curate.plan import Plan
from curate.progress import SILENT, Progress, duration
from curate.workspace import Workspace

AUDIT = ("setting", "denoised_by_rank", "positives_recognised", "shortfall")


@dataclass(frozen=True)
class Denoised:
    """The result of `denoise`, with its audit: report -> rows, for the reports in AUDIT."""

    run_id: str
    scorer_id: str
    pairs: int
    scored_now: int
    seconds: float
    cutoffs: dict[str, Any]
    warnings: list[str]
    audit: dict[str, list[dict[str, Any]]]

    def text(self) -> str:
        """Return the result for a terminal. The reports print the tables of the audit."""
        now = "all scores were in the ledger already, nothing was computed"
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


class DenoiseOptions(TypedDict, total=False):
    """The options of `denoise`: the fields of `curate.config.Denoise`, a run and the name of the cutoffs."""

    run: str | None
    """Id of the run; by default the newest one over train."""
    cutoffs: str | None
    """The name under which the cutoffs are stored; by default 'default'."""
    scorer: str | None
    negative_below: float | None
    positive_above: float | None
    depth: int | None
    negatives: int | None
    max_length: int | None
    relevant_class: str | None


@dataclass(frozen=True)
class DenoiseRequest:
    """The arguments of `denoise`, completed from `curate.toml`."""

    run_id: str
    cutoffs: str
    settings: Denoise

    @classmethod
    def of(cls, workspace: Workspace, **options: Unpack[DenoiseOptions]) -> "DenoiseRequest":
        """Return the request for these options and `curate.toml`. Raises BadSettings if there is no such run."""
        given = given_options(DenoiseOptions, options)
        run, cutoffs = given.pop("run", None), given.pop("cutoffs", "default")
        settings = workspace.settings.denoise.override(**given)
        return cls(chosen_run(workspace, run), cutoffs, settings)

    @property
    def cutoff_values(self) -> dict[str, Any]:
        """The values of the cutoffs, without their scorer."""
        return self.settings.model_dump(include={"depth", "negative_below", "positive_above"})


def denoise(workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[DenoiseOptions]) -> Denoised:
    """Score every candidate of a run's top-k that has no score yet, and set the cutoffs.

    Options that are not given come from the workspace's settings. Raises BadInput if the model is not a
    cross-encoder, and CurateError if the scores are all equal or not finite. An interruption loses at most one
    shard.
    """
    request = DenoiseRequest.of(workspace, **options)
    scored = score_run(workspace, request.run_id, request.settings, progress=progress)
    row = set_cutoffs(workspace, request.cutoffs, scorer_id=scored.scorer_id, **request.cutoff_values)
    return Denoised(
        run_id=request.run_id,
        scorer_id=scored.scorer_id,
        pairs=scored.pairs,
        scored_now=scored.scored_now,
        seconds=scored.seconds,
        cutoffs=row,
        warnings=scored.warnings,
        audit=audit(workspace, request.run_id, request.cutoffs, request.settings.negatives),
    )


def plan_denoise(workspace: Workspace, **options: Unpack[DenoiseOptions]) -> Plan:
    """Return how many pairs `denoise` would score with the same options, and roughly how long that takes."""
    request = DenoiseRequest.of(workspace, **options)
    return plan_score(
        workspace, "denoise", request.run_id, request.settings, request.cutoffs, **request.cutoff_values
    )


def audit(workspace: Workspace, run_id: str, cutoffs: str, negatives: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the audit: candidates denoised by rank, positives recognised, shortfall of queries."""
    values = {"run": run_id, "cutoffs": cutoffs, "negatives": negatives}
    with workspace.connect() as connection:
        return {
            name: named_queries.rows(
                connection, name, {key: values[key] for key in named_queries.parameters(name)}
            )
            for name in AUDIT
        }
