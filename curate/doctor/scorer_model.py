"""A scorer of any kind, as the checks see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from curate.denoise.resolve_scorer import Scorer
from curate.doctor.exam import Cuts
from curate.doctor.sample import Sample, TextPair
from curate.models.fold_scorer import Folds, first_judge, fold_folder
from curate.models.folder import FOLDS
from curate.models.openvino_model import INT8
from curate.models.positions import positions
from curate.models.scorer import PairScorer, ScorerFolder, in_float32
from curate.text_hash import text_hashes

if TYPE_CHECKING:
    from curate.doctor.exam import Floats

SHORT = (("a", "rain"), ("b", "snow"))  # nothing of these is cut: they show what stands around every pair


@dataclass(frozen=True)
class ScorerModel:
    """A scorer. It satisfies `Model`."""

    found: Scorer

    kind: ClassVar[Literal["scorer"]] = "scorer"
    is_symmetric: ClassVar[bool] = False

    @property
    def scorer(self) -> PairScorer:
        """The scorer as `curate denoise` uses it."""
        return self.found.model

    @property
    def computed(self) -> list[str]:
        """Its number format and, other than torch, the back end, for a reader; nothing of a server's."""
        backend = self.scorer.settings.get("backend", "torch")
        by = "" if backend == "torch" else f"computed by {backend} in "
        rest = f", the rest in {self.scorer.settings['dtype']}" if backend == INT8 else ""
        return [f"{by}{self.dtype}{rest}"] if self.dtype else []

    @property
    def dtype(self) -> str | None:
        """The number format of most of it; None: a server's."""
        found = "int8" if self.scorer.settings.get("backend") == INT8 else self.scorer.settings.get("dtype")
        return str(found) if found else None

    def in_float32(self) -> PairScorer:
        """Return the scorer, computed by torch in float32."""
        return in_float32(self.found.source)

    @cached_property
    def source(self) -> ScorerFolder:
        """The folder of the scorer. Raises NoReferenceError if a server has it."""
        from curate.models.reference import NoReferenceError

        if not isinstance(self.found.source, ScorerFolder):
            raise NoReferenceError("a server computes the scores, and curate does not see its model")
        return self.found.source

    def reference(self, texts: Sequence[TextPair], *, together: bool = False) -> "Floats":
        """Return the logits of pairs by transformers' own forward pass in float32."""
        from curate.models.reference import reference_logits

        source = self.source
        if not (source.folder / FOLDS).is_file():
            return reference_logits(source.folder, source.spec, texts, together=together)
        return _by_fold(source, texts, together)

    def by_sentence_transformers(self, texts: Sequence[TextPair]) -> "Floats":
        """Return the logits of pairs by sentence-transformers, which knows neither folds nor an instruction."""
        from curate.models.reference import NoReferenceError, library_logits

        source = self.source
        if source.options.instruction:
            raise NoReferenceError("an instruction says what it judges, which its files do not tell the library")
        if (source.folder / FOLDS).is_file():
            raise NoReferenceError("sentence-transformers does not know several judges that score as one")
        return library_logits(source.folder, source.spec, texts)

    def cuts(self, sample: Sample) -> Cuts | None:
        """Return what is cut of the pairs."""
        scorer: Any = self.scorer
        reader = scorer.judges[0] if hasattr(scorer, "judges") else scorer
        if not hasattr(reader, "tokenizer"):
            return None
        return _Tokens(reader, self.source).cuts(sample)


def _by_fold(source: ScorerFolder, texts: Sequence[TextPair], together: bool) -> "Floats":
    """Return the logits of the judge that has not seen the query, or the mean of all judges' logits."""
    import numpy as np

    from curate.models.reference import reference_logits

    folds = Folds.read(source.folder)
    of_judges = np.stack([
        reference_logits(fold_folder(source.folder, fold), source.spec, texts, together=together)
        for fold in range(1, folds.folds + 1)
    ])  # fmt: skip
    mine = [folds.of_text.get(text, 0) for text in text_hashes([query for query, _ in texts]).tolist()]
    rows = [
        of_judges[fold - 1, at] if fold else of_judges[:, at].mean(dtype=np.float64)
        for at, fold in enumerate(mine)
    ]
    return np.asarray(rows, np.float32)


@dataclass(frozen=True)
class _Tokens:
    """The tokens of a scorer's pairs beside those of its texts."""

    reader: Any
    """The scorer, or one of its judges: it has a tokenizer and prepares tokens."""
    source: ScorerFolder

    def cuts(self, sample: Sample) -> Cuts:
        prompt = getattr(self.reader, "prompt", "")
        asked = [self.ids(prompt + query) for query in sample.queries]
        read = self.reader.tokenizer(
            sample.passages, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        rows = self.reader.prepare(sample.queries, sample.passages, sample.pairs)
        around, end = self.around()
        lost, behind, ends, whole, longest = [], [], 0, 0, 0
        cut = [at for at, row in enumerate(rows) if row.cut]
        for at in cut:
            query, passage = sample.pairs[at].tolist()
            tokens = len(asked[query]) + len(read["input_ids"][passage]) + around
            longest = max(longest, tokens)
            ids = rows[at].ids.tolist()
            whole += _holds(ids, asked[query][1:-1])
            ends += ids[len(ids) - len(end) :] != end
            of_passage = len(read["input_ids"][passage])
            kept = max(0, of_passage - (tokens - len(ids)))
            lost.append(1 - kept / max(1, of_passage))
            if kept < of_passage:
                behind.append((at, sample.passages[passage][read["offset_mapping"][passage][kept][0] :]))
        spec: Any = self.source.spec
        return Cuts(
            unit="pairs",
            texts=len(rows),
            cut=cut,
            lost=lost,
            longest=longest,
            max_length=spec.max_length,
            could_be=positions(first_judge(self.source.folder) / spec.transformer),
            option="--max-length",
            queries_cut=len(cut) - whole,
            ends_cut=ends,
            behind=behind,
        )

    def around(self) -> tuple[int, list[int]]:
        """Return how many tokens stand around a pair, and those that end every pair."""
        import numpy as np

        queries, passages = zip(*SHORT, strict=True)
        pairs = np.array([(q, p) for q in range(len(SHORT)) for p in range(len(SHORT))])
        rows = [row.ids.tolist() for row in self.reader.prepare(queries, passages, pairs)]
        prompt = getattr(self.reader, "prompt", "")
        own = [len(self.ids(prompt + queries[q])) + len(self.ids(passages[p])) for q, p in pairs.tolist()]
        end = 0
        while end < min(map(len, rows)) and len({row[-1 - end] for row in rows}) == 1:
            end += 1
        around = max(0, int(np.median([len(row) - size for row, size in zip(rows, own, strict=True)])))
        return around, rows[0][len(rows[0]) - end :]

    def ids(self, text: str) -> list[int]:
        return list(self.reader.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _holds(ids: list[int], part: list[int]) -> bool:
    """Return whether `part` stands in `ids` as it is."""
    size = len(part)
    return any(ids[at : at + size] == part for at in range(len(ids) - size + 1))
