"""Kill -9 at random moments of each stage, then the same command again: as if it had not been interrupted.

    python benchmarks/kill.py COLLECTION ENCODER SCORER --folder DIR [--kills 20] [--stages load,mine,...]

Each stage is run once undisturbed from the workspace that the stages before it made. Then, as often as asked: from
the same start, it is killed at a random moment (drawn evenly over its duration), started again and left to finish.
All Parquet tables, the trained weights and the export are compared byte for byte.
"""

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

COMPARED = ("tables/**/*.parquet", "models/*/*.safetensors", "exports/**/*")


def commands(collection: Path, encoder: str, scorer: Path) -> dict[str, list[str]]:
    """Return the stages' command lines, in the order of the work."""
    small = [
        "--groups",
        "48",
        "--negatives",
        "2",
        "--batch-groups",
        "4",
        "--max-length",
        "48",
        "--checkpoint-every",
        "2",
    ]
    return {
        "load": ["load", str(collection)],
        "mine": ["mine", "--retriever", "hybrid", "--encoder", encoder, "--depth", "20"],
        "train": ["train", "cross-encoder", *small],
        "denoise": ["denoise", "--scorer", str(scorer), "--depth", "5"],
        "augment": ["augment", "--scorer", str(scorer)],
        "export": ["export", "--format", "n-tuple"],
    }


def start(workspace: Path, arguments: list[str]) -> "subprocess.Popen[bytes]":
    """Start a command in a workspace."""
    command = [sys.executable, "-m", "curate", "-C", str(workspace), "--quiet", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(workspace: Path, arguments: list[str]) -> float:
    """Run a command to its end; return its seconds."""
    began = time.monotonic()
    process = start(workspace, arguments)
    _, said = process.communicate()
    if process.returncode:
        sys.exit(f"curate {' '.join(arguments)} ended with {process.returncode}: {said.decode()}")
    return time.monotonic() - began


def contents(workspace: Path) -> dict[str, str]:
    """Return the sha256 of every file that must not differ."""
    files = sorted(path for pattern in COMPARED for path in workspace.glob(pattern) if path.is_file())
    return {str(path.relative_to(workspace)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def copy(source: Path, target: Path) -> Path:
    """Replace `target` by a copy of `source`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def main() -> None:
    """Run every stage undisturbed, then disturbed, and print a row a stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("encoder")
    parser.add_argument("scorer", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--stages", default="load,mine,train,denoise,augment,export")
    options = parser.parse_args()
    chance = random.Random(0)
    before = options.folder.resolve() / "before"
    shutil.rmtree(before, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "curate", "init", str(before)], check=True, stdout=subprocess.DEVNULL)
    print("| stage | seconds | kills that hit | left shards of its own | not identical afterwards |")
    print("|---|---|---|---|---|", flush=True)
    for stage, arguments in commands(
        options.collection.resolve(), options.encoder, options.scorer.resolve()
    ).items():
        whole = copy(before, options.folder / "whole")
        seconds = finish(whole, arguments)
        known, expected = set(contents(before)), contents(whole)
        hit = unfinished = different = 0
        for _ in range(options.kills if stage in options.stages.split(",") else 0):
            disturbed = copy(before, options.folder / "disturbed")
            process = start(disturbed, arguments)
            time.sleep(chance.random() * seconds)
            process.send_signal(signal.SIGKILL)
            hit += process.wait() == -signal.SIGKILL
            unfinished += set(contents(disturbed)) > known
            finish(disturbed, arguments)
            if contents(disturbed) != expected:
                different += 1
                copy(disturbed, options.folder / f"different-{stage}-{different}")
        print(f"| {stage} | {seconds:.1f} | {hit} | {unfinished} | {different} |", flush=True)
        copy(whole, before)


if __name__ == "__main__":
    main()
