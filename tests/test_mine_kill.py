"""A run that is killed at random moments and ends with the same bytes."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from curate import Workspace
from curate.shards import file_sha256

Make = Callable[..., Workspace]

# Small blocks make many shards, so that kills also come between shards.
PROGRAM = """
import sys
from curate import Workspace, mine
from curate.mine import candidates
candidates.BLOCK = 4
print("ready", flush=True)
mine(Workspace(sys.argv[1]), retriever="hybrid", encoder="models/tiny", depth=20)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(make_workspace: Make, tiny_encoder: Callable[..., Path]) -> None:
    """SIGKILL comes at random moments of BM25, embedding, search and fusion. The last attempt is not killed."""
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    passages = {f"p{i}": f"{words[i % 6]} {words[i % 5]} {i % 17}" for i in range(120)}
    queries = {f"q{i}": f"{words[i % 6]} {i % 13}" for i in range(40)}
    workspace = make_workspace(passages, queries, qrels=[(f"q{i}", f"p{i}") for i in range(40)])
    (workspace.root / "models").mkdir()
    tiny_encoder("tiny").rename(workspace.root / "models" / "tiny")
    killed = workspace.root.with_name("killed")
    shutil.copytree(workspace.root, killed)

    assert run(workspace.root, None) == 0
    moments = random.Random(0)
    for _ in range(4):
        run(killed, moments.uniform(0.1, 4.0))
    assert run(killed, None) == 0

    assert contents(killed) == contents(workspace.root)


def run(root: Path, seconds: float | None) -> int:
    """Mine in a separate process that is killed after `seconds`; return its exit code."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(root)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, process.stdout:
        process.stdout.readline()
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def contents(root: Path) -> dict[str, str]:
    """Return the sha256 of every shard, embedding and file of tokens by its path, without temporary files."""
    places = ("tables/*/*/*.parquet", "embeddings/**/*.npy", "indexes/tokens/*/*.arrow")
    files = [path for place in places for path in root.glob(place)]
    return {str(path.relative_to(root)): file_sha256(path) for path in files}
