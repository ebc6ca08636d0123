"""Model folders: where a model lies, on disk or in the hub's cache, and the fingerprint of its files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.errors import BadInput, NotAvailable
from curate.shards import canonical, file_sha256

# What changes the numbers that a model gives; README files and training logs do not.
IDENTITY = ("*.safetensors", "*.json", "*.txt", "*.model", "*/*.json", "*/*.safetensors")


def model_folder(name: str, root: Path | None = None) -> Path:
    """Return the folder of a model: a path (first below `root`, the workspace), or a hub name.

    A hub name is answered from the local cache where it is there. Raises NotAvailable, with what was tried,
    when it is neither.
    """
    if local := _local(name, root):
        return local
    if name.count("/") > 1 or name.startswith((".", "/", "~", "models/")):
        looked = " and ".join(dict.fromkeys(map(str, (root or Path.cwd(), Path.cwd()))))
        raise NotAvailable(f"no model folder '{name}' (looked in {looked})")
    return _from_hub(name)


def is_same_model(name: str, other: str, root: Path) -> bool:
    """Return whether two names are equal, or those of one folder; nothing is asked of the hub."""
    if name == other:
        return True
    folder = _local(name, root)
    return folder is not None and folder == _local(other, root)


def _local(name: str, root: Path | None) -> Path | None:
    for folder in ([root / name] if root else []) + [Path(name)]:
        if (folder / "config.json").is_file() or (folder / "modules.json").is_file():
            return folder.resolve()
        if folder.is_dir():
            raise BadInput(f"{folder} holds no model: neither config.json nor modules.json stands in it")
    return None


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "*/config.json", "*/model.safetensors"]
    for offline in (False, True):  # the cache may hold a part only; it serves where there is no network
        try:
            folder = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=offline))
            if any(folder.rglob("*.safetensors")):
                return folder
        except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError):
            continue
    raise NotAvailable(
        f"no model '{name}': it is neither a folder, nor are its weights in the local hub cache, nor could they "
        "be fetched in safetensors (curate reads no pickled ones). Give the folder of a model, or run once with "
        "network."
    )


def path_below(root: Path, folder: Path, otherwise: str) -> str:
    """Return `folder` relative to the workspace `root` if it stands there, so that both move; else `otherwise`."""
    below = folder.is_relative_to(root.resolve())
    return str(folder.relative_to(root.resolve())) if below else otherwise


def fingerprint(folder: Path, settings: Mapping[str, Any]) -> str:
    """Return the sha256 over weights, tokenizer, configuration and `settings`: equal means equal scores."""
    files = sorted({path for pattern in IDENTITY for path in folder.glob(pattern)})
    hashed = {str(path.relative_to(folder)): file_sha256(path) for path in files}
    return hashlib.sha256(canonical([hashed, dict(settings)]).encode()).hexdigest()


def model_id(folder: Path, print_: str) -> str:
    """Return a short name for people: the folder's (of a hub snapshot: the repository's) and 8 digits."""
    name = folder.name
    if folder.parent.name == "snapshots":
        name = folder.parent.parent.name.rpartition("--")[2]
    return f"{name}-{print_[:8]}"
