"""What scores pairs: one interface for every kind of scorer, and the opener of the kind that a name means.

A kind has two parts. Its source is what is known without loading anything: how the scorer scores, and what its
fingerprint would be. A scorer that has scored here before is recognised by these alone. The source opens the
scorer itself, which may take a while and much memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from curate.errors import BadSettings
from curate.models.adapters import with_base
from curate.models.causal_spec import CausalSpec, read_causal_spec
from curate.models.fold_scorer import first_judge
from curate.models.folder import FOLDS, fingerprint, model_folder, model_id, path_below
from curate.models.model_kind import CAUSAL, CAUSAL_RERANKER, CROSS_ENCODER, MODULAR, check_kind, kind_of
from curate.models.modular_head import read_head
from curate.models.openvino_model import BY_TORCH
from curate.models.pretrained import computing_in_float32
from curate.models.scorer_options import ScorerOptions
from curate.models.scorer_spec import ScorerSpec, read_scorer_spec
from curate.models.sentence_transformers_scorer import LibrarySpec, read_library_spec
from curate.models.served.address import is_address

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from curate.models.text_tokens import TextTokens
    from curate.ragged import Ragged

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float32]


AS_FOUND = ScorerOptions()


class Spec(Protocol):
    """How a scorer scores."""

    @property
    def text(self) -> str:
        """What was found, for a terminal."""

    def settings(self) -> dict[str, Any]:
        """Return the settings that the fingerprint covers and the table `models` shows."""

    def is_in(self, settings: Mapping[str, Any], /) -> bool:
        """Return whether `settings`, those of a row of the table `models`, are these."""


class PairScorer(Protocol):
    """A scorer that is ready to score."""

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that, besides its files, determine the logits; those of its spec are among them."""

    @property
    def fingerprint(self) -> str:
        """The sha256 of all that determines the logits. Equal ones mean equal scores."""

    @property
    def scorer_id(self) -> str:
        """A short readable id: a name and the first 8 digits of the fingerprint."""

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: "Ints", /) -> Sequence[Any]:
        """Return what `score` reads of `pairs` (n x 2: index into queries, index into passages), in order.

        This is called in another thread while `score` works on the pairs before.
        """

    def score(self, rows: Sequence[Any], advance: Callable[[int], None] = ..., /) -> "Floats":
        """Return the logits of prepared pairs as float32, in order. A pair that has no score has NaN.

        Equal rows give equal bytes. `advance` is told how many more pairs are done.
        """


def score_texts(
    scorer: PairScorer, pairs: "pa.Table", advance: Callable[[int], None] = lambda _count: None
) -> "Floats":
    """Return the logits of pairs that are given by their texts, in the columns `query` and `passage`."""
    return scorer.score(rows_of_texts(scorer, pairs), advance)


def rows_of_texts(scorer: PairScorer, pairs: "pa.Table") -> Sequence[Any]:
    """Return what `score` reads of such pairs, in order."""
    import numpy as np

    if not pairs.num_rows:  # some tokenizers refuse a list without texts
        return []
    columns = [pairs[side].dictionary_encode().combine_chunks() for side in ("query", "passage")]
    queries, passages = [column.dictionary.to_pylist() for column in columns]
    indices = np.stack([column.indices.to_numpy() for column in columns], axis=1).astype(np.int64)
    return scorer.prepare(queries, passages, indices)


def count_cut(rows: Sequence[Any]) -> int:
    """Return how many prepared pairs lost a part of a text. A scorer that does not know it counts none."""
    from curate.models.pair_tokens import PairTokens

    return int(rows.cut.sum()) if isinstance(rows, PairTokens) else 0


def count_tokens(rows: Sequence[Any]) -> int:
    """Return how many tokens prepared pairs have; 0 for a scorer that does not know it."""
    from curate.models.pair_tokens import PairTokens

    return int(rows.ids.lengths.sum()) if isinstance(rows, PairTokens) else 0


@runtime_checkable
class ReadsTokens(Protocol):
    """A scorer that can read the tokens of passages in place of their texts."""

    @property
    def max_length(self) -> int:
        """The most tokens of a pair. What a passage has beyond them is never read."""

    @property
    def passage_tokens(self) -> "TextTokens | None":
        """What makes these tokens; None if pairs have to be made of the texts."""

    def prepare_tokens(self, queries: Sequence[str], passages: "Ragged", pairs: "Ints", /) -> Sequence[Any]:
        """Return what `prepare` returns of the texts with these tokens."""


@runtime_checkable
class Remarks(Protocol):
    """A scorer that has something to say about its scores."""

    def remarks(self) -> list[str]:
        """Return what was odd about the scores of this process, as sentences without their end."""


