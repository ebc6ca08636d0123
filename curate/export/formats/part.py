"""The protocol of an export format: the files that it consists of, and the texts that describe it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Part:
    """One file of an export.

    A Parquet part keeps one file per block (`data/train.parquet` -> `data/train-00000-of-00003.parquet`). The
    blocks of a part of lines are joined into one file.
    """

    path: str
    query: str
    """The file in `sql/` that selects its rows. For a part of lines: one column, lines with their line ends."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    config: str | None = None
    """Its configuration name for `datasets.load_dataset`."""
    over: Literal["queries", "passages"] = "queries"
    header: str = ""
    is_rows: bool = False
    """Whether its rows are the training rows, which are counted."""
    shape: "Callable[[pa.Table], pa.Table] | None" = field(default=None, compare=False)
    """A transformation that SQL cannot do: here Arrow makes columns whose number depends on a setting."""

    @property
    def is_parquet(self) -> bool:
        """Whether each block stays a file of its own."""
        return self.path.endswith(".parquet")

    def file(self, number: int, blocks: int) -> str:
        """Return the path, below the export, of the file that block `number` writes."""
        if not self.is_parquet:
            return f".blocks/{self.path}-{number:05d}"
        return f"{self.path.removesuffix('.parquet')}-{number:05d}-of-{blocks:05d}.parquet"

    @property
    def pattern(self) -> str:
        """The glob pattern, below the export, of all its files."""
        return f"{self.path.removesuffix('.parquet')}-*.parquet" if self.is_parquet else self.path


class Format(Protocol):
    """A file layout that trainers read. Each has one module and is listed in `curate.export.formats`."""

    name: str
    """The name for `--format`."""
    trainers: str
    """The trainers that read it."""
    needs_negatives: bool
    """Whether a query without negatives is left out, because it has no row or its loader cannot read it."""
    unit: str
    """The unit in which its blocks are counted."""
    loading: str
    """Markdown that explains how a trainer loads the folder."""

    def parts(self, negatives: int) -> list[Part]:
        """Return the files for up to `negatives` negatives per query, the training rows first."""
        ...
