"""A dual-encoder's forward pass: texts in, one vector per text out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from curate.errors import BadInput, BadSettings
from curate.models.batching import model_inputs, token_batches
from curate.models.embedding_spec import NORMALIZE, TRUNCATE, EmbeddingSpec, read_embedding_spec
from curate.models.folder import fingerprint, model_folder, model_id, path_below
from curate.models.layers import dense
from curate.models.openvino_model import BY_TORCH, OpenVinoModel, openvino_settings
from curate.models.packed import can_pack
from curate.models.pretrained import (
    accepted,
    attention_form,
    check_fits,
    device,
    inference,
    load_config,
    load_tokenizer,
    load_transformer,
    number_format,
    padding_id,
    token_vectors,
)
from curate.models.transfer import Coming, at_once, one_ahead, prepared, within_memory
from curate.progress import Advance

if TYPE_CHECKING:
    import numpy as np
    import torch

    from curate.models.encoder_tokens import EncoderTokens, Tokenized
    from curate.ragged import Ragged

Side = Literal["query", "passage"]
Part = TypeVar("Part")

CHUNK = 4096  # texts that are tokenized and sorted by length together
BUDGET = {"cpu": 4096, "cuda": 131072, "mps": 32768}  # tokens per batch, padding included
# Texts of different lengths, which must have the same vectors alone and side by side.
PROBES = ("what is it", "a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9", "rain")
LONGEST_PROBE = 2100  # tokens: more than the 2,048 at which tables of positions end most often
LONG = "rain and snow " * (LONGEST_PROBE // 3)  # as many tokens or more
LEAST_COSINE = {"fp32": 0.999, "bf16": 0.98}
LONGEST_CHANGE = {"fp32": 0.005, "bf16": 0.1}
"""How far a conversion may move a vector, as a share of its length.

