"""`curate config`: the settings in force."""

from dataclasses import dataclass
from typing import Any

import click

from curate.cli.options import rows_options, show, show_rows, workspace
from curate.cli.shared_options import shared
from curate.settings_layers import layers, origins


@dataclass(frozen=True)
class Configured:
    """The settings in force, each with the place that it comes from."""

    settings: list[dict[str, Any]]

    def text(self) -> str:
        """Return one line a setting, as in TOML."""
        wide = max(len(one["key"]) for one in self.settings)
        return "\n".join(
            f"{one['key']:<{wide}} = {_toml(one['value'])}  # {one['origin']}" for one in self.settings
        )


@click.group()
def config() -> None:
    """Show the settings.

    \b
    Example:
      curate config show
    """


@config.command("show")
@rows_options()
def show_settings(form: str) -> None:
    """Show every setting with its value and the place that it comes from.

    A value of --set comes before one of --config, then come curate.toml and the default. The options of a
    command come before all of them.

    \b
    Example:
      curate config show
      curate config show --set mine.depth=50 --json
    """
    given = shared()
    found = origins(layers(workspace().root, given.config, given.settings))
    settings = [{"key": key, "value": value, "origin": origin} for key, (value, origin) in found.items()]
    if form in ("csv", "ndjson"):
        show_rows(form, settings, {})
    else:
        show(Configured(settings), form == "json")


def _toml(value: Any) -> str:
    if value is None:
        return "none"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
