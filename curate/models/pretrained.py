"""Loading of pretrained models: their device and number format, weights and tokenizer.

Weights are read from safetensors only, and code that comes with a model is never run. A checkpoint that lacks
weights is refused: a missing head would be initialized at random, and its scores would look plausible.
"""

import inspect
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.environment import variables_set
from curate.errors import BadInput, BadSettings, NotAvailable
from curate.models.adapters import MERGED, merged
from curate.models.model_kind import adapter, adds_code, read_json
from curate.models.packed import LAYOUT, is_packed
from curate.models.packed_trial import pack_if_right
from curate.models.threads import use_threads
from curate.nearest import nearest

if TYPE_CHECKING:
    import torch


# Frequent words and letters of some scripts. A tokenizer that knows none of them knows no collection either.
WORDS = (
    "what is the name of a country",
    "a b c e t 0 1 2",
    "的 一 是",
    "и в не",
    "في من",
    "の は",
    "이 는",
    "का है",
)

# Weights that stay over because they are of no use here: heads of the pretraining or of another task, the decoder
# of an encoder-decoder, and tables that are computed. Anything else that stays over is a part of the model.
LEFT_OVER = re.compile(
    r"(\w+_)?(cls|head|heads|classifier|predictions?|outputs|pooler|decoder|score|position_ids|inv_freq)"
    r"|lm_\w+|vocab_\w+|discriminator\w*|generator\w*|seq_relationship|pred_layer|logits_proj|final_logits_bias"
    r"|masked_bias|logit_scale|sequence_summary"
)


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
    if wanted == "auto":
        wanted = os.environ.get("CURATE_DTYPE", "auto")
    if wanted not in ("auto", "bf16", "fp32"):
        raise BadSettings(f"the number format is '{wanted}': {nearest(wanted, ('auto', 'bf16', 'fp32'))}")
    if wanted != "auto":
        return wanted
    return "bf16" if multiplies_bf16(device()) else "fp32"


def multiplies_bf16(where: str) -> bool:
    """Return whether the processor computes in bf16, which is faster than fp32 then."""
    import torch

    if where == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))


def attention_form(model: Any) -> dict[str, str]:
    """Return the setting that says how a GPU computes attention, on which the last bits depend; none elsewhere.

    model: the one that is loaded; None: one that is never packed.
    """
    if device() != "cuda":
        return {}
    return {"attention": "packed" if model is not None and is_packed(model) else "padded"}


@contextmanager
def without_cudnn_attention() -> Iterator[None]:
    """Keep a GPU from cuDNN's attention, which compiles a plan of 85 ms for every new width of a batch."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    if device() != "cuda":
        yield
        return
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
        yield


@contextmanager
def inference() -> Iterator[None]:
    """Compute without gradients, for batches of any width."""
    import torch

    with torch.inference_mode(), without_cudnn_attention():
        yield


def computing_in_float32() -> AbstractContextManager[None]:
    """Have models that are opened in the block compute in float32."""
    return variables_set({"CURATE_DTYPE": "fp32"})


def torch_dtype(name: str) -> "torch.dtype":
    """Return the torch dtype for bf16 or fp32."""
    import torch

    return {"bf16": torch.bfloat16, "fp32": torch.float32}[name]


def load_pretrained(auto_class: str, folder: Path, dtype: str, may_lack: tuple[str, ...] = ()) -> Any:
    """Return the transformers model in `folder`, in eval mode, on `device()` and in `dtype`, its adapter merged.

    It is packed if it can be (curate/models/packed_trial.py), which changes the last bits of its vectors.

    Raises BadInput if the model has no safetensors, comes with code of its own, lacks weights (other than those
    whose names start with one of `may_lack`), has weights that are left out, or are damaged or not finite.
    """
    import torch
    import transformers

    quiet()
    use_threads()
    load_config(folder)
    check_weights(folder)
    try:
        model, info = getattr(transformers, auto_class).from_pretrained(
            folder,
            dtype=torch_dtype(dtype),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            return_dict=True,
        )
    except (OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError, ImportError) as error:
        raise BadInput(f"{folder} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    _check_keys(folder, model, info, may_lack)
    if (folder / MERGED).is_dir():
        model = merged(model, folder / MERGED)
    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
        raise BadInput(f"{folder} has weights that are not finite (NaN or infinity)")
    with without_cudnn_attention():
        return pack_if_right(model.eval().to(device()), dtype)


def check_weights(folder: Path) -> None:
    """Raise BadInput if there is no safetensors file in `folder`, or if one of them is damaged or cut short."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BadInput(f"{folder} has no *.safetensors. curate does not read pickled weights; convert them.")
    index = read_json(folder / "model.safetensors.index.json", {})
    lacking = sorted(set(index.get("weight_map", {}).values()) - {path.name for path in files})
    if lacking:
        raise BadInput(f"{folder} lacks a file of its weights: {lacking[0]}. Copy or download the model again.")
    for path in files:
        open_weights(path)


