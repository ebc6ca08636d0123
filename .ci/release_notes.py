"""Print the changelog's section of a tag: `python .ci/release_notes.py v1.2.3`. Another version is an error."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main(tag: str) -> None:
    """Raise SystemExit unless `tag` is the version in curate/__init__.py and CHANGELOG.md has its section."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "curate/__init__.py").read_text("utf-8"), re.MULTILINE)
    version = found[1] if found else "unknown"
    if tag != f"v{version}":
        sys.exit(f"the tag is {tag}, the version in curate/__init__.py is {version}: expected v{version}")
    sys.stdout.write(section((ROOT / "CHANGELOG.md").read_text("utf-8"), version) + "\n")


def section(changelog: str, version: str) -> str:
    """Return the text below the heading `## [version]`; raises SystemExit if there is none."""
    for block in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, text = block.partition("\n")
        if heading.startswith(f"[{version}]") and text.strip():
            return text.strip()
    sys.exit(f"CHANGELOG.md has no section '## [{version}]' with text in it")


if __name__ == "__main__":
    main(sys.argv[1])
