"""An encoder, as the checks see it: it scores a pair by the inner product of the vectors that mining stores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from curate.doctor.exam import Cuts
from curate.doctor.sample import Sample, TextPair
from curate.models.encoder import Encoder, Side
from curate.models.positions import positions

if TYPE_CHECKING:
    from curate.doctor.exam import Floats, Ints
    from curate.models.scorer import PairScorer

SHORT = ("rain", "a snow")


class EncoderScorer:
    """An encoder that satisfies `PairScorer`."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.settings, self.fingerprint, self.scorer_id = encoder.settings, encoder.fingerprint, encoder.model_id

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: "Ints") -> list[TextPair]:
        """Return the texts of `pairs`."""
        return [(queries[query], passages[passage]) for query, passage in pairs.tolist()]

    def score(self, rows: Sequence[TextPair], advance: Callable[[int], None] = lambda _count: None) -> "Floats":
        """Return the inner products; NaN if one of the texts has no token, so that it finds nothing."""
        import numpy as np

        queries = self.vectors([query for query, _ in rows], "query")
        passages = self.vectors([passage for _, passage in rows], "passage")
        products = (queries * passages).sum(1)
        products[~(queries.any(1) & passages.any(1))] = np.nan
        advance(len(rows))
        result: Floats = products.astype(np.float32)
        return result

    def vectors(self, texts: Sequence[str], side: Side) -> "Floats":
        """Return the vectors of texts, rounded to float16 as they are stored."""
        import numpy as np

        known = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        found = np.concatenate([chunk.array for chunk in self.encoder.encode(list(known), side)])
        return found.astype(np.float16).astype(np.float32)[[known[text] for text in texts]]


@dataclass(frozen=True)
class EncoderModel:
    """An encoder. It satisfies `Model`."""

    encoder: Encoder
    open_in_float32: Callable[[], Encoder]
    has_options: bool
    """Whether options say how it embeds, so that its files alone do not."""

    kind: ClassVar[Literal["encoder"]] = "encoder"

    @cached_property
    def scorer(self) -> "PairScorer":
        """The encoder as `curate mine` uses it."""
        return EncoderScorer(self.encoder)

    @property
    def dtype(self) -> str | None:
        """Its number format."""
        return self.encoder.dtype

    @property
    def is_symmetric(self) -> bool:
        """Whether it reads queries as it reads passages."""
        spec = self.encoder.spec
        return (
            spec.query_prompt == spec.passage_prompt
            and spec.query_transformer is None
            and spec.query_max_length == spec.passage_max_length
        )

    def in_float32(self) -> "PairScorer":
        """Return the encoder, opened in float32."""
        return EncoderScorer(self.open_in_float32())

    def reference(self, texts: Sequence[TextPair], *, together: bool = False) -> "Floats":
        """Return the inner products of vectors by transformers' own forward pass in float32."""
        from curate.models.reference import NoReferenceError, reference_vectors

        if together:
            raise NoReferenceError("it is asked of scorers alone; an encoder's batches are checked below")
        spec = self.encoder.spec
        return self._products(texts, lambda own, side: reference_vectors(self.encoder.folder, spec, own, side))

    def by_sentence_transformers(self, texts: Sequence[TextPair]) -> "Floats":
        """Return the inner products of vectors by sentence-transformers' own reading of the folder."""
        from curate.models.reference import NoReferenceError, library_vectors

        if self.has_options:
            raise NoReferenceError("options say how it embeds, which its files do not tell the library")
        cosine = self.encoder.spec.similarity == "cosine"
        return self._products(
            texts, lambda own, side: library_vectors(self.encoder.folder, own, side, normalize=cosine)
        )

    def _products(self, texts: Sequence[TextPair], vectors: "Callable[[list[str], Side], Floats]") -> "Floats":
        asked = vectors([query for query, _ in texts], "query")
        read = vectors([passage for _, passage in texts], "passage")
        return cast("Floats", (asked * read).sum(1))

    def cuts(self, sample: Sample) -> Cuts:
        """Return what is cut of the passages, and how many queries are."""
        spec = self.encoder.spec
        needed = self._needed(sample.passages, "passage")
        cut = [at for at, tokens in enumerate(needed) if tokens > spec.passage_max_length]
        lost = [1 - spec.passage_max_length / needed[at] for at in cut]
        asked = self._needed(sample.queries, "query")
        kept = (
            self.encoder.tokenize([sample.passages[at] for at in cut], "passage").columns["input_ids"]
            if cut
            else []
        )
        end = self._end()
        return Cuts(
            unit="passages",
            texts=len(sample.passages),
            cut=cut,
            lost=lost,
            longest=max([needed[at] for at in cut], default=0),
            max_length=spec.passage_max_length,
            could_be=positions(self.encoder.folder / spec.transformer),
            option="--passage-max-length",
            queries_cut=sum(tokens > spec.query_max_length for tokens in asked),
            ends_cut=sum(ids[len(ids) - len(end) :].tolist() != end for ids in kept),
            behind=self._behind(sample, set(cut)),
        )

    def _needed(self, texts: Sequence[str], side: Side) -> list[int]:
        spec = self.encoder.spec
        prompt = spec.query_prompt if side == "query" else spec.passage_prompt
        tokens = self.encoder.tokenizer([prompt + text for text in texts], verbose=False)
        return [len(ids) for ids in tokens["input_ids"]]

    def _end(self) -> list[int]:
        """Return the tokens that end every text."""
        rows = [ids.tolist() for ids in self.encoder.tokenize(list(SHORT), "passage").columns["input_ids"]]
        end = 0
        while end < min(map(len, rows)) and len({row[-1 - end] for row in rows}) == 1:
            end += 1
        return list(rows[0][len(rows[0]) - end :])

    def _behind(self, sample: Sample, cut: set[int]) -> list[tuple[int, str]]:
        spec, found = self.encoder.spec, []
        for at, (_, passage) in enumerate(sample.pairs.tolist()):
            if passage in cut:
                text = spec.passage_prompt + sample.passages[passage]
                tokens = self.encoder.tokenizer(text, return_offsets_mapping=True, verbose=False)
                starts = [start for start, end in tokens["offset_mapping"] if end > start]
                kept = spec.passage_max_length - (len(tokens["offset_mapping"]) - len(starts))
                if kept < len(starts):
                    found.append((at, text[starts[kept] :]))
        return found
