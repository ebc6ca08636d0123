"""The options that every command takes, before its name or after it: one list, added in one place."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from curate.cli import completion_values, log
from curate.cli.help import Context
from curate.nearest import nearest

ENVIRONMENT = {
    "threads": "CURATE_THREADS",
    "device": "CURATE_DEVICE",
    "devices": "CURATE_DEVICES",
    "dtype": "CURATE_DTYPE",
}
"""Options that the layers below, and the processes that they start, read from the environment."""


@dataclass
class Shared:
    """What the shared options of this call say."""

    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    bars: bool = True
    """Whether progress is drawn as bars, if stderr is a terminal."""
    color: str = "auto"
    log_file: Path | None = None
    log_format: str = "text"
    config: Path | None = None
    settings: list[tuple[str, str]] = field(default_factory=list)
    """(KEY=VALUE, where it was given), in the order in which they apply."""


def shared(context: click.Context | None = None) -> Shared:
    """Return what the shared options of the running command say."""
    found: Shared = (context or click.get_current_context()).find_root().ensure_object(Shared)
    return found


def share(command: click.Command) -> click.Command:
    """Add the shared options to a command and to all commands below it, and return it.

    An option of the command's own comes before a shared one of the same name.
    """
    own = {form for option in command.params for form in option.opts}
    command.params += [option for option in options() if not own.intersection(option.opts)]
    command.context_class = Context
    for option in command.params:
        if option.type is click.STRING:
            option.type = completion_values.TYPES.get(option.name or "", option.type)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            share(inner)
    if command.callback:
        command.callback = _begun(command.callback)
    return command


def options(*, root: bool = False) -> list[click.Option]:
    """Return the shared options; those of the root also read their environment variables."""
    return [
        _option(["-C", "directory"], _enter, metavar="DIR", type=click.Path(), is_eager=True, about="Run in DIR."),
        _option(["-q", "--quiet"], _keep, is_flag=True, about="Print only results and errors, no progress."),
        _option(["-v", "--verbose"], _add, count=True, about="Tell on stderr what is done; -vv tells more."),
        _option(["--debug"], _keep, is_flag=True, about="Show the traceback of an error."),
        _option(
            ["--progress/--no-progress", "bars"],
            _keep,
            default=True,
            about="Draw bars in a terminal, or print a line now and then, as in a log.",
        ),
        _option(
            ["--color"],
            _color,
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            about="Use colours [auto: in a terminal, unless NO_COLOR or TERM=dumb].",
        ),
        _option(
            ["--log-file"],
            _keep,
            env="CURATE_LOG_FILE",
            root=root,
            metavar="FILE",
            type=click.Path(path_type=Path),
            about="Append what is done to FILE.",
        ),
        _option(
            ["--log-format"],
            _keep,
            env="CURATE_LOG_FORMAT",
            root=root,
            type=click.Choice(["text", "json"]),
            default="text",
            about="Format of the log; json has the fields stage, run and shard [text].",
        ),
        _option(
            ["--config"],
            _keep,
            env="CURATE_CONFIG",
            root=root,
            metavar="FILE",
            type=click.Path(path_type=Path),
            about="Settings that come before those of curate.toml.",
        ),
        _option(
            ["--set", "settings"],
            _set,
            env="CURATE_SET",
            root=root,
            metavar="KEY=VALUE",
            multiple=True,
            about="A setting, such as mine.depth=50; comes before all files; may be repeated.",
        ),
        _option(
            ["--seed"],
            _seed,
            metavar="N",
            type=int,
            about="Seed of every random choice; same as --set seed=N [0].",
        ),
        _option(
            ["--threads"],
            _export,
            env="CURATE_THREADS",
            root=root,
            metavar="N",
            type=click.IntRange(1, 1024),
            about="Threads to compute with [as many as there are free cores].",
        ),
        _option(
            ["--device"],
            _export,
            env="CURATE_DEVICE",
            root=root,
            type=click.Choice(["auto", "cpu", "cuda", "mps"]),
            about="Where models run [auto: a GPU if there is one].",
        ),
        _option(
            ["--devices"],
            _export,
            env="CURATE_DEVICES",
            root=root,
            metavar="N",
            type=click.IntRange(1),
            about="Processes that run models, one for each GPU [1].",
        ),
        _option(
            ["--dtype"],
            _export,
            env="CURATE_DTYPE",
            root=root,
            type=click.Choice(["auto", "bf16", "fp32"]),
            about="Number format of models [auto].",
        ),
    ]


def _option(
    names: list[str],
    callback: Callable[..., Any],
    *,
    env: str = "",
    root: bool = False,
    about: str,
    **facts: Any,
) -> click.Option:
    shown = f"{about} [env: {env}]" if env else about
    variable = env if env and root else None
    return click.Option(names, expose_value=False, callback=callback, envvar=variable, help=shown, **facts)


def _begun(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return `work`, which begins once all shared options are known, wherever they were given."""

    def begun(*arguments: Any, **options: Any) -> Any:
        context = click.get_current_context()
        if context.invoked_subcommand:  # which begins the log itself
            return work(*arguments, **options)
        given = shared(context)
        with log.opened(given.log_file, given.log_format, given.verbose, context.command_path):
            return work(*arguments, **options)

    begun.__doc__ = work.__doc__
    return begun


def _is_given(context: click.Context, option: click.Parameter) -> bool:
    return context.get_parameter_source(option.name or "") not in (ParameterSource.DEFAULT, None)


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if _is_given(context, option):
        setattr(shared(context), option.name or "", value)


def _add(context: click.Context, _option: click.Parameter, value: int) -> None:
    shared(context).verbose += value


def _set(context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> None:
    from_environment = context.get_parameter_source("settings") is ParameterSource.ENVIRONMENT
    shared(context).settings += [(text, "CURATE_SET" if from_environment else "--set") for text in value]


def _seed(context: click.Context, _option: click.Parameter, value: int | None) -> None:
    if value is not None:
        shared(context).settings.append((f"seed={value}", "--seed"))


def _color(context: click.Context, option: click.Parameter, value: str) -> None:
    """Have click and rich follow the choice: both read these variables."""
    if _is_given(context, option) and value != "auto":
        shared(context).color = value
        _setenv(context, "NO_COLOR", "1" if value == "never" else None)
        _setenv(context, "FORCE_COLOR", "1" if value == "always" else None)
        context.find_root().color = value == "always"


def _export(context: click.Context, option: click.Parameter, value: Any) -> None:
    if _is_given(context, option):
        _setenv(context, ENVIRONMENT[option.name or ""], str(value))


def _setenv(context: click.Context, name: str, value: str | None) -> None:
    """Set a variable until the command ends, or delete it."""
    before = os.environ.get(name)
    context.find_root().call_on_close(lambda: _put(name, before))
    _put(name, value)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _enter(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        os.chdir(value)
    except OSError as error:
        hint = _near(Path(value)) if isinstance(error, FileNotFoundError) else error.strerror
        raise click.BadParameter(f"cannot enter the folder '{value}': {hint}", context) from error


def _near(path: Path) -> str:
    """Return the folder beside `path` that is named most like it, or what there is."""
    with suppress(OSError):
        beside = sorted(inner.name for inner in path.absolute().parent.iterdir() if inner.is_dir())
        return nearest(path.name, [name for name in beside if not name.startswith(".")])
    return "it does not exist"
