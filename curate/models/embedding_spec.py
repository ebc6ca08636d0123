"""How a model embeds, according to its files: pooling, prompts, lengths, and the steps after the transformer.

A sentence-transformers folder describes this in modules.json and the files listed there. A plain transformers
folder does not, so mean pooling is assumed, with a note. Options take precedence over the files.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import BadInput, BadSettings

POOLINGS = {  # the boolean keys of older files, in the order in which their vectors are joined
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
ROUTER = "router_config.json"
READ = ("Transformer", "Pooling", "Dense", "Normalize")
OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert")  # their positions start after the padding id
FALLBACK_LENGTH = 512


@dataclass(frozen=True)
class EmbeddingSpec:
    """Everything except the weights that an embedding depends on."""

    transformer: str = ""
    """Folder of the transformer, relative to the model's folder."""
    query_transformer: str | None = None
    """Folder of a separate transformer for queries, if there is one."""
    pooling: tuple[str, ...] = ("mean",)
    """Pooling modes. The vectors of several modes are concatenated."""
    include_prompt: bool = True
    """Whether the prompt's tokens are pooled too."""
    after: tuple[str, ...] = ()
    """The steps after pooling: `normalize`, or the folder of a Dense layer."""
    query_prompt: str = ""
    passage_prompt: str = ""
    query_max_length: int = FALLBACK_LENGTH
    passage_max_length: int = FALLBACK_LENGTH
    lower_case: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Assumptions made where the files are silent."""

    def settings(self) -> dict[str, Any]:
        """Return the settings that the fingerprint covers and the table `models` shows."""
        settings = asdict(self)
        del settings["notes"]
        if self.query_transformer is None:
            del settings["query_transformer"]
        return settings

    @property
    def query_folder(self) -> str:
        """The folder of the transformer that reads queries."""
        return self.transformer if self.query_transformer is None else self.query_transformer


def read_embedding_spec(folder: Path, options: dict[str, Any]) -> EmbeddingSpec:
    """Return the spec of the model in `folder`. Options that are not None take precedence over its files.

    options: pooling, query_prompt, passage_prompt, normalize, query_max_length, passage_max_length.
    Raises BadInput for a cross-encoder or a module that curate does not support, and BadSettings for a length
    beyond the model's limit.
    """
    given = {key: value for key, value in options.items() if value is not None}
    modules = _modules(folder)
    facts: dict[str, Any] = _of_modules(folder, modules) if modules else {}
    if (folder / ROUTER).is_file():
        facts = _of_routes(folder)
        modules = [("Router", "")]
    if not modules:
        _refuse_cross_encoder(folder)
    if not modules and "pooling" not in given:
        facts["notes"] = (
            f"{folder.name} has no modules.json: mean pooling is assumed (change it with --pooling)",
        )
    facts |= _prompts(folder) | _lengths(folder / facts.get("transformer", ""))
    if "normalize" in given:
        after = tuple(step for step in facts.get("after", ()) if step != "normalize")
        facts["after"] = (*after, "normalize") if given.pop("normalize") else after
    if "pooling" in given:
        facts["pooling"] = (given.pop("pooling"),)
    _check_lengths(folder / facts.get("transformer", ""), given)
    return EmbeddingSpec(**{**facts, **given})


def passage_transformer(folder: Path) -> Path:
    """Return the folder of a model's transformer: that of the passages, if queries have a separate one."""
    alone = (folder / "config.json").is_file()
    return folder if alone else folder / read_embedding_spec(folder, {}).transformer