def open_weights(path: Path) -> Any:
    """Return an open safetensors file. Raises BadInput, which names it, if it is damaged or cut short."""
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise BadInput(
            f"{path} is damaged or cut short ({' '.join(str(error).split())[:120]}). "
            "Copy or download the model again."
        ) from error


def _check_keys(folder: Path, model: Any, info: Mapping[str, Any], may_lack: tuple[str, ...]) -> None:
    lacking = sorted(key for key in info["missing_keys"] if not key.startswith(may_lack or ("\0",)))
    mismatched = sorted(str(key[0] if isinstance(key, tuple) else key) for key in info["mismatched_keys"])
    if lacking or mismatched:
        raise BadInput(
            f"{folder} lacks weights that the model needs: {', '.join((lacking + mismatched)[:5])}. "
            "They would be initialized at random, so the model is refused."
        )
    left_out = sorted(info["unexpected_keys"])
    if any(".lora_" in key for key in left_out):
        raise BadInput(adapter(folder))
    # A head of another task may be left over. A layer like those of the model means that config.json is another's.
    own = {_alike(key) for key in model.state_dict()}
    layers = [key for key in left_out if _alike(key) in own or _alike(key.partition(".")[2]) in own]
    if layers:
        raise BadInput(
            f"{folder} has weights that its config.json leaves out: {', '.join(layers[:3])}. "
            "The model would be computed without them, so it is refused."
        )
    parts = [key for key in left_out if not any(LEFT_OVER.fullmatch(name) for name in key.split("."))]
    if parts:
        raise BadInput(
            f"{folder} has weights that {type(model).__name__} does not have: {', '.join(parts[:3])}. "
            "The model would be computed without them, so it is refused. Use another model."
        )


def _alike(key: str) -> str:
    """Return the name of a weight without the numbers of layers."""
    return re.sub(r"\d+", "#", key)


def check_fits(folder: Path, tokenizer: Any, model: Any) -> None:
    """Raise BadInput if the tokenizer in `folder` is not that of the model.

    A tokenizer with more tokens than the model has vectors ends in an index error. One with far fewer knows other
    tokens, or none, and its vectors look plausible.
    """
    try:
        tokens, vectors = len(tokenizer), len(model.get_input_embeddings().weight)
    except (NotImplementedError, AttributeError) as error:
        raise BadInput(
            f"{folder} is a {type(model).__name__}, which has no vectors for tokens of text. Use a model of text."
        ) from error
    if tokens > vectors or 2 * tokens < vectors:
        raise BadInput(
            f"the tokenizer has {tokens:,} tokens and the model has vectors for {vectors:,}, so the "
            "tokenizer belongs to another model. Copy the tokenizer files of this model.",
            file=folder,
        )


def padding_id(model: Any, tokenizer: Any) -> int:
    """Return the token id that fills up short rows.

    A head that reads the last token finds it by the padding id in the model's configuration, so that id is used.
    If the configuration has none, it gets the tokenizer's. The mask hides padding from all other models.
    """
    configured = model.config.pad_token_id
    if configured is None or not 0 <= configured < len(model.get_input_embeddings().weight):
        model.config.pad_token_id = tokenizer.pad_token_id
    return int(model.config.pad_token_id or 0)


def in_fp32(layer: "torch.nn.Linear") -> "torch.nn.Linear":
    """Make a linear layer compute in fp32. Logits that are rounded to bf16 are equal for many pairs."""
    layer.float().register_forward_pre_hook(lambda _layer, inputs: (inputs[0].float(),))
    return layer


def last_linear(model: Any, outputs: int) -> str | None:
    """Return the name of the last linear layer of `model` if it gives the logits, which are `outputs`."""
    import torch

    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    last: str | None = next(reversed(layers), None)
    return last if last is not None and layers[last].out_features == outputs else None


def scores_in_fp32(model: Any, outputs: int) -> None:
    """Make the last linear layer of `model` compute in fp32 if it gives the logits, which are `outputs`."""
    if name := last_linear(model, outputs):
        in_fp32(model.get_submodule(name))


