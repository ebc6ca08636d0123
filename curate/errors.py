"""The errors that curate raises, with their codes and the exit codes of the command line.

CurateError (1: the work failed, and the message says why)
├── BadSettings (2: a command, an option or curate.toml is invalid)
│   ├── NoWorkspace (no folder here or above is a workspace)
│   ├── UnknownName (nothing has that name; the message has names that there are)
│   ├── StepMissing (an earlier step of the work is not done; the message has its command)
│   └── StaleModel (the existing model of that name was made from other settings or tables)
├── UnsoundJudge (a scorer ranks worse than the retriever; the message says what helps)
├── BadInput (3: a file does not hold what it should; the message names file and line)
│   ├── RejectedRows (a load rejects more rows than --max-rejects allows)
│   └── Damaged (a file of the workspace is missing, or is not what was written)
├── NotAvailable (4: this machine lacks a library or a model)
│   └── BadAnswer (a server does not answer, or not with what it should)
├── WorkspaceBusy (5: another process is writing to the workspace)
├── NoSpace (6: the disk is full or read-only, or memory ran out)
└── NotMet (7: what was asked of the data does not hold; nothing was changed)

`code` names the kind of an error. The command line prints it, and `curate explain CODE` explains it.
"""


class CurateError(Exception):
    """The work failed. The message says what was found, what was expected and what to run next.

    what: the message without its place and without the command.
    file, line: the place in a file, if the error has one; lines count from 1.
    run: the command to run next, if there is exactly one.
    """

    exit_code = 1
    code = "failed"

    def __init__(
        self, what: str = "", *, file: object = None, line: int | None = None, run: str | None = None
    ) -> None:
        self.what, self.run = what, run
        self.file, self.line = None if file is None else str(file), line
        super().__init__(what)

    @property
    def where(self) -> str | None:
        """The place as `file` or `file:line`, or None."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    def __str__(self) -> str:
        """Return the whole message: the place, what is wrong and the command."""
        placed = f"{self.where}: {self.what}" if self.where else self.what
        return f"{placed.removesuffix('.')}. Run: {self.run}" if self.run else placed


class BadSettings(CurateError):
    """A command, an option or `curate.toml` is invalid."""

    exit_code = 2
    code = "bad-settings"


class NoWorkspace(BadSettings):
    """No folder here or above is a workspace."""

    code = "no-workspace"


class UnknownName(BadSettings):
    """Nothing has that name: a run, cutoffs, a query, a table, a job. The message has names that there are."""

    code = "unknown-name"


class StepMissing(BadSettings):
    """An earlier step of the work is not done. The message has its command."""

    code = "step-missing"


class StaleModel(BadSettings):
    """The existing model of that name was made from other settings or tables."""

    code = "stale-model"


class UnsoundJudge(CurateError):
    """A scorer ranks worse than the retriever on queries that it has not seen. Its scores are kept."""

    code = "unsound-judge"


class BadInput(CurateError):
    """A file does not hold what it should. The message names the file and, where there is one, the line."""

    exit_code = 3
    code = "bad-input"


class RejectedRows(BadInput):
    """A load rejects more rows than `max_rejects` allows. The message lists the first with their places."""

    code = "rejected-rows"

    def __str__(self) -> str:
        """Return the message, which has the place of each row."""
        return self.what


class Damaged(BadInput):
    """A file of the workspace is missing, or is not what was written. The message names it."""

    code = "damaged"


class NotAvailable(CurateError):
    """This machine lacks a library or a model."""

    exit_code = 4
    code = "not-available"


class BadAnswer(NotAvailable):
    """A server does not answer, or not with what it should. The message has route, status and what came."""

    code = "bad-answer"


class WorkspaceBusy(CurateError):
    """Another process is writing to this workspace."""

    exit_code = 5
    code = "busy"


class NoSpace(CurateError):
    """The disk is full, read-only or not writable for this user, or memory ran out."""

    exit_code = 6
    code = "no-space"


class NotMet(CurateError):
    """What was asked of the data does not hold, such as a precision that no cutoff has. Nothing was changed."""

    exit_code = 7
    code = "not-met"