def _refuse_cross_encoder(folder: Path) -> None:
    for name in _json(folder / "config.json", {}).get("architectures") or []:
        if name.endswith("ForSequenceClassification"):
            raise BadInput(f"{folder} is a cross-encoder ({name}): it scores pairs but cannot embed texts")


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Return (kind, path) of the modules in order; empty without modules.json or with a router."""
    modules = [(str(module["type"]), str(module.get("path", ""))) for module in _json(folder / "modules.json", [])]
    return [] if (folder / ROUTER).is_file() and len(modules) == 1 else _chain(folder, modules)


def _of_routes(folder: Path) -> dict[str, Any]:
    """Return the fields of the spec for a model with separate chains of modules for queries and passages."""
    config = _json(folder / ROUTER, {})
    facts = {}
    for route in ("query", "document"):
        names = config.get("structure", {}).get(route) or []
        chain = _chain(folder, [(str(config["types"][name]), name) for name in names])
        if not chain:
            raise BadInput(f"{folder / ROUTER} has no route '{route}'; expected the routes query and document")
        facts[route] = _of_modules(folder, chain)
    query, passage = facts["query"], facts["document"]
    same = {key: value for key, value in query.items() if key != "transformer"}
    if same != {key: value for key, value in passage.items() if key != "transformer"}:
        raise BadInput(f"{folder} pools queries and passages differently, which curate does not support")
    return {**passage, "query_transformer": query["transformer"]}


def _chain(folder: Path, modules: list[tuple[str, str]]) -> list[tuple[str, str]]:
    found = []
    for full, path in modules:
        package, _, kind = full.rpartition(".")
        if kind not in READ or not package.startswith("sentence_transformers"):
            raise BadInput(
                f"{folder} has a module {full}, which curate does not support; it supports {', '.join(READ)}"
            )
        found.append((kind, path))
    kinds = [kind for kind, _ in found]
    if found and (kinds[0] != "Transformer" or kinds.count("Pooling") != 1 or kinds[1] != "Pooling"):
        raise BadInput(
            f"{folder} has the modules {', '.join(kinds)}; expected Transformer, Pooling, then Dense or Normalize"
        )
    return found


def _of_modules(folder: Path, modules: list[tuple[str, str]]) -> dict[str, Any]:
    pooling = _json(folder / modules[1][1] / "config.json", {})
    modes = pooling.get("pooling_mode") or [mode for key, mode in POOLINGS.items() if pooling.get(key)] or "mean"
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if unknown := set(modes) - set(POOLINGS.values()):
        raise BadInput(
            f"{folder / modules[1][1]} pools by {', '.join(sorted(unknown))}, which curate does not support"
        )
    return {
        "transformer": modules[0][1],
        "pooling": modes,
        "include_prompt": bool(pooling.get("include_prompt", True)),
        "after": tuple("normalize" if kind == "Normalize" else path for kind, path in modules[2:]),
    }


def _prompts(folder: Path) -> dict[str, str]:
    config = _json(folder / "config_sentence_transformers.json", {})
    prompts = {name: text or "" for name, text in (config.get("prompts") or {}).items()}
    default = prompts.get(config.get("default_prompt_name") or "", "")
    # Newer files contain empty prompts for `query` and `document`. These take precedence over the default.
    passage = next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), default)
    return {"query_prompt": prompts.get("query", default), "passage_prompt": passage}


def _lengths(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = next((_json(path, {}) for path in sorted(folder.glob("sentence_*_config.json"))), {})
    tokenizer = _json(folder / "tokenizer_config.json", {}).get("model_max_length")
    position = positions(folder)
    known = [length for length in (tokenizer, position) if length and length < 10**6]
    length = config.get("max_seq_length") or (min(known) if known else FALLBACK_LENGTH)
    length = min(length, position or length)
    return {
        "query_max_length": min(config.get("query_length") or length, length),
        "passage_max_length": min(config.get("document_length") or length, length),
        "lower_case": bool(config.get("do_lower_case", False)),
    }


def positions(folder: Path) -> int | None:
    """Return how many token positions the transformer in `folder` has, or None if there is no limit."""
    config = _json(folder / "config.json", {})
    count = config.get("max_position_embeddings")
    if not isinstance(count, int) or count <= 0:
        return None
    starts_at = (config.get("pad_token_id") or 0) + 1 if config.get("model_type") in OFFSET_POSITIONS else 0
    return count - int(starts_at)


def token_limit(folder: Path, wanted: int | None = None) -> int:
    """Return how many tokens a cross-encoder in `folder` reads: `wanted`, or the limit in its files up to 512.

    Raises BadSettings if `wanted` exceeds the model's positions.
    """
    limit = positions(folder)
    if wanted:
        if limit and wanted > limit:
            raise BadSettings(f"max_length = {wanted} is more than the {limit} tokens that {folder.name} can take")
        return wanted
    own = _json(folder / "tokenizer_config.json", {}).get("model_max_length")
    lengths = [length for length in (limit, own, 512) if isinstance(length, int | float) and length > 0]
    return int(min(lengths))


def _check_lengths(folder: Path, given: dict[str, Any]) -> None:
    limit = positions(folder)
    for key in ("query_max_length", "passage_max_length"):
        if limit and given.get(key, 0) > limit:
            raise BadSettings(f"{key} = {given[key]} is more than the {limit} tokens that {folder.name} can take")


def _json(path: Path, otherwise: Any) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return otherwise
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON: {error}") from error
