"""The pages' files, shipped with the package; the browser's client, as apps copy it; and the words of the tables."""

from functools import cache
from pathlib import Path

import msgspec

from sidecar import wording

_HERE = Path(__file__).parent
_CLIENT = "payment-refresh.js"
_WORDING = "wording.js"
_SOURCE = _HERE.parents[2] / "clients" / "browser" / _CLIENT
"""Where the client is in the repository; a wheel has a copy beside this file (`sources` in pyproject.toml)."""

ASSETS = {
    path.name: {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}[path.suffix]
    for path in sorted(_HERE.iterdir())
    if path.suffix in {".css", ".js", ".svg"} and path.name != _CLIENT
} | {_WORDING: "text/javascript"}
"""The files served below `/page/`, with their content types."""


@cache
def asset(name: str) -> bytes:
    """Return one of `ASSETS`."""
    return _wording() if name == _WORDING else (_HERE / name).read_bytes()


def _wording() -> bytes:
    """Return the tables of `sidecar.wording` that the pages read, as a JavaScript module."""
    tables = {"MODES": wording.MODES, "REASONS": wording.REASONS}
    return b"".join(b"export const %s = %s;\n" % (name.encode(), msgspec.json.encode(t)) for name, t in tables.items())


@cache
def document(name: str) -> bytes:
    """Return a page."""
    return (_HERE / name).read_bytes()


@cache
def client() -> bytes:
    """Return `clients/browser/payment-refresh.js`."""
    shipped = _HERE / _CLIENT
    return (shipped if shipped.exists() else _SOURCE).read_bytes()
