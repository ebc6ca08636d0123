"""Model folders: the location of a model, on disk or in the hub's cache, and the fingerprint of its files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.errors import BadInput, NotAvailable
from curate.shards import canonical, digest, known_sha256

# The files that determine a model's output. README files and training logs do not.
IDENTITY = ("*.safetensors", "*.json", "*.txt", "*.model", "*/*.json", "*/*.safetensors", "*/*.txt", "*/*.model")

# A chat template decides the texts around a pair, which the settings of a scorer hold.
DOWNLOADED = (*IDENTITY, "*.jinja", "*/*.jinja")
FOLDS = "folds.json"
"""The file of a folder with several judges that score as one (curate/models/fold_scorer.py)."""
HOLD_A_MODEL = ("config.json", "modules.json", "adapter_config.json", FOLDS)


def model_folder(name: str, root: Path | None = None) -> Path:
    """Return the folder of a model, given a path (looked up below `root`, the workspace, first) or a hub name.

    A hub model is downloaded to the local cache; without network, the cached copy is used. Raises NotAvailable,
    with what was tried, if there is no such model.
    """
    if found := local(name, root):
        return found
    if name.count("/") > 1 or name.startswith((".", "/", "~", "models/")):
        looked = " and ".join(dict.fromkeys(map(str, (root or Path.cwd(), Path.cwd()))))
        raise NotAvailable(
            f"no model folder '{name}' (looked in {looked}). If it was moved, name its new place by the option "
            "--encoder, --scorer or --init, or in curate.toml: a model is known by its files"
        )
    return _from_hub(name)


def is_same_model(name: str, other: str, root: Path) -> bool:
    """Return whether two names are equal, or refer to folders with the same files. The hub is never asked."""
    if name == other:
        return True
    folder, other_folder = local(name, root), local(other, root)
    if folder is None or other_folder is None:
        return False
    return folder == other_folder or fingerprint(folder, {}) == fingerprint(other_folder, {})


def has_fingerprint(name: str, root: Path, settings: Mapping[str, Any], print_: str) -> bool:
    """Return whether `name` refers to a folder with this fingerprint. The hub is never asked."""
    folder = local(name, root)
    return folder is not None and fingerprint(folder, settings) == print_


def local(name: str, root: Path | None) -> Path | None:
    """Return the folder of a model that is not of the hub, or None; raises BadInput if it holds no model."""
    for folder in ([root / name] if root else []) + [Path(name)]:
        if any((folder / name).is_file() for name in HOLD_A_MODEL):
            return folder.resolve()
        if folder.is_dir():
            raise BadInput(f"{folder} is not a model: it has neither config.json nor modules.json")
    return None


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    for offline in (False, True):  # online first, since the cache may be incomplete
        try:
            folder = Path(snapshot_download(name, allow_patterns=list(DOWNLOADED), local_files_only=offline))
            if any(folder.rglob("*.safetensors")):
                return folder
        except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError):
            continue
    raise NotAvailable(
        f"no model '{name}': it is not a folder, its weights are not in the local hub cache, and they could not "
        "be downloaded as safetensors (curate does not read pickled weights). Give the folder of a model, or run "
        "once with network access."
    )


def path_below(root: Path, folder: Path, otherwise: str) -> str:
    """Return `folder` relative to the workspace `root` if it is inside, so both can move; else `otherwise`."""
    below = folder.is_relative_to(root.resolve())
    return str(folder.relative_to(root.resolve())) if below else otherwise


def fingerprint(folder: Path, settings: Mapping[str, Any]) -> str:
    """Return the sha256 of weights, tokenizer, configuration and `settings`. Equal ones mean equal scores.

    The setting `scale` is left out: it says how scores are read, and changes none.
    """
    files = sorted({path for pattern in IDENTITY for path in folder.glob(pattern)})
    covered = {name: value for name, value in settings.items() if name != "scale"}
    hashed = {str(path.relative_to(folder)): known_sha256(path) for path in files}
    return hashlib.sha256(canonical([hashed, covered]).encode()).hexdigest()


def weights_sha256(folder: Path) -> str:
    """Return one sha256 for the weights of a model: the file's own sha256 if there is only one file."""
    files = sorted(folder.rglob("*.safetensors"))
    return known_sha256(files[0]) if len(files) == 1 else digest([known_sha256(path) for path in files])


def model_id(folder: Path, print_: str) -> str:
    """Return a short readable id: the model's name and 8 hex digits."""
    return f"{model_name(folder)}-{print_[:8]}"


def model_name(folder: Path) -> str:
    """Return the folder's name, or for a snapshot from the hub the repository's."""
    return folder.parent.parent.name.rpartition("--")[2] if folder.parent.name == "snapshots" else folder.name
