"""The "did you mean" part of error messages about unknown names."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the known name most similar to `word`, or a list of all known names."""
    names = list(known)
    near = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names) or 'none'}"
