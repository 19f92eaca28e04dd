"""What comes before a request: how many may connect, and what is said to those who do not speak HTTP.

Routes and middlewares see only requests that were parsed. What could not be parsed would be answered by `aiohttp` with
its version and an echo, and logged with a traceback; and without a bound on connections, idle ones use up the
descriptors of the whole process, the operator's included.
"""

import asyncio
import resource
from collections.abc import Callable

from aiohttp import web
from aiohttp.web_request import BaseRequest

from sidecar.http.errors import error_response

BANNER = "reverb-sidecar"
OPERATOR_MAX = 100
"""Connections to a listener that only our own people and Prometheus reach."""

HEAD_WITHIN_S = 20.0
"""From connecting, or from a request's first byte, to the end of its head. `aiohttp` has no such limit."""

_KEEPALIVE_S = 75.0
"""Longer than the idle time of common proxies (60 s): the proxy closes first. `aiohttp`'s own is an hour."""
_OURS = 2 * OPERATOR_MAX + 56
"""Descriptors that are not for the public: the operators' listeners, the journal, and what Python needs."""
_PUBLIC_MAX = 10_000
_STREAMS_SHARE = 2
"""One in so many connections may be a stream: the others stay for webhooks, acks and reads."""


def public_max() -> int:
    """Return how many may connect to the public listener: what the process may open, less what is not for them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    may_open = _PUBLIC_MAX + _OURS if soft == resource.RLIM_INFINITY else soft
    return max(16, min(_PUBLIC_MAX, may_open - _OURS))


def streams_max() -> int:
    """Return how many of the public's connections may be streams."""
    return public_max() // _STREAMS_SHARE


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_head_timer", "_head_within_s", "_when_lost")

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop, head_within_s: float) -> None:
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
        self._when_lost: Callable[[], None] | None = None

    def when_lost(self, act: Callable[[], None]) -> None:
        """Act when the connection is lost: whoever answers for long would notice it only when it writes again."""
        self._when_lost = act

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun and not ended must end in time."""
        super().data_received(data)
        waiter = self._waiter  # its own: whoever waits for a request that is not whole
        if waiter is not None and not waiter.done():
            self._await_head()
        elif self._head_timer is not None and self._request_count:
            self._stop_waiting()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the wait, and tell who answers for long."""
        self._stop_waiting()
        super().connection_lost(exc)
        if self._when_lost is not None:
            self._when_lost()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self._head_within_s, self.force_close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what could not be parsed in our own words. `exc` and `message` would echo it."""
        del exc, message
        if request.writer.output_size > 0:
            error = "an answer is on its way already"
            raise ConnectionError(error)
        response = error_response("request_invalid", "this is no request of HTTP/1.1, or too large a head", status)
        response.headers["Server"] = BANNER
        response.force_close()
        return response


class Refused(asyncio.Protocol):
    """A connection too many: it is closed at once, because an answer would cost what is missing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()
