"""The prompt of a judge: a file of the workspace, with places for the query and the passage."""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from curate.errors import BadInput, BadSettings
from curate.shards import write_text

DEFAULT_FILE = "prompts/judge.txt"
DEFAULT = """\
You judge search results. Decide whether the passage answers the query, or at least has what a good answer needs.
A passage that is only about the same topic does not.

Query: {query}

Passage: {passage}

Does the passage answer the query? Answer with one word, yes or no.
"""
PLACE = re.compile(r"\{(query|passage)\}")


@dataclass(frozen=True)
class JudgePrompt:
    """A prompt with the places {query} and {passage}."""

    file: str
    template: str

    @property
    def sha256(self) -> str:
        """The sha256 of the file's text."""
        return sha256(self.template.encode()).hexdigest()

    def filled(self, query: str, passage: str) -> str:
        """Return the prompt for a pair. What the texts themselves hold in braces stays as it is."""
        texts = {"query": query, "passage": passage}
        return PLACE.sub(lambda place: texts[place[1]], self.template)


def read_prompt(root: Path, name: str | None) -> JudgePrompt:
    """Return the prompt in the file `name` of the workspace `root`; by default DEFAULT_FILE.

    The default file need not be there. Raises BadSettings if another one is missing, and BadInput for a file that
    is not text, or lacks a place.
    """
    file = root / (name or DEFAULT_FILE)
    try:
        template = file.read_text("utf-8")
    except FileNotFoundError as error:
        if name in (None, DEFAULT_FILE):
            return JudgePrompt(DEFAULT_FILE, DEFAULT)
        raise BadSettings(f"no file '{file}' with the prompt of the judge (--prompt)") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: the prompt of the judge cannot be read: {error}") from error
    for place in ("{query}", "{passage}"):
        if place not in template:
            raise BadInput(f"{file}: the prompt of the judge has no {place}, which stands for the text")
    return JudgePrompt(name or DEFAULT_FILE, template)


def keep_prompt(root: Path, name: str) -> None:
    """Write the default prompt into the workspace `root` if `name` is its file and there is none yet."""
    if name == DEFAULT_FILE and not (root / name).exists():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(root / name, DEFAULT)
