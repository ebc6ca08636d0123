"""Scorers in int8 as a workspace keeps them: OpenVINO's graph of each, which was quantized once.

    models/openvino-int8/<name>-<8 digits>/model.bin   the weights
    models/openvino-int8/<name>-<8 digits>/model.xml   the graph, which is written last

The digits stand for the files of the torch model and for how it reads a pair. Each file has its manifest, whose
lineage says on which pairs the graph was calibrated. Other pairs give other scores, so the sha256 of the two files
is among the settings of the scorer that they are.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.errors import NotAvailable
from curate.models.folder import FOLDS, fingerprint, model_id
from curate.models.openvino_model import INT8
from curate.models.scorer_spec import ScorerSpec
from curate.shards import Lineage, Manifest, digest, publish
from curate.suggest import curate_command

FOLDER = f"models/{INT8}"


@dataclass(frozen=True)
class Calibrated:
    """The pairs on which a graph was calibrated."""

    run: str
    depth: int
    pairs: int


@dataclass(frozen=True)
class Stored:
    """A graph that is there and whole."""

    graph: Path
    """The file `model.xml`, beside which OpenVINO finds the weights."""
    settings: dict[str, Any]
    """What of it determines a logit: its sha256 and the pairs of its calibration."""


@dataclass(frozen=True)
class Int8Store:
    """The graphs in int8 of a workspace."""

    root: Path
    """The folder of the workspace."""

    def folder(self, model: Path, spec: ScorerSpec) -> Path:
        """Return the folder for the graph of a torch model that scores as `spec` says."""
        return self.root / FOLDER / model_id(model, fingerprint(model, spec.settings()))

    def has(self, model: Path, spec: ScorerSpec) -> bool:
        """Return whether the graph of a model is there and whole."""
        return all(_is_whole(path) for path in _files(self.folder(model, spec)))

    def get(self, model: Path, spec: ScorerSpec) -> Stored:
        """Return the graph of a model; raises NotAvailable if it is not there, or not as it was written."""
        weights, graph = _files(self.folder(model, spec))
        for path in (weights, graph):
            if not _is_whole(path):
                found = "is not as it was written" if path.is_file() else "is not there"
                scorer = model.parent if (model.parent / FOLDS).is_file() else model
                raise NotAvailable(
                    f"{path} {found}. Without it {model.name} cannot score in int8. Restore the folder from a "
                    "backup, or have it made: from the same pairs it becomes the same scorer",
                    run=curate_command("denoise", "--scorer", scorer, "--backend", INT8),
                )
        manifests = [manifest for path in (weights, graph) if (manifest := Manifest.read(path))]
        sha256 = digest([manifest.sha256 for manifest in manifests])
        return Stored(graph, {"sha256": sha256, **manifests[-1].lineage.settings["calibrated"]})

    def write(
        self, model: Path, spec: ScorerSpec, by: Calibrated, inputs: dict[str, str], save: Callable[[Path], None]
    ) -> None:
        """Keep a graph. save: writes it to a path that ends in .xml, with its weights in a .bin beside it.

        inputs: what it was made of, name -> sha256 or version.
        """
        folder = self.folder(model, spec)
        lineage = Lineage(INT8, folder.name, {"calibrated": asdict(by)}, inputs)
        new = folder / ".new"  # a fixed name: leftovers of a kill are overwritten
        new.mkdir(parents=True, exist_ok=True)
        save(new / "model.xml")
        for path in _files(folder):  # the graph comes last
            publish(path, _moved(new / path.name), lineage)
        new.rmdir()


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "model.bin", folder / "model.xml"


def _is_whole(path: Path) -> bool:
    manifest = Manifest.read(path)
    return manifest is not None and manifest.is_intact(path)


def _moved(made: Path) -> Callable[[Path], int]:
    """Return a function that moves a file to the place it is given, and returns its rows: there are none."""

    def move(place: Path) -> int:
        made.replace(place)
        return 0

    return move
