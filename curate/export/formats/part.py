"""The protocol of an export format: the files that it consists of, and the texts that describe it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Config:
    """A configuration for `datasets.load_dataset`, as the card names it."""

    split: str
    files: str
    """The glob pattern, below the export, of its files."""
    description: str | None
    """What tells it from another set's configuration whose files have the same names."""


@dataclass(frozen=True)
class Part:
    """One file of an export.

    A Parquet part keeps one file per block; the blocks of a part of lines are joined into one file. The finished
    files have a digest of the part's content in their names (`data/train.parquet` ->
    `data/train-<digest>-00000-of-00003.parquet`). `datasets` knows a folder that it has read by its name and by
    the names in its card, so that another set under the same name would come back as the one that was read first.
    """

    path: str
    query: str
    """The file in `sql/` that selects its rows. For a part of lines: one column, lines with their line ends."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    config: str | None = None
    """Its configuration name for `datasets.load_dataset`."""
    over: Literal["queries", "passages"] = "queries"
    split: str = "train"
    """Its split for `datasets.load_dataset`."""
    has_fixed_name: bool = False
    """Whether its readers look for this very name, so that it has no digest. The card's `description` has it."""
    header: str = ""
    separator: str = ""
    """What ends each row before its line break, and is taken away from the last one."""
    footer: str = ""
    is_rows: bool = False
    """Whether its rows are the training rows, which are counted."""
    shape: "Callable[[pa.Table], pa.Table] | None" = field(default=None, compare=False)
    """A transformation that SQL cannot do: here Arrow makes columns whose number depends on a setting."""

    @property
    def is_parquet(self) -> bool:
        """Whether each block stays a file of its own."""
        return self.path.endswith(".parquet")

    def file(self, number: int, blocks: int) -> str:
        """Return the path, below the staging folder, of the file that block `number` writes."""
        if not self.is_parquet:
            return f".blocks/{self.path}-{number:05d}"
        return f"{self.path.removesuffix('.parquet')}-{number:05d}-of-{blocks:05d}.parquet"

    def final(self, content: str, number: int, blocks: int) -> str:
        """Return the path, below the finished export, of its file `number`; `content` is the digest of all."""
        if self.has_fixed_name:
            return self.path
        stem, suffix = self.path.rsplit(".", 1)
        place = f"-{number:05d}-of-{blocks:05d}" if self.is_parquet else ""
        return f"{stem}-{content}{place}.{suffix}"

    def config_of(self, content: str) -> Config | None:
        """Return its configuration in the finished export, if it has one."""
        if not self.config:
            return None
        if self.has_fixed_name:
            return Config(self.split, self.path, f"content {content}")
        stem, suffix = self.path.rsplit(".", 1)
        return Config(self.split, f"{stem}-{content}*.{suffix}", None)


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
    """Markdown that explains how a trainer loads the folder.

    {folder} is its path, and {file} is the first file with rows.
    """

    def parts(self, negatives: int) -> list[Part]:
        """Return the files for up to `negatives` negatives per query, the training rows first."""
        ...