def accepted(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that the forward pass takes. Some tokenizers give segments that their model lacks."""
    names = getattr(model, "input_names", None) or {*inspect.signature(model.forward).parameters, LAYOUT}
    return {name: value for name, value in inputs.items() if name in names}


def token_vectors(model: Any, inputs: Mapping[str, Any]) -> "torch.Tensor":
    """Return the vectors of the tokens (texts x tokens x dimension, float32).

    Raises BadInput if the model has none: some encoders give only one vector per text.
    """
    hidden = model(**accepted(model, inputs))[0]
    if hidden.dim() != 3:
        raise BadInput(
            f"{model.name_or_path} is a {type(model).__name__}, which gives no vectors of tokens to pool. "
            "Use another encoder."
        )
    result: torch.Tensor = hidden.float()
    return result


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
    """Return the transformers configuration of the model in `folder`.

    Raises BadInput if it cannot be loaded, if transformers does not know the model, or if the model comes with
    code of its own that does not compute what transformers does.
    """
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    path = folder / "config.json"
    written = read_json(path, {})
    kind = written.get("model_type")
    if kind is None:
        raise BadInput(f"{path} names no model_type; expected the configuration of a transformers model")
    if kind not in CONFIG_MAPPING:
        code = "; it comes with code of its own, which curate never runs" if "auto_map" in written else ""
        raise BadInput(
            f"transformers {transformers.__version__} has no model of the type '{kind}'{code}. Use another model.",
            file=path,
        )
    if replaced := adds_code(written):
        raise BadInput(
            f"the model comes with code of its own ({replaced}), which curate never runs, and "
            f"transformers' model of the type '{kind}' may give other vectors. Use another model.",
            file=path,
        )
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # a value of another type fails wherever it is read
        raise BadInput(f"{path} cannot be loaded: {' '.join(str(error).split())[:300]}") from error


def load_tokenizer(folder: Path, *, lower_case: bool = False) -> Any:
    """Return the fast tokenizer in `folder`, which lower-cases texts first if `lower_case` says so.

    Raises BadInput if there is none, or if it knows no words: without its files, transformers makes an empty one.
    """
    from transformers import AutoTokenizer

    quiet()
    settings = folder / "tokenizer_config.json"
    if "AutoTokenizer" in (read_json(settings, {}).get("auto_map") or {}):
        raise BadInput(
            "the tokenizer comes with code of its own, which curate never runs, and other tokens "
            "would give other vectors. Use another model.",
            file=settings,
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the library tokenizers raises Exception itself
        raise BadInput(f"cannot load the tokenizer: {' '.join(str(error).split())[:300]}", file=folder) from error
    files = sorted(set(tokenizer.vocab_files_names.values()) | {"tokenizer.json"})
    if not any((folder / name).is_file() for name in files):
        raise BadInput(
            f"{folder} has no tokenizer: expected {' or '.join(files)}. Copy the tokenizer files of this model."
        )
    if not tokenizer.is_fast:
        raise BadInput(f"{folder} has no fast tokenizer (tokenizer.json)")
    if all(
        set(tokenizer(text, add_special_tokens=False)["input_ids"]) <= {tokenizer.unk_token_id} for text in WORDS
    ):
        raise BadInput(
            "the tokenizer knows no word of any language, so its files are damaged or those of another "
            "model. Copy the tokenizer files of this model.",
            file=folder,
        )
    _forget_surplus(folder, tokenizer)
    if lower_case:
        from tokenizers.normalizers import Lowercase, Sequence

        rust = tokenizer.backend_tokenizer
        rust.normalizer = Sequence([Lowercase(), *([rust.normalizer] if rust.normalizer else [])])
    return tokenizer


def _forget_surplus(folder: Path, tokenizer: Any) -> None:
    """Make the tokenizer read special tokens as plain text for which the model in `folder` has no vector.

    A text model that was taken out of a model of images keeps the token of an image, beyond its last vector.
    Tokens that the tokenizer itself adds to a text stay, so that `check_fits` refuses them.
    """
    from tokenizers import Tokenizer

    vectors = read_json(folder / "config.json", {}).get("vocab_size")
    if not isinstance(vectors, int) or len(tokenizer) <= vectors:
        return
    files = json.loads(tokenizer.backend_tokenizer.to_str())
    added = json.dumps(files["post_processor"])
    kept = [
        token
        for token in files["added_tokens"]
        if token["id"] < vectors
        or not token["special"]
        or token["content"] in (tokenizer.pad_token, tokenizer.unk_token)
        or json.dumps(token["content"]) in added
    ]
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps({**files, "added_tokens": kept}))  # noqa: SLF001 - no other way


def quiet() -> None:
    """Keep transformers' progress bars and notices off the terminal."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
