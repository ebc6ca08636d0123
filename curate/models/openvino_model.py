"""A transformer that OpenVINO computes on the CPU. Its own converter traces the loaded torch model, in memory.

OpenVINO comes with the extra `openvino`. Its import would send usage data without asking; here it sends none.
"""

import sys
import warnings
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from curate.errors import BadInput, BadSettings, NotAvailable
from curate.models.pretrained import device, last_linear
from curate.models.threads import use_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import torch

INT8: Final = "openvino-int8"
"""The back end that computes the layers of a scorer in int8 (curate/models/quantize.py)."""
TELEMETRY = "openvino_telemetry"
BY_TORCH = (
    "Let torch compute it: curate mine --backend torch (an encoder), curate denoise --backend torch (a scorer), "
    'or backend = "torch" under [mine] or [denoise] in curate.toml'
)
PRECISION = {"fp32": "f32", "bf16": "bf16"}


def openvino_settings(backend: str = "openvino") -> dict[str, str]:
    """Return the settings by which a model that OpenVINO computes is another one than by torch.

    backend: the name under which it computes.

    Raises NotAvailable if it is not installed, and BadSettings if models do not run on the CPU.
    """
    if device() != "cpu":
        raise BadSettings(f"OpenVINO computes on the CPU, and models run on {device()} here: --device cpu")
    if (installed := installed_openvino()) is None:
        raise NotAvailable("the back end openvino is not installed (extra [openvino])", run="pip install openvino")
    return {"backend": backend, "openvino": installed}


def installed_openvino() -> str | None:
    """Return the version of OpenVINO that is installed here, or None."""
    try:
        return version("openvino")
    except PackageNotFoundError:
        return None


class OpenVinoModel:
    """A model that is called as the torch model was, and gives the first of its outputs in float32."""

    def __init__(
        self,
        model: Any,
        example: "Mapping[str, torch.Tensor]",
        dtype: str,
        outputs: int = 0,
        stored: "Path | None" = None,
    ) -> None:
        """Convert `model`, which is in float32, for the number format `dtype`.

        example: the inputs of two texts or more. outputs: those of the model's last linear layer, if it ends in
        one. That layer is taken out of `model`, and torch computes it in float32. stored: the file of a graph
        that was converted before. Raises BadInput if OpenVINO cannot convert the model, and BadSettings if it
        does not compute in the number format.
        """
        self.config, self.name_or_path = model.config, model.name_or_path
        self.input_names = tuple(example)
        self.last = take_last_layer(model, outputs)
        openvino = import_openvino()
        settings = {
            "INFERENCE_PRECISION_HINT": PRECISION[dtype],
            "INFERENCE_NUM_THREADS": use_threads(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # processes beside each other would be bound to the same cores
        }
        graph = None if stored else converted(model, example)
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(stored) if stored else graph, "CPU", settings)
            self._request = compiled.create_infer_request()
        except Exception as error:  # whatever it raises, it does not compute this model
            raise _cannot_convert(self.name_or_path, error) from error
        computes_in = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if computes_in != PRECISION[dtype]:
            raise BadSettings(
                f"OpenVINO computes in {computes_in} on this CPU, not in {PRECISION[dtype]}: --dtype fp32"
            )

    def __call__(self, **inputs: "torch.Tensor") -> "tuple[torch.Tensor]":
        """Return the model's first output, alone in a tuple; raises BadInput if it is not one for each text."""
        import torch

        arrays = [inputs[name].numpy() for name in self.input_names]
        try:
            (found,) = self._request.infer(arrays, share_inputs=True).values()
        except RuntimeError as error:
            raise BadInput(f"OpenVINO cannot compute {self.name_or_path} ({reason(error)}). {BY_TORCH}") from error
        if len(found) != len(arrays[0]):
            raise BadInput(
                f"OpenVINO gives {len(found)} outputs of {self.name_or_path} for {len(arrays[0])} texts. "
                f"{BY_TORCH}"
            )
        return (self.last(torch.from_numpy(found)),)


def take_last_layer(model: Any, outputs: int) -> "torch.nn.Module":
    """Take the last linear layer out of `model` and return it; without one of so many outputs, the identity."""
    import torch

    name = last_linear(model, outputs)
    last: torch.nn.Module = model.get_submodule(name) if name else torch.nn.Identity()
    if name:
        model.set_submodule(name, torch.nn.Identity())
    return last


def converted(model: Any, example: "Mapping[str, torch.Tensor]") -> Any:
    """Return OpenVINO's graph of a torch model; raises BadInput if it cannot convert it."""
    import torch

    openvino = import_openvino()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the tracer; whoever asks compares the results
            return openvino.convert_model(
                _first_output(model, tuple(example)), example_input=tuple(example.values())
            )
    except Exception as error:  # whatever it raises, it does not convert this model
        raise _cannot_convert(model.name_or_path, error) from error


def _cannot_convert(name: str, error: Exception) -> BadInput:
    return BadInput(f"OpenVINO cannot convert {name} ({reason(error)}). {BY_TORCH}")


def reason(error: Exception) -> str:
    """Return the end of a message, where OpenVINO says what is wrong."""
    return " ".join(str(error).split())[-200:]


def _first_output(model: Any, names: tuple[str, ...]) -> "torch.nn.Module":
    """Return a module that takes the inputs of `model` by position, and gives its first output."""
    import torch

    class FirstOutput(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.model(**dict(zip(names, inputs, strict=True)))[0]
            return found

    return FirstOutput().eval()


def import_openvino() -> Any:
    """Return the library, imported without the package that would send data; raises NotAvailable if it fails."""
    with without_telemetry():
        try:
            import openvino
        except ImportError as error:
            raise NotAvailable(f"OpenVINO is installed, but cannot be imported: {error}. {BY_TORCH}") from error
    return openvino


@contextmanager
def without_telemetry() -> "Iterator[None]":
    """Let the package that sends usage data be missing in the block: what is imported there does without it."""
    before = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # it cannot be imported
    try:
        yield
    finally:
        if before is None:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = before
