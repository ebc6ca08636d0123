"""The scorer that a name means, recognised by the fingerprint of its files and of the settings it scores with."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from curate.config import Denoise
from curate.errors import BadSettings
from curate.models.scorer import PairScorer, ScorerFolder, Source, find_source
from curate.models.scorer_options import ScorerOptions
from curate.models.trained_here import refuse_changed
from curate.shards import Manifest
from curate.workspace import Workspace

TRAINED_HERE = "models/cross-encoder"


@dataclass(frozen=True)
class Scorer:
    """A scorer that may have scored in this workspace before. It is opened on first use."""

    workspace: Workspace
    source: Source
    fingerprint: str
    """Empty until the scorer is opened, if it has not scored here before."""
    opened: PairScorer | None = field(default=None, repr=False, compare=False)
    """The scorer, if it was opened before this object was made."""

    @cached_property
    def model(self) -> PairScorer:
        """The scorer, loaded for this machine."""
        return self.opened or self.source.open()

    @property
    def is_open(self) -> bool:
        """Whether the scorer was opened, so that it is `of_today`."""
        return self.opened is not None or "model" in vars(self)

    def of_today(self) -> "Scorer":
        """Return the scorer as this machine computes it now. Another number format makes it another scorer."""
        if self.model.fingerprint == self.fingerprint:
            return self
        return replace(self, fingerprint=self.model.fingerprint, opened=self.model)

    @cached_property
    def scorer_id(self) -> str:
        """The id under which its scores are stored. It stays the same when the folder is renamed."""
        for row in _rows(self.workspace):
            if row["fingerprint"] == self.fingerprint:
                return str(row["model_id"])
        return self.source.scorer_id(self.fingerprint)

    @property
    def is_new(self) -> bool:
        """Whether no scorer with this fingerprint has scored here yet."""
        return all(row["fingerprint"] != self.fingerprint for row in _rows(self.workspace))

    @property
    def path(self) -> str:
        """The name by which the workspace finds it again."""
        return self.source.path(self.workspace.root)

    @property
    def known_path(self) -> str:
        """The path under which it has scored here, which its folder may no longer have; of a new one, `path`."""
        known = [row["path"] for row in _rows(self.workspace) if row["fingerprint"] == self.fingerprint]
        return str(known[0]) if known else self.path

    def row(self) -> dict[str, Any]:
        """Return the row of the table `models` for this scorer."""
        settings = json.dumps(self.model.settings, sort_keys=True)
        facts = {"model_id": self.scorer_id, "path": self.path, "fingerprint": self.fingerprint}
        return {**facts, "role": "cross-encoder", "settings": settings}


def has_scorer(workspace: Workspace, settings: Denoise) -> bool:
    """Return whether `settings` name a scorer, or the workspace has the one that is trained by default."""
    return settings.scorer is not None or (workspace.root / TRAINED_HERE).is_dir()


def find_scorer(workspace: Workspace, settings: Denoise, fingerprint: str | None = None) -> Scorer:
    """Return the scorer that `settings` name. A known scorer is recognised by its files, without torch.

    It may have scored here in several ways: by other number formats or versions of OpenVINO and, with the back end
    `auto`, by torch or by OpenVINO. The one that scored last is meant, or the one with this fingerprint. If there
    is none, it is the scorer of today, and `auto` is torch. Raises BadSettings if no scorer is named and none was
    trained in this workspace.
    """
    sources = _sources(workspace, settings)
    known = [
        Scorer(workspace, source, found)
        for source in sources
        for found in known_settings(workspace, source)
        if fingerprint in (None, found)
    ]
    if len(known) > 1:
        order = _order_of_scoring(workspace, {scorer.fingerprint for scorer in known})
        known.sort(key=lambda scorer: order.get(scorer.fingerprint, -1))
    return known[-1] if known else Scorer(workspace, sources[0], "").of_today()


def _order_of_scoring(workspace: Workspace, fingerprints: set[str]) -> dict[str, int]:
    """Return the fingerprint of a scorer -> the place of its last job.

    If none of the scorers has finished a job, a scorer counts that has written a shard of scores.
    """
    found = [record.inputs.get("scorer", "") for record in workspace.records("denoise")]
    if fingerprints.isdisjoint(found):
        shards = sorted((workspace.written / "scores").glob("*/*.parquet"))
        manifests = [manifest for path in shards if (manifest := Manifest.read(path))]
        found = [manifest.lineage.inputs.get("scorer", "") for manifest in manifests]
    return {fingerprint: place for place, fingerprint in enumerate(found)}


def _sources(workspace: Workspace, settings: Denoise) -> list[Source]:
    """Return the source that `settings` name; with the back end `auto`, one for each back end, torch first."""
    if settings.backend != "auto":
        return [scorer_source(workspace, settings)]
    by_torch = scorer_source(workspace, settings.override(backend="torch"))
    if not isinstance(by_torch, ScorerFolder):  # a server decides what computes
        return [by_torch]
    return [by_torch, replace(by_torch, options=replace(by_torch.options, backend="openvino"))]


def scorer_source(workspace: Workspace, settings: Denoise) -> Source:
    """Return the source that `settings` name, with their back end. Raises as `find_scorer` does."""
    if settings.scorer is None and not (workspace.root / TRAINED_HERE).is_dir():
        raise BadSettings(
            "no scorer. Give --scorer MODEL (a folder or a hub name), or train one: curate train cross-encoder"
        )
    options = ScorerOptions(**settings.model_dump(include=set(ScorerOptions.__annotations__)))
    source = find_source(settings.scorer or TRAINED_HERE, workspace.root, options)
    if isinstance(source, ScorerFolder):
        refuse_changed(workspace, source.folder)
    return source


def known_settings(workspace: Workspace, source: Source) -> dict[str, dict[str, Any]]:
    """Return each fingerprint with which the source has scored here, or has begun to -> its settings."""
    found = {}
    for row in _rows(workspace):
        settings = json.loads(row["settings"])
        if settings.get("backend", "torch") != source.options.backend:
            continue
        if source.spec.is_in(settings) and source.fingerprint(settings) == row["fingerprint"]:
            found[str(row["fingerprint"])] = settings
    return found


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.select("score/known_scorers").to_dicts()
