"""The pages' files, shipped with the package; and the browser's client, which is the very one that apps copy."""

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
_CLIENT = "payment-refresh.js"
_SOURCE = _HERE.parents[2] / "clients" / "browser" / _CLIENT
"""Where the client is in the repository; a wheel has a copy beside this file (`sources` in pyproject.toml)."""

ASSETS = {
    path.name: {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}[path.suffix]
    for path in sorted(_HERE.iterdir())
    if path.suffix in {".css", ".js", ".svg"} and path.name != _CLIENT
}
"""What is served below `/page/`, and as what: nothing else is."""


@cache
def asset(name: str) -> bytes:
    """Return one of `ASSETS`."""
    return (_HERE / name).read_bytes()


@cache
def document(name: str) -> bytes:
    """Return a page."""
    return (_HERE / name).read_bytes()


@cache
def client() -> bytes:
    """Return `clients/browser/payment-refresh.js`."""
    shipped = _HERE / _CLIENT
    return (shipped if shipped.exists() else _SOURCE).read_bytes()
