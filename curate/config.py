"""The settings in `curate.toml`, which an option on the command line overrides.

Every field has a default, so an empty file works. An unknown key is an error that names the nearest known key.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curate.errors import BadSettings
from curate.models.folder import is_same_model
from curate.models.served.address import is_address, parse_address
from curate.nearest import nearest

EMBEDDING = (
    "pooling",
    "query_prompt",
    "passage_prompt",
    "normalize",
    "truncate_dim",
    "query_max_length",
    "passage_max_length",
)
LARGEST = 2**31 - 1
Split = Literal["train", "dev", "test", "unlabeled"]
Retriever = Literal["bm25", "dense", "hybrid"]
EXACT = "exact"
"""The index that is none: every passage is compared."""
Language = Literal[
    "none",
    "arabic",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
]
Backend = Literal["torch", "openvino", "auto"]
ScorerBackend = Literal["torch", "openvino", "openvino-int8", "auto"]
Pooling = Literal["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


class Section(BaseModel):
    """A table of `curate.toml`. It is frozen and rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _within_reason(self) -> Self:
        for key, value in self:
            if isinstance(value, int) and abs(value) > LARGEST:
                raise ValueError(f"{key} is {value}, but the largest number is {LARGEST:,}")
        return self

    def override(self, **options: Any) -> Self:
        """Return these settings with every option that is not None applied; raises BadSettings."""
        given = {key: value for key, value in options.items() if value is not None}
        try:
            return type(self)(**{**self.model_dump(), **given})
        except ValidationError as error:
            raise BadSettings(explain(error, type(self))) from error


class Mine(Section):
    """The retriever that finds the candidates, and how deep it looks."""

    retriever: Retriever = "bm25"
    """The retriever: `bm25`, `dense` or `hybrid` (the union of both)."""
    encoder: str | None = None
    """The dual-encoder: a folder or a hub name. A folder is looked up in the workspace first."""
    depth: int = Field(default=100, ge=1)
    """Candidates per query. A hybrid run takes this many from each source."""
    language: Language | None = None
    """The language whose stemmer and stop words BM25 uses, or `none`. By default the passages decide."""
    index: str = EXACT
    """`exact`, or a faiss factory string such as `IVF1024,Flat`."""
    backend: Backend = "torch"
    """What computes the encoder: `torch`, or on a CPU `openvino`, each of which gives vectors of its own, or
    `auto`: as this encoder has embedded here first, else OpenVINO where it is installed and measured to be
    faster."""
    own_copies: bool = False
    """Keep a query's own copy among its candidates: the passage with the query's id and text."""
    pooling: Pooling | None = None
    """How token vectors become one vector. By default the model's own files decide this key and the next six. The
    seven keys describe `encoder`, if it is set. All except the lengths also apply when that model is trained."""
    query_prompt: str | None = None
    """Text that is put before every query."""
    passage_prompt: str | None = None
    """Text that is put before every passage."""
    normalize: bool | None = None
    """Whether embeddings are scaled to length 1, so that the dot product is the cosine."""
    truncate_dim: int | None = Field(default=None, ge=1)
    """The first dimensions of an embedding, which are kept (Matryoshka). By default all, or as in the model."""
    query_max_length: int | None = Field(default=None, ge=4)
    """Maximum tokens of a query."""
    passage_max_length: int | None = Field(default=None, ge=4)
    """Maximum tokens of a passage, including its title."""

    def about(self, encoder: str | None, root: Path) -> Self:
        """Return this section, without pooling, prompts and lengths if they describe another encoder."""
        if encoder is None or self.encoder is None or is_same_model(self.encoder, encoder, root):
            return self
        return self.model_copy(update=dict.fromkeys(EMBEDDING))


