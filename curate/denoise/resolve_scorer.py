"""Which scorer a model folder is: by the fingerprint of its files and of what decides its numbers."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import Denoise
from curate.errors import BadSettings
from curate.models.embedding_spec import token_limit
from curate.models.folder import fingerprint, model_folder, model_id, path_below
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.models.cross_encoder import CrossEncoder

TRAINED_HERE = "models/cross-encoder"


@dataclass(frozen=True)
class Scorer:
    """A cross-encoder that may have scored here before; its model is loaded when it is needed."""

    workspace: Workspace
    name: str
    folder: Path
    max_length: int
    fingerprint: str
    """Empty until the model is loaded, for one that has not scored here."""

    @cached_property
    def model(self) -> "CrossEncoder":
        """The loaded model, as it computes on this machine."""
        from curate.models.cross_encoder import CrossEncoder

        return CrossEncoder(self.folder, max_length=self.max_length)

    def of_today(self) -> "Scorer":
        """Return the scorer that the model is here and now: another number format is another scorer."""
        if self.model.fingerprint == self.fingerprint:
            return self
        today = replace(self, fingerprint=self.model.fingerprint)
        today.__dict__["model"] = self.model
        return today

    @cached_property
    def scorer_id(self) -> str:
        """The name that its scores have: the one they had before, whatever the folder is called now."""
        for row in _rows(self.workspace):
            if row["fingerprint"] == self.fingerprint:
                return str(row["model_id"])
        return model_id(self.folder, self.fingerprint)

    @property
    def is_new(self) -> bool:
        """Whether no model with this fingerprint has scored here."""
        return all(row["fingerprint"] != self.fingerprint for row in _rows(self.workspace))

    def row(self) -> dict[str, Any]:
        """Return its row of the table `models`."""
        settings = json.dumps(self.model.settings, sort_keys=True)
        path = path_below(self.workspace.root, self.folder, self.name)
        facts = {"model_id": self.scorer_id, "path": path, "fingerprint": self.fingerprint}
        return {**facts, "role": "cross-encoder", "settings": settings}


def find_scorer(workspace: Workspace, settings: Denoise) -> Scorer:
    """Return the scorer that `settings` name; one that has scored here is recognised by its files, without torch.

    Raises BadSettings where none is named and none was trained here.
    """
    if settings.scorer is None and not (workspace.root / TRAINED_HERE).is_dir():
        raise BadSettings(
            "no scorer: give --scorer MODEL (a folder or a hub name), or make one: curate train cross-encoder"
        )
    name = settings.scorer or TRAINED_HERE
    folder = model_folder(name, workspace.root)
    length = token_limit(folder, settings.max_length)
    scorer = Scorer(workspace, name, folder, length, _known(workspace, folder, length))
    return scorer if scorer.fingerprint else scorer.of_today()


def _known(workspace: Workspace, folder: Path, max_length: int) -> str:
    for row in _rows(workspace):
        settings = json.loads(row["settings"])
        if settings["max_length"] == max_length and fingerprint(folder, settings) == row["fingerprint"]:
            return str(row["fingerprint"])
    return ""


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.select("score/known_scorers").to_dicts()
