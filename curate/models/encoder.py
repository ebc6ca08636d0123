"""A dual-encoder's forward pass: texts in, one vector per text out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from curate.errors import BadInput
from curate.models.batching import token_batches
from curate.models.embedding_spec import EmbeddingSpec, read_embedding_spec
from curate.models.folder import fingerprint, model_folder, model_id, path_below
from curate.models.pretrained import device, load_tokenizer, load_transformer, number_format
from curate.progress import Advance

if TYPE_CHECKING:
    import numpy as np
    import torch

Side = Literal["query", "passage"]

CHUNK = 4096  # texts that are tokenized and sorted by length together
BUDGET = {"cpu": 4096, "cuda": 131072, "mps": 32768}  # tokens per batch, padding included


@dataclass(frozen=True)
class Vectors:
    """The embeddings of one chunk of texts."""

    array: "np.ndarray"
    """float32, texts x dimension."""
    truncated: int
    """The number of texts that were longer than the maximum and were cut."""


class Encoder:
    """A transformers or sentence-transformers model. Its weights are loaded on first use."""

    def __init__(self, path: str, folder: Path, spec: EmbeddingSpec, dtype: str) -> None:
        self.path = path
        """The hub name or the folder. A folder inside the workspace is relative to it, so both can be moved."""
        self.folder = folder
        self.spec = spec
        self.dtype = dtype

    @classmethod
    def open(cls, name: str, root: Path | None = None, dtype: str = "auto", **options: Any) -> Self:
        """Return the encoder in a folder (looked up below `root` first) or with a hub name.

        The options are those of `read_embedding_spec`.
        """
        folder = model_folder(name, root)
        path = str(folder) if any((base / name).is_dir() for base in (root or Path(), Path())) else name
        if root:
            path = path_below(root, folder, path)
        return cls(path, folder, read_embedding_spec(folder, options), number_format(dtype))

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that, besides the files, determine the vectors."""
        return {**self.spec.settings(), "dtype": self.dtype, "device": device()}

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of files and settings. Equal fingerprints mean equal vectors."""
        return fingerprint(self.folder, self.settings)

    @property
    def model_id(self) -> str:
        """The id of the encoder in the tables."""
        return model_id(self.folder, self.fingerprint)

    def encode(
        self, texts: Iterable[str], side: Side, advance: Advance = lambda _count: None
    ) -> Iterator[Vectors]:
        """Yield the vectors of texts in order, chunk by chunk. `advance` is called after every batch.

        The batches depend only on the chunk, so equal chunks give equal bits. Raises BadInput if a vector is not
        finite.
        """
        import torch

        rest = iter(texts)
        while chunk := list(islice(rest, CHUNK)):
            with torch.inference_mode():
                vectors = self._chunk(chunk, side, advance)
            yield vectors

    def _chunk(self, texts: list[str], side: Side, advance: Advance) -> Vectors:
        import numpy as np

        prompt = self.spec.query_prompt if side == "query" else self.spec.passage_prompt
        tokens, truncated = self._tokenize([prompt + text for text in texts], side)
        array: np.ndarray | None = None
        for batch in token_batches([len(ids) for ids in tokens["input_ids"]], BUDGET[device()]):
            padded = self.tokenizer.pad(
                {key: [rows[at] for at in batch] for key, rows in tokens.items()}, return_tensors="pt"
            )
            vectors = self._forward(padded.to(device()), side, prompt).float().cpu().numpy()
            array = np.empty((len(texts), vectors.shape[1]), "float32") if array is None else array
            array[batch] = vectors
            advance(len(batch))
        if array is None or not np.isfinite(array).all():
            raise BadInput(f"{self.path} gives vectors that are not finite (NaN or infinity)")
        return Vectors(array, truncated)

    def _tokenize(self, texts: list[str], side: Side) -> tuple[dict[str, list[list[int]]], int]:
        most = self.spec.query_max_length if side == "query" else self.spec.passage_max_length
        tokens = self.tokenizer(texts, truncation=True, max_length=most, return_attention_mask=True)
        truncated = sum(bool(encoding.overflowing) for encoding in tokens.encodings)
        return dict(tokens), truncated

    def _forward(self, batch: Any, side: Side, prompt: str) -> "torch.Tensor":
        hidden = (self.query_model if side == "query" else self.model)(**batch)[0].float()
        skip = self._prompt_length(prompt) if prompt and not self.spec.include_prompt else 0
        vectors = pooled(hidden, batch["attention_mask"], self.spec.pooling, skip)
        for step in self.after:
            vectors = step(vectors)
        return vectors

    def _prompt_length(self, prompt: str) -> int:
        ids = self.tokenizer(prompt)["input_ids"]
        return len(ids) - (ids[-1] in self.tokenizer.all_special_ids)

    @cached_property
    def tokenizer(self) -> Any:
        """The fast tokenizer."""
        tokenizer = load_tokenizer(self.folder / self.spec.transformer)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if self.spec.lower_case:
            from tokenizers.normalizers import Lowercase, Sequence

            rust = tokenizer.backend_tokenizer
            rust.normalizer = Sequence([Lowercase(), *([rust.normalizer] if rust.normalizer else [])])
        return tokenizer

    @cached_property
    def model(self) -> Any:
        """The transformer; that of the passages, if queries have a separate one."""
        return load_transformer(self.folder / self.spec.transformer, self.dtype)

    @cached_property
    def query_model(self) -> Any:
        """The transformer of queries."""
        if self.spec.query_transformer is None:
            return self.model
        return load_transformer(self.folder / self.spec.query_transformer, self.dtype)

    @cached_property
    def after(self) -> list[Any]:
        """The steps after pooling, as functions of a batch of vectors."""
        from torch.nn.functional import normalize

        return [normalize if step == "normalize" else _dense(self.folder / step) for step in self.spec.after]


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


def _dense(folder: Path) -> Any:
    """Return sentence-transformers' Dense layer: a linear layer and an activation of torch.nn."""
    import json

    import torch
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    package, _, name = config.get("activation_function", "torch.nn.modules.activation.Tanh").rpartition(".")
    activation = getattr(torch.nn, name, None)
    if not package.startswith("torch.nn") or activation is None or config.get("use_residual"):
        raise BadInput(f"{folder} has a Dense layer that curate does not support: {config}")
    if not (folder / "model.safetensors").is_file():
        raise BadInput(f"{folder} has no model.safetensors. curate does not read pickled weights; convert them.")
    linear = torch.nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    weights = load_file(folder / "model.safetensors")
    linear.load_state_dict({key.removeprefix("linear."): weight for key, weight in weights.items()})
    return torch.nn.Sequential(linear, activation()).to(device())
