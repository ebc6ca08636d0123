"""How a model embeds, according to its files: pooling, prompts, lengths, similarity, and the steps after pooling.

A sentence-transformers folder describes this in modules.json and the files listed there. A plain transformers
folder does not, so mean pooling and cosine are assumed, as sentence-transformers does, with a note. Options take
precedence over the files.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from curate.errors import BadInput, BadSettings
from curate.models.model_kind import (
    ENCODER,
    ROUTER,
    SENTENCE_TRANSFORMERS_JSON,
    check_kind,
    modules_of,
    number_in,
    read_json,
)
from curate.models.positions import positions
from curate.shards import canonical

POOLINGS = {  # the boolean keys of older files, in the order in which their vectors are joined
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
READ = ("Transformer", "Pooling", "Dense", "Normalize")
NORMALIZE, TRUNCATE = "normalize", "truncate"
FALLBACK_LENGTH = 512
# The part of a tokenizer that decides the ids; the rest of tokenizer.json is the state of its last use.
TOKENIZER = ("model", "normalizer", "pre_tokenizer", "post_processor", "added_tokens")


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
    """The steps after pooling: `normalize`, `truncate` to `truncate_dim`, or the folder of a Dense layer."""
    truncate_dim: int | None = None
    """The first dimensions of a vector, which are kept (Matryoshka); None: all."""
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
        for name in ("query_transformer", "truncate_dim"):
            if settings[name] is None:
                del settings[name]
        return settings

    def is_in(self, settings: Mapping[str, Any]) -> bool:
        """Return whether the settings of a model in the table `models` are these."""
        names = {one.name for one in fields(self)}
        own = {name: value for name, value in settings.items() if name in names}
        return canonical(own) == canonical(self.settings())

    @property
    def similarity(self) -> str:
        """`cosine` or `dot`: what the inner product of two vectors is."""
        return "cosine" if self.after[-1:] == (NORMALIZE,) else "dot"

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        prompts = ", ".join(
            f"{side} prompt {text!r}"
            for side, text in (("query", self.query_prompt), ("passage", self.passage_prompt))
            if text
        )
        excluded = "" if self.include_prompt else " (not pooled)"
        return (
            f"pooling {' + '.join(self.pooling)}, similarity {self.similarity}, "
            f"{self.query_max_length} tokens of a query and {self.passage_max_length} of a passage, "
            f"{prompts or 'no prompts'}{excluded if prompts else ''}"
            + (f", the first {self.truncate_dim} dimensions" if self.truncate_dim else "")
        )

    @property
    def query_folder(self) -> str:
        """The folder of the transformer that reads queries."""
        return self.transformer if self.query_transformer is None else self.query_transformer


def read_embedding_spec(folder: Path, options: dict[str, Any]) -> EmbeddingSpec:
    """Return the spec of the model in `folder`. Options that are not None take precedence over its files.

    options: pooling, query_prompt, passage_prompt, normalize, truncate_dim, query_max_length, passage_max_length.
    Raises BadInput for what is not an encoder, or not one that curate supports, and BadSettings for a length
    beyond the model's limit.
    """
    check_kind(folder, ENCODER)
    given = {key: value for key, value in options.items() if value is not None}
    facts = _of_files(folder, given.get("pooling"))
    notes = []
    if "pooling" in given:
        facts["pooling"] = (given.pop("pooling"),)
    elif "pooling" not in facts:
        notes.append(f"{folder.name} has no modules.json: mean pooling is assumed (change it with --pooling)")
    facts |= _prompts(folder)
    config = read_json(folder / SENTENCE_TRANSFORMERS_JSON, {})
    truncate = given.pop("truncate_dim", config.get("truncate_dim"))
    if truncate is not None and not (type(truncate) is int and truncate > 0):  # a bool is an int too
        raise BadInput(
            f"truncate_dim is {truncate}; expected a whole number above 0",
            file=folder / SENTENCE_TRANSFORMERS_JSON,
        )
    similarity = _similarity(folder, config, given.pop("normalize", None))
    after = facts.get("after", ())
    if similarity is None:
        similarity = "cosine"
        if after[-1:] != (NORMALIZE,):
            notes.append(
                f"the files of {folder.name} name no similarity: cosine is assumed, as in sentence-transformers "
                "(change it with --no-normalize)"
            )
    facts["after"] = _steps(after, similarity, truncate)
    facts["truncate_dim"] = truncate
    _check_lengths(folder, facts, given)
    return EmbeddingSpec(**{**facts, **given}, notes=tuple(notes))


def _of_files(folder: Path, pooling: str | None) -> dict[str, Any]:
    """Return the fields of the spec that the modules decide."""
    listed = modules_of(folder)
    if (folder / ROUTER).is_file() and len(listed) < 2:
        return _of_routes(folder, pooling)
    modules = _chain(folder, listed)
    facts: dict[str, Any] = _of_modules(folder, modules, pooling) if modules else {}
    return facts | _lengths(folder / facts.get("transformer", ""))


def _similarity(folder: Path, config: dict[str, Any], normalize: bool | None) -> str | None:
    """Return `cosine` or `dot`, as the option says or else the files; None if neither does."""
    if normalize is not None:
        return "cosine" if normalize else "inner product"
    named = config.get("similarity_fn_name")
    if named in ("cosine", "dot", None):
        return None if named is None else str(named)
    raise BadInput(
        f"{folder} compares vectors by {named}, and curate by cosine or inner product. "
        "Give --normalize (cosine) or --no-normalize (inner product) to use it all the same."
    )


def _steps(after: tuple[str, ...], similarity: str, truncate: int | None) -> tuple[str, ...]:
    """Return the steps after pooling. sentence-transformers truncates after the modules and compares last."""
    if similarity == "inner product":
        while after[-1:] == (NORMALIZE,):  # one before a Dense layer belongs to the model
            after = after[:-1]
    if truncate:
        after = (*after, TRUNCATE)
    return (*after, NORMALIZE) if similarity == "cosine" and after[-1:] != (NORMALIZE,) else after


def passage_transformer(folder: Path) -> Path:
    """Return the folder of a model's transformer: that of the passages, if queries have a separate one."""
    return folder / str(_of_files(folder, "mean").get("transformer", ""))  # pooling does not matter here