The limits leave room for other models: all-MiniLM-L6-v2 moves by 0.0000015 in fp32 and by 0.008 in bf16.
"""


@dataclass(frozen=True)
class Vectors:
    """The embeddings of one chunk of texts."""

    array: "np.ndarray"
    """float32, texts x dimension. The vectors of texts without a token are zero, and a search leaves them out."""
    truncated: int
    """The number of texts that were longer than the maximum and were cut."""


@dataclass(frozen=True)
class _Chunk:
    """Texts whose vectors are on their way."""

    texts: int
    there: int
    """The texts that have tokens."""
    truncated: int
    batches: "Iterable[tuple[np.ndarray, Coming]]"


class Encoder:
    """A transformers or sentence-transformers model. Its weights are loaded on first use."""

    def __init__(self, path: str, folder: Path, spec: EmbeddingSpec, dtype: str, backend: str = "torch") -> None:
        self.path = path
        """The hub name or the folder. A folder inside the workspace is relative to it, so both can be moved."""
        self.folder = folder
        self.spec = spec
        self.dtype = dtype
        self.backend = backend
        """What computes it: `torch`, or `openvino`, which gives other vectors and so is another encoder."""

    @classmethod
    def open(
        cls, name: str, root: Path | None = None, dtype: str = "auto", backend: str = "torch", **options: Any
    ) -> Self:
        """Return the encoder in a folder (looked up below `root` first) or with a hub name.

        The options are those of `read_embedding_spec`.
        """
        folder = model_folder(name, root)
        path = str(folder) if any((base / name).is_dir() for base in (root or Path(), Path())) else name
        if root:
            path = path_below(root, folder, path)
        return cls(path, folder, read_embedding_spec(folder, options), number_format(dtype), backend)

    def without_weights(self) -> "Encoder":
        """Return the encoder as it was before its weights were loaded, for another process."""
        return self.computed_by(self.backend)

    def computed_by(self, backend: str) -> "Encoder":
        """Return the encoder as another back end computes it. Its weights are not loaded."""
        return Encoder(self.path, self.folder, self.spec, self.dtype, backend)

    def in_float32(self) -> "Encoder":
        """Return the encoder as torch computes it in float32. Its weights are not loaded."""
        return Encoder(self.path, self.folder, self.spec, "fp32")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that, besides the files, determine the vectors.

        Raises NotAvailable or BadSettings if OpenVINO is to compute them and cannot.
        """
        settings = {**self.spec.settings(), "dtype": self.dtype, "device": device()}
        if self.backend == "openvino":
            settings |= openvino_settings()
        if device() == "cuda":  # elsewhere without loading transformers
            settings |= self._form(self.spec.transformer)
            if self.spec.query_transformer is not None:
                settings |= {f"query_{key}": form for key, form in self._form(self.spec.query_transformer).items()}
        return settings

    def _form(self, transformer: str) -> dict[str, str]:
        """Return the form of the attention. A model is loaded only if it may be packed."""
        if not can_pack(load_config(self.folder / transformer), self.dtype, device()):
            return attention_form(None)
        return attention_form(self.model if transformer == self.spec.transformer else self.query_model)

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of files and settings. Equal fingerprints mean equal vectors."""
        return fingerprint(self.folder, self.settings)

    @property
    def model_id(self) -> str:
        """The id of the encoder in the tables."""
        return model_id(self.folder, self.fingerprint)

    @property
    def text(self) -> str:
        """What was found in the model's files, for a terminal."""
        return f"Encoder {self.model_id}: {self.spec.text}, {self.computed}."

    @property
    def computed(self) -> str:
        """The number format and, other than torch, the back end, for a terminal."""
        return self.dtype if self.backend == "torch" else f"computed by {self.backend} in {self.dtype}"

    def encode(
        self,
        texts: Iterable[str],
        side: Side,
        advance: Advance = lambda _count: None,
        keep: "Callable[[Ragged], None] | None" = None,
    ) -> Iterator[Vectors]:
        """Yield the vectors of texts in order, chunk by chunk. `advance` is called after every batch.

        keep: is given the tokens of each chunk, as `tokens(side).own` makes them.
        The batches depend only on the chunk, so equal chunks give equal bits. Raises BadInput if a vector is not
        finite, or if it depends on what else is in the batch.
        """
        rest = iter(texts)
        chunks = iter(lambda: list(islice(rest, CHUNK)), [])
        return self._encode(chunks, lambda chunk: self.tokenize(chunk, side, keep), side, advance)

    def encode_tokens(self, chunks: "Iterable[Ragged]", side: Side, advance: Advance) -> Iterator[Vectors]:
        """Yield what `encode` does of texts that are given by their tokens alone, CHUNK texts at a time."""
        return self._encode(chunks, self.tokens(side).fitted, side, advance)

    def _encode(
        self, chunks: Iterable[Part], tokenize: "Callable[[Part], Tokenized]", side: Side, advance: Advance
    ) -> Iterator[Vectors]:
        self._probe(side)  # from here on, the tokenizer belongs to the thread that prepares chunks
        for chunk in one_ahead(self._begun(found, side) for found in prepared(chunks, tokenize)):
            yield self._finished(chunk, side, advance)

    def _probe(self, side: Side) -> None:
        """Check, the first time, that texts have the same vectors alone and side by side."""
        if side in self._dimensions:
            return
        import numpy as np
        import torch

        tokens = self.tokenize(list(PROBES), side).columns
        there = np.flatnonzero(tokens["input_ids"].lengths)
        alone = torch.cat([self._vectors(tokens, there[at : at + 1], side) for at in range(len(there))])
        cosines = torch.cosine_similarity(alone, self._vectors(tokens, there, side))
        if bool((cosines < LEAST_COSINE[self.dtype]).any()):  # NaN is told by the text that has it
            raise BadInput(
                f"{self.path} gives a text another vector beside a longer text than alone (cosine "
                f"{float(cosines.min()):.3f}), so its vectors depend on the batch, which curate does not support."
            )
        self._dimensions[side] = alone.shape[1]

    def _begun(self, found: "Tokenized", side: Side) -> "_Chunk":
        import numpy as np

        tokens, truncated, tokenless = found
        there = np.flatnonzero(~tokenless)
        batches = token_batches(tokens["input_ids"].lengths[there], BUDGET[device()])
        begun = (
            part
            for batch in batches
            for part in within_memory(there[batch], lambda at: self._vectors(tokens, at, side))
        )
        return _Chunk(len(tokenless), len(there), truncated, at_once(begun))

    def _finished(self, chunk: "_Chunk", side: Side, advance: Advance) -> Vectors:
        import numpy as np

        array: np.ndarray | None = None
        for chosen, coming in chunk.batches:
            vectors = coming.array()
            array = np.zeros((chunk.texts, vectors.shape[1]), "float32") if array is None else array
            array[chosen] = vectors
            advance(len(chosen))
        if chunk.there < chunk.texts:
            advance(chunk.texts - chunk.there)
        if array is None:
            array = np.zeros((chunk.texts, self._dimensions[side]), "float32")
        if not np.isfinite(array).all():
            raise BadInput(f"{self.path} gives vectors that are not finite (NaN or infinity)")
        return Vectors(array, chunk.truncated)

    def tokenize(
        self, texts: list[str], side: Side, keep: "Callable[[Ragged], None] | None" = None
    ) -> "Tokenized":
        """Return the tokens of texts as the model reads them; `keep` is that of `encode`.

        Raises BadSettings if the prompt leaves no room for a text.
        """
        return self.tokens(side).of(texts, keep)

    def tokens(self, side: Side) -> "EncoderTokens":
        """Return what makes the tokens of a side. Raises as `tokenize` does."""
        from curate.models.encoder_tokens import EncoderTokens

        if side not in self._tokens:
            most = self.spec.query_max_length if side == "query" else self.spec.passage_max_length
            self._tokens[side] = EncoderTokens(self.tokenizer, self._prompt(side), most, side)
        return self._tokens[side]

    def _prompt(self, side: Side) -> str:
        return self.spec.query_prompt if side == "query" else self.spec.passage_prompt

    def _vectors(self, tokens: "dict[str, Ragged]", chosen: "np.ndarray", side: Side) -> "torch.Tensor":
        """Return the float32 vectors of the chosen texts of `tokens`, computed in one batch."""
        model = self.query_model if side == "query" else self.model
        with inference():
            return self._forward(model, self._inputs(model, tokens, chosen), side).float()

    def _inputs(self, model: Any, tokens: "dict[str, Ragged]", chosen: "np.ndarray") -> "dict[str, torch.Tensor]":
        columns = {name: rows.take(chosen) for name, rows in tokens.items()}
        return model_inputs(model, columns, int(model.config.pad_token_id or 0))

    def _forward(self, model: Any, batch: "dict[str, torch.Tensor]", side: Side) -> "torch.Tensor":
        hidden = token_vectors(model, batch)
        skip = self._prompt_length(side) if self._prompt(side) and not self.spec.include_prompt else 0
        vectors = pooled(hidden, batch["attention_mask"], self.spec.pooling, skip)
        for step in self.after:
            vectors = step(vectors)
        return vectors

    def _prompt_length(self, side: Side) -> int:
        ids = self.tokens(side).bare
        return len(ids) - (ids[-1] in self.tokenizer.all_special_ids)

    @cached_property
    def _tokens(self) -> "dict[Side, EncoderTokens]":
        return {}

    @cached_property
    def _dimensions(self) -> dict[Side, int]:
        """The dimension of the vectors of each side that was probed."""
        return {}

    @cached_property
    def tokenizer(self) -> Any:
        """The fast tokenizer."""
        return load_tokenizer(self.folder / self.spec.transformer, lower_case=self.spec.lower_case)

    @cached_property
    def model(self) -> Any:
        """The transformer; that of the passages, if queries have a separate one."""
        return self._load(self.spec.transformer, "passage")

    @cached_property
    def query_model(self) -> Any:
        """The transformer of queries."""
        other = self.spec.query_transformer
        return self.model if other is None else self._load(other, "query")

    def _load(self, transformer: str, side: Side) -> Any:
        place = self.folder / transformer
        model = load_transformer(place, self.dtype if self.backend == "torch" else "fp32")
        check_fits(place, self.tokenizer, model)
        padding_id(model, self.tokenizer)  # from here on, the configuration names it
        if self.backend == "torch":
            return model
        reads_both = self.spec.query_transformer is None
        return self._converted(model, self._longer_side if reads_both else side)

    @property
    def _longer_side(self) -> Side:
        return "query" if self.spec.query_max_length > self.spec.passage_max_length else "passage"

    def _converted(self, model: Any, side: Side) -> "OpenVinoModel":
        """Return the model as OpenVINO computes it; raises BadInput if that gives other vectors.

        They are compared in batches of several sizes and lengths, because a converter may keep those of its
        example. The longest text is as long as one of this side can be, but at most LONGEST_PROBE tokens.
        """
        import numpy as np
        import torch

        from curate.models.encoder_tokens import EncoderTokens

        whole = self.tokens(side)  # fails here if the prompt leaves no room
        most = max(min(whole.most, LONGEST_PROBE), len(whole.bare) + 1)
        tokens, _, tokenless = EncoderTokens(self.tokenizer, self._prompt(side), most, side).of([*PROBES, LONG])
        there = np.flatnonzero(~tokenless)
        probes = there[:-1]  # LONG is the last one
        batches = [probes, *(there[at : at + 1] for at in range(len(there))), there[-2:]]

        def vectors(of: Any) -> "torch.Tensor":
            with inference():
                found = [self._forward(of, self._inputs(of, tokens, batch), side) for batch in batches]
                return torch.cat(found).float()

        before = vectors(model)
        example = accepted(model, self._inputs(model, tokens, probes))
        converted = OpenVinoModel(model, example, self.dtype)
        change = (vectors(converted) - before).norm(dim=1) / before.norm(dim=1)
        if not bool((change <= LONGEST_CHANGE[self.dtype]).all()):
            found = (
                f"other vectors when OpenVINO computes it ({float(change.max()):.3g} of their length apart from "
                "those of torch)"
                if bool(change.isfinite().all())
                else "vectors that are not finite when OpenVINO computes it"
            )
            raise BadInput(f"{self.path} has {found}. {BY_TORCH}")
        return converted

    @cached_property
    def after(self) -> list[Any]:
        """The steps after pooling, as functions of a batch of vectors."""
        return steps_after(self.folder, self.spec)


