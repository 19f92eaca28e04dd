"""What a browser may be made to do to a listener that is not for the public, by a page of somebody else's.

The problem: whoever sits before the console also visits other pages. Such a page can let the browser send requests to
the console's address, show the console in a frame under its own buttons, and, by pointing a name of its own at the
console's address (DNS rebinding), read the answers as if they were its own.

What we do: the Host must be a name that is ours; browsers say where a request comes from (Fetch Metadata and Origin,
https://www.w3.org/TR/fetch-metadata/), and only our own pages may send any, except that a link may lead here; and no
answer may be framed. There are no cookies: what a person may do comes with each request, from the page itself.
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
"""Of every answer that does not say otherwise, such as a page with its own policy."""

UNGUARDED = frozenset({"/metrics", "/healthz", "/readyz"})
"""What machines ask by whatever name they know us: it names nobody, and changes nothing."""

_OWN = frozenset({"same-origin", "none"})
_SAFE = frozenset({"GET", "HEAD"})

Admit = Callable[[web.Request], None]
"""Raises `SidecarError` for whom an answer is not for."""


class Guard:
    """Stands before all routes of one listener.

    `own`: the host that it listens on; `names`: others by which browsers reach it, perhaps through a proxy that asks us
    under another.
    """

    def __init__(self, own: str, names: Collection[str] = (), admit: Admit | None = None) -> None:
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._hosts = self._names | {"localhost", own.lower()}
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
        """Add the headers to an answer that is about to be sent."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)

    def _check_host(self, request: web.Request) -> None:
        """Refuse a name that is not ours. An address is nobody's name: no page can point it elsewhere."""
        host = _host(request.headers.get("Host", ""))
        if host is None or not (_is_address(host) or host in self._hosts):
            message = (
                "this name is not known to be ours: open the listener by its address or as localhost, or add the name "
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
            place = urlsplit(origin).netloc.lower()
            is_ours = place == request.headers.get("Host", "").lower() or _host(place) in self._names
            is_foreign = is_foreign or not is_ours
        if is_foreign:
            message = (
                "a page of another origin sent this: only the console's own pages may, and programs; behind a proxy, "
                "add the name that browsers see to `console.hosts`"
            )
            raise SidecarError(ErrorCode.ORIGIN_REFUSED, message)


def _host(header: str) -> str | None:
    """Return the name or address without the port; None: it is neither, and no browser would send it."""
    try:
        place = urlsplit(f"//{header}")
        place.port  # noqa: B018 - raises where what should be one is none
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
