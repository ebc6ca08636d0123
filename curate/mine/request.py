"""The arguments of `mine`, completed from `curate.toml`."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from curate.config import EMBEDDING, Backend, Language, Mine, Pooling, Retriever, Split
from curate.errors import BadSettings
from curate.job_record import Record
from curate.jobs import Job
from curate.mine.bm25_run import bm25_job, mine_bm25
from curate.mine.candidates import Queries
from curate.mine.dense_run import dense_job, mine_dense
from curate.mine.hybrid_run import hybrid_job, mine_hybrid
from curate.mine.language import language_of
from curate.models.trained_here import refuse_changed
from curate.options import given_options
from curate.passages import passage_shards
from curate.progress import Progress
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.mine.choose_backend import EmbeddedBy
    from curate.models.encoder import Encoder


class EmbeddingOptions(TypedDict, total=False):
    """How an encoder embeds: the fields of `curate.config.EMBEDDING`. None means that it is not given."""

    pooling: Pooling | None
    query_prompt: str | None
    passage_prompt: str | None
    normalize: bool | None
    truncate_dim: int | None
    query_max_length: int | None
    passage_max_length: int | None


class MineOptions(EmbeddingOptions, total=False):
    """The options of `mine`: the fields of `curate.config.Mine` and a split. None means that it is not given."""

    split: Split | None
    """The split whose queries are mined. The default is `train`."""
    retriever: Retriever | None
    encoder: str | None
    depth: int | None
    language: Language | None
    index: str | None
    own_copies: bool | None
    backend: Backend | None


@dataclass(frozen=True)
class MineRequest:
    """A requested run: the settings, the queries and, if the retriever needs one, the encoder."""

    settings: Mine
    queries: Queries
    encoder: "Encoder | None"
    language: Language
    """The language that BM25 works in: as in the settings, or else as a look at the passages shows."""
    kept: "EmbeddedBy | None" = None
    """What `auto` keeps; None if another back end is named, or if `auto` is still to be decided."""

    @classmethod
    def of(cls, workspace: Workspace, **options: Unpack[MineOptions]) -> "MineRequest":
        """Return the request made from options and `curate.toml`; raises BadSettings if it cannot be met."""
        given = given_options(MineOptions, options)
        split = given.pop("split", "train")
        settings = workspace.settings.mine.about(given.get("encoder"), workspace.root).override(**given)
        passage_shards(workspace)  # fails here if there are none, with the command to run
        queries = Queries(workspace, split, settings.own_copies)
        if settings.retriever == "bm25":
            return cls(settings, queries, None, _language(workspace, settings))
        if not settings.encoder:
            raise BadSettings(f"retriever '{settings.retriever}' needs a model: --encoder FOLDER-OR-HUB-NAME")
        from curate.models.encoder import Encoder

        embedding = {name: getattr(settings, name) for name in EMBEDDING}
        backend = "torch" if settings.backend == "auto" else settings.backend
        opened = Encoder.open(settings.encoder, workspace.root, backend=backend, **embedding)
        refuse_changed(workspace, opened.folder)
        request = cls(settings, queries, opened, _language(workspace, settings))
        return request._by_kept_backend(opened) if settings.backend == "auto" else request

    def _by_kept_backend(self, by_torch: "Encoder") -> "MineRequest":
        """Return the request by the back end that `auto` keeps, if there is one."""
        from curate.mine.choose_backend import kept_backend

        kept = kept_backend(
            self.queries.workspace, by_torch, lambda encoder: replace(self, encoder=encoder).job.record
        )
        return replace(self, kept=kept, encoder=kept.encoder(by_torch)) if kept else self

    @property
    def is_undecided(self) -> bool:
        """Whether the back end `auto` is still to be decided. Until then it is torch."""
        return self.encoder is not None and self.settings.backend == "auto" and self.kept is None

    def decided(self, progress: Progress) -> "MineRequest":
        """Return the request with the back end that is faster here, if `auto` is still to be decided; say why.

        Otherwise say what is to be said of the back end.
        """
        for note in self.notes:
            progress.say(note)
        if self.encoder is None or not self.is_undecided:
            return self
        from curate.mine.choose_backend import faster_encoder

        return replace(self, encoder=faster_encoder(self.queries.workspace, self.encoder, progress))

    @property
    def notes(self) -> list[str]:
        """Which back end `auto` keeps, and whether another one than before embeds all passages anew."""
        from curate.mine.choose_backend import why_anew

        is_new = self.encoder is not None and not self.is_undecided and self.job.record is None
        anew = why_anew(self.queries.workspace, self.encoder) if self.encoder and is_new else None
        return ([self.kept.text] if self.kept else []) + ([anew] if anew else [])

    @property
    def job(self) -> Job:
        """The job of the requested run; its name is the run's id."""
        sources = self.sources
        if len(sources) == 1:
            return sources[0]
        return hybrid_job(self.queries, [source.name for source in sources], self.hybrid)

    @property
    def sources(self) -> list[Job]:
        """The jobs that search: two for a hybrid run, otherwise that of the run itself."""
        found = []
        if self.settings.retriever != "dense":
            found.append(bm25_job(self.queries, self.settings.depth, self.language))
        if self.encoder:
            found.append(dense_job(self.queries, self.encoder, self.dense))
        return found

    @property
    def dense(self) -> dict[str, Any]:
        """The options of a dense run, as given, so that `augment` can mine with them again.

        Of these, only depth and index are part of the run's identity: the encoder's fingerprint covers the rest.
        """
        names = ("depth", "index", *EMBEDDING)
        shown = {name: value for name in names if (value := getattr(self.settings, name)) is not None}
        return {**shown, "encoder": self.encoder.path, "backend": self.encoder.backend} if self.encoder else shown

    @property
    def hybrid(self) -> dict[str, Any]:
        """The settings in the record of a hybrid run: those of both its sources."""
        return {**self.dense, "language": self.language}

    def run(self, progress: Progress) -> Record:
        """Mine the run and its sources, as far as they do not exist; return the record of the run."""
        if not self.encoder:
            return self._mine_bm25(progress)
        if self.settings.retriever == "dense":
            return mine_dense(self.queries, self.encoder, self.dense, progress)
        sources = [
            self._mine_bm25(progress),
            mine_dense(self.queries, self.encoder, self.dense, progress),
        ]
        return mine_hybrid(self.queries, sources, self.hybrid, progress)

    def _mine_bm25(self, progress: Progress) -> Record:
        detected = self.settings.language is None
        return mine_bm25(self.queries, self.settings.depth, self.language, progress, detected=detected)


def _language(workspace: Workspace, settings: Mine) -> Language:
    return "none" if settings.retriever == "dense" else settings.language or language_of(workspace)
