"""`curate.toml`: what a workspace's commands do unless an option says otherwise.

Every field has a default, so that an empty file works. An unknown key is an error that names the nearest one.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curate.errors import BadSettings
from curate.models.folder import is_same_model
from curate.nearest import nearest

EMBEDDING = (
    "pooling",
    "query_prompt",
    "passage_prompt",
    "normalize",
    "query_max_length",
    "passage_max_length",
)
Split = Literal["train", "dev", "test", "unlabeled"]
Retriever = Literal["bm25", "dense", "hybrid"]
Pooling = Literal["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


class Section(BaseModel):
    """A table of `curate.toml`: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def override(self, **options: Any) -> Self:
        """Return these settings with every option that is not None in its place; raises BadSettings."""
        given = {key: value for key, value in options.items() if value is not None}
        try:
            return type(self)(**{**self.model_dump(), **given})
        except ValidationError as error:
            raise BadSettings(explain(error, type(self))) from error


class Mine(Section):
    """Which retriever finds the candidates, and how deep it looks."""

    retriever: Retriever = "bm25"
    """`bm25`, `dense` or `hybrid` (the union of both)."""
    encoder: str | None = None
    """Folder or hub name of the dual-encoder; a folder is looked up from the workspace first."""
    depth: int = Field(default=100, ge=1)
    """Candidates a query: what `curate train cross-encoder` draws its negatives from."""
    index: str = "exact"
    """`exact`, or a faiss factory string such as `IVF1024,Flat`."""
    pooling: Pooling | None = None
    """How token vectors become one; this and the next five are read from the model's own files unless given. They
    are about `encoder`, where that is named; all but the lengths hold for its training too."""
    query_prompt: str | None = None
    """Text put before every query."""
    passage_prompt: str | None = None
    """Text put before every passage."""
    normalize: bool | None = None
    """Scale embeddings to length 1, which makes the dot product the cosine."""
    query_max_length: int | None = Field(default=None, ge=4)
    """Tokens of a query."""
    passage_max_length: int | None = Field(default=None, ge=4)
    """Tokens of a passage, title included."""

    def about(self, encoder: str | None, root: Path) -> Self:
        """Return this section without its pooling, prompts and lengths if it has them of another encoder."""
        if encoder is None or self.encoder is None or is_same_model(self.encoder, encoder, root):
            return self
        return self.model_copy(update=dict.fromkeys(EMBEDDING))


class Denoise(Section):
    """Which cross-encoder judges the candidates, and where its probabilities are cut."""

    scorer: str | None = None
    """Folder or hub name of the cross-encoder."""
    negative_below: float = Field(default=0.1, gt=0, lt=1)
    """Below it a candidate is a hard negative. Strict: 0.1 is none (RocketQA, NAACL 2021, 3.2)."""
    positive_above: float = Field(default=0.9, gt=0, lt=1)
    """Above it an unlabelled candidate is a false negative. Strict: 0.9 is no positive."""
    depth: int = Field(default=50, ge=1)
    """The top-k that is scored and judged (RocketQA: 50 of the 1,000 that were retrieved)."""
    negatives: int = Field(default=4, ge=1)
    """N: a query with fewer safe negatives is reported as short."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens of query and passage together; the tokenizer's own limit unless given."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.negative_below > self.positive_above:
            raise ValueError(
                f"negative_below = {self.negative_below} lies above positive_above = {self.positive_above}"
            )
        return self


class Augment(Section):
    """How queries without labels get pseudo-labels."""

    all_above: bool = False
    """Keep every passage above the cutoff as pseudo-positive, not only the best (RocketQA keeps the best)."""


class Export(Section):
    """What a training set holds."""

    format: str = "labeled-list"
    """`triplet`, `n-tuple`, `labeled-list`, `tevatron` or `beir`."""
    negatives: int = Field(default=4, ge=1)
    """Hard negatives a row at most, drawn by hash; a row with fewer stays short."""
    promote: bool = False
    """False negatives become extra positives instead of being dropped."""
    augmented: bool = True
    """Pseudo-labelled rows are part of the set where `curate augment` has run."""


class TrainCrossEncoder(Section):
    """RocketQA's step 2: labelled positives against negatives drawn from the retriever's own top-k."""

    init: str | None = None
    """Folder or hub name of the encoder to start from; the mining encoder unless given."""
    groups: int = Field(default=4000, ge=1)
    """Groups of one positive and `negatives` negatives in all (one group is one query)."""
    negatives: int = Field(default=3, ge=1)
    """Negatives in a group."""
    uniform: bool = False
    """Negatives are drawn alike from all ranks that were mined (RocketQA); else from random and far ones to the
    top."""
    batch_groups: int = Field(default=8, ge=1)
    """Groups in a step."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """The highest one; AdamW, linear decay to 0."""
    warmup: float = Field(default=0.08, ge=0, le=1)
    """The share of the steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Of all weights but biases and layer norms."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    listwise_weight: float = Field(default=1.0, ge=0)
    """Of the cross-entropy over a group's logits."""
    binary_weight: float = Field(default=0.5, ge=0)
    """Of the binary cross-entropy of each pair: it sets the scale that the cutoffs need."""
    easy_share: float = Field(default=0.35, ge=0, le=1)
    """The share of the groups, at the start, that have one random passage among the negatives."""
    max_length: int = Field(default=128, ge=8)
    """Tokens of query and passage together."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` is bf16 where the processor computes in it."""
    checkpoint_every: int = Field(default=100, ge=1)
    """Steps between checkpoints: what a kill loses at most."""


