"""Loading of pretrained models: their device and number format, weights and tokenizer.

Weights are read from safetensors only, and code that comes with a model is never run. A checkpoint that lacks
weights is refused: a missing head would be initialized at random, and its scores would look plausible.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput, BadSettings, NotAvailable
from curate.nearest import nearest

if TYPE_CHECKING:
    import torch


def device() -> str:
    """Return the type of device that models run on here: cuda, mps or cpu.

    The variable CURATE_DEVICE names one. Raises NotAvailable if this machine lacks it.
    """
    import torch

    wanted = os.environ.get("CURATE_DEVICE", "auto")
    if wanted != "auto":
        there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if wanted not in there:
            raise BadSettings(f"the device is '{wanted}': {nearest(wanted, there)}")
        if not there[wanted]:
            raise NotAvailable(f"this machine has no {wanted}. To use what it has: --device auto")
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def number_format(wanted: str = "auto") -> str:
    """Return `wanted`, or for "auto" that of the variable CURATE_DTYPE.

    If that is "auto" too: bf16 if the processor computes in it (GPU, avx512_bf16, AMX), else fp32.
    """
    import torch

    if wanted == "auto":
        wanted = os.environ.get("CURATE_DTYPE", "auto")
    if wanted not in ("auto", "bf16", "fp32"):
        raise BadSettings(f"the number format is '{wanted}': {nearest(wanted, ('auto', 'bf16', 'fp32'))}")
    if wanted != "auto":
        return wanted
    if device() == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if flags.get("avx512_bf16") or flags.get("amx_bf16") else "fp32"


def torch_dtype(name: str) -> "torch.dtype":
    """Return the torch dtype for bf16 or fp32."""
    import torch

    return {"bf16": torch.bfloat16, "fp32": torch.float32}[name]


def load_pretrained(auto_class: str, folder: Path, dtype: str, may_lack: tuple[str, ...] = ()) -> Any:
    """Return the transformers model in `folder`, in eval mode, on `device()` and in `dtype`.

    Raises BadInput if the model has no safetensors, needs code of its own, lacks weights (other than those whose
    names start with one of `may_lack`) or has weights that are not finite.
    """
    import torch
    import transformers

    quiet()
    if not any(folder.glob("*.safetensors")):
        raise BadInput(f"{folder} has no *.safetensors. curate does not read pickled weights; convert them.")
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
            "They would be initialized at random, so the model is refused."
        )
    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
        raise BadInput(f"{folder} has weights that are not finite (NaN or infinity)")
    return model.eval().to(device())


def load_transformer(folder: Path, dtype: str) -> Any:
    """Return the encoder in `folder`, or the encoder half of an encoder-decoder, as `load_pretrained` does.

    The pooler may be missing, because embeddings do not use it.
    """
    config = load_config(folder)
    # A half that was saved alone (T5EncoderModel) is no longer marked as an encoder-decoder.
    half = config.is_encoder_decoder or any(name.endswith("EncoderModel") for name in config.architectures or [])
    auto_class = "AutoModelForTextEncoding" if half else "AutoModel"
    model = load_pretrained(auto_class, folder, dtype, may_lack=("pooler.",))
    model.config.use_cache = False
    return model


def load_config(folder: Path) -> Any:
    """Return the transformers configuration of the model in `folder`. Raises BadInput if it cannot be loaded."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder}: cannot load config.json: {' '.join(str(error).split())[:300]}") from error


def load_tokenizer(folder: Path) -> Any:
    """Return the fast tokenizer in `folder`. Raises BadInput if there is none."""
    from transformers import AutoTokenizer

    quiet()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder}: cannot load the tokenizer: {' '.join(str(error).split())[:300]}") from error
    if not tokenizer.is_fast:
        raise BadInput(f"{folder} has no fast tokenizer (tokenizer.json)")
    return tokenizer


def quiet() -> None:
    """Keep transformers' progress bars and notices off the terminal."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
