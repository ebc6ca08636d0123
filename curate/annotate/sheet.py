"""What an annotator sees of a sample: queries and passages in an order drawn by hash, and no more."""

from dataclasses import dataclass

from curate.annotate.sample import known_sample
from curate.workspace import Workspace

PairId = tuple[str, str]
"""The id of a query, and that of a passage."""


@dataclass(frozen=True)
class Pair:
    """A query and a passage. Neither a score nor a rank nor a decision is known here."""

    query_id: str
    passage_id: str
    query: str
    title: str
    passage: str

    @property
    def id(self) -> PairId:
        """The two ids."""
        return self.query_id, self.passage_id


@dataclass(frozen=True)
class Sheet:
    """The pairs of a sample in the order in which they are judged, and the verdicts of one annotator."""

    sample_id: str
    annotator: str
    pairs: list[Pair]
    """The passages of a query stand together."""
    verdicts: dict[PairId, bool | None]
    """Pair -> relevant, or None if the annotator was unsure. Others are not judged yet."""

    @classmethod
    def of(cls, workspace: Workspace, sample: str | None, annotator: str) -> "Sheet":
        """Return the sheet of a sample, or of the newest one; raises BadSettings if there is none."""
        name = known_sample(workspace, sample)["sample_id"]
        rows = workspace.select("annotate/sheet", sample=name, annotator=annotator).to_dicts()
        pairs = [Pair(**{key: row[key] for key in Pair.__annotations__}) for row in rows]
        verdicts = {pair.id: row["relevant"] for pair, row in zip(pairs, rows, strict=True) if row["judged"]}
        return cls(name, annotator, pairs, verdicts)
