"""Draw the pictures of README: a workspace's report in a terminal, and the first screen of the same as a page.

    python docs/pictures.py WORKSPACE

Chromium takes the picture of the page. Nothing of the collection is in them but counts.
"""

import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from curate import Workspace
from curate.cli.main import run
from curate.reports.page import Page
from curate.reports.report_rows import overview
from curate.reports.terminal import block, first_screen, setting_line

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 100
SHOWN = ("naive_negatives", "denoised_by_rank")
FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def main(workspace: Workspace) -> None:
    """Write both pictures."""
    PICTURES.mkdir(exist_ok=True)
    terminal(workspace, PICTURES / "report.svg")
    page(workspace, PICTURES / "page.png")


def terminal(workspace: Workspace, path: Path) -> None:
    """Write what the terminal shows first, without fonts from elsewhere."""
    console = Console(
        width=WIDTH, record=True, file=StringIO(), force_terminal=True, highlight=False, markup=False
    )
    shown, found = Page(console), overview(workspace)
    shown.print(Text("$ curate report\n"), Text(setting_line(found.reports["headline"].setting)), Text())
    shown.print(first_screen(shown, found))
    for name in SHOWN:
        shown.print(Text(), block(shown, found.reports[name], WIDTH))
    path.write_text(FONT.sub("", console.export_svg(title="curate report")), "utf-8")


def page(workspace: Workspace, path: Path) -> None:
    """Write the first screen of the page."""
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("the picture of the page needs chromium")
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        run(["-C", str(workspace.root), "report", "-o", str(report)])
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,820"]
        files = [f"--user-data-dir={folder}/profile", f"--screenshot={path}", report.as_uri()]
        subprocess.run([chromium, *options, *files], check=True, capture_output=True)  # noqa: S603 - its own words


if __name__ == "__main__":
    main(Workspace(sys.argv[1]))
