"""Templates, assets and security headers: render a view as an HTTP response."""

import asyncio
import base64
import functools
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import jinja2
import msgspec
from aiohttp import hdrs, web
from markupsafe import Markup, escape

from sidecar import clock
from sidecar.console.labels import moment
from sidecar.http.connections import BANNER
from sidecar.ports import ErrorCode, SidecarError
from sidecar.wording import CHECKS, label_of

_FOLDER = Path(__file__).parent
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}
AHEAD_S = 0.08
"""Delay between the two pieces of a page that a browser opens, in seconds: it paints the first piece meanwhile. If both
arrive together, the browser lays out both before the first paint."""
_FOR_EVER = "public, max-age=31536000, immutable"
_COMPRESSION = 4
"""Of gzip: most of the gain, in a millisecond."""
_GZIP = zlib.MAX_WBITS | 16
_STYLES = "".join((_FOLDER / "styles" / name).read_text() for name in ("colours.css", "console.css", "plots.css"))
"""Inlined, because they block the first paint; the Content-Security-Policy allows them by their hash."""
_STYLES_HASH = base64.b64encode(hashlib.sha256(_STYLES.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'sha256-{_STYLES_HASH}'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Of every page and asset: no foreign content, nothing inline but the styles, no framing, no referrer."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A file that pages refer to by the hash of its content."""

    body: bytes
    kind: str
    version: str


@functools.cache
def assets() -> dict[str, Asset]:
    """Return the assets, by name."""
    found = {}
    for path in sorted((_FOLDER / "assets").iterdir()):
        if path.suffix not in _TYPES:
            continue  # a licence
        body = path.read_bytes()
        found[path.name] = Asset(body=body, kind=_TYPES[path.suffix], version=hashlib.sha256(body).hexdigest()[:12])
    return found


_CODE = re.compile(r"`([^`]{1,80})`")


def _coded(text: str) -> Markup:
    """Escape a text and mark what stands in backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before it is marked


def _address(name: str) -> str:
    return f"/assets/{name}?v={assets()[name].version}"


@functools.cache
def _templates() -> dict[str, jinja2.Template]:
    """Compile all templates once, so that no request waits for it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["coded"] = _coded
    environment.globals |= {
        "asset": _address,
        "moment": moment,
        "gate_label": label_of,
        "check_label": lambda name: CHECKS[name].label,
    }
    environment.globals["styles"] = Markup(_STYLES)  # noqa: S704 - files of this package
    return {name: environment.get_template(name) for name in environment.list_templates()}


def rendered(template: str, values: Mapping[str, object]) -> bytes:
    """Render a template. Values are escaped."""
    return _templates()[template].render(values).encode(errors="replace")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page, or a piece of one: plain and compressed."""

    plain: bytes
    zipped: bytes

    def answer(self, request: web.Request, status: int = 200) -> web.Response:
        """Return a response in the encoding that the client accepts."""
        return web.Response(body=self.body(request), status=status, headers=_headers(request))

    def body(self, request: web.Request) -> bytes:
        """Return the bytes in the encoding that the client accepts."""
        return self.zipped if _takes_gzip(request) else self.plain


class Begun:
    """A page in two pieces: the first is sent while the rest is rendered. `rest` may be called more than once."""

    def __init__(self, template: str, **values: object) -> None:
        plain = rendered(template, values)
        self._zipping = zlib.compressobj(_COMPRESSION, wbits=_GZIP)
        self.first = Page(plain=plain, zipped=self._zipping.compress(plain) + self._zipping.flush(zlib.Z_SYNC_FLUSH))

    def rest(self, template: str, **values: object) -> Page:
        """Render the last piece."""
        plain, zipping = rendered(template, values), self._zipping.copy()
        return Page(plain=plain, zipped=zipping.compress(plain) + zipping.flush())


def page(template: str, **values: object) -> Page:
    """Render a template as a page."""
    plain, zipping = rendered(template, values), zlib.compressobj(_COMPRESSION, wbits=_GZIP)
    return Page(plain=plain, zipped=zipping.compress(plain) + zipping.flush())


async def sent(request: web.Request, pieces: Iterator[Page]) -> web.StreamResponse:
    """Send a page in pieces. Each piece is rendered after the one before it was sent."""
    response = web.StreamResponse(headers={**_headers(request), hdrs.SERVER: BANNER})
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        ahead_s = AHEAD_S if request.headers.get("Sec-Fetch-Dest") == "document" else 0.0
        due_s = 0.0
        for piece in pieces:
            await asyncio.sleep(max(0.0, due_s - clock.monotonic_s()))
            await response.write(piece.body(request))
            due_s = clock.monotonic_s() + ahead_s
    await response.write_eof()
    return response


def _headers(request: web.Request) -> dict[str, str]:
    headers = {
        hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.VARY: "Accept-Encoding",
    }
    if _takes_gzip(request):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return HEADERS | headers


def _takes_gzip(request: web.Request) -> bool:
    return "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()


async def get_asset(request: web.Request) -> web.Response:
    """Return an asset; cacheable for ever if the request names its version."""
    asset = assets().get(request.match_info["name"])
    if asset is None:
        raise SidecarError(ErrorCode.NOT_FOUND, "the console has no such file")
    is_exact = request.query.get("v") == asset.version
    headers = {**HEADERS, "Cache-Control": _FOR_EVER if is_exact else "no-cache", "ETag": f'"{asset.version}"'}
    return web.Response(body=asset.body, headers=headers, content_type=asset.kind, charset="utf-8")
