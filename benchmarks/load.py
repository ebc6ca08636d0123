"""Load synthetic passages and compare with a bare `json.loads` loop over the same file, in the same run.

    python benchmarks/load.py [PASSAGES]

Prints rows/s, processor time and peak memory of a `curate load` process; where other work shares the
processors, the processor time is what can be compared. The default, a million passages of about 500
characters, needs some 2 GB in the temporary folder.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

WORDS = 20_000
CHARACTERS = 500
CURATE = "from curate.cli.main import main; main()"


def generate(path: Path, passages: int) -> None:
    """Write `passages` random passages of about CHARACTERS characters, with titles, as JSON lines."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 10))) for _ in range(WORDS)]
    with path.open("w", encoding="utf-8") as file:
        for number in range(passages):
            text = " ".join(draw.choices(words, k=CHARACTERS // 7)).capitalize() + f", {number}."
            file.write(json.dumps({"_id": f"p{number}", "title": draw.choice(words), "text": text}) + "\n")


@dataclass(frozen=True)
class Cost:
    """What one way to read the file took."""

    seconds: float
    processor_seconds: float
    peak_gib: float | None = None


def bare_loop(path: Path) -> Cost:
    """Return what a loop of json.loads over the lines takes."""
    started, processor = time.perf_counter(), time.process_time()
    with path.open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)
    return Cost(time.perf_counter() - started, time.process_time() - processor)


def curate_load(folder: Path, path: Path) -> Cost:
    """Return what a process takes that loads `path` into a new workspace."""
    subprocess.run([sys.executable, "-c", CURATE, "init", str(folder)], check=True, stdout=subprocess.DEVNULL)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", CURATE, "-q", "-C", str(folder), "load", "--passages", str(path)]
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1 << 20))


def main() -> None:
    """Run the comparison and print a table."""
    passages = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "corpus.jsonl"
        generate(path, passages)
        megabytes = path.stat().st_size / 1e6
        costs = {
            "json.loads loop": bare_loop(path),
            "curate load": curate_load(Path(temporary) / "workspace", path),
        }
    print(f"{passages:,} passages, {megabytes:,.0f} MB, {os.cpu_count()} cores")
    print(f"{'':16}{'seconds':>9}{'rows/s':>11}{'MB/s':>8}{'processor s':>13}{'peak GiB':>10}")
    for name, cost in costs.items():
        rates = f"{passages / cost.seconds:11,.0f}{megabytes / cost.seconds:8,.0f}"
        peak = "" if cost.peak_gib is None else f"{cost.peak_gib:.2f}"
        print(f"{name:16}{cost.seconds:9.1f}{rates}{cost.processor_seconds:13.1f}{peak:>10}")


if __name__ == "__main__":
    main()
