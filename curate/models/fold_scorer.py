"""The scorer of several judges, each of which was trained without one part of the queries (a fold).

models/NAME/
  folds.json        the number of folds, and the fold of each query, by the hash of its text (curate/text_hash.py)
  fold-1/ ...       a cross-encoder each; judge number 1 has not seen the queries of fold 1

A query of a fold is scored by the judge that has not seen it. Every other query gets the mean of all judges'
logits. The texts of the queries decide, so nobody else needs to know of the folds.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import BadInput
from curate.models.folder import FOLDS, fingerprint, model_id
from curate.shards import write_text
from curate.text_hash import text_hashes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.models.pair_batches import Floats, Ints, TokenizedPair
    from curate.models.scorer_spec import ScorerSpec


class FoldedPair(NamedTuple):
    """A pair with the number of the judge that scores it, 0 for all of them."""

    fold: int
    pair: "TokenizedPair"

    @property
    def cut(self) -> bool:
        """Whether one of the texts was cut."""
        return self.pair.cut

    @property
    def ids(self) -> "npt.NDArray[np.int32]":
        """The tokens of the pair."""
        return self.pair.ids


def fold_folder(folder: Path, fold: int) -> Path:
    """Return the folder of one of the judges in `folder`; the first is 1."""
    return folder / f"fold-{fold}"


def first_judge(folder: Path) -> Path:
    """Return the folder of the first judge if there are several in `folder`, else `folder` itself."""
    return fold_folder(folder, 1) if (folder / FOLDS).is_file() else folder


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

    def __init__(self, folder: Path, spec: "ScorerSpec | None" = None, backend: str = "torch") -> None:
        """Load all judges in `folder`, which score as `spec` says, or else as the files of each do.

        Raises BadInput if one of them is missing or no cross-encoder.
        """
        from curate.models.cross_encoder import CrossEncoder

        found = Folds.read(folder)
        self.fold_of_text = found.of_text
        self.judges: list[CrossEncoder] = [
            CrossEncoder(fold_folder(folder, fold), spec=spec, backend=backend)
            for fold in range(1, found.folds + 1)
        ]
        self.spec, self.settings = self.judges[0].spec, self.judges[0].settings
        forms = [judge.settings.get("attention") for judge in self.judges]
        if len({*forms}) > 1:
            self.settings = {**self.settings, "attention": forms}
        self.fingerprint = fingerprint(folder, self.settings)
        self.scorer_id = model_id(folder, self.fingerprint)

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: "Ints") -> list[FoldedPair]:
        """Return `pairs` (n x 2: index into queries, index into passages) with the judge that scores each of them.

        The judges have the same tokenizer. A pair has no ids if its query or its passage has no token of its own.
        """
        folds = [self.fold_of_text.get(text, 0) for text in text_hashes(queries).tolist()]
        rows = self.judges[0].prepare(queries, passages, pairs)
        return [FoldedPair(folds[query], row) for query, row in zip(pairs[:, 0].tolist(), rows, strict=True)]

    def score(self, rows: Sequence[FoldedPair], advance: Callable[[int], None] = lambda _count: None) -> "Floats":
        """Return the logits of prepared pairs as float32, in the same order. Equal rows give equal bytes.

        A pair without ids has no score: its logit is NaN. Raises CurateError if another logit is not finite.
        """
        import numpy as np

        logits = np.empty(len(rows), np.float32)
        fold_of = np.asarray([row.fold for row in rows], np.int64)
        for number, judge in enumerate(self.judges, 1):
            own = np.flatnonzero(fold_of == number)
            logits[own] = judge.score([rows[at].pair for at in own.tolist()], advance)
        others = np.flatnonzero(fold_of == 0)
        if len(others):
            pairs: list[Any] = [rows[at].pair for at in others.tolist()]
            of_each = [self.judges[0].score(pairs, advance)] + [judge.score(pairs) for judge in self.judges[1:]]
            logits[others] = np.mean(of_each, axis=0, dtype=np.float64)
        return logits