class TrainDualEncoder(Section):
    """RocketQA's steps 1, 3 and 4: queries against the passages of the whole batch, and hard negatives."""

    init: str | None = None
    """Folder or hub name of the encoder to start from; the mining encoder unless given."""
    towers: Literal["shared", "separate"] = "shared"
    """One transformer for queries and passages, or one for each, which start alike."""
    pooling: Literal["mean", "cls"] | None = None
    """As the files of the model say, unless given."""
    similarity: Literal["dot", "cosine"] | None = None
    """Cosine where the model normalizes its vectors, else dot, unless given."""
    temperature: float | None = Field(default=None, gt=0)
    """Scores are divided by it; 0.05 for cosine and 1 for dot unless given."""
    epochs: int = Field(default=3, ge=1)
    """How often each query stands in a row."""
    batch_rows: int = Field(default=64, ge=1)
    """Rows in a step, over all processes: one is a query with its passages."""
    positives: int = Field(default=1, ge=1)
    """Positives in a row at most; further ones take turns over the epochs."""
    hard_negatives: int = Field(default=1, ge=0)
    """Hard negatives in a row at most, drawn by hash; they take turns over the epochs."""
    random_negatives: int = Field(default=0, ge=0)
    """Passages in a row that are any of the collection's, but none that the runs found."""
    depth: int = Field(default=50, ge=1)
    """Hard negatives come from the runs' top-k, and from no deeper than was judged."""
    denoised: bool = True
    """Hard negatives are those that the cross-encoder rejects; else whatever was mined and nobody labelled."""
    promote: bool = False
    """False negatives become extra positives instead of being left out, as in `[export]`."""
    masks: Literal["none", "labels", "decisions"] = "decisions"
    """What is no negative in the batch: `labels`, known positives and passages of their text; `decisions`, also
    false negatives, and whatever the cross-encoder does not reject."""
    augmented: bool = True
    """Pseudo-labelled queries train too, where `curate augment` has run."""
    cross_batch: bool = True
    """A query is held against the passages of all processes, not only of its own."""
    contrastive_weight: float = Field(default=1.0, ge=0)
    """Of the cross-entropy of a positive against all negatives."""
    distill: Literal["none", "kl", "margin-mse"] = "none"
    """How the cross-encoder's logits teach the scores of a row's own passages."""
    distill_weight: float = Field(default=1.0, ge=0)
    """Of what is learnt from them."""
    gradient_cache: bool = False
    """Embed twice and keep one part's activations at a time: the batch is then bounded by patience."""
    part_tokens: int | None = Field(default=None, ge=1)
    """Tokens that go through the model at once, whose activations `gradient_cache` keeps; 2,048 on a CPU and
    16,384 on a GPU unless given."""
    learning_rate: float = Field(default=3e-5, gt=0)
    """The highest one; AdamW, linear decay to 0."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """The share of the steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Of all weights but biases and layer norms."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    query_max_length: int | None = Field(default=None, ge=4)
    """Tokens of a query in training; 32, or what the model can take, unless given."""
    passage_max_length: int | None = Field(default=None, ge=8)
    """Tokens of title and passage, the trained model's maximum; 128, or what the model can take, unless given."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` is bf16 where the processor computes in it."""
    dev_every: int = Field(default=100, ge=0)
    """Steps between two looks at dev, whose best weights are kept; 0: never, and the last weights are kept."""
    dev_queries: int = Field(default=200, ge=1)
    """Queries of dev that are asked, drawn by hash."""
    dev_passages: int = Field(default=2000, ge=1)
    """Passages, besides their positives, among which they search."""
    checkpoint_every: int = Field(default=100, ge=1)
    """Steps between checkpoints: what a kill loses at most."""


