"""The training set: one definition, which exports, trainings and reports share (`sql/training_set`)."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from curate import sql_files

if TYPE_CHECKING:
    import duckdb

LAST = 2**31 - 1  # of keys and ranks


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What decides which positives and hard negatives the queries have. The SQL files state the rules."""

    runs: list[str]
    cutoffs: str
    """The name of the cutoffs that judge the runs; '' where nothing is judged."""
    seed: int
    """Of the draw that orders the negatives."""
    augmented: bool
    """Queries without labels take part, with their pseudo-labels."""
    promote: bool
    """False negatives are positives."""
    denoised: bool = True
    """Negatives are those that the scorer rejects; else whatever the runs found and nobody labelled."""
    depth: int = LAST
    """Negatives are ranked no deeper."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the SQL files."""
        return asdict(self)

    def create(self, connection: "duckdb.DuckDBPyConnection", *, first: int = 0, last: int = LAST) -> None:
        """Create the tables `found_pairs`, `training_positives` and `training_negatives` on a connection.

        They are temporary, and hold what concerns the queries with keys from `first` to `last`.
        """
        for path in ("training_set/found_pairs", "training_set/positives", "training_set/negatives"):
            sql_files.execute(connection, path, **self.parameters, first=first, last=last)
