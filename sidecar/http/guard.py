"""Protection of the operator listener against pages of other origins in an operator's browser.

The problem: a person who uses the console also visits other pages. Such a page can make the browser send requests to
the console's address (CSRF), show the console in a frame under its own buttons (clickjacking), and, with a name that
resolves to the console's address (DNS rebinding), read the answers.

What we do: the Host must be a known name. Browsers send the origin of a request (Fetch Metadata and Origin,
https://www.w3.org/TR/fetch-metadata/): only the console's own pages may send requests, except that links may lead to
it. No answer may be framed. There are no cookies: the page sends the token with each request.
"""

import ipaddress
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web

from sidecar.ports import ErrorCode, SidecarError

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Default headers of every answer; a page with its own policy replaces them."""

UNGUARDED = frozenset({"/metrics", "/healthz", "/readyz"})
"""Paths for machines, under any Host: they contain no personal data and change nothing."""

_OWN = frozenset({"same-origin", "none"})
_PORTS = {"http": 80, "https": 443}
_SAFE = frozenset({"GET", "HEAD"})

Admit = Callable[[web.Request], None]
"""Raises `SidecarError` for a client without access."""


class Guard:
    """Check the requests to all routes of one listener.

    `own`: the host that it listens on; `places`: other origins by which browsers reach it, for example through a proxy.
    A name without a scheme is its https origin.
    """

    def __init__(self, own: str, places: Collection[str] = (), admit: Admit | None = None) -> None:
        self._origins = frozenset(_origin(place if "://" in place else f"https://{place}") for place in places)
        self._hosts = {urlsplit(origin).hostname for origin in self._origins} | {"localhost", own.lower()}
        self._own = frozenset({"localhost", own.lower()})
        self._admit = admit

    def check(self, request: web.Request) -> None:
        """Raise `SidecarError` with `host_refused` or `origin_refused`, or as `admit` does."""
        if request.path in UNGUARDED:
            return
        self._check_host(request)
        self._check_origin(request)
        if self._admit is not None:
            self._admit(request)

    async def adorn(self, _: web.Request, response: web.StreamResponse) -> None:
        """Add the default headers to an answer."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)

    def _check_host(self, request: web.Request) -> None:
        """Refuse unknown names. Addresses are accepted: no page can make one resolve to another."""
        host = _host(request.headers.get("Host", ""))
        if host is None or not (_is_address(host) or host in self._hosts):
            message = (
                "this host name is not known: open the listener by its address or as localhost, or add the name "
                "to `console.hosts`"
            )
            raise SidecarError(ErrorCode.HOST_REFUSED, message)

    def _check_origin(self, request: web.Request) -> None:
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        is_link = (
            request.method in _SAFE
            and request.headers.get("Sec-Fetch-Mode") == "navigate"
            and request.headers.get("Sec-Fetch-Dest", "document") == "document"
        )
        is_foreign = site is not None and site not in _OWN and not is_link
        if origin is not None:
            is_foreign = is_foreign or not self._is_own(origin, request.headers.get("Host", ""))
        if is_foreign:
            message = (
                "a page of another origin sent this: only the console's pages and programs may; behind a proxy, "
                "add the origin that browsers see to `console.hosts`"
            )
            raise SidecarError(ErrorCode.ORIGIN_REFUSED, message)

    def _is_own(self, origin: str, host: str) -> bool:
        """Return whether a page of this origin is the console's: a configured one, or the Host by which it asks."""
        try:
            origin = _origin(origin)
        except ValueError:
            return False
        if origin in self._origins:
            return True
        name, place = _host(host), urlsplit(origin)
        is_here = name is not None and (_is_address(name) or name in self._own)
        return is_here and origin == _origin(f"{place.scheme}://{host}")


def _origin(url: str) -> str:
    """Return an origin with its port only if it is not the scheme's own. Raises `ValueError` for a malformed one."""
    parts = urlsplit(url.lower())
    if parts.scheme not in _PORTS or not parts.hostname or parts.path or parts.query or parts.username is not None:
        message = "no origin of a page"
        raise ValueError(message)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.rstrip(".")
    return f"{parts.scheme}://{host}:{parts.port or _PORTS[parts.scheme]}"


def _host(header: str) -> str | None:
    """Return the name or address without the port; None: it is malformed, and no browser would send it."""
    try:
        place = urlsplit(f"//{header}")
        place.port  # noqa: B018 - raises if it is malformed
    except ValueError:
        return None
    host = place.hostname
    return host.rstrip(".") if host and place.netloc == header and place.username is None else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
