"""Models on disk or on the hub: where they are, what identifies them, on what they run.

Weights are read from safetensors only, no code of a model is ever run, and a checkpoint that lacks weights
is refused: a head that is missing would be drawn at random, and its scores would look like scores.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput, MissingExtra
from curate.shards import canonical, file_sha256

if TYPE_CHECKING:
    import torch

# What changes the numbers that a model gives; README files and training logs do not.
IDENTITY = ("*.safetensors", "*.json", "*.txt", "*.model", "*/*.json", "*/*.safetensors")


def model_folder(name: str, root: Path | None = None) -> Path:
    """Return the folder of a model: a path (first below `root`, the workspace), or a hub name.

    A hub name is answered from the local cache where it is there. Raises MissingExtra, with what was tried,
    when it is neither.
    """
    if local := _local(name, root):
        return local
    if name.count("/") > 1 or name.startswith((".", "/", "~", "models/")):
        looked = " and ".join(dict.fromkeys(map(str, (root or Path.cwd(), Path.cwd()))))
        raise MissingExtra(f"no model folder '{name}' (looked in {looked})")
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
    raise MissingExtra(
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


def device() -> str:
    """Return the class of device that models run on here: cuda, mps or cpu."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def number_format(wanted: str = "auto") -> str:
    """Return bf16 where the processor computes in it (GPU, avx512_bf16, AMX), else fp32; or what is wanted."""
    import torch

    if wanted != "auto":
        return wanted
    if device() == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if flags.get("avx512_bf16") or flags.get("amx_bf16") else "fp32"


def torch_dtype(name: str) -> "torch.dtype":
    """Return torch's type for bf16 or fp32."""
    import torch

    return {"bf16": torch.bfloat16, "fp32": torch.float32}[name]


def load_pretrained(auto_class: str, folder: Path, dtype: str, may_lack: tuple[str, ...] = ()) -> Any:
    """Return the transformers model of `folder` in eval mode, on `device()`, in `dtype`.

    Raises BadInput when it has no safetensors, wants its own code run, lacks weights (other than those whose
    names start with one of `may_lack`) or holds weights that are not finite.
    """
    import torch
    import transformers

    quiet()
    if not any(folder.glob("*.safetensors")):
        raise BadInput(f"{folder} has no *.safetensors. curate reads no pickled weights: convert them first.")
    try:
        model, info = getattr(transformers, auto_class).from_pretrained(
            folder,
            dtype=torch_dtype(dtype),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BadInput(f"{folder} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    lacking = sorted(key for key in info["missing_keys"] if not key.startswith(may_lack or ("\0",)))
    mismatched = sorted(str(key[0] if isinstance(key, tuple) else key) for key in info["mismatched_keys"])
    if lacking or mismatched:
        raise BadInput(
            f"{folder} lacks weights that the model needs: {', '.join((lacking + mismatched)[:5])}. "
            "They would be drawn at random, so it is refused."
        )
    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
        raise BadInput(f"{folder} holds weights that are not finite (NaN or infinity)")
    return model.eval().to(device())


def load_transformer(folder: Path, dtype: str) -> Any:
    """Return the encoder of `folder`, of an encoder-decoder that half, as `load_pretrained` does.

    It may lack a pooler: nothing of an embedding goes through it.
    """
    config = load_config(folder)
    # The half that was saved by itself (T5EncoderModel) no longer says that it was one.
    half = config.is_encoder_decoder or any(name.endswith("EncoderModel") for name in config.architectures or [])
    auto_class = "AutoModelForTextEncoding" if half else "AutoModel"
    model = load_pretrained(auto_class, folder, dtype, may_lack=("pooler.",))
    model.config.use_cache = False
    return model


def load_config(folder: Path) -> Any:
    """Return transformers' configuration of the model in `folder`; raises BadInput when none loads."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder} has no config.json that loads: {' '.join(str(error).split())[:300]}") from error


def load_tokenizer(folder: Path) -> Any:
    """Return the fast tokenizer of `folder`; raises BadInput when there is none."""
    from transformers import AutoTokenizer

    quiet()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder} has no tokenizer that loads: {' '.join(str(error).split())[:300]}") from error
    if not tokenizer.is_fast:
        raise BadInput(f"{folder} has no fast tokenizer (tokenizer.json)")
    return tokenizer


def quiet() -> None:
    """Keep transformers' own bars and notices off the terminal."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
