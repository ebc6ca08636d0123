"""The jobs that score a run's top-k by one scorer, which are known without opening a model."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from curate.jobs import Job, table_digest
from curate.shards import digest
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from curate.denoise.agreement import Agreement

UNREADABLE = "because the scorer finds no token in their query or passage"
"""Why a pair has no score although the job is on record, as the end of a sentence."""
STOPPING = (
    "name",
    "scorer_id",
    "negative_below",
    "positive_above",
    "calibration_id",
    "joined",
    "judges",
    "duplicate_above",
)
"""The values of cutoffs by which a query has enough hard negatives."""


@dataclass(frozen=True)
class Wave:
    """What is scored before a command looks at what it found: some queries, and the ranks `above` + 1 to `last`.

    The positives of these queries belong to the first ranks.
    """

    queries: Literal["every", "sample", "others", "short"]
    """`sample`: those by which the judge is measured. `others`: all but these. `short`: those of the others that
    do not have enough hard negatives up to `above`."""
    above: int
    last: int
    enough: int | None = None
    """The hard negatives that are enough for a query (`short`)."""
    cutoffs: Mapping[str, Any] = field(default_factory=dict)
    """The values of the cutoffs that decide what is a hard negative (`short`)."""

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> "Wave":
        """Return the wave of a job, from its settings."""
        return cls(**settings["wave"]) if "wave" in settings else cls("every", 0, settings.get("depth", 0))


def first_waves(depth: int, enough: int | None) -> list[Wave]:
    """Return the waves that no decision changes: all at once, or the sample and twice `enough` ranks.

    enough: None or 0 if all is scored.
    """
    if not enough or 2 * enough >= depth:
        return [Wave("every", 0, depth)]
    return [Wave("sample", 0, depth), Wave("others", 0, 2 * enough)]


def later_waves(cutoffs: Mapping[str, Any]) -> list[Wave]:
    """Return the waves that follow under `cutoffs`, a row of the table. Each one doubles the ranks looked at.

    So a query gets at most twice the scores that it needs, and there are few waves.
    """
    enough, depth = cutoffs["enough"], cutoffs["depth"]
    ends = [first_waves(depth, enough)[-1].last]
    while ends[-1] < depth:
        ends.append(min(depth, 2 * ends[-1]))
    values = {key: cutoffs.get(key) for key in STOPPING}
    return [Wave("short", above, last, enough, values) for above, last in pairwise(ends)]


@dataclass(frozen=True)
class Scored:
    """What a scorer has scored of a run."""

    scorer_id: str
    pairs: int
    scored_now: int
    seconds: float
    remarks: list[str] = field(default_factory=list)
    """What there is to say, apart from the figures below."""
    read: int = 0
    """The pairs that its jobs have read, of which `cut` had a text that was too long for `max_length` tokens."""
    cut: int = 0
    max_length: int | None = None
    unreadable: int = 0
    """The pairs that they have read and not scored."""
    agreement: "Agreement | None" = None
    """Of another back end than torch: how far its scores agree with those of torch in float32."""

    def __add__(self, other: "Scored") -> "Scored":
        """Return what the same scorer has scored in two waves; raises ValueError for two scorers."""
        if self.scorer_id != other.scorer_id:
            raise ValueError(f"scores of {self.scorer_id} and of {other.scorer_id} do not mix")
        newest = other if other.scored_now else self
        return Scored(
            self.scorer_id,
            self.pairs + other.pairs,
            self.scored_now + other.scored_now,
            self.seconds + other.seconds,
            other.remarks or self.remarks,  # they sum up all that the model has seen
            self.read + other.read,
            self.cut + other.cut,
            self.max_length or other.max_length,
            self.unreadable + other.unreadable,
            newest.agreement or other.agreement,
        )


def score_job(
    workspace: Workspace,
    run_id: str,
    depth: int,
    fingerprint: str,
    stage: str = "denoise",
    wave: Wave | None = None,
) -> Job:
    """Return the job; `fingerprint` is that of the scorer. Once it is on record, it has read every pair.

    wave: the part of the top `depth` that it scores, unless it is all of it.
    """
    inputs = {
        "candidates": table_digest(workspace, "candidates", of_jobs=[run_id]),
        **{table: table_digest(workspace, table) for table in ("qrels", "annotations", "claims")},
        "scorer": fingerprint,
    }
    part = {} if wave in (None, Wave("every", 0, depth)) else {"wave": wave and asdict(wave)}
    settings = {"run": run_id, "depth": depth, **part}
    return Job(workspace, stage, f"score-{run_id}-{digest(settings, inputs)[:8]}", settings, inputs)


def is_read(workspace: Workspace, run_id: str, cutoffs: Mapping[str, Any], fingerprints: Sequence[str]) -> bool:
    """Return whether the scorers have read all pairs that `cutoffs` ask for, so that what is unscored stays so."""
    depth, enough = cutoffs["depth"], cutoffs.get("enough")
    waves = [*first_waves(depth, enough), *later_waves(cutoffs)] if enough else []

    def has_read(fingerprint: str, wave: Wave | None = None) -> bool:
        record = score_job(workspace, run_id, depth, fingerprint, wave=wave).record
        return record is not None and "lost" not in record.facts

    return all(
        has_read(print_) or (bool(waves) and all(has_read(print_, wave) for wave in waves))
        for print_ in fingerprints
    )


@contextmanager
def ledger_before(job: Job) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open a connection whose view `ledger_shards` is the ledger as it was before a job began."""
    with job.workspace.connect_lazily() as connection:
        before = job.workspace.shards("scores", without=job.name)
        connection.read_parquet([str(path) for path in before]).create_view("ledger_shards")
        yield connection