def pooled(hidden: "torch.Tensor", mask: "torch.Tensor", modes: tuple[str, ...], skip: int = 0) -> "torch.Tensor":
    """Return one vector per text, pooled from the vectors of its tokens.

    hidden: texts x tokens x dimension, float32. mask: texts x tokens, 1 where there is a token, padded on
    either side. The vectors of several modes are concatenated. The first `skip` tokens are left out. The results
    equal those of sentence-transformers' Pooling.
    """
    import torch

    position = mask.cumsum(1)  # counts from 1 and skips the padding
    mask = mask * (position > skip)
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    count = weights.sum(1).clamp(min=1e-9)
    rows = torch.arange(len(hidden), device=hidden.device)
    vectors = []
    for mode in modes:
        if mode == "cls":
            vectors.append(hidden[rows, mask.argmax(1)])
        elif mode == "lasttoken":
            vectors.append(hidden[rows, mask.shape[1] - 1 - mask.flip(1).argmax(1)])
        elif mode == "max":
            vectors.append(hidden.masked_fill(weights == 0, float("-inf")).amax(1))
        elif mode == "weightedmean":
            rising = position.unsqueeze(-1) * weights
            vectors.append((hidden * rising).sum(1) / rising.sum(1).clamp(min=1e-9))
        else:
            vectors.append((hidden * weights).sum(1) / (count if mode == "mean" else count.sqrt()))
    return torch.cat(vectors, 1)


def steps_after(folder: Path, spec: EmbeddingSpec) -> "list[Callable[[torch.Tensor], torch.Tensor]]":
    """Return the steps after pooling, as functions of a batch of vectors.

    Raises BadSettings, when called, for vectors that are shorter than `truncate_dim`.
    """
    from torch.nn.functional import normalize

    def truncate(vectors: "torch.Tensor") -> "torch.Tensor":
        dimension = vectors.shape[1]
        if not spec.truncate_dim or spec.truncate_dim > dimension:
            raise BadSettings(
                f"truncate_dim = {spec.truncate_dim} is more than the {dimension} dimensions of the model"
            )
        return vectors[:, : spec.truncate_dim]

    own: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {NORMALIZE: normalize, TRUNCATE: truncate}
    return [own[step] if step in own else dense(folder / step) for step in spec.after]
