"""The keyword arguments of the public functions: a TypedDict names them, and None means not given."""

from collections.abc import Mapping
from typing import Any

from curate.errors import BadSettings
from curate.nearest import nearest


def given_options(kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not None; raises BadSettings for a name that the TypedDict `kind` lacks."""
    for name in options:
        if name not in kind.__annotations__:
            raise BadSettings(f"unknown option '{name}': {nearest(name, kind.__annotations__)}")
    return {name: value for name, value in options.items() if value is not None}
