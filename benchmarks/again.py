"""What `curate denoise` costs when most is known: other cutoffs, and a greater depth.

    python benchmarks/again.py COLLECTION SCORER --folder DIR [--queries N]

COLLECTION is a BEIR folder, whose first train queries are mined by BM25 at depth 100. Each command runs in a
process of its own. Printed are the scores that it added to the ledger, which took a forward pass each, the seconds
of the clock and those of the processors. The first row is the start of the program alone.
"""

import argparse
import shutil
from pathlib import Path

from growth import measured
from mining import write_collection

from curate import Workspace


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=100)
    options = parser.parse_args()
    source, root = options.folder / "source", options.folder / "workspace"
    shutil.rmtree(options.folder, ignore_errors=True)
    print(write_collection(options.collection, source, options.queries, 1_000_000))
    measured(None, "init", str(root))
    measured(root, "load", str(source))
    measured(root, "mine", "--retriever", "bm25", "--depth", "100")
    print("\n| command | new scores | seconds | processor seconds |\n|---|---|---|---|")
    row(root, "--version")
    row(root, "denoise", "--scorer", str(options.scorer.resolve()), "--depth", "50")
    row(root, "denoise", "--negative-below", "0.05", "--positive-above", "0.8")
    row(root, "denoise", "--negative-below", "0.05", "--cutoffs", "strict")
    row(root, "denoise", "--depth", "100")
    row(root, "denoise", "--depth", "50")


def row(root: Path, *words: str) -> None:
    """Run a command and print its row."""
    before = scores(root)
    seconds, processors, _ = measured(root, *words)
    shown = " ".join(Path(word).name if "/" in word else word for word in words)
    print(f"| `curate {shown}` | {scores(root) - before:,} | {seconds:.2f} | {processors:.2f} |", flush=True)


def scores(root: Path) -> int:
    """Return the scores in the ledger."""
    return int(Workspace(root).sql("select count(*) from scores").item())


if __name__ == "__main__":
    main()
