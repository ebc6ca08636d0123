"""The scorer of several judges, each of which was trained without one part of the queries (a fold).

models/NAME/
  folds.json        the number of folds, and the fold of each query, by the hash of its text (curate/text_hash.py)
  fold-1/ ...       a cross-encoder each; judge number 1 has not seen the queries of fold 1

A query of a fold is scored by the judge that has not seen it. Every other query gets the mean of all judges'
logits. The texts of the queries decide, so nobody else needs to know of the folds.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import BadInput
from curate.models.folder import FOLDS, fingerprint, model_id
from curate.shards import write_text
from curate.text_hash import text_hashes

if TYPE_CHECKING:
    from curate.models.pair_batches import Floats, Ints
    from curate.models.pair_tokens import PairTokens, TokenizedPair
    from curate.models.scorer_spec import ScorerSpec
    from curate.models.text_tokens import TextTokens
    from curate.ragged import Ragged


def fold_folder(folder: Path, fold: int) -> Path:
    """Return the folder of one of the judges in `folder`; the first is 1."""
    return folder / f"fold-{fold}"


def first_judge(folder: Path) -> Path:
    """Return the folder of the first judge if there are several in `folder`, else `folder` itself."""
    return fold_folder(folder, 1) if (folder / FOLDS).is_file() else folder


def judges(folder: Path) -> list[Path]:
    """Return the folders of the cross-encoders in `folder`: those of its judges, or itself.

    Raises BadInput if folds.json is damaged.
    """
    if not (folder / FOLDS).is_file():
        return [folder]
    return [fold_folder(folder, fold) for fold in range(1, Folds.read(folder).folds + 1)]


def write_folds(folder: Path, folds: int, fold_of_text: dict[int, int]) -> None:
    """Write which judge has not seen which query, given by the hash of its text."""
    queries = {f"{text:016x}": fold for text, fold in sorted(fold_of_text.items())}
    write_text(folder / FOLDS, json.dumps({"folds": folds, "queries": queries}, indent=0) + "\n")


@dataclass(frozen=True)
class Folds:
    """The contents of folds.json."""

    folds: int
    of_text: dict[int, int]

    @classmethod
    def read(cls, folder: Path) -> "Folds":
        """Return the folds in a folder; raises BadInput if the file is not what `write_folds` writes."""
        path = folder / FOLDS
        try:
            facts = json.loads(path.read_text("utf-8"))
            return cls(int(facts["folds"]), {int(text, 16): int(fold) for text, fold in facts["queries"].items()})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadInput(f"{path} does not say which judge has not seen which query: {error!r}") from error


class FoldScorer:
    """Several cross-encoders that score as one."""

    def __init__(
        self,
        folder: Path,
        spec: "ScorerSpec | None" = None,
        backend: str = "torch",
        root: Path | None = None,
    ) -> None:
        """Load all judges in `folder`, which score as `spec` says, or else as the files of each do.

        root: the workspace that has the graph of each for the back end `openvino-int8`. Raises BadInput if one of
        them is missing or no cross-encoder, and NotAvailable if a graph is not there.
        """
        from curate.models.cross_encoder import CrossEncoder

        self.fold_of_text = Folds.read(folder).of_text
        self.judges: list[CrossEncoder] = [
            CrossEncoder(judge, spec=spec, backend=backend, root=root) for judge in judges(folder)
        ]
        self.spec, self.settings = self.judges[0].spec, self.judges[0].settings
        for own in ("attention", "int8"):
            of_each = [judge.settings.get(own) for judge in self.judges]
            if any(form != of_each[0] for form in of_each):
                self.settings = {**self.settings, own: of_each}
        self.fingerprint = fingerprint(folder, self.settings)
        self.scorer_id = model_id(folder, self.fingerprint)

    @property
    def max_length(self) -> int:
        """The most tokens of a pair."""
        return self.judges[0].max_length

    @property
    def passage_tokens(self) -> "TextTokens | None":
        """What makes the tokens that `prepare_tokens` reads; None if pairs have to be made of the texts."""
        return self.judges[0].passage_tokens

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: "Ints") -> "PairTokens":
        """Return `pairs` (n x 2: index into queries, index into passages) with the judge that scores each of them.

        The judges have the same tokenizer. A pair has no ids if its query or its passage has no token of its own.
        """
        return self._with_judges(self.judges[0].prepare(queries, passages, pairs), queries, pairs)

    def prepare_tokens(self, queries: Sequence[str], passages: "Ragged", pairs: "Ints") -> "PairTokens":
        """Return the same of passages that are given by their tokens, which `passage_tokens` has made."""
        return self._with_judges(self.judges[0].prepare_tokens(queries, passages, pairs), queries, pairs)

    def _with_judges(self, rows: "PairTokens", queries: Sequence[str], pairs: "Ints") -> "PairTokens":
        import numpy as np

        folds = [self.fold_of_text.get(text, 0) for text in text_hashes(queries).tolist()]
        return replace(rows, judge=np.asarray(folds, np.int64)[pairs[:, 0]])

    def score(
        self, rows: "Sequence[TokenizedPair]", advance: Callable[[int], None] = lambda _count: None
    ) -> "Floats":
        """Return the logits of prepared pairs as float32, in the same order. Equal rows give equal bytes.

        A pair without ids has no score: its logit is NaN. Raises CurateError if another logit is not finite.
        """
        import numpy as np

        from curate.models.pair_tokens import PairTokens

        pairs = PairTokens.of(rows)
        logits = np.empty(len(pairs), np.float32)
        for number, judge in enumerate(self.judges, 1):
            own = np.flatnonzero(pairs.judge == number)
            logits[own] = judge.score(pairs.take(own), advance)
        others = np.flatnonzero(pairs.judge == 0)
        if len(others):
            rest = pairs.take(others)
            of_each = [self.judges[0].score(rest, advance)] + [judge.score(rest) for judge in self.judges[1:]]
            logits[others] = np.mean(of_each, axis=0, dtype=np.float64)
        return logits
