"""Adapters (LoRA and others of peft): the base model and its adapter, seen as one folder, and merged when loaded.

The folder is temporary and holds links: the base model's files, over them what the adapter's folder has of its own
(tokenizer, chat template, modules), and the adapter itself in a folder below. Its fingerprint covers all of them.
"""

import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from curate.errors import BadInput, NotAvailable
from curate.models.folder import model_folder, model_name
from curate.models.model_kind import (
    ADAPTER,
    CAUSAL,
    CAUSAL_RERANKER,
    CROSS_ENCODER,
    MODULAR,
    adapter,
    kind_of,
    read_json,
    transformer_of,
)

MERGED = "adapter"
"""The folder of an adapter, below that of its base model."""
FITS = {"SEQ_CLS": [CROSS_ENCODER], "CAUSAL_LM": [CAUSAL, CAUSAL_RERANKER], "FEATURE_EXTRACTION": [MODULAR]}


def with_base(folder: Path, root: Path) -> Path:
    """Return `folder` or, if it holds an adapter alone, a folder that holds its base model too.

    The base model is looked up below `root` first. Raises NotAvailable if peft is not installed or the base model
    is not there, and BadInput for an adapter that does not make a scorer of its base model.
    """
    config = read_json(folder / ADAPTER, {})
    if not config or transformer_of(folder) or (folder / "model.safetensors").is_file():
        return folder  # no adapter, or one that `check_kind` refuses
    if not (folder / "adapter_model.safetensors").is_file():
        raise BadInput(
            f"{folder} has no adapter_model.safetensors. curate does not read pickled weights; convert them."
        )
    try:
        version("peft")
    except PackageNotFoundError as error:
        raise NotAvailable(
            f"{folder} holds an adapter, which needs peft (extra [peft]) to be merged into its base model. "
            "Run: pip install peft"
        ) from error
    base = model_folder(str(config.get("base_model_name_or_path")), root)
    if below := transformer_of(base):
        raise BadInput(
            f"{adapter(folder)} Its base model {base.name} has its transformer in a folder below: {below}."
        )
    joined = _joined(folder, base)
    found, task = kind_of(joined)[0], config.get("task_type")
    if found not in FITS.get(str(task), []):
        raise BadInput(f"{adapter(folder)} Its task is {task}, and its base model {base.name} is {found}.")
    return joined


@cache
def _joined(folder: Path, base: Path) -> Path:
    holder = TemporaryDirectory(prefix="curate-adapter-")
    _kept.append(holder)
    joined = Path(holder.name) / model_name(folder)
    for source in (base, folder):
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            below = file.relative_to(source)
            if source == folder and below.name.startswith("adapter_"):
                below = MERGED / below
            target = joined / below
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(file.resolve())
    return joined


_kept: list[TemporaryDirectory[str]] = []  # each is deleted when the process ends


def merged(model: Any, folder: Path) -> Any:
    """Return `model` with the adapter in `folder` merged into its weights.

    Raises BadInput if the adapter is another model's, or lacks weights: they would be drawn at random.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    try:
        with warnings.catch_warnings(action="ignore"):  # of weights that are missing, which is refused below
            whole = PeftModel.from_pretrained(model, str(folder))
        with safe_open(folder / "adapter_model.safetensors", framework="pt") as weights:
            differ = sorted(set(weights.keys()) ^ set(get_peft_model_state_dict(whole)))
        if not differ:
            return whole.merge_and_unload()
    except (OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(f"{folder.parent}: its adapter cannot be merged: {reason}") from error
    raise BadInput(f"{folder.parent}: its adapter does not fit the base model: {', '.join(differ[:3])}")
