"""The export formats, one module each. A new format needs a module and an entry in `_ALL`."""

from curate.errors import UnknownName
from curate.export.formats.beir import Beir
from curate.export.formats.dpr import Dpr
from curate.export.formats.flagembedding import FlagEmbedding
from curate.export.formats.labeled_list import LabeledList
from curate.export.formats.labeled_pair import LabeledPair
from curate.export.formats.n_tuple import NTuple
from curate.export.formats.part import Config, Format, Part
from curate.export.formats.rocketqa import RocketQaCross, RocketQaDual
from curate.export.formats.tevatron import Tevatron
from curate.export.formats.triplet import Triplet
from curate.nearest import nearest

__all__ = ["FORMATS", "Config", "Format", "Part", "format_named"]

_ALL: tuple[Format, ...] = (
    Triplet(),
    NTuple(),
    LabeledPair(),
    LabeledList(),
    Tevatron(),
    FlagEmbedding(),
    Dpr(),
    RocketQaDual(),
    RocketQaCross(),
    Beir(),
)
FORMATS: dict[str, Format] = {each.name: each for each in _ALL}


def format_named(name: str) -> Format:
    """Return the format called `name`; raises BadSettings that suggests the nearest name."""
    if name in FORMATS:
        return FORMATS[name]
    raise UnknownName(f"no format '{name}': {nearest(name, FORMATS)}")
