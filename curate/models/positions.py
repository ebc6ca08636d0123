"""How many tokens a transformer has positions for."""

from functools import cache
from pathlib import Path
from typing import Any

from curate.models.model_kind import read_json
from curate.models.pretrained import load_config, quiet


def positions(folder: Path) -> int | None:
    """Return how many tokens the transformer in `folder` can take, or None if there is no limit.

    Many architectures place the first token behind the padding index. Their table of positions then holds more
    rows than tokens fit, so the model itself is asked (RoBERTa and MPNet take 512 tokens with 514 positions).
    Raises BadInput if transformers does not know the model.
    """
    path = folder / "config.json"
    return _positions(folder, path.stat().st_mtime_ns) if path.is_file() else None


def surely_fits(folder: Path, length: int) -> bool:
    """Return whether config.json alone, without loading transformers, says that `length` tokens have positions."""
    config = read_json(folder / "config.json", {})
    count, padding = config.get("max_position_embeddings"), config.get("pad_token_id")
    first = max(2, padding + 1 if isinstance(padding, int) else 0)
    return isinstance(count, int) and length <= count - first


@cache
def _positions(folder: Path, _changed: int) -> int | None:
    config = load_config(folder)
    count = getattr(config, "max_position_embeddings", None)
    if not isinstance(count, int) or count <= 0:
        return None
    return min([count, *(room for room in _rooms(config) if room)])


def _rooms(config: Any) -> list[int]:
    """Return how many tokens fit into each table of positions of the model that `config` describes.

    The model is built without memory for its weights. What cannot be built so has no table to look at.
    """
    import torch
    from transformers import AutoModel

    quiet()
    try:
        with torch.device("meta"):
            model = AutoModel.from_config(config)
    except (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError, ImportError):
        return []
    rooms = []
    for name, module in model.named_modules():
        weight, padding = getattr(module, "weight", None), getattr(module, "padding_idx", None)
        if "position" in name.rpartition(".")[2] and weight is not None and padding is not None:
            rooms.append(len(weight) - padding - 1)
    return rooms
