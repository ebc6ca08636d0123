"""`curate annotate page`: a sample as one HTML page, which works without a network and keeps the verdicts itself.

Its one script and its one style are named by their hashes in the page's policy, so that nothing in a text can run.
The texts stand in the page as data, and the script shows them as text only.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from curate.annotate.sheet import Sheet
from curate.counted import counted
from curate.errors import BadSettings
from curate.shards import digest, write_text
from curate.suggest import curate_command
from curate.workspace import Workspace, check_output

NOTHING_ELSE = "base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class WrittenPage:
    """The outcome of `write_page`."""

    sample_id: str
    path: str
    pairs: int

    def text(self) -> str:
        """Return the outcome for a terminal."""
        return (
            f"{self.path}: {counted(self.pairs, 'pairs')} of sample {self.sample_id}. Open it in a browser, "
            f"judge, and download the verdicts.\nNext: {curate_command('annotate', 'import', 'FILE')}"
        )


def write_page(
    workspace: Workspace,
    path: Path | str,
    sample: str | None = None,
    *,
    annotator: str | None = None,
    force: bool = False,
) -> WrittenPage:
    """Write the page of a sample, or of the newest one, to the file `path`.

    annotator: the name that the page begins with; it asks if there is none. The page has the texts and ids of the
    pairs, and neither scores nor ranks nor decisions. Raises BadSettings if there is no such sample, or if the
    file exists and `force` is false.
    """
    target = Path(path)
    check_output(target)
    if target.is_dir():
        raise BadSettings(f"{target} is a folder. Give a file in it")
    if target.exists() and not force:
        raise BadSettings(f"{target} exists already. Give another file, or replace it with --force")
    sheet = Sheet.of(workspace, sample, annotator or "")
    write_text(target.resolve(), page(sheet))
    return WrittenPage(sheet.sample_id, str(path), len(sheet.pairs))


def page(sheet: Sheet) -> str:
    """Return the page of a sheet. It begins with the verdicts that the annotator gave already."""
    from jinja2 import Environment
    from markupsafe import Markup

    style, script = (_text(name) for name in ("page.css", "page.js"))
    pairs = [vars(pair) for pair in sheet.pairs]
    known = [[*pair, relevant] for pair, relevant in sheet.verdicts.items()]
    data = {
        "sample": sheet.sample_id,
        "identity": digest(sheet.sample_id, pairs)[:16],  # the browser keeps the verdicts under it
        "annotator": sheet.annotator,
        "pairs": pairs,
        "verdicts": known,
    }
    template = Environment(autoescape=True).from_string(_text("page.html"))
    return template.render(
        sample=sheet.sample_id,
        policy=f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; {NOTHING_ELSE}",
        style=Markup(style),  # noqa: S704 - files of this package
        script=Markup(script),  # noqa: S704
        data=Markup(_as_data(data)),  # noqa: S704 - no character in it can end the element
    )


def _text(name: str) -> str:
    return files("curate.annotate").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _as_data(value: object) -> str:
    """Return JSON that can stand in an element of HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