class Source(Protocol):
    """Where a scorer comes from, and how it scores. Nothing is loaded yet."""

    @property
    def name(self) -> str:
        """The name by which a message calls it."""

    @property
    def spec(self) -> Spec:
        """How the scorer scores."""

    @property
    def options(self) -> ScorerOptions:
        """The options that find a scorer of the same fingerprint again."""

    def path(self, root: Path, /) -> str:
        """Return the name that finds it again from the workspace `root`."""

    def fingerprint(self, settings: Mapping[str, Any], /) -> str:
        """Return the fingerprint of a scorer from here that scores with `settings`."""

    def scorer_id(self, fingerprint: str, /) -> str:
        """Return the id of a scorer with this fingerprint."""

    def open(self) -> PairScorer:
        """Return the scorer, loaded for this machine."""


@dataclass(frozen=True)
class ScorerFolder:
    """A model in a folder. It satisfies `Source`."""

    name: str
    folder: Path
    spec: ScorerSpec | CausalSpec | LibrarySpec
    options: ScorerOptions
    root: Path
    """The workspace, which keeps scorers in int8."""

    def path(self, root: Path) -> str:
        """Return the hub name or the folder. A folder in the workspace is relative to it, so both can be moved."""
        return path_below(root, self.folder, self.name)

    def fingerprint(self, settings: Mapping[str, Any]) -> str:
        """Return the fingerprint of the files in the folder with `settings`."""
        return fingerprint(self.folder, settings)

    def scorer_id(self, fingerprint: str) -> str:
        """Return the folder's name with the first 8 digits of the fingerprint."""
        return model_id(self.folder, fingerprint)

    def open(self) -> PairScorer:
        """Return the model, loaded. Raises BadInput if it cannot score, and BadSettings if the back end cannot."""
        backend = self.options.backend
        if backend != "torch":
            self.for_openvino()
        if isinstance(self.spec, CausalSpec):
            from curate.models.causal_scorer import CausalScorer

            return CausalScorer(self.folder, self.spec)
        if isinstance(self.spec, LibrarySpec):
            from curate.models.sentence_transformers_scorer import SentenceTransformersScorer

            return SentenceTransformersScorer(self.folder, self.spec)
        if (self.folder / FOLDS).is_file():
            from curate.models.fold_scorer import FoldScorer

            return FoldScorer(self.folder, self.spec, backend, self.root)
        from curate.models.cross_encoder import CrossEncoder

        return CrossEncoder(self.folder, spec=self.spec, backend=backend, root=self.root)

    def for_openvino(self) -> ScorerSpec:
        """Return how a cross-encoder scores; raises BadSettings for other models, which torch alone computes."""
        if not isinstance(self.spec, ScorerSpec):
            raise BadSettings(
                f"{self.name} is no cross-encoder that {self.options.backend} could compute. {BY_TORCH}"
            )
        return self.spec


def in_float32(source: Source) -> PairScorer:
    """Return the scorer as torch computes it in float32; that of a server as it is."""
    if isinstance(source, ScorerFolder):
        source = replace(source, options=replace(source.options, backend="torch"))
    with computing_in_float32():
        return source.open()


def find_source(name: str, root: Path, options: ScorerOptions = AS_FOUND) -> Source:
    """Return the source that `name` means: an address, a folder (looked up below `root` first) or a hub name.

    Raises NotAvailable if there is no such model, BadAnswer if there is no such server, BadInput if it does not
    score pairs, and BadSettings for options that do not suit it.
    """
    if is_address(name):
        from curate.models.served.scorer import find_served

        return find_served(name, root, options)
    folder = with_base(model_folder(name, root), root)
    spec = read_spec(first_judge(folder), options)
    return ScorerFolder(name, folder, spec, replace(options, max_length=spec.max_length), root)


def read_spec(folder: Path, options: ScorerOptions = AS_FOUND) -> ScorerSpec | CausalSpec | LibrarySpec:
    """Return how the model in `folder` scores. Raises as `find_source` does."""
    check_kind(folder, CROSS_ENCODER, MODULAR, CAUSAL, CAUSAL_RERANKER)
    kind, length = kind_of(folder)[0], options.max_length
    if kind in (CAUSAL, CAUSAL_RERANKER):
        if found := read_causal_spec(folder, length, options.instruction, options.relevant_class):
            return found
    elif kind != MODULAR or read_head(folder):
        if options.instruction is not None:
            raise BadSettings(
                f"{folder.name} is no causal language model, so --instruction has nobody to instruct"
            )
        return read_scorer_spec(folder, length, options.relevant_class)
    return read_library_spec(folder, length, options.instruction, options.relevant_class)
