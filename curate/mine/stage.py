"""`curate mine`: the passages that a retriever finds for the queries of a split become candidates.

Every passage that is found is kept at its rank, including labelled positives and duplicates. The view `decisions`
marks those, and they never become negatives.
"""

import time
from dataclasses import dataclass, fields, replace
from typing import Unpack

from curate.counted import counted
from curate.job_record import Record
from curate.mine.agreement import VectorAgreement
from curate.mine.embeddings import is_embedded
from curate.mine.forecast import bm25_seconds, embedding_pace, search_seconds
from curate.mine.request import MineOptions, MineRequest
from curate.passages import passage_shards
from curate.plan import Plan, tokens_of
from curate.progress import SILENT, Progress, duration
from curate.suggest import curate_command
from curate.workspace import Workspace


@dataclass(frozen=True)
class Mined:
    """The outcome of `mine`: a run, and what it found."""

    run_id: str
    retriever: str
    split: str
    depth: int
    queries: int
    candidates: int
    empty: int
    """Queries for which nothing was found."""
    seconds: float
    """The duration of the whole call or, for an existing run, of the job that wrote it."""
    already: bool
    """Whether the run already existed, so that nothing was done."""
    sources: tuple[str, ...] = ()
    """The runs whose union a hybrid run is."""
    language: str | None = None
    """The language whose stemmer BM25 used, or `none`; None if BM25 is not among the retrievers."""
    index: str | None = None
    copies_left_out: int = 0
    """Queries whose own copy, the passage with their id and text, is left out of their candidates."""
    recall: float | None = None
    """The recall@depth of an approximate index against exact search, on a sample of the queries."""
    passages_encoded: int = 0
    passages_truncated: int = 0
    """Encoded passages that were longer than the encoder's maximum and were cut."""
    passages_without_tokens: int = 0
    """Passages in which the encoder's tokenizer finds no token. They have no vector, and no query finds them."""
    queries_without_tokens: int = 0
    """Queries in which the encoder's tokenizer finds no token. They find nothing."""
    encode_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    agreement: VectorAgreement | None = None
    """Of an encoder that another back end than torch computes, in its first run here: how far its vectors agree
    with those of torch in float32."""

    @classmethod
    def of(cls, record: Record, already: bool) -> "Mined":
        """Return the outcome that the record of a run describes."""
        names = {field.name for field in fields(cls)}
        facts = {name: fact for name, fact in record.facts.items() if name in names}
        for name in ("sources", "notes"):
            facts[name] = tuple(facts.get(name) or ())
        if "agreement" in facts:
            facts["agreement"] = VectorAgreement.read(facts["agreement"])
        return cls(**facts, seconds=record.seconds, already=already)

    def text(self) -> str:
        """Return the outcome for a terminal; the last line is the next command."""
        done = "Already mined" if self.already else "Mined"
        lines = [
            f"{done}: {counted(self.candidates, 'candidates')} for {counted(self.queries, 'queries')} "
            f"of '{self.split}'.",
            f"Run: {self.run_id}",
        ]
        if self.sources:
            lines.append(f"It is the union of {' and '.join(self.sources)}.")
        if self.language:
            lines.append(_shown(self.language))
        if self.empty:
            lines.append(f"{counted(self.empty, 'queries have', 'query has')} no candidate{self._why_empty()}.")
        if self.copies_left_out:
            lines.append(
                f"{counted(self.copies_left_out, 'queries are passages', 'query is a passage')} too; "
                "a query's own copy is left out (to keep it: --own-copies)."
            )
        if self.recall is not None:
            lines.append(f"Index {self.index}: recall@{self.depth} {self.recall:.3f} against exact search.")
        if self.passages_truncated:
            were = counted(self.passages_truncated, "passages were", "passage was")
            lines.append(f"{were} cut to the encoder's maximum length.")
        for count, have, has, effect in (
            (self.passages_without_tokens, "passages have", "passage has", "no query finds them"),
            (self.queries_without_tokens, "queries have", "query has", "they find nothing"),
        ):
            lines += [f"{counted(count, have, has)} no token for the encoder: {effect}."] if count else []
        lines += [f"{note}." for note in self.notes]
        lines += [] if self.already else [self._pace()]
        return "\n".join([*lines, f"Next: {self._next()}"])

    def _why_empty(self) -> str:
        other = "other " if self.copies_left_out else ""
        return f": no {other}passage shares a word with them" if self.retriever == "bm25" else ""

    def _pace(self) -> str:
        embedded = ""
        if self.passages_encoded and self.encode_seconds:
            rate = self.passages_encoded / self.encode_seconds
            embedded = f"; {counted(self.passages_encoded, 'passages')} embedded, {rate:,.0f} a second"
        return f"Took {duration(self.seconds)}{embedded}."

    def _next(self) -> str:
        if not self.candidates:
            return self._instead()
        if self.split == "unlabeled":
            return "curate augment"
        if self.split != "train":
            return curate_command("evaluate", "--split", self.split)
        return "curate train cross-encoder, or curate denoise --scorer MODEL"

    def _instead(self) -> str:
        """Return what to do if nothing was found: another retriever may see more than words, or than tokens."""
        if self.retriever == "bm25":
            return curate_command("mine", "--split", self.split, "--retriever", "dense", "--encoder", "MODEL")
        return 'curate sql "from queries" and curate sql "from passages": do they belong together?'


