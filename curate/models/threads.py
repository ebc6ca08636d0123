"""The number of threads that torch computes with on a CPU.

Scores and vectors do not depend on it (tests/test_threads.py). Gradients do, in their last bits, so that a
training keeps the number with which it began.
"""

import os
from pathlib import Path

from curate.errors import BadSettings

VARIABLE = "CURATE_THREADS"
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def use_threads() -> int:
    """Let torch use `CURATE_THREADS` threads and return their number.

    Without that variable, torch's own number stays (`OMP_NUM_THREADS`, or one for each core), unless this process
    has fewer CPUs. Raises BadSettings if the variable is not a whole number above 0.
    """
    import torch

    if given := os.environ.get(VARIABLE):
        if not (given.isascii() and given.isdigit() and int(given)):
            raise BadSettings(f"{VARIABLE} is '{given}', expected a whole number above 0, such as 4")
        wanted = int(given)
    else:
        wanted = min(torch.get_num_threads(), cpus())
    if wanted != torch.get_num_threads():
        torch.set_num_threads(wanted)
    return wanted


def cpus(quota: Path = QUOTA) -> int:
    """Return how many CPUs this process may use: those of its affinity, within its container's quota."""
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text("ascii").split()
        return max(1, min(affine, int(allowed) // int(period)))
    except (OSError, ValueError):  # no container, or one without a quota ("max")
        return affine