def _of_routes(folder: Path, pooling: str | None) -> dict[str, Any]:
    """Return the fields of the spec for a model with separate chains of modules for queries and passages."""
    config = read_json(folder / ROUTER, {})
    types, structure = config.get("types"), config.get("structure")
    if not isinstance(types, dict) or not isinstance(structure, dict):
        raise BadInput(f"{folder / ROUTER} lacks 'types' or 'structure'; expected the modules of two routes")
    facts = {}
    for route in ("query", "document"):
        names = structure.get(route) or []
        if unknown := [name for name in names if name not in types]:
            raise BadInput(f"{folder / ROUTER} names no type of the module '{unknown[0]}'")
        chain = _chain(folder, [(str(types[name]), name) for name in names])
        if not chain:
            raise BadInput(f"{folder / ROUTER} has no route '{route}'; expected the routes query and document")
        facts[route] = _of_modules(folder, chain, pooling)
    query, passage = facts["query"], facts["document"]
    same = {key: value for key, value in query.items() if key != "transformer"}
    if same != {key: value for key, value in passage.items() if key != "transformer"}:
        raise BadInput(f"{folder} pools queries and passages differently, which curate does not support")
    towers = folder / query["transformer"], folder / passage["transformer"]
    tokenizers = [read_json(tower / "tokenizer.json", {}) for tower in towers]
    if any(tokenizers[0].get(part) != tokenizers[1].get(part) for part in TOKENIZER):
        raise BadInput(f"{folder} has two tokenizers, one for each side, which curate does not support")
    asked, read = (_lengths(tower) for tower in towers)
    lengths = {**read, "query_max_length": asked["query_max_length"]}
    return {**passage, "query_transformer": query["transformer"], **lengths}


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


def _of_modules(folder: Path, modules: list[tuple[str, str]], wanted: str | None) -> dict[str, Any]:
    """Return what a chain of modules decides. Raises BadInput if neither it nor `wanted` names a pooling."""
    modes, include_prompt = poolings(folder / modules[1][1])
    if not modes and wanted is None:
        path = folder / modules[1][1] / "config.json"
        lacking = "names no pooling" if path.is_file() else "is missing"
        raise BadInput(f"{path} {lacking}. Say how to pool: --pooling MODE")
    if unknown := set(modes) - set(POOLINGS.values()):
        raise BadInput(
            f"{folder / modules[1][1]} pools by {', '.join(sorted(unknown))}, which curate does not support"
        )
    return {
        "transformer": modules[0][1],
        "pooling": modes,
        "include_prompt": include_prompt,
        "after": tuple(NORMALIZE if kind == "Normalize" else path for kind, path in modules[2:]),
    }


