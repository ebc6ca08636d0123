"""A trained cross-encoder as a folder that transformers and sentence-transformers open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.models import load_tokenizer

from .checkpoint import publish_folder

# What that library keeps in config.json; the version is the first whose layout this is, later ones read it.
SENTENCE_TRANSFORMERS = {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "5.1.0"}
CARD = """\
---
library_name: sentence-transformers
pipeline_tag: text-ranking
---
# {name}

A cross-encoder: it reads a question and a passage together and gives one logit; the sigmoid of the logit is the
probability that the passage is relevant. Trained by `curate train cross-encoder` on labelled positives against
negatives drawn from a retriever's own top-k (RocketQA, Qu et al., NAACL 2021, step 2).

| | |
|---|---|
{facts}

```python
from sentence_transformers import CrossEncoder

model = CrossEncoder("{name}")  # the path of this folder
model.predict([("a question", "title and text of a passage")])
```

With transformers: `AutoModelForSequenceClassification`; pairs are cut with `truncation="longest_first"`.

Settings:

```json
{settings}
```
"""


def save_cross_encoder(target: Path, model: Any, base: Path, max_length: int, card: str) -> None:
    """Write weights (fp32, safetensors), configuration, tokenizer and card to the folder `target`, in one step."""
    model.config.sentence_transformers = SENTENCE_TRANSFORMERS
    # Read anew: a tokenizer that has been in use would save its last padding and truncation.
    tokenizer = load_tokenizer(base)
    tokenizer.model_max_length = max_length

    def write(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card, "utf-8")

    publish_folder(target, write)


def model_card(name: str, facts: Mapping[str, Any], settings: str) -> str:
    """Return the README.md of a trained model."""
    return CARD.format(
        name=name, facts="\n".join(f"| {key} | {value} |" for key, value in facts.items()), settings=settings
    )
