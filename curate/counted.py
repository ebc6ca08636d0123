"""Counts in messages: "1 query", "2,000 queries"."""


def counted(number: int, many: str, one: str | None = None) -> str:
    """Return a number with what it counts.

    many: the plural, perhaps with its verb. one: the same for a single thing, where it is more than a noun.
    """
    return f"{number:,} {many if number != 1 else one or _singular(many)}"


def _singular(many: str) -> str:
    return f"{many.removesuffix('ies')}y" if many.endswith("ies") else many.removesuffix("s")
