"""Folders in a workspace into which DuckDB spills what does not fit into memory.

Each process has its own, because DuckDB reuses its file names.
"""

import os
import platform
import re
import shutil
from pathlib import Path

SPILL = ".spill-"


def spill_folder(root: Path) -> Path:
    """Return this process's folder; DuckDB makes it when it needs it."""
    return root / f"{_prefix()}{os.getpid()}"


def clear_spills(root: Path) -> None:
    """Delete the folders of processes on this machine that no longer run."""
    for folder in root.iterdir():
        process = folder.name.removeprefix(_prefix())
        if process != folder.name and process.isdecimal() and not _is_alive(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _prefix() -> str:
    """Return how this machine's folders begin; the process id follows."""
    return f"{SPILL}{re.sub('[^A-Za-z0-9._-]', '_', platform.node())}-"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