class Denoise(Section):
    """The cross-encoder that scores the candidates, and the cutoffs of its probabilities."""

    scorer: str | None = None
    """The cross-encoder or causal reranker: a folder, a hub name, or the address of a server,
    `http://host:port#model`. By default `models/cross-encoder`."""
    negative_below: float = Field(default=0.1, gt=0, lt=1)
    """A candidate with a probability below it is a hard negative. A probability of exactly 0.1 is not (RocketQA,
    NAACL 2021, 3.2)."""
    positive_above: float = Field(default=0.9, gt=0, lt=1)
    """An unlabelled candidate with a probability above it is a false negative. A probability of exactly 0.9 is
    not."""
    duplicate_above: float = Field(default=1.0, ge=0.5, le=1)
    """A candidate whose text resembles that of a positive by more is a duplicate. 1: only an exact copy is. The
    resemblance is the share of shingles in common (docs/check.md)."""
    depth: int = Field(default=50, ge=1)
    """The top-k that is scored and judged. RocketQA scores 50 of the 1,000 passages that it retrieves."""
    negatives: int = Field(default=4, ge=1)
    """A query with fewer hard negatives than this is reported as short."""
    enough: int | None = Field(default=None, ge=0)
    """Score the ranks of a run over train in waves, and no more of a query that has this many hard negatives. By
    default, and with 0, all are scored."""
    max_length: int | None = Field(default=None, ge=8)
    """Maximum tokens of query and passage together. By default the model's own limit, but at most 512."""
    relevant_class: str | None = None
    """The class of the model that means relevant, by its name or number. By default its name says it."""
    instruction: str | None = None
    """What a causal language model judges, in words, such as "Given a web search query, retrieve relevant passages
    that answer the query". By default as its files say."""
    prompt: str | None = None
    """The prompt of a judge behind a chat route: a file of the workspace. By default `prompts/judge.txt`."""
    requests: int | None = Field(default=None, ge=1, le=256)
    """Requests to a served scorer at the same time. By default 8."""
    timeout: float | None = Field(default=None, gt=0)
    """Seconds in which a served scorer must answer a request. By default 60."""
    backend: ScorerBackend = "torch"
    """What computes the scorer: `torch`, or on a CPU `openvino` or `openvino-int8`, each of which gives scores of
    its own, or `auto`: as torch or OpenVINO has scored by it here last, else OpenVINO where it is installed and
    measured to be faster. `auto` never means int8."""
    max_flips: float = Field(default=0.01, ge=0, le=1)
    """Scores by another back end than torch are refused if a larger share of a sample lies on the other side of a
    cutoff than in float32."""
    accept_judge: bool = False
    """Set cutoffs also for a scorer that ranks worse than the retriever on queries that it has not seen."""

    @model_validator(mode="after")
    def _is_public(self) -> Self:
        if self.scorer is not None and is_address(self.scorer):
            try:
                parse_address(self.scorer)
            except BadSettings as error:
                raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.negative_below > self.positive_above:
            raise ValueError(
                f"negative_below = {self.negative_below:.6g} lies above positive_above = {self.positive_above:.6g}"
            )
        return self


class Augment(Section):
    """The pseudo-labels of queries without labels."""

    all_above: bool = False
    """Keep every passage above the cutoff as a pseudo-positive, not only the best one (RocketQA keeps the
    best)."""


class Export(Section):
    """The contents and the format of an exported training set."""

    format: str = "labeled-list"
    """The format: `triplet`, `n-tuple`, `labeled-pair`, `labeled-list`, `tevatron`, `flagembedding`, `dpr`,
    `rocketqa-dual`, `rocketqa-cross` or `beir`."""
    positives: int | None = Field(default=None, ge=1)
    """Maximum positives per query, so that one query does not outweigh the others. By default all. Those of people
    go before promoted ones and pseudo-labels; the rest is drawn by hash."""
    negatives: int = Field(default=4, ge=1)
    """Maximum hard negatives per query: those that people judged come first, the rest is drawn by hash. A query
    with fewer stays short."""
    promote: bool = False
    """Use false negatives as extra positives instead of dropping them."""
    augmented: bool = True
    """Include pseudo-labelled queries, if `curate augment` has run."""


