"""Augmentation, RocketQA's step 4: questions without labels get confident pseudo-labels (NAACL 2021, 3.3).

The retriever mines for them, the cross-encoder judges; above the upper cutoff is a pseudo-positive, below the
lower one a negative. A question without a confident positive gets no row: it is counted, not guessed.
"""

from dataclasses import dataclass
from typing import Any

from curate import sql_files
from curate.config import Denoise, Mine
from curate.cutoffs import current_cutoffs, set_cutoffs
from curate.denoise.scoring import plan_score, score_run
from curate.errors import BadSettings
from curate.mine.plan import plan_mine
from curate.mine.stage import Request, mine
from curate.plan import Plan
from curate.progress import SILENT, Progress
from curate.workspace import Workspace


@dataclass(frozen=True)
class Augmented:
    """What `augment` found, in questions and passages."""

    run_id: str
    scorer_id: str
    cutoffs: str
    questions: int
    """Unlabeled questions in all."""
    asked_by_dev_or_test: int
    """Of these: left out, because a dev or test query has the same text."""
    without_candidates: int
    """Of these: the retriever found nothing."""
    pseudo_labelled: int
    """Questions with at least one pseudo-positive."""
    without_positive: int
    """Questions whose candidates are all at or below the upper cutoff: reported, not guessed."""
    pseudo_positives: int
    hard_negatives: int
    """Of the pseudo-labelled questions."""
    warnings: list[str]

    def text(self) -> str:
        """Return the outcome for a terminal."""
        share = f" ({self.pseudo_labelled / self.questions:.0%})" if self.questions else ""
        return "\n".join(
            [
                f"{self.pseudo_labelled:,} of {self.questions:,} unlabeled questions{share} got a pseudo-label: "
                f"{self.pseudo_positives:,} pseudo-positives, {self.hard_negatives:,} negatives.",
                f"{self.without_positive:,} got none: nothing was confidently relevant to them.",
                *([f"{self.without_candidates:,} had no candidates."] if self.without_candidates else []),
                *(
                    [f"{self.asked_by_dev_or_test:,} were left out: dev or test asks the same."]
                    if self.asked_by_dev_or_test
                    else []
                ),
                f"Run {self.run_id}, scorer {self.scorer_id}, cutoffs '{self.cutoffs}'.",
                *(f"Warning: {warning}." for warning in self.warnings),
                "Next: curate report, then curate export",
            ]
        )


def augment(
    workspace: Workspace,
    *,
    scorer: str | None = None,
    all_above: bool | None = None,
    cutoffs: str = "default",
    encoder: str | None = None,
    depth: int | None = None,
    progress: Progress = SILENT,
) -> Augmented:
    """Mine and score the unlabeled questions; the view `pseudo_labels` then holds what follows.

    They are mined as the newest train run was, or by `encoder`, `depth` deep, and judged by the cutoffs of
    `denoise`. `all_above` keeps every passage above the cutoff as pseudo-positive instead of the best one.
    Raises BadSettings without unlabeled questions.
    """
    _require_questions(workspace)
    row = _cutoffs(workspace, cutoffs)
    mined = mine(workspace, split="unlabeled", progress=progress, **_mined_by(workspace, encoder, depth))
    settings = _judged_by(workspace, row, scorer)
    scored = score_run(workspace, mined.run_id, settings, only_by=row["scorer_id"], progress=progress)
    set_cutoffs(workspace, cutoffs, pseudo_positives=_kept(workspace, all_above))
    counts = workspace.sql(
        sql_files.sql("stages", "augment_counts"), cutoffs=cutoffs, run=mined.run_id
    ).to_dicts()[0]
    return Augmented(
        run_id=mined.run_id, scorer_id=scored.scorer_id, cutoffs=cutoffs, warnings=scored.warnings, **counts
    )


def plan_augment(
    workspace: Workspace,
    *,
    scorer: str | None = None,
    all_above: bool | None = None,
    cutoffs: str = "default",
    encoder: str | None = None,
    depth: int | None = None,
) -> Plan:
    """Return what `augment` would do: mine the unlabeled questions or, where that is done, score them."""
    _require_questions(workspace)
    settings = _judged_by(workspace, _cutoffs(workspace, cutoffs), scorer)
    asked = _mined_by(workspace, encoder, depth)
    job = Request.of(workspace, "unlabeled", **asked).jobs()[-1]
    if job.record is None:
        return plan_mine(workspace, split="unlabeled", **asked)
    kept = _kept(workspace, all_above)
    return plan_score(workspace, "augment", job.job, settings, cutoffs, pseudo_positives=kept)


def _kept(workspace: Workspace, all_above: bool | None) -> str:
    return "all" if workspace.settings.augment.override(all_above=all_above).all_above else "best"


def _require_questions(workspace: Workspace) -> None:
    if not workspace.sql(sql_files.sql("stages", "unlabeled_size"))["questions"][0]:
        raise BadSettings("no unlabeled questions here. Load some: curate load --unlabeled QUESTIONS.jsonl")


def _cutoffs(workspace: Workspace, name: str) -> dict[str, Any]:
    row = current_cutoffs(workspace, name)
    if row is None:
        raise BadSettings(f"no cutoffs '{name}' yet. Run: curate denoise")
    return row


def _judged_by(workspace: Workspace, row: dict[str, Any], scorer: str | None) -> Denoise:
    """Return the settings of scoring: the depth of the cutoffs' row, and its scorer unless another is given."""
    models = workspace.scan("models").filter(model_id=row["scorer_id"]).collect()
    known = models["path"][0] if models.height else None
    return workspace.settings.denoise.override(scorer=scorer or known, depth=row["depth"])


def _mined_by(workspace: Workspace, encoder: str | None, depth: int | None) -> dict[str, Any]:
    """Return what mining is asked for: a dense run by `encoder`, else what the newest train run was asked for.

    `curate.toml` stands for a run that was made elsewhere.
    """
    deep = {"depth": depth} if depth else {}
    if encoder:
        return {"retriever": "dense", "encoder": encoder, **deep}
    for run in workspace.sql(sql_files.sql("stages", "runs_newest_first")).to_dicts():
        record = workspace.record(run["run_id"])
        if run["split"] == "train" and run["retriever"] != "trec" and record:
            asked = {key: value for key, value in record.settings.items() if key in Mine.model_fields}
            return {**asked, "retriever": run["retriever"], **deep}
    return deep