def poolings(folder: Path) -> tuple[tuple[str, ...], bool]:
    """Return the modes of the Pooling module in `folder`, and whether it pools the prompt's tokens too."""
    config = read_json(folder / "config.json", {})
    modes = config.get("pooling_mode") or [mode for key, mode in POOLINGS.items() if config.get(key)]
    return (modes,) if isinstance(modes, str) else tuple(modes), bool(config.get("include_prompt", True))


def _prompts(folder: Path) -> dict[str, str]:
    path = folder / SENTENCE_TRANSFORMERS_JSON
    config = read_json(path, {})
    prompts, default = named_prompts(path, config), default_prompt(path, config)
    # Newer files contain empty prompts for `query` and `document`. These take precedence over the default.
    passage = next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), default)
    return {"query_prompt": prompts.get("query", default), "passage_prompt": passage}


def named_prompts(path: Path, config: dict[str, Any]) -> dict[str, str]:
    """Return the prompts in `config`, which was read from `path`, by their names."""
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in prompts.values()):
        raise BadInput("'prompts' must map names to texts", file=path)
    return {name: text or "" for name, text in prompts.items()}


def default_prompt(path: Path, config: dict[str, Any]) -> str:
    """Return the text of the default prompt; empty if there is none."""
    name, prompts = config.get("default_prompt_name"), named_prompts(path, config)
    if name is not None and name not in prompts:
        raise BadInput(
            f"the default prompt '{name}' is not among the prompts ({', '.join(prompts) or 'none'})", file=path
        )
    return prompts[name] if name is not None else ""


def transformer_settings(folder: Path, task: str) -> dict[str, Any]:
    """Return what sentence-transformers says of the transformer in `folder` (sentence_bert_config.json).

    Raises BadInput for settings that change the tokens or the model and that curate does not apply, or if the
    model was saved for another task than `task`.
    """
    path = next(iter(sorted(folder.glob("sentence_*_config.json"))), None)
    if path is None:
        return {}
    config = read_json(path, {})
    modalities = config.get("modality_config") or {"text": {}}
    refused = {
        "query_expansion": config.get("query_expansion"),
        "processing_kwargs": config.get("processing_kwargs"),
        "config_kwargs": config.get("config_kwargs") or config.get("config_args"),
        "processor_kwargs": config.get("processor_kwargs") or config.get("tokenizer_args"),
        "modality_config": None if "text" in modalities and "message" not in modalities else modalities,
        "transformer_task": None if config.get("transformer_task", task) == task else config["transformer_task"],
    }
    for key, value in refused.items():
        if value:
            raise BadInput(f"{path} has the setting {key} ({value}), which curate does not support")
    for key in ("max_seq_length", "query_length", "document_length"):
        number_in(path, config, key)
    return config


def _lengths(folder: Path) -> dict[str, Any]:
    config = transformer_settings(folder, "feature-extraction")
    path = folder / "tokenizer_config.json"
    tokenizer = number_in(path, read_json(path, {}), "model_max_length")
    position = positions(folder)
    known = [length for length in (tokenizer, position) if length and length < 10**6]
    length = config.get("max_seq_length") or (min(known) if known else FALLBACK_LENGTH)
    length = int(min(length, position or length))
    return {
        "query_max_length": min(config.get("query_length") or length, length),
        "passage_max_length": min(config.get("document_length") or length, length),
        "lower_case": bool(config.get("do_lower_case", False)),
    }


def _check_lengths(folder: Path, facts: dict[str, Any], given: dict[str, Any]) -> None:
    passage = facts.get("transformer", "")
    towers = {"query_max_length": facts.get("query_transformer", passage), "passage_max_length": passage}
    for key, tower in towers.items():
        limit = positions(folder / tower)
        if limit and given.get(key, 0) > limit:
            raise BadSettings(f"{key} = {given[key]} is more than the {limit} tokens that {folder.name} can take")
