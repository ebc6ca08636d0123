"""Whether two models come from one base, as far as their files show it. No model is loaded.

Training moves the word embeddings of a model little. Those of two models that were trained from one base are alike
row by row; those of models that were trained apart are not, even if they share a vocabulary.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput
from curate.models.folder import local

if TYPE_CHECKING:
    import numpy as np

EMBEDDINGS = (
    "word_embeddings.weight",
    "tok_embeddings.weight",
    "embed_tokens.weight",
    "wte.weight",
    "shared.weight",
)
FORMATS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
SAMPLE = 256
ALIKE = 0.9  # mean cosine; fine-tuned relatives have 0.95 to 1, strangers with one vocabulary about 0


def local_folder(name: str, root: Path) -> Path | None:
    """Return the folder of a model on this machine, also in the hub's cache; None if there is none."""
    try:
        if folder := local(name, root):
            return folder
    except BadInput:
        return None
    if name.count("/") != 1 or name.startswith((".", "/", "~", "models/")):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return None


def common_base(one: Path, other: Path) -> str | None:
    """Return what in the files of two models shows that they come from one base, and how sure it is; else None."""
    cosine = _mean_cosine(one, other)
    if cosine is not None:
        alike = f"very likely: their word embeddings are alike, with a mean cosine of {cosine:.2f}"
        return alike if cosine >= ALIKE else None
    shared = sorted(_named_bases(one) & _named_bases(other))
    return f"likely: the files of both name {shared[0]}" if shared else None


def _mean_cosine(one: Path, other: Path) -> float | None:
    """Return the mean cosine of embeddings of the same tokens; None if their widths differ or one has none."""
    import numpy as np

    first, second = (_embeddings(folder) for folder in (one, other))
    if first is None or second is None or first.shape[1] != second.shape[1]:
        return None
    shared = min(len(first), len(second))  # a training may add tokens, or fill the matrix up to a round number
    chosen = np.linspace(0, shared - 1, min(SAMPLE, shared)).astype(np.int64)
    rows = [_float64(matrix[chosen]) for matrix in (first, second)]
    products = (rows[0] * rows[1]).sum(axis=1)
    lengths = np.linalg.norm(rows[0], axis=1) * np.linalg.norm(rows[1], axis=1)
    known = lengths > 0
    return float((products[known] / lengths[known]).mean()) if known.any() else None


def _embeddings(folder: Path) -> "np.ndarray[Any, Any] | None":
    """Return the matrix of word embeddings as it is stored, still on disk; None if there is none."""
    import numpy as np

    for path in sorted(folder.rglob("*.safetensors")):
        try:
            with path.open("rb") as file:
                start = 8 + int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(start - 8) if start < path.stat().st_size else "")
            for name, about in sorted(header.items()):
                if name.endswith(EMBEDDINGS) and about["dtype"] in FORMATS:
                    rows, width = about["shape"]
                    at = start + about["data_offsets"][0]
                    return np.memmap(path, FORMATS[about["dtype"]], "r", at, (rows, width))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _float64(stored: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return numbers that are stored in one of the FORMATS; bfloat16 is the upper half of a float32."""
    import numpy as np

    if stored.dtype == np.uint16:
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float64)


def _named_bases(folder: Path) -> set[str]:
    """Return the models that the files of a model name as what it was made from."""
    found = set()
    for path in sorted((*folder.glob("*config.json"), *folder.glob("*/*config.json"))):
        try:
            about = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(about, dict):
            found |= {about.get("_name_or_path"), about.get("base_model_name_or_path")}
    return {name for name in found if isinstance(name, str) and name.strip()}
