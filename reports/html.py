"""A report as one HTML page, which needs nothing from elsewhere: no script, no font, no image.

Its Content-Security-Policy allows its own style and nothing else, so that no text of a collection could load or
run
anything, even if the escaping failed.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from .document import Document, Figure
from .safe_text import visible
from .svg import svg

SIGNS = {"good": "✓", "care": "!", "bad": "✗", "unknown": "?", "plain": ""}
WORDS = {"good": "fine", "care": "with care", "bad": "bad", "unknown": "unknown", "plain": ""}
"""States without colours: a sign, and a word for those who hear the page."""


def html(document: Document) -> str:
    """Return the document as a page. Equal documents give equal bytes."""
    style = _file("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    page: str = _template().render(
        document=document, style=style, policy=policy, signs=SIGNS, words=WORDS, chart=_chart
    )
    return page


def _chart(figure: Figure, name: str) -> Markup:
    return svg(figure.chart, name) if figure.chart else Markup("")


def _harmless(value: Any) -> Any:
    """Return a value of the page without characters that could hide or turn around what it says."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        finalize=_harmless,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(_file("page.html"))


@cache
def _file(name: str) -> str:
    return files("curate.reports").joinpath(f"templates/{name}").read_text("utf-8")
