"""The sources of a dual-encoder's training data: runs, cutoffs, and the scores behind them."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from curate import judges, standing
from curate.choose_run import newest_first, training_runs
from curate.config import TrainDualEncoder
from curate.cutoffs import current_cutoffs, cutoffs_in_force, every, reads_resemblances
from curate.errors import BadSettings
from curate.jobs import table_digest
from curate.training_set import TrainingSet
from curate.workspace import Workspace


class TrainingSource:
    """The runs and the cutoffs that a training uses, as far as its settings need them."""

    def __init__(
        self, workspace: Workspace, settings: TrainDualEncoder, run: Sequence[str] | None, cutoffs: str | None
    ) -> None:
        """Choose runs and cutoffs; raises BadSettings if one is missing, or if distillation lacks negatives."""
        judged = (settings.hard_negatives > 0 and settings.denoised) or settings.masks == "decisions"
        judged = judged or settings.promote or settings.uncertain > 0 or settings.distill != "none"
        augmented = settings.augmented and _is_augmented(workspace, run, cutoffs)
        if settings.distill != "none" and not settings.hard_negatives:
            raise BadSettings(
                "distillation teaches the order of a row's own passages, and without hard negatives a row has "
                "only its positive: use --hard-negatives 1 or more, or --distill none"
            )
        if settings.uncertain and not settings.denoised:
            raise BadSettings(
                "without denoising, an uncertain candidate is a negative, and it cannot be a soft label, too: use "
                "--uncertain 0 or --denoised"
            )
        self.workspace, self.settings = workspace, settings
        judged = judged or augmented
        self.cutoffs = _judging(workspace, cutoffs) if judged else None
        self.augmented = augmented
        if self.cutoffs and settings.distill != "none":
            judges.only_one(
                self.cutoffs,
                "distillation teaches the scores of one scorer",
                "Give cutoffs of one scorer, --cutoffs NAME, or --distill none.",
            )
        needs_runs = judged or settings.hard_negatives or run
        self.runs = training_runs(workspace, run, augmented=self.augmented) if needs_runs else []

    def notes(self, *, named_run: bool, named_cutoffs: bool) -> list[str]:
        """Return which runs and cutoffs are used if nobody named them, and what the runs lack."""
        name = self.cutoffs["name"] if self.cutoffs else None
        return standing.notes(self.workspace, self.runs, name, named_run=named_run, named_cutoffs=named_cutoffs)

    @property
    def training_set(self) -> TrainingSet:
        """The training set from which the rows are drawn."""
        return TrainingSet(
            runs=self.runs,
            cutoffs=(self.cutoffs or {"name": ""})["name"],
            seed=self.workspace.settings.seed,
            augmented=self.augmented,
            promote=self.settings.promote,
            denoised=self.settings.denoised,
            depth=self.settings.depth,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the queries in `sql/train`."""
        names = ("epochs", "positives", "uncertain", "hard_negatives", "random_negatives", "masks")
        return {
            **self.training_set.parameters,
            **{name: getattr(self.settings, name) for name in names},
            "scorer": (self.cutoffs or {"scorer_id": None})["scorer_id"] or "",
            "scorers": judges.scorers(self.cutoffs) if self.cutoffs else [""],
            "dev_queries": self.settings.dev_queries,
            "passages": self.settings.dev_passages,
        }

    @property
    def identity_settings(self) -> dict[str, Any]:
        """The part of the sources that determines the weights."""
        left_out = {"revision"} if self.augmented else {"revision", "pseudo_positives"}
        values = {key: value for key, value in (self.cutoffs or {}).items() if key not in left_out}
        return {"runs": self.runs, "cutoffs": values or None, "augmented": self.augmented}

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digest of each table that is read in addition to those that every training reads, by table."""
        found = {"candidates": table_digest(self.workspace, "candidates", of_jobs=self.runs)} if self.runs else {}
        if self.cutoffs:
            found["scores"] = self.workspace.select("train/scores_digest", **self.parameters)["digest"][0]
        if reads_resemblances(self.cutoffs):
            found["resemblances"] = table_digest(self.workspace, "resemblances")
        return found


def _judging(workspace: Workspace, cutoffs: str | None) -> dict[str, Any]:
    try:
        return cutoffs_in_force(workspace, cutoffs)
    except BadSettings as error:
        without = "To train without a scorer: --hard-negatives 0 --masks labels"
        raise BadSettings(f"{error}. {without}") from None


def _is_augmented(workspace: Workspace, asked: Sequence[str] | None, cutoffs: str | None) -> bool:
    """Return whether one of the requested runs (or of all runs) can give unlabeled queries pseudo-labels."""
    if current_cutoffs(workspace) is None or cutoffs not in (None, *every(workspace)):
        return False
    known = newest_first(workspace)
    return any(run["split"] == "unlabeled" and run["run_id"] in (asked or [run["run_id"]]) for run in known)
