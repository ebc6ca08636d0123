"""What a format is made of: files to which the blocks of an export add, and the words that explain them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Part:
    """One file of an export.

    A Parquet part keeps a file a block (`data/train.parquet` -> `data/train-00000-of-00003.parquet`); of a
    part of lines the blocks are joined to one file.
    """

    path: str
    query: str
    """Its rows: a file of `sql/`. For a part of lines it has one column, the lines with their ends."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    config: str | None = None
    """The name under which `datasets.load_dataset` finds it."""
    over: Literal["queries", "passages"] = "queries"
    header: str = ""
    is_rows: bool = False
    """Its rows are the training rows that are counted."""
    shape: "Callable[[pa.Table], pa.Table] | None" = field(default=None, compare=False)
    """What Arrow does to the relation's rows that SQL cannot: columns whose number is a setting."""

    @property
    def is_parquet(self) -> bool:
        """Whether the blocks stay files of their own."""
        return self.path.endswith(".parquet")

    def file(self, number: int, blocks: int) -> str:
        """Return the path, below the export, of what block `number` adds."""
        if not self.is_parquet:
            return f".blocks/{self.path}-{number:05d}"
        return f"{self.path.removesuffix('.parquet')}-{number:05d}-of-{blocks:05d}.parquet"

    @property
    def pattern(self) -> str:
        """The pattern, below the export, of all its files."""
        return f"{self.path.removesuffix('.parquet')}-*.parquet" if self.is_parquet else self.path


class Format(Protocol):
    """A shape in which trainers read a training set: one module each, listed in `curate.formats`."""

    name: str
    """As in `--format`."""
    trainers: str
    """Who reads it."""
    needs_negatives: bool
    """A query without a negative is left out: the loader could not read it, or there is no row to make."""
    unit: str
    """What its blocks count."""
    loading: str
    """Markdown: how a trainer loads the folder."""

    def parts(self, negatives: int) -> list[Part]:
        """Return the files, for up to `negatives` negatives a query; the training rows first."""
        ...
