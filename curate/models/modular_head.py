"""The head of a modular cross-encoder of sentence-transformers: pooling, then layers that end in scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import BadInput
from curate.models.embedding_spec import POOLINGS, poolings
from curate.models.encoder import pooled
from curate.models.layers import SCORES, VECTOR, dense, is_plain_dense, layer_norm
from curate.models.model_kind import modules_of, read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

DENSE, LAYER_NORM, NORMALIZE, DROPOUT = "Dense", "LayerNorm", "Normalize", "Dropout"


@dataclass(frozen=True)
class HeadSpec:
    """What stands behind the transformer."""

    pooling: tuple[str, ...]
    """Pooling modes. The vectors of several modes are concatenated."""
    layers: tuple[tuple[str, str], ...]
    """Kind and folder of each layer. The last is a Dense layer, whose outputs are the scores."""
    outputs: int
    """The number of scores of a pair: one logit, or the logits of classes."""


def read_head(folder: Path) -> HeadSpec | None:
    """Return the head of the model in `folder`; None if its modules are none, or others than curate computes."""
    modules = [(full.rpartition(".")[2], path) for full, path in modules_of(folder)]
    if [kind for kind, _ in modules[:2]] != ["Transformer", "Pooling"] or len(modules) < 3:
        return None
    modes, include_prompt = poolings(folder / modules[1][1])
    layers = tuple(modules[2:])
    configs = {path: read_json(folder / path / "config.json", {}) for kind, path in layers if kind == DENSE}
    last = layers[-1][1]
    plain = all(is_plain_dense(config, SCORES if path == last else VECTOR) for path, config in configs.items())
    known = all(kind in (DENSE, LAYER_NORM, NORMALIZE, DROPOUT) for kind, _ in layers) and {*modes} <= {
        *POOLINGS.values()
    }
    outputs = configs.get(last, {}).get("out_features")
    if not (modes and include_prompt and known and plain and type(outputs) is int and outputs > 0):
        return None
    return HeadSpec(modes, layers, outputs)


class ModularHead:
    """A head with its weights."""

    def __init__(self, folder: Path, spec: HeadSpec) -> None:
        """Load the layers. Raises BadInput if one of them lacks weights or has weights that are not finite."""
        import torch

        self.pooling = spec.pooling
        self.layers: list[Callable[[torch.Tensor], torch.Tensor]] = []
        for kind, path in spec.layers:
            if kind == DENSE:
                self.layers.append(dense(folder / path, SCORES if path == spec.layers[-1][1] else VECTOR))
            elif kind == LAYER_NORM:
                self.layers.append(layer_norm(folder / path))
            elif kind == NORMALIZE:
                self.layers.append(torch.nn.functional.normalize)  # the rest is Dropout, which only a training has
        for layer in self.layers:
            if isinstance(layer, torch.nn.Module) and not all(
                bool(w.isfinite().all()) for w in layer.parameters()
            ):
                raise BadInput(f"{folder} has weights of its head that are not finite (NaN or infinity)")

    def __call__(self, hidden: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
        """Return the scores (pairs x outputs) from the float32 vectors of the tokens and their mask."""
        vectors = pooled(hidden, mask, self.pooling)
        for layer in self.layers:
            vectors = layer(vectors)
        return vectors