class Train(Section):
    """The trainers."""

    cross_encoder: TrainCrossEncoder = TrainCrossEncoder()
    dual_encoder: TrainDualEncoder = TrainDualEncoder()


class Recipe(Section):
    """`curate run`: RocketQA's four steps. `[train.*]`, `[mine]` and the others hold, but for what stands here."""

    init: str | None = None
    """Folder or hub name of the encoder that models start from; that of `[mine]` unless given. `[train.*]` goes
    first."""
    devices: int = Field(default=1, ge=1)
    """Processes that train."""
    depth: int | None = Field(default=None, ge=1)
    """Passages that M_D0 finds for a train query; as in `[mine]` unless given."""
    augment_depth: int | None = Field(default=None, ge=1)
    """Passages that M_D1 finds for an unlabeled query; as `depth` unless given."""
    evaluate: Literal["dev", "test", "none"] = "test"
    """The split by whose labels the three dual-encoders are measured."""
    evaluate_depth: int = Field(default=100, ge=1)
    """Passages that they find for each of its queries."""
    m_d0: TrainDualEncoder = TrainDualEncoder()
    """The first dual-encoder: no hard negatives and masks by labels unless given, since nothing is judged yet."""
    m_c: TrainCrossEncoder = TrainCrossEncoder()
    """The cross-encoder that judges what M_D0 finds."""
    m_d1: TrainDualEncoder = TrainDualEncoder()
    """The dual-encoder on denoised hard negatives."""
    m_d2: TrainDualEncoder = TrainDualEncoder()
    """The dual-encoder on these and the pseudo-labelled queries."""


class Settings(Section):
    """The whole of `curate.toml`."""

    seed: int = 0
    """Every draw is a hash of this seed and of ids."""
    mine: Mine = Mine()
    denoise: Denoise = Denoise()
    augment: Augment = Augment()
    export: Export = Export()
    train: Train = Train()
    recipe: Recipe = Recipe()


def read_settings(path: Path) -> Settings:
    """Return the settings in `path`; raises BadSettings that names the key, or the line of broken TOML."""
    try:
        return Settings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise BadSettings(f"{path}: {explain(error, Settings)}") from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return, in one line each, what pydantic found wrong; an unknown key names the nearest known one."""
    return "; ".join(_explain_one(dict(problem), model) for problem in error.errors())


def _explain_one(problem: dict[str, Any], model: type[BaseModel]) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] != "extra_forbidden":
        found = "" if isinstance(problem["input"], dict) else f", found {problem['input']!r}"
        message = str(problem["msg"]).removeprefix("Value error, ")
        return f"{key}: {message}{found}" if key else message
    return f"unknown key '{key}': {nearest(location[-1], _keys(model, location[:-1]))}"


def _keys(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
