"""Which back end computes a model faster here: a measurement for the back end `auto`."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from curate.errors import BadInput, BadSettings, NotAvailable
from curate.models.openvino_model import openvino_settings

if TYPE_CHECKING:
    from curate.progress import Progress

ROUNDS = 3
Model = TypeVar("Model")
Work = Callable[[], Any]


def faster_model(
    by_torch: Model,
    by_openvino: Callable[[], Model],
    ready: Callable[[Model], Work],
    names: tuple[str, str],
    progress: "Progress",
) -> Model:
    """Return a model by the back end that does a piece of work faster; say which, and why.

    ready: makes a model ready for all its uses, and returns the work. names: what the model is, and what the work
    is. Raises what torch raises: then no back end computes the model.
    """
    kind, of_what = names
    cannot = f"torch computes the {kind}, because OpenVINO cannot: "
    try:
        openvino_settings()  # fails before a model is loaded
    except (NotAvailable, BadSettings) as error:
        progress.say(f"{cannot}{error}")
        return by_torch
    works = {"torch": ready(by_torch)}
    works["torch"]()
    try:
        models = {"torch": by_torch, "openvino": by_openvino()}
        works["openvino"] = ready(models["openvino"])
        works["openvino"]()
    except (NotAvailable, BadSettings, BadInput) as error:
        progress.say(f"{cannot}{error}")
        return by_torch
    seconds = shortest_seconds(works)
    faster, slower = sorted(models, key=lambda backend: seconds[backend])
    progress.say(
        f"{faster} computes the {kind}, because it took {seconds[faster]:.2g} s for {of_what}, and {slower} "
        f"{seconds[slower]:.2g} s"
    )
    return models[faster]


def shortest_seconds(works: Mapping[str, Work]) -> dict[str, float]:
    """Return the shortest time that each of the works takes; they are done in turns."""
    rounds = [{name: _seconds(work) for name, work in works.items()} for _ in range(ROUNDS)]
    return {name: min(seconds[name] for seconds in rounds) for name in works}


def _seconds(work: Work) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
