"""What torch says of this machine."""

from dataclasses import dataclass

from curate.models.pretrained import device
from curate.models.threads import cpus, use_threads

SIZE = 256


@dataclass(frozen=True)
class Torch:
    """torch on this machine."""

    version: str
    cuda: str | None
    """The version of CUDA that it was built for; None: it has none."""
    device: str
    """Where models run."""
    name: str
    """The name of the GPU; empty on a CPU."""
    memory: int | None
    """Free bytes of the GPU."""
    threads: int
    cpus: int
    """The CPUs that this process may use."""
    error: float
    """The largest relative error of a float32 matrix product on the device, against float64."""


def examine_torch() -> Torch:
    """Return what torch says, after a small computation on the device. Raises NotAvailable if that is missing."""
    import torch

    threads = use_threads()
    where = device()
    free = torch.cuda.mem_get_info()[0] if where == "cuda" else None
    return Torch(
        version=torch.__version__,
        cuda=torch.version.cuda,
        device=where,
        name=torch.cuda.get_device_name() if where == "cuda" else "",
        memory=free,
        threads=threads,
        cpus=cpus(),
        error=_error(where),
    )


def _error(where: str) -> float:
    import torch

    exact = torch.randn(SIZE, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    product = (exact.float().to(where) @ exact.float().to(where)).double().cpu()
    expected = exact @ exact
    return float((product - expected).abs().max() / expected.abs().max())
