"""Loading pretrained models: the device and number format they run in, their weights and tokenizer.

Weights are read from safetensors only, no code of a model is ever run, and a checkpoint that lacks weights
is refused: a head that is missing would be drawn at random, and its scores would look like scores.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput

if TYPE_CHECKING:
    import torch


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
