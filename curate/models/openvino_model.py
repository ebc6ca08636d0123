"""A transformer that OpenVINO computes on the CPU. Its own converter traces the loaded torch model, in memory.

OpenVINO comes with the extra `openvino`. Its import would send usage data without asking; here it sends none.
"""

import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from curate.errors import BadInput, BadSettings, NotAvailable
from curate.models.pretrained import device, last_linear
from curate.models.threads import use_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

TELEMETRY = "openvino_telemetry"
PRECISION = {"fp32": "f32", "bf16": "bf16"}


def openvino_settings() -> dict[str, str]:
    """Return the settings by which a scorer that OpenVINO computes is another one than by torch.

    Raises NotAvailable if it is not installed, and BadSettings if models do not run on the CPU.
    """
    if device() != "cpu":
        raise BadSettings(f"OpenVINO computes on the CPU, and models run on {device()} here: --device cpu")
    try:
        return {"backend": "openvino", "openvino": version("openvino")}
    except PackageNotFoundError as error:
        raise NotAvailable(
            "the back end openvino is not installed (extra [openvino])", run="pip install openvino"
        ) from error


class OpenVinoModel:
    """A model that is called as the torch model was, and gives the first of its outputs in float32."""

    def __init__(self, model: Any, example: "Mapping[str, torch.Tensor]", dtype: str, outputs: int = 0) -> None:
        """Convert `model`, which is in float32 and loses its last layer, for the number format `dtype`.

        example: the inputs of two texts or more. outputs: if the model ends in a linear layer with as many, torch
        computes that one in float32. Raises BadInput if OpenVINO cannot convert the model.
        """
        import torch

        self.config, self.name_or_path = model.config, model.name_or_path
        self.input_names = tuple(example)
        name = last_linear(model, outputs)
        self.last = model.get_submodule(name) if name else torch.nn.Identity()
        if name:
            model.set_submodule(name, torch.nn.Identity())
        openvino = _openvino()
        settings = {
            "INFERENCE_PRECISION_HINT": PRECISION[dtype],
            "INFERENCE_NUM_THREADS": use_threads(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # processes beside each other would be bound to the same cores
        }
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # of the tracer; the caller compares the results
                converted = openvino.convert_model(
                    _first_output(model, self.input_names), example_input=tuple(example.values())
                )
            self._request = openvino.Core().compile_model(converted, "CPU", settings).create_infer_request()
        except Exception as error:  # whatever it raises, it does not convert this model
            raise BadInput(
                f"OpenVINO cannot convert {self.name_or_path} ({' '.join(str(error).split())[:200]}). Let torch "
                "compute it: --backend torch"
            ) from error

    def __call__(self, **inputs: "torch.Tensor") -> "tuple[torch.Tensor]":
        """Return the model's first output, alone in a tuple."""
        import torch

        arrays = [inputs[name].numpy() for name in self.input_names]
        (found,) = self._request.infer(arrays, share_inputs=True).values()
        return (self.last(torch.from_numpy(found)),)


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


def _openvino() -> Any:
    """Return the library, imported without the package that would send data."""
    before = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # it cannot be imported, and OpenVINO does without
    try:
        import openvino
    finally:
        if before is None:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = before
    return openvino
