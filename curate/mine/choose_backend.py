"""The back end of an encoder: as named or, for `auto`, the one that has embedded here, else the faster one.

A measurement may come out otherwise the next time, and another back end is another encoder. So it is made once: an
encoder that has embedded here, or has begun to, keeps its back end.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, get_args

from curate.config import Backend
from curate.counted import counted
from curate.errors import BadSettings, NotAvailable
from curate.job_record import Record
from curate.mine.embeddings import embedded_shards
from curate.models.encoder import Encoder, Side
from curate.models.faster_backend import faster_model
from curate.models.folder import fingerprint
from curate.models.openvino_model import BY_TORCH, openvino_settings
from curate.passages import passage_shards, passages

if TYPE_CHECKING:
    from curate.progress import Progress
    from curate.workspace import Workspace

TIMED_PASSAGES = 64
BACKENDS = ("torch", "openvino")


@dataclass(frozen=True)
class EmbeddedBy:
    """A back end that has computed an encoder here."""

    backend: str
    openvino: str | None = None
    """The version of OpenVINO."""
    run_id: str | None = None
    """The run that it embedded for; None: no such run was finished."""

    @property
    def name(self) -> str:
        """The back end and its version, for a reader."""
        return f"OpenVINO {self.openvino}" if self.openvino else self.backend

    @property
    def text(self) -> str:
        """Which back end `auto` keeps, for a terminal."""
        known = f"as in run {self.run_id}" if self.run_id else "which has begun to embed here"
        return f"{self.backend} computes the encoder, {known}"

    def encoder(self, by_torch: Encoder) -> Encoder:
        """Return the encoder by this back end; raises NotAvailable or BadSettings if OpenVINO is not there."""
        if self.backend == "torch":
            return by_torch
        kept = f"the back end auto keeps openvino, by which run {self.run_id} embedded"
        try:
            openvino_settings()
        except BadSettings as error:
            raise BadSettings(f"{kept}. {error}. Or embed anew. {BY_TORCH}") from error
        except NotAvailable as error:
            raise NotAvailable(
                f"{kept}, and it is not installed here. Install it: pip install openvino=={self.openvino}. "
                f"Or embed anew. {BY_TORCH}"
            ) from error
        return by_torch.computed_by(self.backend)


def open_encoder(workspace: "Workspace", name: str, backend: Backend, **options: Any) -> Encoder:
    """Return the encoder `name` by a back end. `auto`: the one that `kept_backend` returns, else torch.

    The options are those of `read_embedding_spec`.
    """
    if backend != "auto":
        return Encoder.open(name, workspace.root, backend=backend, **options)
    by_torch = Encoder.open(name, workspace.root, **options)
    kept = kept_backend(workspace, by_torch)
    return kept.encoder(by_torch) if kept else by_torch


def kept_backend(
    workspace: "Workspace", encoder: Encoder, answer: Callable[[Encoder], Record | None] = lambda _encoder: None
) -> EmbeddedBy | None:
    """Return the back end that `auto` keeps for an encoder, or None if it has not embedded here.

    answer: returns the record of the run that is asked for by an encoder, if it exists. Such a run goes before all
    others; then the first run counts, which may be by another version of OpenVINO or in another number format;
    then what a job that was killed has embedded.
    """
    by_each = _by_each(encoder)
    answers = [
        (record.number, EmbeddedBy(backend, _version(other), record.job))
        for backend, other in by_each.items()
        if (record := answer(other))
    ]
    if answers:
        return min(answers, key=lambda found: found[0])[1]
    if made := _runs(workspace, encoder):
        return made[0]
    begun = {backend: len(embedded_shards(workspace, other)) for backend, other in by_each.items()}
    most = max(begun, key=lambda backend: begun[backend])
    return EmbeddedBy(most, _version(by_each[most])) if begun[most] else None


def why_anew(workspace: "Workspace", encoder: Encoder) -> str | None:
    """Return why an encoder embeds anew what another back end or version has embedded, or None if none has."""
    made, now = _runs(workspace, encoder), EmbeddedBy(encoder.backend, _version(encoder))
    if not made or now.name in {run.name for run in made}:
        return None
    last = made[-1]
    keep = (
        f"pip install openvino=={last.openvino}"
        if last.backend == now.backend
        else f'backend = "{last.backend}" under [mine] in curate.toml'
    )
    return (
        f"run {last.run_id} has this encoder by {last.name}, and {now.name} gives other vectors: all passages are "
        f"embedded anew. To keep those of the run: {keep}"
    )


def faster_encoder(workspace: "Workspace", encoder: Encoder, progress: "Progress") -> Encoder:
    """Return an encoder that is new here by the back end that embeds a few passages faster; say why."""
    with workspace.connect_lazily() as connection:
        read = islice(passages(connection, passage_shards(workspace)), TIMED_PASSAGES)
        texts = [text for _, text in read]

    def ready(one: Encoder) -> Callable[[], Any]:
        for side in get_args(Side):  # each may have a transformer of its own, which is loaded now
            list(one.encode(texts[:1], side))
        return lambda: list(one.encode(texts, "passage"))

    names = ("encoder", counted(len(texts), "passages"))
    return faster_model(encoder, lambda: encoder.computed_by("openvino"), ready, names, progress)


def _version(encoder: Encoder) -> str | None:
    return openvino_settings()["openvino"] if encoder.backend == "openvino" else None


def _by_each(encoder: Encoder) -> dict[str, Encoder]:
    """Return the encoder by each back end that is there."""
    try:
        openvino_settings()
    except (NotAvailable, BadSettings):
        return {"torch": encoder}
    return {backend: encoder.computed_by(backend) for backend in BACKENDS}


def _runs(workspace: "Workspace", encoder: Encoder) -> list[EmbeddedBy]:
    """Return what computed the encoder in each run that embedded by the same files and options, oldest first."""
    by: dict[str, tuple[str, str | None]] = {}
    for row in workspace.select("mine/encoders").to_dicts():
        settings = json.loads(row["settings"])
        del settings["similarity"]
        if encoder.spec.is_in(settings) and fingerprint(encoder.folder, settings) == row["fingerprint"]:
            by[row["fingerprint"]] = (settings.get("backend", "torch"), settings.get("openvino"))
    records = workspace.records("mine") if by else []
    return [
        EmbeddedBy(*by[print_], record.job) for record in records if (print_ := record.inputs.get("encoder")) in by
    ]
