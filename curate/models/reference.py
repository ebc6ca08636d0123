"""References for the scores and vectors of curate: the model as its own library computes it, in float32.

Nothing of curate's own tokenizing, batching or pooling is used, so that a fault in these shows. Pairs and texts
are computed one at a time, without padding, unless `together` says so.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.models.adapters import MERGED
from curate.models.causal_spec import CausalSpec
from curate.models.embedding_spec import NORMALIZE, TRUNCATE, EmbeddingSpec
from curate.models.layers import dense
from curate.models.pretrained import accepted, device, quiet
from curate.models.scorer_spec import ScorerSpec

if TYPE_CHECKING:
    from curate.models.encoder import Side

Floats = npt.NDArray[np.float32]
TextPair = tuple[str, str]


class NoReferenceError(Exception):
    """There is no independent computation of this model; the text says why."""


def reference_logits(folder: Path, spec: Any, texts: Sequence[TextPair], *, together: bool = False) -> Floats:
    """Return the logits of pairs by transformers' own forward pass. A pair too long for a template has NaN.

    together: all pairs in one batch, padded as the model's own tokenizer pads. Raises NoReferenceError.
    """
    import torch

    if isinstance(spec, CausalSpec):
        return _causal(folder, spec, texts, together)
    if not isinstance(spec, ScorerSpec) or spec.head:
        raise NoReferenceError("its head is no part of transformers; sentence-transformers is the reference")
    place = folder / spec.transformer
    tokenizer, model = _loaded("AutoModelForSequenceClassification", place)
    read = str.lower if spec.lower_case else str
    queries = [read((spec.prompt or "") + query) for query, _ in texts]
    passages = [read(passage) for _, passage in texts]
    options = {"truncation": "longest_first", "max_length": spec.max_length, "return_tensors": "pt"}
    if together:
        found = [_logits(model, tokenizer(queries, passages, padding=True, **options))]
    else:
        found = [_logits(model, tokenizer(*pair, **options)) for pair in zip(queries, passages, strict=True)]
    logits = torch.cat(found)
    if spec.relevant_class is None:
        values = logits[:, 0]
    else:
        shares = logits.softmax(1)[:, spec.relevant_class].double()
        values = (shares / (1 - shares)).log()
    result: Floats = values.float().cpu().numpy()
    return result


def _logits(model: Any, encoded: Any) -> Any:
    import torch

    with torch.inference_mode():
        try:
            return model(**accepted(model, encoded.to(device()))).logits.float()
        except ValueError as error:  # a model that does not know its padding computes no batch
            raise NoReferenceError(f"transformers computes no batch of it: {error}") from error


def _causal(folder: Path, spec: CausalSpec, texts: Sequence[TextPair], together: bool) -> Floats:
    tokenizer, model = _loaded("AutoModelForCausalLM", folder / spec.transformer)
    read = str.lower if spec.lower_case else str
    whole = [spec.opening + read(query) + spec.middle + read(passage) + spec.closing for query, passage in texts]
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in whole]
    fits = [at for at, ids in enumerate(rows) if len(ids) <= spec.max_length]
    answers = np.full(len(texts), np.nan, np.float32)
    for batch in [fits] if together else [[at] for at in fits]:
        if batch:
            padded = tokenizer.pad({"input_ids": [rows[at] for at in batch]}, padding=True, return_tensors="pt")
            last = _last(padded["attention_mask"])
            logits = _logits(model, padded)
            chosen = logits[list(range(len(batch))), last]
            values = chosen[:, spec.yes] - (chosen[:, spec.no] if spec.no is not None else 0)
            answers[batch] = values.cpu().numpy()
    return answers


def _last(mask: Any) -> list[int]:
    """Return the place of the last token of each row, on whichever side it is padded."""
    return [int(row.nonzero().max()) for row in mask]


def reference_vectors(folder: Path, spec: EmbeddingSpec, texts: Sequence[str], side: "Side") -> Floats:
    """Return the vectors of texts, one text at a time. Raises NoReferenceError."""
    import torch

    query = side == "query"
    own = _architectures(folder / spec.query_folder if query else folder / spec.transformer)
    tokenizer, model = _loaded(own, folder / (spec.query_folder if query else spec.transformer))
    prompt = spec.query_prompt if query else spec.passage_prompt
    if prompt and not spec.include_prompt:
        raise NoReferenceError("its pooling leaves the prompt out; sentence-transformers is the reference")
    read = str.lower if spec.lower_case else str
    most = spec.query_max_length if query else spec.passage_max_length
    vectors = []
    for text in texts:
        encoded = tokenizer(read(prompt + text), truncation=True, max_length=most, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**accepted(model, encoded.to(device())))[0][0].float()
            vector = torch.cat([_pooled(hidden, mode) for mode in spec.pooling])
            for step in spec.after:
                vector = _after(folder, spec, step, vector)
        vectors.append(vector.cpu().numpy())
    result: Floats = np.stack(vectors)
    return result


def _pooled(hidden: Any, mode: str) -> Any:
    """Return one vector from those of the tokens of a single text (tokens x dimension)."""
    import torch

    count = len(hidden)
    if mode == "cls":
        return hidden[0]
    if mode == "lasttoken":
        return hidden[-1]
    if mode == "max":
        return hidden.max(0).values
    if mode == "weightedmean":
        places = torch.arange(1, count + 1, device=hidden.device).float()
        return (places / places.sum()) @ hidden
    return hidden.sum(0) / (count if mode == "mean" else count**0.5)


def _after(folder: Path, spec: EmbeddingSpec, step: str, vector: Any) -> Any:
    if step == NORMALIZE:
        return vector / vector.norm()
    if step == TRUNCATE:
        return vector[: spec.truncate_dim]
    return dense(folder / step)(vector[None])[0]


def _architectures(folder: Path) -> str:
    from curate.models.pretrained import load_config

    config = load_config(folder)
    half = config.is_encoder_decoder or any(name.endswith("EncoderModel") for name in config.architectures or [])
    return "AutoModelForTextEncoding" if half else "AutoModel"


def _loaded(auto_class: str, folder: Path) -> tuple[Any, Any]:
    """Return the tokenizer and the float32 model of transformers; an adapter stays beside its base model."""
    import torch
    import transformers

    quiet()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = getattr(transformers, auto_class).from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, return_dict=True
    )
    if (folder / MERGED).is_dir():
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(folder / MERGED))
    return tokenizer, model.eval().to(device())


def library_logits(folder: Path, spec: Any, texts: Sequence[TextPair]) -> Floats:
    """Return the logits of pairs by sentence-transformers, which reads the folder itself, one pair at a time.

    Raises NoReferenceError if it is not installed or does not open the model.
    """
    import torch

    length = {"max_length": spec.max_length} if spec.max_length else {}
    model = _library("CrossEncoder", folder, **length)
    options = {"activation_fn": torch.nn.Identity(), "batch_size": 1, "show_progress_bar": False}
    outputs = np.asarray(model.predict(list(texts), **options), np.float32)
    if outputs.ndim == 1:
        return outputs
    relevant = int(spec.relevant_class or 0)
    others = np.delete(outputs, relevant, axis=1)
    result: Floats = outputs[:, relevant] - np.logaddexp.reduce(others, axis=1)
    return result


def library_vectors(folder: Path, texts: Sequence[str], side: "Side", *, normalize: bool) -> Floats:
    """Return the vectors of texts by sentence-transformers, which reads the folder itself, one text at a time."""
    model = _library("SentenceTransformer", folder)
    encode = model.encode_query if side == "query" else model.encode_document
    return np.asarray(
        encode(list(texts), batch_size=1, normalize_embeddings=normalize, show_progress_bar=False), np.float32
    )


def _library(name: str, folder: Path, **options: int) -> Any:
    import torch

    quiet()
    try:
        import sentence_transformers
    except ImportError as error:
        raise NoReferenceError("sentence-transformers is not installed") from error
    if (folder / MERGED).is_dir():
        raise NoReferenceError("sentence-transformers does not open a base model with its adapter beside it")
    try:
        return getattr(sentence_transformers, name)(
            str(folder), device=device(), local_files_only=True, model_kwargs={"dtype": torch.float32}, **options
        )
    except Exception as error:  # whatever it raises, it does not read this model
        reason = " ".join(str(error).split())[:200]
        raise NoReferenceError(f"sentence-transformers does not open it ({reason})") from error
