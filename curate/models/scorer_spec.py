"""How a cross-encoder scores, according to its files: prompt, length, head, and the class that means relevant."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import BadInput, BadSettings
from curate.models.embedding_spec import default_prompt, transformer_settings
from curate.models.model_kind import (
    CROSS_ENCODER,
    MODULAR,
    SENTENCE_TRANSFORMERS_JSON,
    check_kind,
    modules_of,
    number_in,
    read_json,
    transformer_of,
)
from curate.models.modular_head import HeadSpec, read_head
from curate.models.positions import positions, surely_fits
from curate.models.scale import SAID, Scale, activation_scale

WHERE_FOUND = ("prompt", "lower_case", "relevant_class")  # settings that most models do not have
LONGEST = 512  # tokens of a pair by default, even if the model could take more
RELEVANT = {"relevant", "true", "yes", "positive", "match", "1"}
NOT_RELEVANT = {"irrelevant", "false", "no", "negative", "nonrelevant", "nomatch", "0"}


@dataclass(frozen=True)
class ScorerSpec:
    """Everything except the weights, the number format and the machine that a logit depends on."""

    max_length: int
    """Tokens of query and passage together."""
    transformer: str = ""
    """Folder of the transformer, relative to the model's folder."""
    prompt: str | None = None
    """Text that is put before every query."""
    lower_case: bool | None = None
    """Whether texts are lower-cased before the tokenizer reads them."""
    relevant_class: int | None = None
    """The class that means relevant, of two or more; None: the model has a single logit."""
    classes: tuple[str, ...] = ()
    """The names of two or more classes."""
    head: HeadSpec | None = None
    """The modules behind the transformer; None: the transformer has its own head."""
    scale: Scale = "unknown"
    """What the files say of the logits. It changes none of them."""

    def settings(self) -> dict[str, Any]:
        """Return the settings that the table `models` shows. The fingerprint covers all but the scale."""
        settings = {
            "prompt": self.prompt,
            "lower_case": self.lower_case,
            "relevant_class": self.relevant_name,
            "pooling": list(self.head.pooling) if self.head else None,
        }
        return {
            "max_length": self.max_length,
            **{name: value for name, value in settings.items() if value is not None},
            "scale": self.scale,
        }

    def is_in(self, settings: Mapping[str, Any]) -> bool:
        """Return whether the settings of a model in the table `models` are these."""
        own = self.settings()
        return all(settings.get(name) == own.get(name) for name in ("max_length", *WHERE_FOUND))

    @property
    def relevant_name(self) -> str | None:
        """The name of the class that means relevant. As an option it gives the same class again."""
        return None if self.relevant_class is None else self.classes[self.relevant_class]

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        head = "one logit"
        if self.relevant_name is not None:
            head = f"{len(self.classes)} classes, of which '{self.relevant_name}' means relevant"
        if self.head:
            layers = ", ".join(["Pooling", *(kind for kind, _ in self.head.layers)])
            head = f"{head} of the modules {layers}"
        prompt = f"query prompt {self.prompt!r}" if self.prompt else "no prompt"
        return f"{head}, {self.max_length} tokens of query and passage together, {prompt}; {SAID[self.scale]}"


def read_scorer_spec(folder: Path, max_length: int | None = None, relevant: str | None = None) -> ScorerSpec:
    """Return how the cross-encoder in `folder` scores.

    relevant: the name or the number of the class that means relevant, which takes precedence over the names.
    Raises BadInput for what is not a cross-encoder or not one that curate supports, and for classes whose names do
    not say which one means relevant; BadSettings for a length beyond the model's positions.
    """
    head = read_head(folder)
    check_kind(folder, CROSS_ENCODER, *([MODULAR] if head else []))
    transformer = transformer_of(folder)
    place = folder / transformer
    config = read_json(folder / SENTENCE_TRANSFORMERS_JSON, {})
    task = "feature-extraction" if head else "sequence-classification"
    module = transformer_settings(place, task) if modules_of(folder) else {}
    classes = tuple(f"LABEL_{number}" for number in range(head.outputs)) if head else classes_of(folder)
    chosen = _relevant_class(folder, classes, relevant)
    return ScorerSpec(
        max_length=token_limit(place, max_length, module.get("max_seq_length")),
        transformer=transformer,
        prompt=default_prompt(folder / SENTENCE_TRANSFORMERS_JSON, config) or None,
        lower_case=bool(module.get("do_lower_case")) or None,
        relevant_class=chosen,
        classes=classes if chosen is not None else (),
        head=head,
        # Classes are trained by cross-entropy: the softmax of one is a probability, whatever the activation.
        scale=activation_scale(folder, transformer) if chosen is None else "probability",
    )


def token_limit(folder: Path, wanted: int | None = None, own: float | None = None) -> int:
    """Return how many tokens of a pair the transformer in `folder` reads.

    That is `wanted`, or else `own` or the tokenizer's limit, up to 512. Raises BadSettings if `wanted` exceeds the
    model's positions.
    """
    path = folder / "tokenizer_config.json"
    own = own or number_in(path, read_json(path, {}), "model_max_length") or LONGEST
    length = wanted or int(min(own, LONGEST))
    if surely_fits(folder, length):
        return length
    limit = positions(folder)
    if wanted and limit and wanted > limit:
        raise BadSettings(f"max_length = {wanted} is more than the {limit} tokens that {folder.name} can take")
    return wanted or min(length, limit or length)


def classes_of(folder: Path) -> tuple[str, ...]:
    """Return the names of a cross-encoder's classes by their numbers, as config.json gives them."""
    path = folder / transformer_of(folder) / "config.json"
    config = read_json(path, {})
    names = config.get("id2label") or {}
    try:
        found = {int(number): str(name) for number, name in names.items()}
    except (ValueError, AttributeError) as error:
        raise BadInput("'id2label' must map the numbers of the classes to names", file=path) from error
    # transformers writes no names for two classes that have none, and two classes is its default.
    count = len(found) or int(config.get("num_labels") or config.get("_num_labels") or 2)
    classes = tuple(found.get(number, f"LABEL_{number}") for number in range(count))
    if len(set(classes)) < count:
        raise BadInput(f"'id2label' gives two classes one name ({', '.join(classes)})", file=path)
    return classes


def _relevant_class(folder: Path, classes: tuple[str, ...], wanted: str | None) -> int | None:
    if len(classes) == 1:
        if wanted is not None:
            raise BadSettings(f"{folder.name} has a single logit, so --relevant-class has nothing to choose from")
        return None
    if wanted is not None:
        return _named(folder, classes, wanted)
    means = [_means_relevant(name) for name in classes]
    if means.count(True) == 1 and means.count(None) == 0:
        return means.index(True)
    raise BadInput(
        f"{folder.name} has {len(classes)} classes ({', '.join(classes)}), and their names do not say which one "
        "means relevant. Say it: --relevant-class NAME"
    )


def _named(folder: Path, classes: tuple[str, ...], wanted: str) -> int:
    if wanted in classes:
        return classes.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(classes):
        return int(wanted)
    raise BadSettings(f"{folder.name} has no class '{wanted}'; its classes are {', '.join(classes)}")


def _means_relevant(name: str) -> bool | None:
    """Return what a class's name says; None if it says nothing. Classes that are only numbered are 0 and 1."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()
    words = [word for word in words if word not in ("label", "class", "is")]
    negated = any(word in ("not", "non") for word in words)
    rest = "".join(word for word in words if word not in ("not", "non"))
    if rest in NOT_RELEVANT:
        return negated
    if rest in RELEVANT:
        return not negated
    return None
