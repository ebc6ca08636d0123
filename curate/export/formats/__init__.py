"""The formats in which a training set leaves: one file a format. A new one is a module and a line here."""

from difflib import get_close_matches

from curate.errors import BadSettings
from curate.export.formats.beir import Beir
from curate.export.formats.labeled_list import LabeledList
from curate.export.formats.n_tuple import NTuple
from curate.export.formats.part import Format, Part
from curate.export.formats.tevatron import Tevatron
from curate.export.formats.triplet import Triplet

__all__ = ["FORMATS", "Format", "Part", "named"]

_ALL: tuple[Format, ...] = (Triplet(), NTuple(), LabeledList(), Tevatron(), Beir())
FORMATS: dict[str, Format] = {each.name: each for each in _ALL}


def named(name: str) -> Format:
    """Return the format called `name`; raises BadSettings with the nearest name."""
    if name in FORMATS:
        return FORMATS[name]
    near = get_close_matches(name, FORMATS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(FORMATS)}"
    raise BadSettings(f"no format '{name}': {hint}")
