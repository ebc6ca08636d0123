"""The history of the shell: a file of the user's, beside those of other programs, and never in a workspace."""

import os
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory


def history() -> History:
    """Return the history of all sessions, or a new one if no file can be kept."""
    with suppress(OSError, RuntimeError):  # RuntimeError: the user has no home folder
        path = place()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # what people ask may be confidential
        path.read_bytes()
        return Kept(str(path))
    return InMemoryHistory()


def place() -> Path:
    """Return the file: in $XDG_STATE_HOME or, without it, in ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if Path(state).is_absolute() else Path.home() / ".local/state") / "curate" / "sql_history"


class Kept(FileHistory):
    """A history whose file may become unwritable while the shell runs."""

    def store_string(self, string: str) -> None:
        """Append an entry to the file, if that is possible."""
        with suppress(OSError):
            super().store_string(string)
