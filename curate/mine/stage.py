"""`curate mine`: the passages that a retriever finds for the questions of a split become candidates.

Everything that is found is kept at its rank, labelled positives and duplicates included: the view
`decisions` marks them, and they never become negatives.
"""

import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from curate.config import EMBEDDING, Mine
from curate.errors import BadSettings
from curate.job_record import Record
from curate.jobs import Job
from curate.mine.bm25_run import bm25_job, mine_bm25
from curate.mine.candidates import Questions
from curate.mine.dense_run import dense_job, mine_dense
from curate.mine.embeddings import passage_shards
from curate.mine.hybrid_run import hybrid_job, mine_hybrid
from curate.progress import SILENT, Progress, duration
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.models.encoder import Encoder


@dataclass(frozen=True)
class Mined:
    """A run, and what it found."""

    run_id: str
    retriever: str
    split: str
    depth: int
    queries: int
    candidates: int
    empty: int
    """Queries for which nothing was found."""
    seconds: float
    """Of the whole call; of a run that was there, of its last step."""
    already: bool
    """Whether the run was there, so that nothing was done."""
    sources: tuple[str, ...] = ()
    """The runs that a hybrid run unites."""
    index: str | None = None
    recall: float | None = None
    """Of an approximate index: recall@depth against exact search, on a sample of the queries."""
    passages_encoded: int = 0
    passages_truncated: int = 0
    """Of these: longer than the encoder's maximum, and cut there."""
    encode_seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: Record, already: bool) -> "Mined":
        """Return what the record of a run says."""
        names = {field.name for field in fields(cls)}
        facts = {name: fact for name, fact in record.facts.items() if name in names}
        for name in ("sources", "notes"):
            facts[name] = tuple(facts.get(name) or ())
        return cls(**facts, seconds=record.seconds, already=already)

    def text(self) -> str:
        """Return the outcome for a terminal; the last line is the next command."""
        done = "Already mined" if self.already else "Mined"
        lines = [
            f"{done}: {self.candidates:,} candidates for {self.queries:,} queries of '{self.split}'.",
            f"Run: {self.run_id}",
        ]
        if self.sources:
            lines.append(f"It unites {' and '.join(self.sources)}.")
        if self.empty:
            lines.append(f"{self.empty:,} queries have no candidate{self._why_empty()}.")
        if self.recall is not None:
            lines.append(f"Index {self.index}: recall@{self.depth} {self.recall:.3f} against exact search.")
        if self.passages_truncated:
            lines.append(f"{self.passages_truncated:,} passages were longer than the encoder reads, and were cut.")
        lines += [f"{note}." for note in self.notes]
        lines += [] if self.already else [self._pace()]
        return "\n".join([*lines, f"Next: {self._next()}"])

    def _why_empty(self) -> str:
        return ": no passage shares a word with them" if self.retriever == "bm25" else ""

    def _pace(self) -> str:
        embedded = ""
        if self.passages_encoded and self.encode_seconds:
            rate = self.passages_encoded / self.encode_seconds
            embedded = f"; {self.passages_encoded:,} passages embedded, {rate:,.0f} a second"
        return f"Took {duration(self.seconds)}{embedded}."

    def _next(self) -> str:
        if self.split == "unlabeled":
            return "curate augment"
        if self.split != "train":
            return f"curate evaluate --split {self.split}"
        return "curate train cross-encoder, or curate denoise --scorer MODEL"


@dataclass(frozen=True)
class Request:
    """What is to be mined: the settings, the questions and, where one is needed, the encoder."""

    settings: Mine
    questions: Questions
    encoder: "Encoder | None"

    @classmethod
    def of(cls, workspace: Workspace, split: str, **options: Any) -> "Request":
        """Return the request that options and `curate.toml` make; raises BadSettings if it cannot be met."""
        settings = workspace.settings.mine.about(options.get("encoder"), workspace.root).override(**options)
        passage_shards(workspace)  # says what to do when there are none
        questions = Questions(workspace, split)
        if settings.retriever == "bm25":
            return cls(settings, questions, None)
        if not settings.encoder:
            raise BadSettings(f"retriever '{settings.retriever}' needs a model: --encoder FOLDER-OR-HUB-NAME")
        from curate.models.encoder import Encoder

        recipe = {name: getattr(settings, name) for name in EMBEDDING}
        return cls(settings, questions, Encoder.open(settings.encoder, workspace.root, **recipe))

    @property
    def dense(self) -> dict[str, Any]:
        """The settings that a dense run's record shows: as given, for whoever mines like it again."""
        names = ("depth", "index", *EMBEDDING)
        shown = {name: value for name in names if (value := getattr(self.settings, name)) is not None}
        return {**shown, "encoder": self.encoder.path} if self.encoder else shown

    def jobs(self) -> list[Job]:
        """Return the jobs of the request, the one that answers it last."""
        if not self.encoder:
            return [bm25_job(self.questions, self.settings.depth)]
        dense = dense_job(self.questions, self.encoder, self.dense)
        if self.settings.retriever == "dense":
            return [dense]
        sources = [bm25_job(self.questions, self.settings.depth), dense]
        return [*sources, hybrid_job(self.questions, [job.job for job in sources], self.dense)]

    def run(self, progress: Progress) -> Record:
        """Mine what is not there yet; return the record of the run that answers the request."""
        if not self.encoder:
            return mine_bm25(self.questions, self.settings.depth, progress)
        if self.settings.retriever == "dense":
            return mine_dense(self.questions, self.encoder, self.dense, progress)
        sources = [
            mine_bm25(self.questions, self.settings.depth, progress),
            mine_dense(self.questions, self.encoder, self.dense, progress),
        ]
        return mine_hybrid(self.questions, sources, self.dense, progress)


def mine(
    workspace: Workspace,
    *,
    split: str = "train",
    retriever: str | None = None,
    encoder: str | None = None,
    depth: int | None = None,
    index: str | None = None,
    pooling: str | None = None,
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    normalize: bool | None = None,
    query_max_length: int | None = None,
    passage_max_length: int | None = None,
    progress: Progress = SILENT,
) -> Mined:
    """Write a run: the `depth` best passages of the collection for every query of `split`.

    What is None stands in `curate.toml`. A hybrid run is the union of a BM25 and a dense run, up to twice
    `depth` a query. The same call again computes nothing. Raises BadSettings where there are no passages, no
    queries of the split or no encoder, NotAvailable without the model or faiss, BadInput for a model that
    cannot be computed. Source: RocketQA (NAACL 2021) 3.2, whose candidates are the top-k of the retriever.
    """
    request = Request.of(
        workspace,
        split,
        retriever=retriever,
        encoder=encoder,
        depth=depth,
        index=index,
        pooling=pooling,
        query_prompt=query_prompt,
        passage_prompt=passage_prompt,
        normalize=normalize,
        query_max_length=query_max_length,
        passage_max_length=passage_max_length,
    )
    already, started = request.jobs()[-1].record is not None, time.monotonic()
    mined = Mined.of(request.run(progress), already)
    return mined if already else replace(mined, seconds=round(time.monotonic() - started, 3))
