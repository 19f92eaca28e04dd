"""Readers of Server-Sent Events: what every open stream is, whatever it tells.

A stream lives as long as a page. Its reader can stop reading, or vanish without a word. So nothing is queued for a
reader: a piece is awaited until it has left, for so long and no longer, and a connection that is lost wakes its stream.
"""

import asyncio
import enum
import socket

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from sidecar.http.connections import BANNER, Connection

RETRY_MS = 3000
"""So long a browser waits before it comes again."""
SLOW_S = 10.0
"""So long an event may take to leave for a reader; then the reader is cut off."""
_UNHEARD_MS = 30_000
"""So long what was sent may be unconfirmed; then the connection is dead. A phone may lose its network for a while."""
_KERNEL_BYTES_MAX = 16 * 1024
"""What the system may hold for one reader; ours is none: an event is awaited until it has left."""
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Server": BANNER,
}
"""Of every stream; set before it begins, because nothing can be added later."""


class StreamEnd(enum.StrEnum):
    """Why a stream did not begin, or did not go on."""

    FULL = "full"
    """So many are open as this process may hold."""
    STOPPING = "stopping"
    """This process is about to end."""
    SLOW = "slow"
    """The reader did not take what was sent."""


REFUSED = (StreamEnd.FULL, StreamEnd.STOPPING)
DROPPED = (StreamEnd.SLOW,)


class SseConnection:
    """Who reads one open stream."""

    def __init__(self, request: web.Request, slow_s: float) -> None:
        self.request = request
        self.woken = asyncio.Event()
        """Set when there may be something to tell, and when the reader is lost."""
        self.is_lost = False
        self.is_sending = False
        """What was written has not left."""
        self._slow_s = slow_s
        self._writer: AbstractStreamWriter | None = None
        protocol = request.protocol
        assert isinstance(protocol, Connection)  # noqa: S101 - our listeners have no other
        protocol.when_lost(self._lose)

    async def begin(self, response: web.StreamResponse) -> None:
        """Begin the answer. `ConnectionError`: its reader has gone."""
        writer = await response.prepare(self.request)
        transport = self.request.transport
        if writer is None or transport is None:
            raise ConnectionResetError
        transport.set_write_buffer_limits(high=0)
        _limit_kernel(transport.get_extra_info("socket"))
        self._writer = writer

    async def send(self, piece: bytes) -> None:
        """Send a piece, and wait until it has left. `TimeoutError`: the reader is too slow."""
        assert self._writer is not None  # noqa: S101 - the stream begins first
        self.is_sending = True
        async with asyncio.timeout(self._slow_s):
            await self._writer.write(piece)
            await self._writer.drain()
        self.is_sending = False

    async def wait(self, within_s: float) -> None:
        """Wait until the stream is woken, or the time is over."""
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                await self.woken.wait()
        except TimeoutError:
            return

    def cut(self) -> None:
        """Cut the connection off, with what waits for it."""
        if self.request.transport is not None:
            self.request.transport.abort()

    def _lose(self) -> None:
        self.is_lost = True
        self.woken.set()


def _limit_kernel(connected: socket.socket) -> None:
    """Let the system hold little for this reader, and give it up once it has not been heard of for long."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES_MAX)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)
