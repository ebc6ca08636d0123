"""`curate explain`: what the code of an error means."""

from dataclasses import dataclass

import click

from curate.cli.options import json_option, show
from curate.errors import UnknownName
from curate.nearest import nearest

CODES = {
    "usage": (2, "The command line is wrong: an unknown command or option, or a value that it cannot take.",
              "Read the help of the command: curate COMMAND --help."),
    "bad-settings": (2, "An option, an argument or a key of curate.toml cannot be meant.",
                     "Follow the message. To see every setting and where it comes from: curate config show."),
    "no-workspace": (2, "Neither the current folder nor one above it is a workspace.",
                     "Enter one, name it with -C DIR, or make one: curate init FOLDER."),
    "unknown-name": (2, "Nothing has the name that was given, such as a run, cutoffs, a query or a table.",
                     "The message has the nearest name, or all. To see runs and cutoffs: curate status."),
    "step-missing": (2, "An earlier step of the work is not done: nothing is loaded, mined or scored yet.",
                     "Run the command that the message names. To see what is done: curate status."),
    "stale-model": (2, "A model of that name exists, but it was made from other settings or other tables.",
                    "Give the new one another name with --name, or follow the message."),
    "bad-input": (3, "A file does not hold what it should. The message names the file and the line.",
                  "Correct the file, then run the same command again."),
    "rejected-rows": (3, "Rows cannot be loaded, more than --max-rejects allows. Nothing was loaded.",
                      "Correct the rows that the message names, or leave them out: curate load --max-rejects N."),
    "damaged": (3, "A file of the workspace is missing, or is not what was written. The message names the file.",
                "Run: curate rebuild. It makes the file again, or says what it needs for that."),
    "not-available": (4, "This machine lacks a library, a model or a device.",
                      "Run the command that the message names."),
    "bad-answer": (4, "A server that scores does not answer, or not as it should. The message has what came.",
                   "Mend server or address, then run the same command again. It continues where it stopped."),
    "busy": (5, "Another process is writing to this workspace. Commands that only read never wait.",
             "Wait for it, then run the same command again."),
    "no-space": (6, "The disk is full, read-only or not yours to write, or memory ran out.",
                 "Free some, then run the same command again. It continues where it stopped."),
    "not-met": (7, "What was asked of the data does not hold, such as a precision that no cutoff has.",
                "Nothing was changed. Ask for less, or give more evidence, as the message says."),
    "failed": (1, "The work failed, for example because all scores of a scorer are alike.",
               "Follow the message."),
    "unsound-judge": (1, "A scorer ranks worse than the retriever on labelled queries that it has not seen. "
                      "Its scores are kept, but no cutoffs were set.",
                      "Follow the message, or set the cutoffs all the same: curate denoise --accept-judge."),
    "interrupted": (130, "Ctrl-C (130) or SIGTERM (143) stopped the work. What was finished is kept.",
                    "Run the same command again. It continues where it stopped."),
    "bug": (70, "curate met something that nobody foresaw. Nothing that was finished is lost.",
            "Report the file with the traceback that the message names, and: curate --version --json."),
}  # fmt: skip
"""Code -> exit code, what it means, what to do. docs/errors.md has the same texts."""


@dataclass(frozen=True)
class Explained:
    """The meaning of a code."""

    code: str
    exit_code: int
    meaning: str
    remedy: str

    def text(self) -> str:
        """Return the explanation for a terminal."""
        return f"{self.code} (exit code {self.exit_code})\n\n{self.meaning}\n{self.remedy}"


@click.command()
@click.argument("code")
@json_option
def explain(code: str, as_json: bool) -> None:
    """Explain the CODE of an error, such as bad-input in "error[bad-input]: ...".

    \b
    Example:
      curate explain bad-input
    """
    name = code.removeprefix("error").strip("[]: ")
    if name not in CODES:
        raise UnknownName(f"no code '{code}': {nearest(name, CODES)}")
    show(Explained(name, *CODES[name]), as_json)