class TrainCrossEncoder(Section):
    """RocketQA's step 2: training on labelled positives and negatives drawn from the retriever's own top-k."""

    init: str | None = None
    """The encoder or cross-encoder to start from: a folder or a hub name. By default the mining encoder."""
    groups: int = Field(default=4000, ge=1)
    """Groups in the whole training, at most. A group is a positive of one query with `negatives` negatives."""
    distilled_groups: int | None = Field(default=None, ge=0)
    """Groups without labels, before the others. By them, a cross-encoder learns how the encoder that it starts
    from orders passages, for spans of passages. By default 2,400 if the start says how it embeds; 0: none."""
    epochs: int | None = Field(default=None, ge=1)
    """How often each query is seen, at most, whatever `groups` says. By default 3 times, and few queries up to 20
    times, until there are 400 groups. After more epochs, a judge knows its own queries by heart and others less
    well."""
    folds: int | None = Field(default=None, ge=1, le=20)
    """The judges, each of which is trained without one part of the queries and scores that part. 1: a single
    judge, which holds a fifth of the queries back. By default 5 for 10 to 199 labelled queries, and else 1."""
    negatives: int = Field(default=3, ge=1)
    """Negatives per group."""
    uniform: bool = False
    """Draw negatives evenly from all mined ranks (RocketQA). By default they come from windows of ranks: random
    and far passages first, the top ranks later."""
    batch_groups: int = Field(default=8, ge=1)
    """Groups per step."""
    learning_rate: float | None = Field(default=None, gt=0)
    """The peak learning rate. The optimizer is AdamW, with a linear decay to 0. By default 2e-4 for models of
    fewer than 512 dimensions, such as MiniLM, and 1e-4 for larger ones."""
    warmup: float = Field(default=0.08, ge=0, le=1)
    """The share of the steps during which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """The weight decay of all weights except biases and layer norms."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients with a larger norm are scaled down to this norm."""
    listwise_weight: float = Field(default=1.0, ge=0)
    """The weight of the cross-entropy over the logits of a group."""
    binary_weight: float = Field(default=0.5, ge=0)
    """The weight of the binary cross-entropy of each pair. This loss sets the scale that the cutoffs need."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """How far the targets of the binary loss lie from 0 and 1."""
    leave_out: str | None = None
    """The cutoffs of an earlier judge. What it calls relevant, above `positive_above`, is not a negative."""
    soft_labels: float = Field(default=0.0, ge=0, le=1)
    """The weight of the probability by the judge of `leave_out` in the binary loss of unlabelled passages. With 1
    it is their only target."""
    easy_share: float = Field(default=0.35, ge=0, le=1)
    """The share of the groups, at the start, that have one random passage among their negatives."""
    max_length: int = Field(default=128, ge=8)
    """Maximum tokens of query and passage together."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """`bf16`, `fp32`, or `auto`: bf16 if the processor computes in it."""
    checkpoint_every: int = Field(default=100, ge=1)
    """Steps between checkpoints. A kill loses at most this many steps."""


class TrainDualEncoder(Section):
    """RocketQA's steps 1, 3 and 4: training on in-batch or cross-batch negatives and hard negatives."""

    init: str | None = None
    """The encoder to start from: a folder or a hub name. By default the mining encoder."""
    towers: Literal["shared", "separate"] = "shared"
    """`shared`: one transformer for queries and passages. `separate`: one for each side; both start from the same
    weights."""
    pooling: Literal["mean", "cls"] | None = None
    """`mean` or `cls`. By default the pooling of `[mine]`, or else that of the model's files."""
    similarity: Literal["dot", "cosine"] | None = None
    """`dot` or `cosine`. By default that of `[mine]`, or else that of the model's files."""
    temperature: float | None = Field(default=None, gt=0)
    """Scores are divided by it. By default 0.05 for cosine and 1 for dot."""
    epochs: int = Field(default=3, ge=1)
    """How often each query is seen."""
    batch_rows: int = Field(default=64, ge=1)
    """Rows per step, over all processes. A row is a query with its passages."""
    positives: int = Field(default=1, ge=1)
    """Maximum positives per row. Further positives take turns over the epochs."""
    positives_loss: Literal["mean", "lse-pair", "marginal"] = "mean"
    """How several positives of a row make one loss. `mean`: the mean of their losses. `lse-pair`: one loss over
    all pairs of a positive and a negative, in which the positive with the lowest score pulls most. `marginal`: one
    of the positives is enough, and that with the highest score pulls most."""
    uncertain: int = Field(default=0, ge=0)
    """Maximum uncertain candidates per row, drawn by hash, as soft labels: with the probability p a candidate
    counts p as a positive and 1 - p as a negative."""
    hard_negatives: int = Field(default=1, ge=0)
    """Maximum hard negatives per row, drawn by hash. They take turns over the epochs."""
    random_negatives: int = Field(default=0, ge=0)
    """Random passages per row. Neither the query's positives nor what the runs found for it are among them."""
    depth: int = Field(default=50, ge=1)
    """Hard negatives come from the top-k of the runs, but never from below the judged depth."""
    denoised: bool = True
    """Take only hard negatives that the cross-encoder rejects. If false, take every mined passage that nobody
    labelled."""
    promote: bool = False
    """Use false negatives as extra positives, as in `[export]`, instead of leaving them out."""
    masks: Literal["none", "labels", "decisions"] = "decisions"
    """Which passages of the batch are not negatives of a query. `labels`: its positives and all passages with
    their texts. `decisions`: also every candidate that the cross-encoder does not reject. `none`: no exception."""
    augmented: bool = True
    """Train on pseudo-labelled queries too, if `curate augment` has run."""
    cross_batch: bool = True
    """Compare a query with the passages of all processes, not only with those of its own process."""
    contrastive_weight: float = Field(default=1.0, ge=0)
    """The weight of the cross-entropy of a positive against all negatives."""
    distill: Literal["none", "kl", "margin-mse"] = "none"
    """How the scores of the row's own passages learn from the logits of the cross-encoder: `kl`, `margin-mse`, or
    `none` (the default)."""
    distill_weight: float = Field(default=1.0, ge=0)
    """The weight of the distillation loss."""
    gradient_cache: bool = False
    """Compute embeddings twice and keep the activations of one part of the batch at a time. Memory then no longer
    limits the batch."""
    part_tokens: int | None = Field(default=None, ge=1)
    """Tokens that pass through the model at once, and whose activations `gradient_cache` keeps. By default 2,048
    on a CPU and 16,384 on a GPU."""
    learning_rate: float = Field(default=3e-5, gt=0)
    """The peak learning rate. The optimizer is AdamW, with a linear decay to 0."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """The share of the steps during which the learning rate rises."""
    weight_decay: float = Field(default=0.0, ge=0)
    """The weight decay of all weights except biases and layer norms."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients with a larger norm are scaled down to this norm."""
    query_max_length: int | None = Field(default=None, ge=4)
    """Maximum tokens of a query during training, including its prompt. By default 32 and those of the prompt, or
    the model's own limit if that is smaller."""
    passage_max_length: int | None = Field(default=None, ge=8)
    """Maximum tokens of prompt, title and passage, also of the trained model. By default 128 and those of the
    prompt, or the model's own limit if that is smaller."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """`bf16`, `fp32`, or `auto`: bf16 if the processor computes in it."""
    dev_every: int = Field(default=100, ge=0)
    """Steps between measurements on dev, at most: a short training is measured five times, and each training
    before its first step. The weights with the best result are kept. 0: never measure, and keep the last
    weights."""
    dev_queries: int = Field(default=200, ge=1)
    """Queries of dev in that measurement, drawn by hash."""
    dev_passages: int = Field(default=2000, ge=1)
    """Passages that these queries search, besides their positives."""
    checkpoint_every: int = Field(default=100, ge=1)
    """Steps between checkpoints. A kill loses at most this many steps."""


class Train(Section):
    """The trainers."""

    cross_encoder: TrainCrossEncoder = TrainCrossEncoder()
    dual_encoder: TrainDualEncoder = TrainDualEncoder()


class Recipe(Section):
    """The settings of `curate run`, RocketQA's four steps. Other sections apply where this one has no value."""

    init: str | None = None
    """The encoder that the models start from: a folder or a hub name. By default that of `[mine]`. An `init` in
    `[train.*]` takes precedence."""
    devices: int | None = Field(default=None, ge=1)
    """Processes that train and run models, one for each GPU. `--devices` and CURATE_DEVICES come before it."""
    depth: int | None = Field(default=None, ge=1)
    """Passages that M_D0 finds for a train query. By default the depth of `[mine]`."""
    augment_depth: int | None = Field(default=None, ge=1)
    """Passages that M_D1 finds for an unlabeled query. By default the same as `depth`."""
    evaluate: Literal["dev", "test", "none"] = "test"
    """The split whose labels measure the three dual-encoders: `dev`, `test` or `none`."""
    evaluate_depth: int = Field(default=100, ge=1)
    """Passages that the dual-encoders find for each query of that split."""
    m_d0: TrainDualEncoder = TrainDualEncoder()
    """The first dual-encoder. By default it has no hard negatives and masks by labels, because nothing is scored
    yet."""
    m_c: TrainCrossEncoder = TrainCrossEncoder()
    """The cross-encoder that scores the candidates of M_D0."""
    m_d1: TrainDualEncoder = TrainDualEncoder()
    """The dual-encoder that trains on denoised hard negatives."""
    m_d2: TrainDualEncoder = TrainDualEncoder()
    """The dual-encoder that trains on denoised hard negatives and on pseudo-labelled queries."""


class Settings(Section):
    """The whole of `curate.toml`."""

    seed: int = 0
    """The seed of every random choice. A choice is a hash of this seed and of ids."""
    mine: Mine = Mine()
    denoise: Denoise = Denoise()
    augment: Augment = Augment()
    export: Export = Export()
    train: Train = Train()
    recipe: Recipe = Recipe()


def read_settings(path: Path) -> Settings:
    """Return the settings in `path`; raises BadSettings with the wrong key or the line of broken TOML."""
    try:
        return Settings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"not valid TOML: {error}", file=path) from error
    except ValidationError as error:
        raise BadSettings(explain(error, Settings), file=path) from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the problems that pydantic found, in one line; for an unknown key, name the nearest known key."""
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
