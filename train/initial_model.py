"""The initial model of a training."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput, BadSettings
from curate.models.embedding_spec import passage_transformer, transformer_settings
from curate.models.model_kind import ENCODER, check_kind, is_cross_encoder, read_json
from curate.models.packed import can_pack, drops_attention, is_packed, pack
from curate.models.packed_trial import pack_if_right
from curate.models.pretrained import (
    check_fits,
    device,
    load_config,
    load_pretrained,
    load_tokenizer,
    load_transformer,
    padding_id,
    without_cudnn_attention,
)
from curate.models.scorer_spec import classes_of, read_scorer_spec
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

# The pooler is part of the new head. Encoders are trained without it: they lack its weights, or have random ones.
HEAD = ("pooler.",)
WIDE = 512
"""The dimensions from which a model bears no higher learning rate than usual."""


def choose_initial_model(workspace: Workspace, init: str | None, runs: list[str]) -> str:
    """Return the model to start from: `init`, else the encoder that mined one of the runs, else [mine] encoder.

    Raises BadSettings if there is none of them.
    """
    if init:
        return init
    for run in runs:
        found = workspace.select("train/encoder", run=run)["path"].to_list()
        if found:
            return str(found[0])
    if not workspace.settings.mine.encoder:
        mined = f"{runs[0]} was mined without an encoder" if runs else "curate.toml names no encoder"
        raise BadSettings(f"{mined}; name a model to start from: --init MODEL")
    return str(workspace.settings.mine.encoder)


def cross_encoder_start(folder: Path) -> Path:
    """Return the folder of the transformer from which a cross-encoder is trained.

    Raises BadInput if `folder` holds neither an encoder nor a cross-encoder with one logit, or a model with a
    setting that the training does not apply: a cross-encoder's prompt, or lower-casing.
    """
    if not is_cross_encoder(folder):
        check_kind(folder, ENCODER)
        start = passage_transformer(folder)
        _refuse_lower_case(folder, start, "feature-extraction")
        return start
    classes = len(classes_of(folder))
    if classes > 1:
        raise BadInput(
            f"{folder} has {classes} classes; training needs a single logit. "
            "Start from an encoder, or from a cross-encoder with one logit: --init MODEL"
        )
    spec = read_scorer_spec(folder)
    if spec.prompt:
        raise BadInput(
            f"{folder} puts the prompt {spec.prompt!r} before its queries, which the training does not. "
            "Start from another model: --init MODEL"
        )
    _refuse_lower_case(folder, folder / spec.transformer, "sequence-classification")
    return folder / spec.transformer


def usual_learning_rate(start: Path) -> float:
    """Return the peak learning rate that suits the size of the transformer in the folder `start`.

    Twice the usual one finds more planted false negatives with MiniLM (benchmarks/README.md). Larger models were
    not measured, and are known to bear less.
    """
    config = read_json(start / "config.json", {})
    dimensions = next((config[name] for name in ("hidden_size", "d_model", "dim") if name in config), WIDE)
    return 2e-4 if dimensions < WIDE else 1e-4


def _refuse_lower_case(folder: Path, start: Path, task: str) -> None:
    if transformer_settings(start, task).get("do_lower_case"):
        raise BadInput(
            f"{folder} lower-cases its texts (do_lower_case), which the training does not. "
            "Start from another model: --init MODEL"
        )


def cross_encoder_from(folder: Path, seed: int, dtype: str = "fp32") -> Any:
    """Return an fp32 cross-encoder with one logit: the one in `folder`, or its encoder with a new head.

    New weights are drawn from `seed`. dtype: the number format in which the training computes. Raises BadInput if
    the encoder lacks weights, or if the tokenizer is not its own.
    """
    return _for_training(_cross_encoder(folder, seed), packs=_packs(_cross_encoder, folder, dtype))


def cross_encoder_form(folder: Path, dtype: str) -> dict[str, str]:
    """Return the setting that says how a GPU trains the attention of `cross_encoder_from`; none elsewhere."""
    return _form([_packs(_cross_encoder, folder, dtype)])


def towers_form(folders: "Iterable[Path]", dtype: str) -> dict[str, str]:
    """Return the setting that says how a GPU trains the attention of each tower; none elsewhere."""
    return _form([_packs(_tower, folder, dtype) for folder in folders])


def tower_from(folder: Path, dtype: str = "fp32") -> Any:
    """Return the fp32 transformer in `folder`; a pooler gets no gradients, because it is not used.

    dtype: the number format in which the training computes.
    """
    return _for_training(_tower(folder), packs=_packs(_tower, folder, dtype))


def _cross_encoder(folder: Path, seed: int = 0) -> Any:
    model, tokenizer = _with_head(folder, seed), load_tokenizer(folder)
    check_fits(folder, tokenizer, model)
    padding_id(model, tokenizer)
    return model


def _tower(folder: Path) -> Any:
    import torch

    torch.manual_seed(0)  # a pooler that the folder lacks is drawn at random and saved all the same
    tower, tokenizer = load_transformer(folder, "fp32"), load_tokenizer(folder)
    check_fits(folder, tokenizer, tower)
    padding_id(tower, tokenizer)
    if getattr(tower, "pooler", None) is not None:
        tower.pooler.requires_grad_(False)
    return tower


@cache
def _packs(load: Callable[[Path], Any], folder: Path, dtype: str) -> bool:
    """Return whether a training of the model packs its batches. The trial's model is loaded for it alone.

    It takes place once, so that all parts of a training compute in one form, that of its identity.
    """
    import torch

    if device() != "cuda":
        return False
    config = load_config(folder)
    if not can_pack(config, dtype, "cuda") or drops_attention(config):
        return False
    with without_cudnn_attention():
        packs = is_packed(pack_if_right(load(folder).eval(), dtype, trained=True))
    torch.cuda.empty_cache()  # another process may train
    return packs


def _form(packs: list[bool]) -> dict[str, str]:
    return {"attention": ", ".join("packed" if one else "padded" for one in packs)} if device() == "cuda" else {}


def _for_training(model: Any, *, packs: bool) -> Any:
    if device() == "cpu":
        # On a CPU, fused attention lacks dropout and has a slow backward pass; eager attention is a tenth faster.
        model.set_attn_implementation("eager")
    elif packs:
        pack(model)
    return model


def _with_head(folder: Path, seed: int) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    config = load_config(folder)
    if any(name.endswith("ForSequenceClassification") for name in config.architectures or []):
        return load_pretrained("AutoModelForSequenceClassification", folder, "fp32")
    torch.manual_seed(seed)
    config.num_labels = 1
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    encoder = load_pretrained("AutoModel", folder, "fp32", may_lack=HEAD)
    weights = {name: value for name, value in encoder.state_dict().items() if not name.startswith(HEAD)}
    missing = model.base_model.load_state_dict(weights, strict=False).missing_keys
    lacking = [name for name in missing if not name.startswith(HEAD)]
    if lacking:
        raise BadInput(f"{folder} lacks weights of {type(model).__name__}: {', '.join(lacking[:5])}")
    known = {id(value) for name, value in model.base_model.named_parameters() if name in weights}
    _draw_head([value for value in model.parameters() if id(value) not in known])
    return model.to(encoder.device)


def _draw_head(weights: "Iterable[torch.Tensor]") -> None:
    """Draw the weights of a new head so that it passes on what the encoder says, at full size.

    With the weights of 0.02 that transformers draws, a head of two layers gives almost the same logit to every
    pair. Then hardly any gradient reaches the encoder, and the first hundred steps teach next to nothing.
    """
    import torch

    for weight in weights:
        if weight.ndim > 1:
            torch.nn.init.xavier_uniform_(weight)
