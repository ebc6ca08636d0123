"""The connection of the shell: the read-only one of `curate sql`, as long as the workspace stays as it is."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from curate.cli.sql_shell import vocabulary
from curate.sandbox import read_only
from curate.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from curate.cli.sql_shell.vocabulary import Vocabulary
    from curate.job_record import Record


class Session:
    """What a shell knows of a workspace. To connect takes longer than most queries, so one serves many."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._open = ExitStack()
        self._seen: tuple[list[Record], list[Path]] | None = None
        self._connection: duckdb.DuckDBPyConnection
        self.vocabulary: Vocabulary

    def __enter__(self) -> "Session":
        """Connect."""
        self.connection()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def connection(self) -> "duckdb.DuckDBPyConnection":
        """Return a connection that sees every job that has finished, and refresh the vocabulary if one has."""
        now = self.workspace.snapshot()
        seen = (now.records, now.files())
        if seen != self._seen:
            self.close()
            self._connection = self._open.enter_context(read_only(self.workspace, now))
            self.vocabulary = vocabulary.read(self._connection)
            self._seen = seen
        return self._connection

    def close(self) -> None:
        """Close the connection; the next statement opens it anew."""
        self._seen = None
        self._open.close()
