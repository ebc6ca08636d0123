"""Check what is published: `python .ci/check_dist.py dist`.

The wheel must hold every file of the package's folders (code, .sql, recipes, py.typed), each as it is here, and
nothing else; the sdist all of them, too; both the version of curate/__init__.py.
"""

import re
import sys
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parent.parent


def main(folder: Path) -> None:
    """Raise SystemExit, with what is wrong, unless `folder` holds one good wheel and one good sdist."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "curate/__init__.py").read_text("utf-8"), re.MULTILINE)
    version = found[1] if found else "unknown"
    if wheel.name.split("-")[1] != version or sdist.name != f"curate_ir-{version}.tar.gz":
        sys.exit(f"{wheel.name} and {sdist.name} are not of version {version}")
    wanted = expected()
    with ZipFile(wheel) as archive:
        inside = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    compare(wheel.name, wanted, inside)
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    sources = {str(path.relative_to(ROOT)) for folder in folders().values() for path in files(ROOT / folder)}
    if lacking := sorted(sources - names):
        sys.exit(f"{sdist.name} lacks {lacking}")
    kinds = sorted({name.rpartition(".")[2] for name in inside})
    sys.stdout.write(f"{wheel.name}: {len(inside)} files ({', '.join(kinds)}); {sdist.name}: {len(names)} files\n")


def folders() -> dict[str, str]:
    """Return package -> folder, as pyproject.toml lays them out."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found: dict[str, str] = settings["tool"]["setuptools"]["package-dir"]
    return found


def files(folder: Path) -> list[Path]:
    """Return all files below `folder`, except compiled Python files."""
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def expected() -> dict[str, bytes]:
    """Return name in the wheel -> content of every file of the package's folders."""
    return {
        f"{package.replace('.', '/')}/{path.relative_to(ROOT / folder).as_posix()}": path.read_bytes()
        for package, folder in folders().items()
        for path in files(ROOT / folder)
    }


def compare(name: str, wanted: dict[str, bytes], inside: dict[str, bytes]) -> None:
    """Raise SystemExit unless both hold the same files."""
    lacking, unknown = sorted(wanted.keys() - inside.keys()), sorted(inside.keys() - wanted.keys())
    other = sorted(path for path in wanted.keys() & inside.keys() if wanted[path] != inside[path])
    if lacking or unknown or other:
        sys.exit(f"{name}: lacks {lacking}, should not hold {unknown}, holds other content of {other}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
