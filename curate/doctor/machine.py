"""Checks of the machine: torch and the device, memory, disk, threads, faiss."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from curate.counted import counted
from curate.doctor.check import Check, Figure, Subject
from curate.errors import CurateError

LIBRARIES = ("torch", "transformers", "tokenizers", "duckdb", "polars", "pyarrow", "numpy", "tantivy")
EXTRAS = {
    "sentence-transformers": "sentence-transformers",
    "peft": "peft",
    "openvino": "openvino",
    "openvino-int8": "nncf",
}
"""The name of an extra -> the library that it adds."""
DRIVER = Path("/proc/driver/nvidia/version")
MEMORY, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
GIB = 1 << 30
TOO_LITTLE, LITTLE = GIB // 2, 2 * GIB
WRONG = 1e-3  # a relative error of a matrix product that no number format of a working device explains
FAISS = "from curate.mine.faiss_search import agrees_with_exact; raise SystemExit(0 if agrees_with_exact() else 9)"
LONGEST = 120  # seconds


def examine_machine(root: Path | None) -> Subject:
    """Return the machine with its checks. root: the workspace, whose disk is looked at."""
    name = f"{platform.node()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    checks = [libraries(), *torch_checks(), memory(), disk(root or Path.cwd()), faiss()]
    return Subject("machine", name, [], checks)


def libraries() -> Check:
    """Return the versions of the libraries; red if one is missing."""
    versions = {name: _version(name) for name in (*LIBRARIES, *EXTRAS.values())}
    missing = [name for name in LIBRARIES if versions[name] is None]
    shown = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    without = [extra for extra, name in EXTRAS.items() if versions[name] is None]
    found = shown + (f"; without the extras {', '.join(without)}" if without else "")
    return Check(
        name="libraries",
        colour="red" if missing else "green",
        found=f"missing: {', '.join(missing)}; {found}" if missing else found,
        expected="all libraries that curate needs",
        why="steps fail without them",
        do=f"pip install {' '.join(missing)}" if missing else "",
        figures=dict(versions),
    )


def torch_checks() -> list[Check]:
    """Return the checks of torch, its device, number format and threads."""
    try:
        from curate.models.machine import examine_torch
        from curate.models.pretrained import number_format

        torch, dtype = examine_torch(), number_format()
    except (CurateError, ImportError, RuntimeError, OSError) as error:
        found = " ".join(str(error).split())[:300]
        why = "no model runs on this device"
        return [
            Check("device", "red", found, "a device that computes", why, "--device cpu, or install torch anew")
        ]
    driver = DRIVER.exists() and torch.device != "cuda"
    wrong = not torch.error < WRONG
    where = torch.device + (f" ({torch.name}, {_size(torch.memory or 0)} free)" if torch.name else "")
    built = f"torch {torch.version}, " + (f"built for CUDA {torch.cuda}" if torch.cuda else "built without CUDA")
    unused = "; there is an NVIDIA driver, but models do not run on a GPU" if driver else ""
    device = Check(
        name="device",
        colour="red" if wrong else "yellow" if driver else "green",
        found=f"models run on {where} in {dtype}; {built}{unused}; a matrix product errs by {torch.error:.1g}",
        expected="a GPU where there is one, and products that are right",
        why="this device computes wrong numbers" if wrong else "a CPU is 10 to 100 times slower",
        do="--device cpu; update the driver and torch" if wrong else "install torch for the CUDA of the driver",
        figures={"device": torch.device, "dtype": dtype, "error": torch.error, "gpu_free": torch.memory},
    )
    return [device, threads(torch.threads, torch.cpus)]


def threads(used: int, cpus: int) -> Check:
    """Return whether torch has as many threads as there are free CPUs."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    busy, many = load > 1.5 * cpus, used > cpus
    least = max(1, cpus - round(load)) if busy else cpus
    return Check(
        name="threads",
        colour="yellow" if many or busy else "green",
        found=f"{counted(used, 'threads')} on {counted(cpus, 'CPUs')}, of which other work keeps {load:.1f} busy",
        expected="no more threads than free CPUs",
        why="threads that wait for each other make everything slower, up to ten times",
        do="" if not (many or busy) else f"--threads {least}" if used > least else "wait for the other work",
        figures={"threads": used, "cpus": cpus, "load": load},
    )


def memory(available: int | None = None) -> Check:
    """Return whether memory is left."""
    free = _available() if available is None else available
    if free is None:
        return Check("memory", "not applicable", "this system does not say how much memory is free")
    return Check(
        name="memory",
        colour="red" if free < TOO_LITTLE else "yellow" if free < LITTLE else "green",
        found=f"{_size(free)} are free",
        expected=f"{_size(LITTLE)} or more",
        why="a model in float32 takes 4 bytes a weight, and a step that runs out of memory stops",
        do="" if free >= LITTLE else "close other programs, or use a smaller model",
        figures={"free": free},
    )


def disk(folder: Path, free: int | None = None) -> Check:
    """Return whether the disk has room."""
    left = shutil.disk_usage(folder).free if free is None else free
    return Check(
        name="disk",
        colour="red" if left < TOO_LITTLE // 4 else "yellow" if left < LITTLE else "green",
        found=f"{_size(left)} are free",
        expected=f"{_size(LITTLE)} or more",
        why="vectors, scores and trained models are written to it",
        do="" if left >= LITTLE else "free some space",
        figures={"free": left},
    )


def faiss(owners: Mapping[str, list[str]] | None = None) -> Check:
    """Return whether faiss finds what an exact search finds. It has a process of its own, since it may crash."""
    name, expected = "faiss", "the passages that an exact search finds"
    packages = sorted(set((packages_distributions() if owners is None else owners).get("faiss", [])))
    if not packages:
        return Check(name, "not applicable", "it is not installed; only --index needs it")
    figures: dict[str, Figure] = {owner: _version(owner) for owner in packages}
    if len(packages) > 1:
        return Check(
            name,
            "red",
            f"{' and '.join(packages)} are both installed, and each overwrites files of the other",
            "one of them",
            "searches may crash, or find something else",
            f"pip uninstall -y {' '.join(packages)}, then pip install faiss-cpu",
            figures,
        )
    code = _runs(FAISS)
    end = {None: "did not end", 0: "finds what an exact search finds", 9: "finds other passages"}
    return Check(
        name,
        "green" if code == 0 else "red",
        f"{packages[0]} {_version(packages[0])}, with torch, {end.get(code, f'ended with code {code}')}",
        expected,
        "runs with --index would be wrong or crash",
        "" if code == 0 else "mine with the default index (exact), or install faiss anew: pip install faiss-cpu",
        figures,
    )


def _runs(program: str) -> int | None:
    """Return the exit code of a Python program in a process of its own; None if it does not end."""
    try:
        return subprocess.run(  # noqa: S603 - our own text
            [sys.executable, "-c", program], capture_output=True, timeout=LONGEST, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def _available() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in MEMORY.read_text("ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, ValueError, KeyError):
        return None
    try:
        limit, used = (int((CGROUP / name).read_text("ascii")) for name in ("memory.max", "memory.current"))
        counts = dict(line.split() for line in (CGROUP / "memory.stat").read_text("ascii").splitlines())
        files = int(counts["active_file"]) + int(counts["inactive_file"])  # given back when memory is needed
        return min(free, limit - used + files)
    except (OSError, ValueError, KeyError):  # no container, or one without a limit ("max")
        return free


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _size(count: int) -> str:
    return f"{count / GIB:,.1f} GiB"
