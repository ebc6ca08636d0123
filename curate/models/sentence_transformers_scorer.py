"""A cross-encoder of sentence-transformers whose modules curate does not compute itself: the library does.

It comes with the extra `sentence-transformers`. Each pair is tokenized on its own, which is slower.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from curate.errors import BadInput, NotAvailable
from curate.models.adapters import MERGED, merged
from curate.models.folder import fingerprint, model_id
from curate.models.model_kind import modules_of, transformer_of
from curate.models.pair_batches import (
    ALONE,
    Floats,
    Ints,
    machine_settings,
    refuse_if_not_finite,
    refuse_if_the_batch_matters,
)
from curate.models.pretrained import (
    check_weights,
    device,
    number_format,
    quiet,
    scores_in_fp32,
    torch_dtype,
    without_cudnn_attention,
)
from curate.models.scale import SAID, Scale, activation_scale
from curate.models.threads import use_threads
from curate.shards import known_sha256

BATCH = 32  # pairs of a forward pass; the last bits of a score depend on its batch
TextPair = tuple[str, str]


@dataclass(frozen=True)
class LibrarySpec:
    """What can be said of such a model before the library opens it."""

    modules: tuple[str, ...]
    """The kinds of its modules, in order."""
    max_length: int | None
    """Tokens of query and passage together; None: as the files say."""
    instruction: str | None
    """The prompt, in words; None: as the files say."""
    relevant_class: str | None
    """The number of the class that means relevant, of two or more."""
    chat_template: str | None
    """The sha256 of the file with the text around a pair; None: there is no such file."""
    scale: Scale
    """What the files say of the logits. It changes none of them."""

    def settings(self) -> dict[str, Any]:
        """Return the settings that the table `models` shows. The fingerprint covers all but the scale."""
        return {
            "sentence_transformers": version("sentence-transformers"),
            "modules": list(self.modules),
            "max_length": self.max_length,
            "instruction": self.instruction,
            "relevant_class": self.relevant_class,
            "chat_template": self.chat_template,
            "scale": self.scale,
        }

    def is_in(self, settings: Mapping[str, Any]) -> bool:
        """Return whether the settings of a model in the table `models` are these."""
        return all(settings.get(name) == value for name, value in self.settings().items())

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        length = f"{self.max_length} tokens" if self.max_length else "as many tokens as its files say"
        return (
            f"the modules {', '.join(self.modules)}, computed by sentence-transformers "
            f"{version('sentence-transformers')}, {length} of query and passage together; {SAID[self.scale]}"
        )


def read_library_spec(
    folder: Path, max_length: int | None, instruction: str | None, relevant_class: str | None
) -> LibrarySpec:
    """Return how the library scores by the model in `folder`. Raises NotAvailable if it is not installed."""
    kinds = tuple(full.rpartition(".")[2] for full, _ in modules_of(folder))
    try:
        version("sentence-transformers")
    except PackageNotFoundError as error:
        raise NotAvailable(
            f"{folder} has the modules {', '.join(kinds)}, which curate leaves to sentence-transformers (extra "
            "[sentence-transformers]). Run: pip install sentence-transformers"
        ) from error
    template = folder / transformer_of(folder) / "chat_template.jinja"
    return LibrarySpec(
        modules=kinds,
        max_length=max_length,
        instruction=instruction,
        relevant_class=relevant_class,
        chat_template=known_sha256(template) if template.is_file() else None,
        scale=activation_scale(folder, transformer_of(folder)),
    )


class SentenceTransformersScorer:
    """A model that sentence-transformers has loaded. It satisfies `PairScorer`."""

    def __init__(self, folder: Path, spec: LibrarySpec) -> None:
        """Load the model in `folder`. Raises BadInput if it is not whole, or if no class is chosen of several."""
        quiet()
        use_threads()
        self.spec = spec
        dtype = number_format()
        self.model = _load(folder, spec, dtype)
        scores_in_fp32(self.model, self.model.num_labels)
        self.settings = {
            "template": "query, title + text",
            "batch": BATCH,
            **spec.settings(),
            **machine_settings(dtype),
        }
        self.fingerprint = fingerprint(folder, self.settings)
        self.scorer_id = model_id(folder, self.fingerprint)
        self.relevant = _relevant(folder, self._outputs([ALONE[0]]), spec.relevant_class)
        refuse_if_the_batch_matters(folder, dtype, list(ALONE), self._forward)

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: Ints) -> list[TextPair]:
        """Return the texts of `pairs` (n x 2: index into queries, index into passages)."""
        return [(queries[q], passages[p]) for q, p in pairs.tolist()]

    def score(self, rows: Sequence[TextPair], advance: Callable[[int], None] = lambda _count: None) -> Floats:
        """Return the logits as float32, in order. A pair with an empty text has no score: its logit is NaN.

        Raises CurateError if another logit is not finite.
        """
        logits = np.full(len(rows), np.nan, np.float32)
        there = [at for at, (query, passage) in enumerate(rows) if query.strip() and passage.strip()]
        there.sort(key=lambda at: -len(rows[at][0]) - len(rows[at][1]))
        for start in range(0, len(there), BATCH):
            batch = there[start : start + BATCH]
            logits[batch] = self._forward([rows[at] for at in batch])
            advance(len(batch))
        refuse_if_not_finite(self.scorer_id, logits[there])
        return logits

    def _forward(self, rows: list[TextPair]) -> Floats:
        outputs = self._outputs(rows)
        if self.relevant is None:
            return outputs.reshape(len(rows))
        others = np.delete(outputs, self.relevant, axis=1)
        result: Floats = outputs[:, self.relevant] - np.logaddexp.reduce(others, axis=1)
        return result

    def _outputs(self, rows: list[TextPair]) -> Floats:
        import torch

        options = {"batch_size": BATCH, "activation_fn": torch.nn.Identity(), "show_progress_bar": False}
        if self.spec.instruction is not None:
            options["prompt"] = self.spec.instruction
        with without_cudnn_attention():
            return np.asarray(self.model.predict(rows, **options), np.float32)


def _load(folder: Path, spec: LibrarySpec, dtype: str) -> Any:
    """Return the model, its adapter merged.

    Raises BadInput if its weights are pickled, or lacking and drawn at random.
    """
    import torch
    from sentence_transformers import CrossEncoder

    for _, path in modules_of(folder):
        if any((folder / path).glob("*.bin")):
            check_weights(folder / path)
    options: dict[str, Any] = {"max_length": spec.max_length} if spec.max_length else {}
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        try:
            model = CrossEncoder(
                str(folder),
                device=device(),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": torch_dtype(dtype), "use_safetensors": True},
                **options,
            )
        except (OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError, ImportError) as error:
            raise BadInput(f"{folder} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
        models.append(model.eval())
    first, second = (model.state_dict() for model in models)
    if drawn := sorted(name for name in first if not torch.equal(first[name], second[name])):
        raise BadInput(
            f"{folder} lacks weights that the model needs: {', '.join(drawn[:5])}. "
            "They would be initialized at random, so the model is refused."
        )
    loaded: Any = models[0]
    if (folder / MERGED).is_dir():
        loaded[0].model = merged(loaded[0].model, folder / MERGED)
    return loaded


def _relevant(folder: Path, outputs: Floats, wanted: str | None) -> int | None:
    """Return the number of the class that means relevant; None if there is a single logit."""
    classes = outputs.shape[1] if outputs.ndim > 1 else 1
    if classes == 1:
        return None
    if wanted is None or not wanted.isdecimal() or int(wanted) >= classes:
        raise BadInput(f"{folder} has {classes} classes. Say which one means relevant: --relevant-class NUMBER")
    return int(wanted)
