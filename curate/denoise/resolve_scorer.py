"""The scorer in a model folder, recognised by the fingerprint of its files and of the settings it scores with."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import Denoise
from curate.errors import BadSettings
from curate.models.fold_scorer import first_judge
from curate.models.folder import FOLDS, fingerprint, model_folder, model_id, path_below
from curate.models.scorer_spec import ScorerSpec, read_scorer_spec
from curate.models.trained_here import refuse_changed
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.models.cross_encoder import CrossEncoder
    from curate.models.fold_scorer import FoldScorer

TRAINED_HERE = "models/cross-encoder"


@dataclass(frozen=True)
class Scorer:
    """A cross-encoder that may have scored in this workspace before. Its model is loaded on first use."""

    workspace: Workspace
    name: str
    folder: Path
    spec: ScorerSpec
    relevant_class: str | None
    """The class that the settings call relevant, if they name one."""
    fingerprint: str
    """Empty until the model is loaded, if the scorer has not scored here before."""
    loaded: "CrossEncoder | FoldScorer | None" = field(default=None, repr=False, compare=False)
    """The model, if it was loaded before this object was made."""

    @cached_property
    def model(self) -> "CrossEncoder | FoldScorer":
        """The model, loaded for this machine."""
        return self.loaded or open_scorer(
            self.folder, max_length=self.spec.max_length, relevant_class=self.relevant_class
        )

    def of_today(self) -> "Scorer":
        """Return the scorer as this machine computes it now. Another number format makes it another scorer."""
        if self.model.fingerprint == self.fingerprint:
            return self
        return replace(self, fingerprint=self.model.fingerprint, loaded=self.model)

    @cached_property
    def scorer_id(self) -> str:
        """The id under which its scores are stored. It stays the same when the folder is renamed."""
        for row in _rows(self.workspace):
            if row["fingerprint"] == self.fingerprint:
                return str(row["model_id"])
        return model_id(self.folder, self.fingerprint)

    @property
    def is_new(self) -> bool:
        """Whether no model with this fingerprint has scored here yet."""
        return all(row["fingerprint"] != self.fingerprint for row in _rows(self.workspace))

    @property
    def path(self) -> str:
        """The hub name or the folder. A folder inside the workspace is relative to it, so both can be moved."""
        return path_below(self.workspace.root, self.folder, self.name)

    def row(self) -> dict[str, Any]:
        """Return the row of the table `models` for this scorer."""
        settings = json.dumps(self.model.settings, sort_keys=True)
        facts = {"model_id": self.scorer_id, "path": self.path, "fingerprint": self.fingerprint}
        return {**facts, "role": "cross-encoder", "settings": settings}


def open_scorer(
    folder: Path, *, max_length: int | None = None, relevant_class: str | None = None
) -> "CrossEncoder | FoldScorer":
    """Return the cross-encoder in `folder`, or the judges that score as one; raises BadInput for anything else."""
    from curate.models.cross_encoder import CrossEncoder
    from curate.models.fold_scorer import FoldScorer

    kind = FoldScorer if (folder / FOLDS).is_file() else CrossEncoder
    return kind(folder, max_length=max_length, relevant_class=relevant_class)


def find_scorer(workspace: Workspace, settings: Denoise) -> Scorer:
    """Return the scorer that `settings` name. A known scorer is recognised by its files, without torch.

    Raises BadSettings if no scorer is named and none was trained in this workspace.
    """
    if settings.scorer is None and not (workspace.root / TRAINED_HERE).is_dir():
        raise BadSettings(
            "no scorer. Give --scorer MODEL (a folder or a hub name), or train one: curate train cross-encoder"
        )
    name = settings.scorer or TRAINED_HERE
    folder = model_folder(name, workspace.root)
    refuse_changed(workspace, folder)
    spec = read_scorer_spec(first_judge(folder), settings.max_length, settings.relevant_class)
    known = _known(workspace, folder, spec)
    scorer = Scorer(workspace, name, folder, spec, settings.relevant_class, known)
    return scorer if scorer.fingerprint else scorer.of_today()


def _known(workspace: Workspace, folder: Path, spec: ScorerSpec) -> str:
    for row in _rows(workspace):
        settings = json.loads(row["settings"])
        if spec.is_in(settings) and fingerprint(folder, settings) == row["fingerprint"]:
            return str(row["fingerprint"])
    return ""


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.select("score/known_scorers").to_dicts()
