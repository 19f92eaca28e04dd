"""Server-Sent Events: every open stream of one kind of page, whatever it sends.

The problem: a stream lives as long as a page. Thousands wait at once, and each client can stop reading or vanish
without closing its connection.

What we do: nothing is queued. Each stream asks its feed for the next event when it is due or when the stream is woken,
and waits until the event has left. A client that does not read within `slow_s` is cut off, and a lost connection wakes
its stream. Comments keep an idle connection alive.
"""

import asyncio
import enum
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from sidecar import clock
from sidecar.http.address import client_address
from sidecar.http.connections import BANNER, Connection
from sidecar.http.quotas import Shares
from sidecar.parts.metrics import Counter, gauge
from sidecar.parts.part import Part
from sidecar.ports import ErrorCode, SidecarError

RETRY_MS = 3000
"""Reconnection delay of browsers."""
SLOW_S = 10.0
"""Timeout for an event to leave; then the client is cut off."""
HEARTBEAT_S = 15.0
"""Interval of comments on an idle stream: shorter than the idle timeout of common proxies (60 s), and of OFREP's
providers."""
_UNCONFIRMED_MS = 30_000
"""Timeout for TCP acknowledgements; then the connection is dead. A phone may lose its network for a while."""
_KERNEL_BYTES_MAX = 16 * 1024
"""Send buffer of the kernel for one client; there is no other buffer."""
_AT_ONCE = 50
"""Streams that are woken in one turn of the event loop: webhooks are served in between."""
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Server": BANNER,
}
"""Headers of every stream."""


class StreamKind(enum.StrEnum):
    """What a stream sends."""

    VALUES = "values"
    """The flag itself."""
    SIGNALS = "signals"
    """For OFREP: that the flags must be evaluated again."""
    CONSOLE = "console"
    """That the console must be loaded again."""


class StreamEnd(enum.StrEnum):
    """Why the sidecar refused or cut off a stream."""

    FULL = "full"
    """The maximum number of streams is open."""
    ADDRESS_FULL = "address_full"
    """The client's address has the maximum number open."""
    STOPPING = "stopping"
    """This process is shutting down."""
    SLOW = "slow"
    """The client did not read in time."""


Feed = Callable[[float], tuple[bytes | None, float]]
"""Returns, from the present on the monotonic clock, the event to send now (None: nothing is due) and the instant at
which it must be called again. It is also called when the stream is woken."""


class SseConnection:
    """The connection of one open stream."""

    def __init__(self, request: web.Request, slow_s: float) -> None:
        self.request = request
        self.woken = asyncio.Event()
        """Set when an event may be due, and when the connection is lost."""
        self.is_lost = False
        self.is_sending = False
        """Whether an event has been written and not left yet."""
        self._slow_s = slow_s
        self._writer: AbstractStreamWriter | None = None
        protocol = request.protocol
        assert isinstance(protocol, Connection)  # noqa: S101 - the listeners have no other
        protocol.when_lost(self._lose)

    async def begin(self, response: web.StreamResponse) -> None:
        """Send the head. Raises `ConnectionError` if the client has gone."""
        writer = await response.prepare(self.request)
        transport = self.request.transport
        if writer is None or transport is None:
            raise ConnectionResetError
        transport.set_write_buffer_limits(high=0)
        _limit_kernel(transport.get_extra_info("socket"))
        self._writer = writer

    async def send(self, piece: bytes) -> None:
        """Send a piece, and wait until it has left. Raises `TimeoutError` if the client is too slow."""
        assert self._writer is not None  # noqa: S101 - the stream begins first
        self.is_sending = True
        async with asyncio.timeout(self._slow_s):
            await self._writer.write(piece)
            await self._writer.drain()
        self.is_sending = False

    async def wait(self, within_s: float) -> None:
        """Wait until the stream is woken, or for at most so many seconds."""
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                await self.woken.wait()
        except TimeoutError:
            return

    def cut(self) -> None:
        """Abort the connection, with what waits to be sent."""
        if self.request.transport is not None:
            self.request.transport.abort()

    def _lose(self) -> None:
        self.is_lost = True
        self.woken.set()


