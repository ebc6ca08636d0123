"""The definition of the training set that exports, trainers and reports share (`sql/training_set`)."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from curate import sql_files

if TYPE_CHECKING:
    import duckdb

DEFINITION = 3
"""The number of the rules in `sql/training_set`: it rises when the same tables give another set."""
LAST = 2**31 - 1  # the largest possible key or rank


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The settings that decide which positives and hard negatives a query has. The SQL files state the rules."""

    runs: list[str]
    cutoffs: str
    """Name of the cutoffs that decide about the candidates of the runs; '' if nothing is scored."""
    seed: int
    """Seed of the draw that orders the negatives."""
    augmented: bool
    """Include queries without labels, with their pseudo-labels."""
    promote: bool
    """Use false negatives as extra positives."""
    denoised: bool = True
    """Take only hard negatives that the cutoffs confirm, not every unlabelled candidate."""
    depth: int = LAST
    """Take negatives only from ranks up to this one."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the SQL files."""
        return asdict(self)

    def create(self, connection: "duckdb.DuckDBPyConnection", *, first: int = 0, last: int = LAST) -> None:
        """Create the temporary tables `found_pairs`, `training_positives` and `training_negatives`.

        They hold only the queries with keys from `first` to `last`.
        """
        for path in ("training_set/found_pairs", "training_set/positives", "training_set/negatives"):
            sql_files.execute(connection, path, **self.parameters, first=first, last=last)
