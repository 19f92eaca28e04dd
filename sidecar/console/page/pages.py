"""Templates, assets and headers: how a view becomes an answer that no browser can be talked into misreading."""

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
from sidecar.http.connections import BANNER
from sidecar.ports import ErrorCode, SidecarError

_FOLDER = Path(__file__).parent
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}
AHEAD_S = 0.08
"""So long is a piece ahead of the next where a person opens the page: the browser paints it meanwhile. One that gets
both at once lays out both before it paints anything."""
_FOR_EVER = "public, max-age=31536000, immutable"
_COMPRESSION = 4
"""Of gzip: most of what there is to gain, in a millisecond."""
_GZIP = zlib.MAX_WBITS | 16
_STYLES = "".join((_FOLDER / "styles" / name).read_text() for name in ("console.css", "plots.css"))
"""They stand in each page, because nothing is painted before they are there; the policy names them by their hash."""
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
"""Of every page and asset: nothing from elsewhere, nothing inline but our own styles, in nobody's frame, and no word to
other sites."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A file that pages refer to by the hash of what is in it."""

    body: bytes
    kind: str
    version: str


@functools.cache
def assets() -> dict[str, Asset]:
    """Return the assets, by name."""
    found = {}
    for path in sorted((_FOLDER / "assets").iterdir()):
        body = path.read_bytes()
        found[path.name] = Asset(body=body, kind=_TYPES[path.suffix], version=hashlib.sha256(body).hexdigest()[:12])
    return found


_CODE = re.compile(r"`([^`]{1,80})`")


def _coded(words: str) -> Markup:
    """Return words in which what stands in backticks is code: the core and the doctor write so. Escaped before."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(words))))  # noqa: S704 - escaped before it is marked


def _address(name: str) -> str:
    return f"/assets/{name}?v={assets()[name].version}"


@functools.cache
def _templates() -> dict[str, jinja2.Template]:
    """Return all templates, compiled once: the event loop should not wait for that at the first request."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["coded"] = _coded
    environment.globals["asset"] = _address
    environment.globals["styles"] = Markup(_STYLES)  # noqa: S704 - our own files
    return {name: environment.get_template(name) for name in environment.list_templates()}


def rendered(template: str, values: Mapping[str, object]) -> bytes:
    """Return a page. Whatever is put in is escaped."""
    return _templates()[template].render(values).encode(errors="replace")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page, or a piece of one, that is ready to be sent: plain and compressed."""

    plain: bytes
    zipped: bytes

    def answer(self, request: web.Request, status: int = 200) -> web.Response:
        """Return it in the way that the browser takes."""
        return web.Response(body=self.body(request), status=status, headers=_headers(request))

    def body(self, request: web.Request) -> bytes:
        """Return the bytes that the browser takes."""
        return self.zipped if _takes_gzip(request) else self.plain


class Begun:
    """A page whose beginning is made, so that it can be on its way while the rest is made; more than one may be."""

    def __init__(self, template: str, **values: object) -> None:
        plain = rendered(template, values)
        self._zipping = zlib.compressobj(_COMPRESSION, wbits=_GZIP)
        self.first = Page(plain=plain, zipped=self._zipping.compress(plain) + self._zipping.flush(zlib.Z_SYNC_FLUSH))

    def rest(self, template: str, **values: object) -> Page:
        """Return what ends the page."""
        plain, zipping = rendered(template, values), self._zipping.copy()
        return Page(plain=plain, zipped=zipping.compress(plain) + zipping.flush())


def page(template: str, **values: object) -> Page:
    """Return a page from a template and what is put in."""
    plain, zipping = rendered(template, values), zlib.compressobj(_COMPRESSION, wbits=_GZIP)
    return Page(plain=plain, zipped=zipping.compress(plain) + zipping.flush())


async def sent(request: web.Request, pieces: Iterator[Page]) -> web.StreamResponse:
    """Answer with a page in pieces: none is made before the one ahead of it has left, nor sent before that is read."""
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
    """Answer with an asset; for ever, to who asks for exactly this one."""
    asset = assets().get(request.match_info["name"])
    if asset is None:
        raise SidecarError(ErrorCode.NOT_FOUND, "the console has no such file")
    is_exact = request.query.get("v") == asset.version
    headers = {**HEADERS, "Cache-Control": _FOR_EVER if is_exact else "no-cache", "ETag": f'"{asset.version}"'}
    return web.Response(body=asset.body, headers=headers, content_type=asset.kind, charset="utf-8")
