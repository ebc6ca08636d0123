"""What the checks ask of a model, a scorer or an encoder: scores of pairs, by the product's own path."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from curate.doctor.sample import Sample, TextPair

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.models.scorer import PairScorer

    Floats = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int64]

FEW, SOME = 24, 128
"""Pairs for checks that compute each pair alone, and for those that compute them in batches."""
# By how much two computations of one score may differ: a share of the range of the scores, and a constant. A
# server chooses its number format and its batches itself.
ALLOWED = {"fp32": (1e-3, 1e-3), "bf16": (0.05, 0.05), "int8": (0.1, 0.1), None: (0.05, 0.05)}


class Model(Protocol):
    """A scorer, or an encoder that scores by the inner product, as the checks see it."""

    @property
    def kind(self) -> Literal["scorer", "encoder"]:
        """What it is."""

    @property
    def is_symmetric(self) -> bool:
        """Whether it reads queries as it reads passages, by its settings."""

    @property
    def scorer(self) -> "PairScorer":
        """The model as `curate denoise` or `curate mine` uses it on this machine."""

    @property
    def dtype(self) -> str | None:
        """Its number format; None: a server's, which nobody knows."""

    def in_float32(self) -> "PairScorer":
        """Return the same model, opened in float32."""

    def reference(self, texts: Sequence[TextPair], *, together: bool = False) -> "Floats":
        """Return the scores of pairs by another computation, or NaN. Raises NoReferenceError if there is none."""

    def by_sentence_transformers(self, texts: Sequence[TextPair]) -> "Floats":
        """Return the scores of pairs by sentence-transformers' own reading. Raises NoReferenceError."""

    def cuts(self, sample: Sample) -> "Cuts | None":
        """Return what is cut of the texts; None if the model does not tell its tokens."""


@dataclass(frozen=True)
class Cuts:
    """What the maximum length takes away from the texts of a sample."""

    unit: str
    """What is counted, in the plural: pairs or passages."""
    texts: int
    cut: list[int]
    """Those that are cut, by their places."""
    lost: list[float]
    """Of each that is cut, the share of the passage's tokens that nobody reads."""
    longest: int
    """Tokens that the longest would need."""
    max_length: int
    could_be: int | None
    """Tokens that the model has positions for; None: no limit is known."""
    option: str
    """The option that raises the length."""
    queries_cut: int
    ends_cut: int
    """Those whose last special tokens, such as the end of a template, are gone."""
    behind: list[tuple[int, str]]
    """Of pairs that are cut: the place of the pair, and the text of the passage behind the cut."""


@dataclass
class Exam:
    """A model, the texts it is examined with, and its scores for them."""

    model: Model
    sample: Sample

    @cached_property
    def rows(self) -> list[Any]:
        """The prepared pairs of the sample."""
        return list(self.prepare(self.model.scorer, self.sample.texts))

    @cached_property
    def scores(self) -> "Floats":
        """The scores of the sample, computed as the product does. NaN: no score."""
        return self.model.scorer.score(self.rows)

    @cached_property
    def cuts(self) -> "Cuts | None":
        """What is cut of the texts; None if the model does not tell its tokens."""
        return self.model.cuts(self.sample)

    @cached_property
    def range(self) -> float:
        """The range of these scores."""
        import numpy as np

        known = self.scores[~np.isnan(self.scores)]
        return float(np.ptp(known)) if len(known) else 0.0

    @cached_property
    def float32(self) -> "PairScorer":
        """The model in float32."""
        return self.model.scorer if self.model.dtype == "fp32" else self.model.in_float32()

    @cached_property
    def few(self) -> list[int]:
        """Some pairs that have a score, from the shortest to the longest text."""
        import numpy as np

        texts = self.sample.texts
        known = [at for at in range(len(texts)) if not np.isnan(self.scores[at])]
        known.sort(key=lambda at: (len(texts[at][0]) + len(texts[at][1]), at))
        return [known[at] for at in sorted(set(np.linspace(0, len(known) - 1, FEW).astype(int)))] if known else []

    @cached_property
    def alone(self) -> "Floats":
        """The scores of `few`, each computed without company."""
        return self.beside()

    def beside(self, *company: Any) -> "Floats":
        """Return the scores of `few`, each computed with the prepared pairs in `company`."""
        import numpy as np

        return np.asarray([self.model.scorer.score([self.rows[at], *company])[0] for at in self.few], np.float32)

    @property
    def few_texts(self) -> list[TextPair]:
        """The texts of `few`."""
        texts = self.sample.texts
        return [texts[at] for at in self.few]

    @property
    def long_text(self) -> TextPair:
        """A pair with a passage longer than any of the sample, beside which every other pair is padded."""
        query, longest = self.sample.queries[0], sorted(self.sample.passages, key=len)[-2:]
        return query, " ".join(2 * longest)

    def score(self, texts: Sequence[TextPair]) -> "Floats":
        """Return the scores of pairs of texts, computed as the product does."""
        return self.model.scorer.score(self.prepare(self.model.scorer, texts))

    def prepare(self, scorer: "PairScorer", texts: Sequence[TextPair]) -> Sequence[Any]:
        """Return pairs of texts as `scorer` reads them."""
        import numpy as np

        queries = {query: at for at, query in enumerate(dict.fromkeys(query for query, _ in texts))}
        passages = {text: at for at, text in enumerate(dict.fromkeys(passage for _, passage in texts))}
        pairs = [(queries[query], passages[passage]) for query, passage in texts]
        return scorer.prepare(list(queries), list(passages), np.asarray(pairs, np.int64).reshape(-1, 2))

    def allowed(self, dtype: str | None) -> float:
        """Return by how much two computations of a score may differ in a number format."""
        share, constant = ALLOWED[dtype]
        return share * self.range + constant
