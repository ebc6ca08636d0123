"""The keyword arguments of the trainings. None is as good as left out: `curate.toml` then decides."""

from collections.abc import Sequence
from typing import Literal, TypedDict


class CrossEncoderOptions(TypedDict, total=False):
    """The options of `train_cross_encoder`: a run, a name, and the fields of `TrainCrossEncoder`."""

    run: str | None
    """Id of the run that gives the negatives; the current one over train by default."""
    name: str | None
    """The model is written to `models/<name>`; `cross-encoder` by default."""
    init: str | None
    groups: int | None
    distilled_groups: int | None
    epochs: int | None
    folds: int | None
    negatives: int | None
    uniform: bool | None
    batch_groups: int | None
    learning_rate: float | None
    warmup: float | None
    weight_decay: float | None
    clip_norm: float | None
    listwise_weight: float | None
    binary_weight: float | None
    label_smoothing: float | None
    leave_out: str | None
    soft_labels: float | None
    easy_share: float | None
    max_length: int | None
    dtype: Literal["auto", "bf16", "fp32"] | None
    checkpoint_every: int | None


class DualEncoderOptions(TypedDict, total=False):
    """The options of `train_dual_encoder`: runs, cutoffs, a name, and the fields of `TrainDualEncoder`."""

    run: Sequence[str] | None
    """Ids of the runs that give negatives, pseudo-labels and masks; the current ones by default."""
    cutoffs: str | None
    """The name of the cutoffs that judge the runs; the current ones by default."""
    name: str | None
    """The model is written to `models/<name>`; `dual-encoder` by default."""
    init: str | None
    towers: Literal["shared", "separate"] | None
    pooling: Literal["mean", "cls"] | None
    similarity: Literal["dot", "cosine"] | None
    temperature: float | None
    epochs: int | None
    batch_rows: int | None
    positives: int | None
    positives_loss: Literal["mean", "lse-pair", "marginal"] | None
    uncertain: int | None
    hard_negatives: int | None
    random_negatives: int | None
    depth: int | None
    denoised: bool | None
    promote: bool | None
    masks: Literal["none", "labels", "decisions"] | None
    augmented: bool | None
    cross_batch: bool | None
    contrastive_weight: float | None
    distill: Literal["none", "kl", "margin-mse"] | None
    distill_weight: float | None
    gradient_cache: bool | None
    part_tokens: int | None
    learning_rate: float | None
    warmup: float | None
    weight_decay: float | None
    clip_norm: float | None
    query_max_length: int | None
    passage_max_length: int | None
    dtype: Literal["auto", "bf16", "fp32"] | None
    dev_every: int | None
    dev_queries: int | None
    dev_passages: int | None
    checkpoint_every: int | None