def mine(workspace: Workspace, *, progress: Progress = SILENT, **options: Unpack[MineOptions]) -> Mined:
    """Write a run: the `depth` best passages of the collection for every query of a split.

    Options that are not given come from the settings of the workspace. A hybrid run is the union of a BM25 run and
    a dense run, with up to twice `depth` candidates per query. The same call again computes nothing. Raises
    BadSettings if there are no passages, no queries in the split or no encoder; NotAvailable if the model or faiss
    is missing; BadInput for a model that curate cannot compute. Source: RocketQA (NAACL 2021) 3.2, where the
    candidates are the top-k of the retriever.
    """
    request = MineRequest.of(workspace, **options).decided(progress)
    already, started = request.job.record is not None, time.monotonic()
    mined = Mined.of(request.run(progress), already)
    return mined if already else replace(mined, seconds=round(time.monotonic() - started, 3))


def plan_mine(workspace: Workspace, **options: Unpack[MineOptions]) -> Plan:
    """Return what `mine` with the same arguments would do; works for a few seconds if no rate is known."""
    request = MineRequest.of(workspace, **options)
    queries = len(request.queries.keys)
    job = request.job
    if job.record:
        return Plan("mine", "queries", queries, queries, 0.0, [f"The run exists: {job.name}"])
    notes = [f"Writes the run {job.name}: {counted(queries, 'queries')}, depth {request.settings.depth}."]
    if request.settings.retriever != "dense":
        notes.append(_shown(request.language))
    if request.encoder is None:
        return Plan("mine", "queries", queries, 0, bm25_seconds(workspace, request), notes)
    notes += [request.encoder.text, *request.encoder.spec.notes, *request.notes]
    if request.is_undecided:
        notes.append("Back end auto: the run decides by a measurement; this is the plan for torch.")
    searching = {source.settings["retriever"] for source in request.sources if not source.record}
    seconds: float | None = bm25_seconds(workspace, request) if "bm25" in searching else 0.0
    if "dense" not in searching:
        return Plan("mine", "queries", queries, 0, seconds, [*notes, "Its dense source exists."])
    search = search_seconds(workspace, request, request.encoder)
    seconds = None if search is None or seconds is None else seconds + search
    shards = passage_shards(workspace)
    total = sum(shard.rows for shard in shards)
    cached = sum(shard.rows for shard in shards if is_embedded(workspace, request.encoder, shard))
    rest = total - cached
    if not rest:
        return Plan("mine", "queries", queries, 0, seconds, [*notes, "Every passage is already embedded."])
    pace = embedding_pace(workspace, request.encoder)
    seconds = None if seconds is None else seconds + rest / pace.per_second
    return Plan("mine", "passages to embed", total, cached, seconds, notes, tokens_of([(rest, pace)]))


def _shown(language: str) -> str:
    if language == "none":
        return "BM25 stems no words. To stem those of a language: --language."
    return f"BM25 stems {language.capitalize()} words. Another language: --language."
