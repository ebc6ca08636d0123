"""The docstrings of installed libraries: one per function, class or property, by its public name."""

import contextlib
import inspect
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

# Public modules whose import prints nothing, opens nothing and needs no network. The libraries of the models, such
# as transformers, are left out, because thousands of their docstrings come from a few templates.
MODULES = {
    "python": """
        abc argparse array ast asyncio base64 bisect builtins bz2 calendar cmath codecs collections
        collections.abc concurrent.futures configparser contextlib copy csv dataclasses datetime decimal difflib
        dis email.message email.utils enum filecmp fileinput fnmatch fractions ftplib functools gc getpass
        gettext glob graphlib gzip hashlib heapq hmac html html.parser http.client http.cookiejar http.cookies
        http.server imaplib importlib.metadata importlib.resources importlib.util inspect io ipaddress itertools
        json linecache locale logging logging.handlers lzma mailbox marshal math mimetypes mmap multiprocessing
        multiprocessing.pool multiprocessing.shared_memory numbers operator optparse os os.path pathlib pickle
        pickletools pkgutil platform plistlib poplib pprint profile pstats queue quopri random re reprlib sched
        secrets select selectors shelve shlex shutil signal smtplib socket socketserver sqlite3 ssl stat
        statistics string struct subprocess symtable sys sysconfig tarfile tempfile textwrap threading time
        timeit tokenize trace traceback tracemalloc types typing unicodedata unittest unittest.mock urllib.error
        urllib.parse urllib.request urllib.robotparser uuid warnings wave weakref webbrowser xml.dom.minidom
        xml.etree.ElementTree xml.sax zipfile zipimport zlib zoneinfo
    """,
    "numpy": """
        numpy numpy.char numpy.fft numpy.lib.array_utils numpy.lib.scimath numpy.lib.stride_tricks numpy.linalg
        numpy.ma numpy.polynomial numpy.random numpy.strings numpy.testing
    """,
    "torch": """
        torch torch.autograd torch.distributions torch.fft torch.linalg torch.nn torch.nn.functional
        torch.nn.init torch.nn.utils torch.nn.utils.rnn torch.optim torch.optim.lr_scheduler torch.random
        torch.signal.windows torch.sparse torch.special torch.utils.data
    """,
    "polars": "polars polars.selectors polars.testing",
    "pyarrow": """
        pyarrow pyarrow.compute pyarrow.csv pyarrow.dataset pyarrow.feather pyarrow.fs pyarrow.ipc pyarrow.json
        pyarrow.parquet pyarrow.types
    """,
    "duckdb": "duckdb",
    "pydantic": "pydantic",
    "click": "click",
    "rich": """
        rich rich.console rich.layout rich.live rich.markdown rich.panel rich.pretty rich.progress rich.prompt
        rich.style rich.syntax rich.table rich.text rich.traceback rich.tree
    """,
}
# Modules that C code and helpers of the standard library name as their own.
BACKSTAGE = {"posix", "posixpath", "genericpath", "thread"}


@dataclass(frozen=True)
class Docstring:
    """The docstring of one object, dedented."""

    name: str
    """The shortest public path to the object, such as `numpy.cumsum`."""
    package: str
    text: str


def docstrings(modules: Mapping[str, str] = MODULES) -> list[Docstring]:
    """Return the docstrings of `modules` (library -> names of its modules), sorted by name.

    A text with several paths in a library is kept once, under the shortest path. A library or module that is not
    installed is skipped. The same versions give the same list.
    """
    found: list[Docstring] = []
    with _no_noise():
        for library, names in modules.items():
            shortest: dict[str, str] = {}
            for name, text in _of_library(names.split()):
                known = shortest.get(text, name)
                shortest[text] = min(known, name, key=lambda path: (path.count("."), len(path), path))
            found += [Docstring(name, library, text) for text, name in shortest.items()]
    return sorted(found, key=lambda docstring: (docstring.name, docstring.text))


def _of_library(modules: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in modules:
        module = _imported(path)
        for name in sorted(set(getattr(module, "__all__", None) or dir(module))):
            member = None if name.startswith("_") else getattr(module, name, None)
            if callable(member) and _belongs(member, path):
                yield from _of_object(f"{path}.{name}", member)


def _belongs(member: Any, path: str) -> bool:
    """Return whether the module `path` is the home of `member` and does not merely import it."""
    home = getattr(member, "__module__", None)
    if not isinstance(home, str) or home.partition(".")[0].lstrip("_") in BACKSTAGE:
        return True
    if home.startswith("_") or "._" in home:
        return home.partition(".")[0].lstrip("_") == path.partition(".")[0]
    return f"{home}.".startswith(f"{path}.")


def _imported(path: str) -> Any:
    try:
        return import_module(path)
    except Exception:  # noqa: BLE001  (the demo skips a library that fails to import)
        return None


def _of_object(path: str, member: Any) -> Iterator[tuple[str, str]]:
    yield from _text(path, member)
    if inspect.isclass(member):
        # Members of a hidden base class are documented under the public class.
        owners = [member, *(base for base in member.__mro__[1:-1] if _is_hidden(base))]
        members = {key: value for owner in reversed(owners) for key, value in vars(owner).items()}
        for key in sorted(members):
            if not key.startswith("_"):
                yield from _text(f"{path}.{key}", members[key])


def _is_hidden(base: type) -> bool:
    return base.__name__.startswith("_") or base.__name__.endswith("Base") or base.__module__.startswith("_")


def _text(path: str, member: Any) -> Iterator[tuple[str, str]]:
    plain = member.__func__ if isinstance(member, staticmethod | classmethod) else member
    text = getattr(plain, "__doc__", None)
    if isinstance(text, str) and text is not type(plain).__doc__ and " at 0x" not in text:
        yield path, inspect.cleandoc(text)


@contextlib.contextmanager
def _no_noise() -> Iterator[None]:
    """Suppress the output and the warnings of libraries while they are imported."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield
