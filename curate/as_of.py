"""A workspace as it was when a job ran, in which the job can be made again with the same bytes."""

from functools import cached_property
from pathlib import Path

from curate.config import Settings
from curate.job_record import Record, outputs
from curate.shards import Shard
from curate.snapshot import Snapshot
from curate.unnamed_shards import unnamed_shards
from curate.workspace import Workspace


class AsOf(Workspace):
    """The workspace with the jobs that finished before that of `record`, and without the settings of today."""

    def __init__(self, workspace: Workspace, record: Record, folder: str = "tables") -> None:
        """Take the job to be made again, and the folder of the workspace in which it writes its shards."""
        super().__init__(workspace.root)
        self._made_by, self._folder, self._seed = record, folder, workspace.settings.seed

    @cached_property
    def settings(self) -> Settings:
        """The default settings. What decided the job stands in its record."""
        return Settings(seed=self._seed)

    @property
    def written(self) -> Path:
        """The folder in which the job writes its shards."""
        return self.root / self._folder

    @property
    def next_number(self) -> int:
        """The number that the job had: a job that is made again keeps its place."""
        return self._made_by.number

    def records(self, stage: str | None = None) -> list[Record]:
        """Return the records of the jobs that finished before; raises Damaged if one of them is lost.

        What is lost of later jobs does not matter.
        """
        before = [record for record in self.readable_records() if record.number < self._made_by.number]
        self._refuse_lost([*before, self._made_by])
        return [record for record in before if stage in (None, record.stage)]

    def complete_copies(self) -> None:
        """Leave the records of other jobs as they are."""

    def refresh_catalogue(self) -> bool:
        """Leave the catalogue as it is, because it shows the present."""
        return True

    def snapshot(self) -> Snapshot:
        """Return what counted then, and what the job has written again."""
        own = outputs(self.root, [self._made_by])

        def unnamed(table: str, named: list[Shard]) -> list[Shard]:
            return [shard for shard in unnamed_shards(self.root, table, named) if shard in own]

        return Snapshot(self.root, self.records(), unnamed)
