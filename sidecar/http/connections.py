"""Connections before a request: how many are accepted, and the answer to clients that do not speak HTTP.

Routes see only requests that were parsed. `aiohttp` would answer what it cannot parse with its version and an echo, and
log it with a traceback. Without a limit on connections, idle ones use up the file descriptors of the whole process, and
the operator's listener with it.
"""

import asyncio
import resource
from collections.abc import Callable
from typing import cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.web_request import BaseRequest
from yarl import URL

from sidecar.http.address import address_key
from sidecar.http.errors import error_response
from sidecar.http.quotas import Shares

BANNER = "reverb-sidecar"
OPERATOR_MAX = 100
"""Maximum connections to a listener that only operators and Prometheus reach."""

HEAD_WITHIN_S = 20.0
"""Timeout from connecting, or from a request's first byte, to the end of its head. `aiohttp` has no such limit."""

_KEEPALIVE_S = 75.0
"""Longer than the idle timeout of common proxies (60 s): the proxy closes first. `aiohttp`'s default is an hour."""
_RESERVED = 2 * OPERATOR_MAX + 56
"""File descriptors for the operators' listeners, the journal and Python itself."""
_PUBLIC_MAX = 10_000
_STREAMS_SHARE = 2
"""One in so many connections may be a stream: the others remain for webhooks, acks and reads."""
_ADDRESS_SHARE = 2
"""One address may hold one in so many connections, so that it alone cannot keep Stripe out."""
_ADDRESS_STREAMS_SHARE = 4
"""One address may hold one in so many streams: an office behind one address has many pages, but not all."""


def public_max() -> int:
    """Return the maximum connections to the public listener: the process's file descriptors less the reserved ones."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = _PUBLIC_MAX + _RESERVED if soft == resource.RLIM_INFINITY else soft
    return max(16, min(_PUBLIC_MAX, descriptors - _RESERVED))


def streams_max() -> int:
    """Return how many connections to the public listener may be streams."""
    return public_max() // _STREAMS_SHARE


def address_max(proxies: int) -> int | None:
    """Return how many connections to the public listener one address may hold; None: all come from the proxies."""
    return None if proxies else public_max() // _ADDRESS_SHARE


def address_streams_max() -> int:
    """Return how many streams one client's address may hold."""
    return max(1, streams_max() // _ADDRESS_STREAMS_SHARE)


def raise_descriptors() -> None:
    """Raise the soft limit of file descriptors to the hard one, up to what all connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _PUBLIC_MAX + _RESERVED
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


_NO_PATH = URL("/*")
"""In place of what has no path: there is nothing there, as at any other unknown path."""


class Connection(web.RequestHandler):
    """One client's connection, with a timeout for the head of each request.

    `aiohttp` has no public event for the end of a head. The timer therefore runs from the first byte that arrives
    between two requests until the handler of the next one begins.
    """

    __slots__ = (
        "_address",
        "_body",
        "_head_timer",
        "_head_within_s",
        "_is_answering",
        "_refuse",
        "_shares",
        "_when_lost",
    )

    def __init__(
        self,
        server: web.Server,
        loop: asyncio.AbstractEventLoop,
        head_within_s: float,
        shares: Shares | None = None,
        refuse: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # documented: None is no access log
            keepalive_timeout=_KEEPALIVE_S,
            lingering_time=1.0,
            auto_decompress=False,
            max_line_size=4096,
            max_field_size=4096,
            max_headers=64,
        )
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_within_s = head_within_s
        self._body: StreamReader | None = None
        """The body of the last request; what arrives before its end is no head."""
        self._is_answering = False
        self._when_lost: Callable[[], None] | None = None
        self._shares, self._refuse = shares, refuse
        self._address: str | None = None
        """Whose share it is of; None: of nobody's."""

    def when_lost(self, act: Callable[[], None]) -> None:
        """Call `act` when the connection is lost: a long response would notice it only at its next write."""
        self._when_lost = act

    def begin_request(self, body: StreamReader) -> None:
        """Stop the timeout: a head has ended, and its handler begins."""
        self._stop_waiting()
        self._body = body
        self._is_answering = True

    def end_request(self) -> None:
        """Note that the handler has ended."""
        self._is_answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timeout of the first head, or close the connection of an address that holds its share already."""
        super().connection_made(transport)
        if self._shares is not None:
            peer = transport.get_extra_info("peername")
            address = address_key(str(peer[0]) if peer else "")
            if not self._shares.take(address):
                self._refuse()
                cast("asyncio.Transport", transport).abort()
                return
            self._address = address
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, and start the timeout if a head begins with it."""
        if not self._is_answering and (self._body is None or self._body.is_eof()):
            self._await_head()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the timeout, and notify the response that is being sent."""
        self._stop_waiting()
        if self._shares is not None and self._address is not None:
            self._shares.give_back(self._address)
            self._address = None
        super().connection_lost(exc)
        if self._when_lost is not None:
            self._when_lost()

    def _await_head(self) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(self._head_within_s, self.force_close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer a request that could not be parsed. `exc` and `message` would echo it."""
        del exc, message
        if request.writer.output_size > 0:
            error = "the response has already begun"
            raise ConnectionError(error)
        response = error_response(
            "request_invalid", "this is not an HTTP/1.1 request, or its head is too large", status
        )
        response.headers["Server"] = BANNER
        response.force_close()
        return response


def with_path(message: RawRequestMessage) -> RawRequestMessage:
    """Return a request as one for a path: `OPTIONS *` and `CONNECT` have none.

    The router of `aiohttp` would answer them itself, without the limits, and repeat an expectation.
    """
    path = message.url.relative().raw_path if message.url.absolute else message.url.raw_path
    return message if path.startswith("/") else message._replace(url=_NO_PATH)


class Refused(asyncio.Protocol):
    """A connection above the limit. It is closed at once: an answer would need the missing resources."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        cast("asyncio.Transport", transport).abort()  # uvloop's transports inherit from no class of asyncio
