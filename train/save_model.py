"""Model folders that transformers and sentence-transformers can open."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.models.embedding_spec import NORMALIZE, POOLINGS, EmbeddingSpec
from curate.models.model_kind import ROUTER, SENTENCE_TRANSFORMERS_JSON
from curate.models.pretrained import load_tokenizer

from .checkpoint import publish_folder

# The entry of sentence-transformers in config.json. This version introduced the layout; later versions read it.
SENTENCE_TRANSFORMERS = {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "5.1.0"}
CARD = """\
---
library_name: sentence-transformers
pipeline_tag: text-ranking
---
# {name}

A cross-encoder. It reads a query and a passage together and returns one logit. The sigmoid of the logit is the
probability that the passage is relevant. It was trained by `curate train cross-encoder` on labelled positives and
on negatives drawn from a retriever's top-k (RocketQA, Qu et al., NAACL 2021, step 2).

| | |
|---|---|
{facts}

```python
from sentence_transformers import CrossEncoder

model = CrossEncoder("{name}")  # the path of this folder
model.predict([("a query", "title and text of a passage")])
```

With transformers, use `AutoModelForSequenceClassification` and truncate pairs with `truncation="longest_first"`.

Settings:

```json
{settings}
```
"""


DUAL_CARD = """\
---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---
# {name}

A dual-encoder. It maps a query to one vector and a passage (title and text) to another; the passages nearest to
the query are retrieved. It was trained by `curate train dual-encoder` (RocketQA, Qu et al., NAACL 2021).

| | |
|---|---|
{facts}

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}")  # the path of this folder
model.similarity(model.encode_query(["a query"]), model.encode_document(["title and text of a passage"]))
```

Settings:

```json
{settings}
```
"""
# Every sentence-transformers since 2.0 (since 5.0 for two towers) finds its modules under this prefix.
MODULE = "sentence_transformers.models."


def save_cross_encoder(target: Path, model: Any, base: Path, max_length: int, card: str) -> None:
    """Write weights (fp32, safetensors), configuration, tokenizer and card to the folder `target`, atomically."""
    model.config.sentence_transformers = SENTENCE_TRANSFORMERS
    # Load a fresh tokenizer: a used one would save its last padding and truncation.
    tokenizer = load_tokenizer(base)
    tokenizer.model_max_length = max_length

    def write(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card, "utf-8")

    publish_folder(target, write)


def save_dual_encoder(target: Path, towers: Any, base: Path, spec: EmbeddingSpec, card: str) -> None:
    """Write a dual-encoder (fp32, safetensors) to `target` in the layout of sentence-transformers, atomically.

    If each side has its own tower, each tower gets a folder, and a router selects between them.
    """
    separate = towers.query is not towers.passage
    after = ["Normalize"] if NORMALIZE in spec.after else []

    def chain(folder: Path, tower: Any, prefix: str) -> dict[str, str]:
        """Write a tower and the modules after it; return a mapping from folder to kind of module."""
        kinds = ["Transformer", "Pooling", *after]
        paths = {f"{prefix}{number}_{kind}": kind for number, kind in enumerate(kinds)}
        first, second = (folder / name for name in list(paths)[:2])
        if not prefix:
            paths = {"": "Transformer"} | {name: kind for name, kind in paths.items() if kind != "Transformer"}
            first = folder
        for name in paths:
            (folder / name).mkdir(exist_ok=True)
        _save_tower(first, tower, base / spec.transformer, spec)
        modes = {"word_embedding_dimension": tower.config.hidden_size, "include_prompt": True, **_pooling(spec)}
        _json(second / "config.json", modes)
        return paths

    def write(folder: Path) -> None:
        if separate:
            _write_router(
                folder,
                {side: chain(folder, tower, f"{side}_") for side, tower in
                 (("query", towers.query), ("document", towers.passage))},
            )  # fmt: skip
        else:
            paths = chain(folder, towers.query, "")
            _write_modules(folder, paths)
        prompts = {"query": spec.query_prompt, "document": spec.passage_prompt}
        truncated = {"truncate_dim": spec.truncate_dim} if spec.truncate_dim else {}
        named = {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": spec.similarity}
        _json(folder / SENTENCE_TRANSFORMERS_JSON, named | truncated)
        (folder / "README.md").write_text(card, "utf-8")

    publish_folder(target, write)


def _save_tower(folder: Path, tower: Any, base: Path, spec: EmbeddingSpec) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.model_max_length = spec.passage_max_length
    tower.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    lengths = {"max_seq_length": spec.passage_max_length, "do_lower_case": spec.lower_case}
    _json(folder / "sentence_bert_config.json", lengths)


def _pooling(spec: EmbeddingSpec) -> dict[str, bool]:
    return {key: mode in spec.pooling for key, mode in POOLINGS.items()}


def _write_modules(folder: Path, paths: Mapping[str, str]) -> None:
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"{MODULE}{kind}"}
        for number, (path, kind) in enumerate(paths.items())
    ]
    _json(folder / "modules.json", modules)


def _write_router(folder: Path, routes: Mapping[str, Mapping[str, str]]) -> None:
    config = {
        "types": {name: f"{MODULE}{kind}" for paths in routes.values() for name, kind in paths.items()},
        "structure": {side: list(paths) for side, paths in routes.items()},
        "parameters": {"default_route": "document", "allow_empty_key": True},
    }
    _json(folder / ROUTER, config)
    _write_modules(folder, {"": "Router"})


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")


def dual_encoder_card(name: str, facts: Mapping[str, Any], settings: str) -> str:
    """Return the README.md of a trained dual-encoder."""
    return _card(DUAL_CARD, name, facts, settings)


def cross_encoder_card(name: str, facts: Mapping[str, Any], settings: str) -> str:
    """Return the README.md of a trained cross-encoder."""
    return _card(CARD, name, facts, settings)


def _card(card: str, name: str, facts: Mapping[str, Any], settings: str) -> str:
    return card.format(
        name=name, facts="\n".join(f"| {key} | {value} |" for key, value in facts.items()), settings=settings
    )
