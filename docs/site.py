"""Lay out the sources of the site below build/: `make docs` runs this, then the site's generator.

build/pages has every page at its path in the repository, so a link that works on GitHub works on the site, and
the generator checks it. build/api has the package as it is installed, for the Python reference.
"""

import ast
import re
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES, API = ROOT / "build" / "pages", ROOT / "build" / "api"
# Every page here must also be listed in the nav of mkdocs.yml.
SHOWN = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "docs/**/*",
)
NAME = re.compile(r"^::: curate\.(\w+)$", re.MULTILINE)


def main() -> None:
    """Make build/pages and build/api anew; raises SystemExit if the Python reference is incomplete."""
    for folder in (PAGES, API):
        shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(path for pattern in SHOWN for path in ROOT.glob(pattern)):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            target = PAGES / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    reference = PAGES / "docs" / "api.md"
    reference.write_text(with_modules(reference.read_text("utf-8"), public()), "utf-8")
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-dir"]
    for package, folder in sorted(folders.items()):
        target, ignored = API / package.replace(".", "/"), shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, target, ignore=ignored, dirs_exist_ok=True)


def public() -> dict[str, str]:
    """Return name -> module of what `import curate` gives: its imports for type checkers (`x as x`)."""
    tree = ast.parse((ROOT / "curate" / "__init__.py").read_text("utf-8"))
    return {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.asname == alias.name
    }


def with_modules(page: str, home: dict[str, str]) -> str:
    """Return docs/api.md with each public name in its module, because curate.mine is a function and a folder."""
    shown = set(NAME.findall(page))
    if shown != set(home):
        missing, unknown = sorted(set(home) - shown), sorted(shown - set(home))
        sys.exit(f"docs/api.md: without an entry {missing}, not in curate/__init__.py {unknown}")
    return NAME.sub(lambda match: f"::: {home[match[1]]}.{match[1]}", page)


if __name__ == "__main__":
    main()
