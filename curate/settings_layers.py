"""Settings from several places: the default, `curate.toml`, another file, and single keys. The last one wins."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from curate.config import Settings, explain, read_settings
from curate.errors import BadSettings

Layer = tuple[str, dict[str, Any]]
"""Where settings come from, and what they are, as in TOML."""


def layers(root: Path, file: Path | None, keys: Sequence[tuple[str, str]]) -> list[Layer]:
    """Return the settings of the workspace in `root`, of `file` and of the keys (KEY=VALUE, its origin).

    Raises BadSettings for a file that is missing, broken or has an unknown key, and for a key without a value.
    """
    found = [(str(path), _toml(path)) for path in (root / "curate.toml", file) if path]
    return [*found, *((origin, _key(text, origin)) for text, origin in keys)]


def combined(layers: Sequence[Layer]) -> Settings:
    """Return the settings that the layers give together; raises BadSettings with the layer that is wrong."""
    merged: dict[str, Any] = {}
    settings = Settings()
    for origin, values in layers:
        merged = _merged(merged, values)
        try:
            settings = Settings.model_validate(merged)
        except ValidationError as error:
            raise BadSettings(f"{origin}: {explain(error, Settings)}") from error
    return settings


def origins(layers: Sequence[Layer]) -> dict[str, tuple[Any, str]]:
    """Return key -> (value, the place that it comes from, or "default") of every setting, in their order."""
    from_where = {key: origin for origin, values in layers for key in _paths(values)}
    flat = _flat(combined(layers))
    return {key: (value, from_where.get(key, "default")) for key, value in flat}


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BadSettings(f"--config: no file '{path}'")
    read_settings(path)  # for its errors
    return tomllib.loads(path.read_text("utf-8"))


def _key(text: str, origin: str) -> dict[str, Any]:
    """Return {a: {b: c}} for "a.b=c". A value that is not TOML is a text: retriever=dense needs no quotes."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise BadSettings(f"{origin}: expected KEY=VALUE, such as mine.depth=50, found '{text}'")
    nested: Any = _value(value.strip())
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    found: dict[str, Any] = nested
    return found


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, ValueError):
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(under[key], value) if _are_tables(under.get(key), value) else value
        for key, value in over.items()
    }
    return {**under, **both}


def _are_tables(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def _paths(values: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield from _paths(value, f"{above}{key}.") if isinstance(value, dict) else [above + key]


def _flat(settings: BaseModel, above: str = "") -> Iterator[tuple[str, Any]]:
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        yield from _flat(value, f"{above}{key}.") if isinstance(value, BaseModel) else [(above + key, value)]