class EventStreams(Part):
    """The open streams of some kinds."""

    refused = Counter(
        "refused_streams",
        "Streams that were refused, by reason.",
        {"reason": (StreamEnd.FULL, StreamEnd.ADDRESS_FULL, StreamEnd.STOPPING)},
    )
    dropped = Counter("dropped_streams", "Streams that the sidecar cut off, by reason.", {"reason": (StreamEnd.SLOW,)})

    def __init__(
        self,
        kinds: Iterable[str],
        *,
        streams_max: int,
        address_max: int | None = None,
        proxies: int = 0,
        heartbeat_s: float = HEARTBEAT_S,
        slow_s: float = SLOW_S,
        retry_ms: int = RETRY_MS,
    ) -> None:
        self._open: dict[str, set[SseConnection]] = {kind: set() for kind in kinds}
        self._streams_max = streams_max
        self._shares = Shares(streams_max if address_max is None else address_max)
        self._proxies = proxies
        self._heartbeat_s = heartbeat_s
        self._slow_s = slow_s
        self._retry_ms = retry_ms
        self._is_stopping = False

    @gauge("open_streams", "Streams that are open, by kind.", {"kind": StreamKind})
    def open_count(self) -> Mapping[str, float]:
        """Return how many are open, by kind."""
        return {kind: len(connections) for kind, connections in self._open.items()}

    def connections(self) -> Iterator[SseConnection]:
        """Yield all open connections."""
        for each in self._open.values():
            yield from each

    def has_permits(self) -> bool:
        """Return whether one more stream may be opened."""
        return sum(map(len, self._open.values())) < self._streams_max

    async def stop(self) -> None:
        """Send every stream its last event and end it; refuse others."""
        self._is_stopping = True
        await self.wake_all()
        for connection in [each for each in self.connections() if each.is_sending]:
            connection.cut()

    async def wake_all(self) -> None:
        """Wake all streams, some of them in each turn of the event loop."""
        for number, connection in enumerate(tuple(self.connections()), start=1):
            connection.woken.set()
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def serve(
        self, request: web.Request, kind: str, feed: Feed, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        """Send what the feed returns until either side ends. Raises `SidecarError` with `overloaded`."""
        self._check_permits()
        address = client_address(request, self._proxies)
        if not self._shares.take(address):
            self.refused.inc(StreamEnd.ADDRESS_FULL)
            message = "your address has as many streams open as one may have; poll instead, and try again later"
            raise SidecarError(ErrorCode.OVERLOADED, message)
        connection = SseConnection(request, self._slow_s)
        self._open[kind].add(connection)
        response = web.StreamResponse(headers={**(headers or {}), **HEADERS})
        response.force_close()
        try:
            await connection.begin(response)
            await self._send(connection, feed)
        except TimeoutError:
            self.dropped.inc(StreamEnd.SLOW)
            connection.cut()
        except ConnectionError:
            pass  # the client left while an event was sent
        finally:
            self._open[kind].discard(connection)
            self._shares.give_back(address)
        return response

    async def _send(self, connection: SseConnection, feed: Feed) -> None:
        head, sent_s = b"retry: %d\n" % self._retry_ms, clock.monotonic_s()
        while not connection.is_lost:
            connection.woken.clear()
            is_last = self._is_stopping
            now_s = clock.monotonic_s()
            event, next_s = feed(now_s)
            if event is not None:
                await connection.send(head + event)
                head, sent_s = b"", now_s
            elif now_s - sent_s >= self._heartbeat_s:
                await connection.send(b": \n\n")
                sent_s = now_s
            if is_last:
                return
            await connection.wait(min(next_s, sent_s + self._heartbeat_s) - clock.monotonic_s())

    def _check_permits(self) -> None:
        if self._is_stopping:
            self.refused.inc(StreamEnd.STOPPING)
            raise SidecarError(ErrorCode.OVERLOADED, "this sidecar is shutting down; try again later")
        if not self.has_permits():
            self.refused.inc(StreamEnd.FULL)
            message = f"{self._streams_max} streams are open already; poll instead, and try again later"
            raise SidecarError(ErrorCode.OVERLOADED, message)


def _limit_kernel(connected: socket.socket) -> None:
    """Limit the kernel's send buffer for this client, and close the connection after a time without acknowledgement."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES_MAX)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNCONFIRMED_MS)
