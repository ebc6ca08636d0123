"""A cross-encoder in int8: nncf quantizes the graph that OpenVINO makes of it, calibrated on pairs.

nncf (extra `openvino-int8`) computes the calibration in float32, pair by pair, so that the graph depends on the
model and the pairs alone. It would send usage data; here it sends none.
"""

import io
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import BadInput, NoSpace, NotAvailable
from curate.models.cross_encoder import CrossEncoder
from curate.models.folder import fingerprint
from curate.models.int8_store import Calibrated, Int8Store
from curate.models.openvino_model import (
    BY_TORCH,
    INT8,
    import_openvino,
    openvino_settings,
    reason,
    without_telemetry,
)
from curate.models.pair_tokens import PairTokens
from curate.models.pretrained import computing_in_float32
from curate.models.scorer import rows_of_texts
from curate.models.scorer_spec import ScorerSpec
from curate.shards import digest

if TYPE_CHECKING:
    import pyarrow as pa

PASSES = 2
"""How often nncf reads the pairs of a transformer: for the ranges of its channels, and for those of its layers."""


def quantize(
    store: Int8Store,
    model: Path,
    spec: ScorerSpec,
    pairs: "pa.Table",
    of: tuple[str, int],
    advance: Callable[[int], None],
) -> None:
    """Keep the cross-encoder in the folder `model` in int8, calibrated on `pairs` (columns `query` and `passage`).

    of: the run of the pairs, and the depth to which they were drawn. advance: is told PASSES times of each pair.
    Raises NotAvailable if a library is missing, and BadInput if the model cannot be converted or quantized.
    """
    versions = {"openvino": openvino_settings(INT8)["openvino"], "nncf": installed_nncf()}
    openvino, nncf = import_openvino(), _import_nncf()
    with computing_in_float32():
        scorer = CrossEncoder(model, spec=spec)
    every = PairTokens.of(rows_of_texts(scorer, pairs))
    rows = every.take(np.flatnonzero(every.ids.lengths))  # the others have no score
    graph = scorer.take_graph()

    def read(at: int) -> list[Any]:
        advance(1)
        return scorer.inputs_of(rows[at : at + 1])

    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # its bars
            warnings.simplefilter("ignore")
            made = nncf.quantize(
                graph,
                nncf.Dataset(range(len(rows)), read),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(rows),
            )
    except Exception as error:  # whatever it raises, it does not quantize this model
        raise BadInput(f"nncf cannot quantize {model} ({reason(error)}). {BY_TORCH}") from error
    _name_by_place(made)
    texts = digest(*(pairs[side].to_pylist() for side in ("query", "passage")))
    origin = {"model": fingerprint(model, spec.settings()), "pairs": texts, **versions}

    def save(path: Path) -> None:
        try:
            openvino.serialize(made, str(path))
        except RuntimeError as error:
            raise NoSpace(
                f"OpenVINO cannot write {path} ({reason(error)}). Free disk space, then run the same command "
                "again."
            ) from error

    run, depth = of
    store.write(model, spec, Calibrated(run, depth, len(rows)), origin, save)


def installed_nncf() -> str:
    """Return the version of nncf; raises NotAvailable if it is not installed."""
    try:
        return version("nncf")
    except PackageNotFoundError as error:
        raise NotAvailable(
            f"nncf, which quantizes a scorer for the back end {INT8}, is not installed (extra [{INT8}])",
            run="pip install nncf",
        ) from error


def _import_nncf() -> Any:
    """Return the library, which would set the class of all loggers and write to standard output."""
    loggers = logging.getLoggerClass()
    with without_telemetry(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import nncf
        except ImportError as error:
            raise NotAvailable(f"nncf is installed, but cannot be imported: {error}. {BY_TORCH}") from error
        finally:
            logging.setLoggerClass(loggers)
    nncf.set_log_level(logging.ERROR)
    return nncf


def _name_by_place(graph: Any) -> None:
    """Name the operations by their order, because the names that they come with count what a process has made."""
    for number, operation in enumerate(graph.get_ordered_ops()):
        operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
    graph.set_friendly_name("int8")
