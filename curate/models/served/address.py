"""The address of a served scorer: http://host:port/path#model."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from curate.errors import BadSettings

SCHEMES = ("http://", "https://")
EXPECTED = "expected http://HOST:PORT#MODEL, such as http://localhost:8080#BAAI/bge-reranker-v2-m3"


@dataclass(frozen=True)
class Address:
    """Where a server listens, and which of its models is meant."""

    secure: bool
    host: str
    port: int
    path: str
    """The path without a slash at its end: that of a route, or what its routes have in front."""
    model: str | None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    @property
    def text(self) -> str:
        """The address, which `parse_address` reads again."""
        return f"{self.origin}{self.path}{f'#{self.model}' if self.model else ''}"


def is_address(name: str) -> bool:
    """Return whether the name of a scorer is meant as an address."""
    return name.lower().startswith(SCHEMES)


def parse_address(text: str) -> Address:
    """Return the address in `text`.

    Raises BadSettings, whose message does not repeat a secret, for an address that is none, has a user name, a
    password or a query: what an address says is stored and shown.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadSettings(f"the address of the scorer is none; {EXPECTED}") from error
    if "@" in parts.netloc:
        raise BadSettings(
            "the address of the scorer has a user name or a password in it, which would be stored and shown. Put "
            "the key into the variable CURATE_SCORER_KEY, and give the address without it"
        )
    if "?" in text.partition("#")[0]:
        raise BadSettings(
            "the address of the scorer has a query ('?...'), which may hold a key. Give the address without it, "
            "and put a key into the variable CURATE_SCORER_KEY"
        )
    if not is_address(text) or not host or any(not " " < letter < "\x7f" for letter in text.partition("#")[0]):
        raise BadSettings(f"the address of the scorer is none; {EXPECTED}")
    secure = parts.scheme == "https"
    model = parts.fragment.strip() or None
    return Address(secure, host, port or (443 if secure else 80), parts.path.rstrip("/"), model)
