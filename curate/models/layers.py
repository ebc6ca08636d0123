"""The layers of sentence-transformers that stand behind the transformer, computed in float32."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput
from curate.models.model_kind import read_json
from curate.models.pretrained import check_weights, device, open_weights

if TYPE_CHECKING:
    import torch

VECTOR, SCORES = "sentence_embedding", "scores"


def dense(folder: Path, writes: str = VECTOR) -> "torch.nn.Module":
    """Return the Dense layer in `folder`: a linear layer and an activation of torch.nn.

    writes: what it must give, a vector or scores. Raises BadInput if it is another layer, or lacks weights.
    """
    import torch

    config = read_json(folder / "config.json", {})
    if not all(type(config.get(key)) is int for key in ("in_features", "out_features")):
        raise BadInput(
            f"{folder / 'config.json'} does not say the sizes of a Dense layer (in_features, out_features)"
        )
    package, _, name = config.get("activation_function", "torch.nn.modules.activation.Tanh").rpartition(".")
    activation = getattr(torch.nn, name, None)
    if not package.startswith("torch.nn") or activation is None or not is_plain_dense(config, writes):
        raise BadInput(f"{folder} has a Dense layer that curate does not support: {config}")
    linear = torch.nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    return torch.nn.Sequential(_with_weights(folder, linear, "linear."), activation()).to(device())


def is_plain_dense(config: dict[str, Any], writes: str = VECTOR) -> bool:
    """Return whether a Dense layer reads the vector of the text, writes what `writes` says, and adds nothing."""
    reads = config.get("module_input_name") or VECTOR
    return (
        reads == VECTOR
        and (config.get("module_output_name") or VECTOR) == writes
        and not config.get("use_residual")
    )


def layer_norm(folder: Path) -> "torch.nn.Module":
    """Return the LayerNorm in `folder`. Raises BadInput if it lacks weights."""
    import torch

    config = read_json(folder / "config.json", {})
    if type(config.get("dimension")) is not int:
        raise BadInput(f"{folder / 'config.json'} does not say the size of a LayerNorm (dimension)")
    return _with_weights(folder, torch.nn.LayerNorm(config["dimension"]), "norm.").to(device())


def _with_weights(folder: Path, layer: "torch.nn.Module", prefix: str) -> "torch.nn.Module":
    check_weights(folder)
    with open_weights(folder / "model.safetensors") as weights:
        found = {key.removeprefix(prefix): weights.get_tensor(key) for key in weights.keys()}  # noqa: SIM118
    try:
        layer.load_state_dict(found)
    except RuntimeError as error:
        kind = "Dense layer" if prefix == "linear." else "LayerNorm"
        raise BadInput(f"{folder} lacks weights of its {kind}, or has others: {', '.join(found)}") from error
    return layer
