"""Try the curate that is installed beside this interpreter, away from the checkout: commands, SQL, recipes."""

import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = (
    "--version",
    "init set --recipe small",
    "-C set sql --list",
    "-C set run --help",
    "-C set sql collection",
)


def main() -> None:
    """Run the commands; raise CalledProcessError if one fails."""
    curate = Path(sys.executable).parent / "curate"
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            done = subprocess.run(
                [curate, *command.split()], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
            )
            sys.stdout.write(f"curate {command}: {done.stdout.partition(chr(10))[0]}\n")


if __name__ == "__main__":
    main()
