"""What a model folder holds, according to its files: an encoder, a cross-encoder, or what curate does not run.

Weights of the wrong kind often load without an error and give vectors or scores that look plausible. So the kind
is read from the files, in the order in which sentence-transformers decides: `model_type`, modules, architecture.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from curate.errors import BadInput
from curate.models.folder import FOLDS

Json = TypeVar("Json", dict[str, Any], list[Any])
Wanted = Literal["an encoder", "a cross-encoder"]

ADAPTER = "adapter_config.json"
ROUTER = "router_config.json"
SENTENCE_TRANSFORMERS_JSON = "config_sentence_transformers.json"
CROSS_ENCODER: Final = "a cross-encoder"
MODULAR: Final = "a modular cross-encoder of sentence-transformers"
CAUSAL_RERANKER: Final = "a causal reranker"
CAUSAL: Final = "a causal language model"
ENCODER: Final = "an encoder"
TYPES = {"SparseEncoder": "a sparse encoder", "MultiVectorEncoder": "a multi-vector encoder (late interaction)"}
SPARSE = ("SpladePooling", "MLMTransformer", "SparseAutoEncoder", "SparseStaticEmbedding")
# Types whose code transformers has taken over. What that code reads in config.json, and transformers does not, has
# here the only value that transformers computes.
TAKEN_OVER: dict[str, dict[str, Any]] = {
    "eurobert": {},
    "nomic_bert": {
        "n_head": 12,
        "activation_function": "swiglu",
        "layer_norm_epsilon": 1e-12,
        "prenorm": False,
        "parallel_block": False,
        "use_rms_norm": False,
        "causal": False,
        "rotary_emb_base": 1000,
        "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None,
        "rotary_scaling_factor": None,
    },
}
LOADED = ("AutoConfig", "AutoModel", "AutoModelForTextEncoding", "AutoModelForSequenceClassification")
# What a transformer was trained for before it became an encoder, or as one half of an encoder-decoder.
PRETRAINED = ("MaskedLM", "PreTraining", "ConditionalGeneration", "TextEncoding")


def check_kind(folder: Path, wanted: Wanted, *others: str) -> None:
    """Raise BadInput, which names what is there, unless `folder` may hold `wanted` or `others`, and is whole."""
    if (folder / FOLDS).is_file():
        raise BadInput(
            f"{folder} holds several cross-encoders that score as one (curate train cross-encoder --folds). Give "
            f"the folder of one of them: {folder.name}/fold-1"
        )
    for place in dict.fromkeys((folder, folder / transformer_of(folder))):
        if (place / ADAPTER).is_file():
            raise BadInput(adapter(place))
        if read_json(place / "config.json", {}).get("quantization_config"):
            raise BadInput(
                f"{place} holds quantized weights, which curate does not read. Use the original weights."
            )
    found, why = kind_of(folder)
    if wanted == CROSS_ENCODER and why.endswith("ForConditionalGeneration"):
        found = "an encoder-decoder language model"
    if found not in (wanted, *others, None):
        raise BadInput(f"{folder} is {found} ({why}), not {wanted}. Give the folder or hub name of {wanted}.")


def is_cross_encoder(folder: Path) -> bool:
    """Return whether the files in `folder` say that it holds a cross-encoder that curate can run."""
    return kind_of(folder)[0] == CROSS_ENCODER


def adapter(folder: Path) -> str:
    """Return the message about an adapter in `folder`."""
    return (
        f"{folder} holds an adapter (LoRA, peft), which curate does not apply here. Merge it into its base model "
        "first (in peft: model.merge_and_unload(), then save_pretrained), and give the folder of the merged model."
    )


def adds_code(config: dict[str, Any]) -> str | None:
    """Return the class of a model's own code that would replace one of transformers; None if there is none.

    config: the content of config.json. Code for tasks that curate does not load does not count, nor the code of a
    type that transformers has taken over.
    """
    classes = config.get("auto_map") or {}
    used = [str(classes[name]) for name in LOADED if name in classes]
    only = TAKEN_OVER.get(config["model_type"])
    if only is not None and all(config.get(key, value) == value for key, value in only.items()):
        return None
    return used[0] if used else None


def number_in(path: Path, config: dict[str, Any], key: str) -> float | None:
    """Return a number above 0 of `config`, which was read from `path`; None if there is none. Raises BadInput."""
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise BadInput(f"{key} is {value!r}; expected a number above 0", file=path)
    return value


def modules_of(folder: Path) -> list[tuple[str, str]]:
    """Return (type, path) of the modules in modules.json, in order; empty if there is no such file."""
    path = folder / "modules.json"
    listed = read_json(path, [])
    if not all(isinstance(module, dict) and "type" in module for module in listed):
        raise BadInput(f"{path} is not a list of modules, each with its type")
    return [(str(module["type"]), str(module.get("path", ""))) for module in listed]


def transformer_of(folder: Path) -> str:
    """Return the folder of the first module, relative to the model's folder."""
    modules = modules_of(folder)
    return modules[0][1] if modules else ""


def read_json(path: Path, otherwise: Json) -> Json:
    """Return the JSON in `path`, or `otherwise` if there is no such file. Both must be of one type."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return otherwise
    except (OSError, ValueError) as error:
        raise BadInput(f"not valid JSON: {error}", file=path) from error
    if not isinstance(value, type(otherwise)):
        expected = "an object" if isinstance(otherwise, dict) else "a list"
        raise BadInput(f"{path} holds {type(value).__name__} in JSON; expected {expected}")
    return value


def kind_of(folder: Path) -> tuple[str | None, str]:
    """Return what the folder holds, and the sign of it. None: the files do not say."""
    declared = read_json(folder / SENTENCE_TRANSFORMERS_JSON, {}).get("model_type") or "SentenceTransformer"
    names = [full.rpartition(".")[2] for full, _ in modules_of(folder)]
    shown = ", ".join(names)
    if declared in TYPES:
        return TYPES[declared], f"model_type {declared}"
    if "LogitScore" in names:
        return CAUSAL_RERANKER, shown
    if declared == "CrossEncoder":
        return (MODULAR, shown) if names[1:] else (CROSS_ENCODER, f"model_type {declared}")
    if declared != "SentenceTransformer":
        return f"a model of the type {declared}, which curate does not know", SENTENCE_TRANSFORMERS_JSON
    if sparse := [name for name in names if name in SPARSE]:
        return TYPES["SparseEncoder"], sparse[0]
    if "StaticEmbedding" in names:
        return "a model of static embeddings", shown
    if names or (folder / ROUTER).is_file():
        return ENCODER, shown or ROUTER
    return _of_architecture(folder)


def _of_architecture(folder: Path) -> tuple[str | None, str]:
    architectures = read_json(folder / "config.json", {}).get("architectures") or []
    if not architectures:
        return None, ""
    name = str(architectures[0])
    head = name.rpartition("For")[2] if "For" in name else ""
    if head == "SequenceClassification":
        return CROSS_ENCODER, name
    if head == "CausalLM" or name.endswith("LMHeadModel"):
        return CAUSAL, name
    if "ColBERT" in name:
        return TYPES["MultiVectorEncoder"], name
    if name == "StaticModel":
        return "a model of static embeddings", name
    if head and head not in PRETRAINED:
        return f"a model with a head for another task than {ENCODER} or {CROSS_ENCODER} has", name
    return ENCODER, name
