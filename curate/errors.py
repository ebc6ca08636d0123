"""What can go wrong, and the exit code that the command line gives it.

CurateError (1: the work failed, and curate says why)
├── BadSettings (2: a command, option or curate.toml that cannot mean anything)
│   └── StaleModel (what stands under a name was made from other settings or tables)
├── BadInput (3: data that does not hold what it claims; names file and line)
├── NotAvailable (4: a library or model that this machine lacks)
├── WorkspaceBusy (5: another process is writing here)
└── NoSpace (6: the disk is full or read-only, or memory ran out)
"""


class CurateError(Exception):
    """The work failed; the text says what was found, what was expected and what to run next."""

    exit_code = 1


class BadSettings(CurateError):
    """A command, option or `curate.toml` that cannot mean anything."""

    exit_code = 2


class StaleModel(BadSettings):
    """The model that stands under a name was made from other settings or tables."""


class BadInput(CurateError):
    """Data that does not hold what it claims; the text names file and line where there is one."""

    exit_code = 3


class NotAvailable(CurateError):
    """A library or a model that this machine lacks."""

    exit_code = 4


class WorkspaceBusy(CurateError):
    """Another process is writing to this workspace."""

    exit_code = 5


class NoSpace(CurateError):
    """The disk is full, read-only or not ours to write, or memory ran out."""

    exit_code = 6
