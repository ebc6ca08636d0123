"""The back end of an encoder: as named or, for `auto`, the one that has embedded here, else the faster one.

A measurement may come out otherwise the next time, and another back end is another encoder. So it is made once: an
encoder that has embedded here, or has begun to, keeps its back end.
"""

import json
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from curate.config import Backend
from curate.errors import BadInput, BadSettings, NotAvailable
from curate.mine.embeddings import embedded_shards
from curate.models.encoder import Encoder
from curate.models.folder import fingerprint
from curate.models.openvino_model import openvino_settings
from curate.passages import passage_shards, passages

if TYPE_CHECKING:
    from curate.progress import Progress
    from curate.workspace import Workspace

TIMED_PASSAGES, ROUNDS = 64, 3
BACKENDS = ("torch", "openvino")


def open_encoder(workspace: "Workspace", name: str, backend: Backend, **options: Any) -> Encoder:
    """Return the encoder `name` by a back end. `auto`: the one by which it has embedded here last, else torch.

    The options are those of `read_embedding_spec`.
    """
    if backend != "auto":
        return Encoder.open(name, workspace.root, backend=backend, **options)
    by_torch = Encoder.open(name, workspace.root, **options)
    return by_torch.by(backend_here(workspace, by_torch) or "torch")


def backend_here(workspace: "Workspace", encoder: Encoder) -> str | None:
    """Return the back end by which an encoder has embedded here last, or has begun to; None if it has not.

    It may have been in another number format, or by another version of OpenVINO.
    """
    embedded = _backends_on_record(workspace, encoder)
    for record in reversed(workspace.records("mine")):
        if found := embedded.get(record.inputs.get("encoder", "")):
            return found
    begun = {backend: len(embedded_shards(workspace, other)) for backend, other in _by_each(encoder).items()}
    most = max(begun, key=lambda backend: begun[backend])
    return most if begun[most] else None


def faster_encoder(workspace: "Workspace", encoder: Encoder, progress: "Progress") -> Encoder:
    """Return an encoder that is new here by the back end that embeds a few passages faster; say why."""
    try:
        openvino_settings()  # fails before the model is loaded
        encoders = {"torch": encoder, "openvino": encoder.by("openvino")}
        with workspace.connect_lazily() as connection:
            read = islice(passages(connection, passage_shards(workspace)), TIMED_PASSAGES)
            texts = [text for _, text in read]
        for one in encoders.values():
            _seconds(one, texts)  # loads the model and warms it up
        rounds = [{name: _seconds(one, texts) for name, one in encoders.items()} for _ in range(ROUNDS)]
    except (NotAvailable, BadSettings, BadInput) as error:
        progress.say(f"torch computes the encoder, because OpenVINO cannot: {error}")
        return encoder
    best = {name: min(seconds[name] for seconds in rounds) for name in encoders}
    faster, slower = sorted(encoders, key=lambda name: best[name])
    progress.say(
        f"{faster} computes the encoder, because it took {best[faster]:.2g} s for {len(texts)} passages, and "
        f"{slower} {best[slower]:.2g} s"
    )
    return encoders[faster]


def _seconds(encoder: Encoder, texts: list[str]) -> float:
    started = time.monotonic()
    list(encoder.encode(texts, "passage"))
    return time.monotonic() - started


def _by_each(encoder: Encoder) -> dict[str, Encoder]:
    """Return the encoder by each back end that is there."""
    try:
        openvino_settings()
    except (NotAvailable, BadSettings):
        return {"torch": encoder}
    return {backend: encoder.by(backend) for backend in BACKENDS}


def _backends_on_record(workspace: "Workspace", encoder: Encoder) -> dict[str, str]:
    """Return the fingerprint -> the back end of each way in which an encoder has embedded in a run."""
    found = {}
    for row in workspace.select("mine/encoders").to_dicts():
        settings = json.loads(row["settings"])
        del settings["similarity"]
        if encoder.spec.is_in(settings) and fingerprint(encoder.folder, settings) == row["fingerprint"]:
            found[row["fingerprint"]] = settings.get("backend", "torch")
    return found
