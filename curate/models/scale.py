"""What a scorer's files say of the scale of its logits."""

from pathlib import Path
from typing import Any, Literal

from curate.models.model_kind import SENTENCE_TRANSFORMERS_JSON, read_json

Scale = Literal["probability", "raw", "unknown"]
"""`probability`: by the files, the sigmoid of a logit is one. `raw`: it is none. `unknown`: they do not say."""

SAID = {
    "probability": "its files call the sigmoid a probability",
    "raw": "its files give raw scores, of which the sigmoid is no probability",
    "unknown": "its files do not say whether the sigmoid is a probability",
}


def activation_scale(folder: Path, transformer: str = "") -> Scale:
    """Return what the activation tells that sentence-transformers puts on a single logit of the model."""
    name = _activation(
        read_json(folder / SENTENCE_TRANSFORMERS_JSON, {}), read_json(folder / transformer / "config.json", {})
    )
    scales: dict[str, Scale] = {"Sigmoid": "probability", "Identity": "raw"}
    return scales.get(name.rpartition(".")[2], "unknown")


def _activation(modules: dict[str, Any], config: dict[str, Any]) -> str:
    """Return the name of the activation, wherever newer and older files have it, or an empty string."""
    inner = config.get("sentence_transformers")
    found = [
        modules.get("activation_fn"),
        inner.get("activation_fn") if isinstance(inner, dict) else None,
        config.get("sbert_ce_default_activation_function"),
    ]
    return next((name for name in found if isinstance(name, str)), "")
