"""The "did you mean" part of error messages about unknown names."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the known name that `word` begins, or that is most similar to it.

    Without such a name, return a list of all.
    """
    names = list(known)
    begun = [name for name in names if name.startswith(word)]
    near = begun if len(begun) == 1 else get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names) or 'none'}"
