"""A network in memory: addresses, servers, and pairs of transports.

Order is that of the event loop: written data arrives in a later turn of it, whole, in order, and at no later world
time. Only this process can connect.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Any

_FULL, _ROOMY = 64 * 1024, 16 * 1024
"""Unread bytes above which the writer pauses, and below which it resumes."""
_FIRST_FREE_PORT = 40_000


class Bound:
    """A bound address; in place of a listening socket."""

    def __init__(self, network: "Network", host: str, port: int) -> None:
        self.address = (host, port)
        self.factory: Callable[[], asyncio.BaseProtocol] | None = None
        """None: no server listens here yet, and a connection waits."""
        self.served = asyncio.Event()
        self._network = network

    def getsockname(self) -> tuple[str, int]:
        """Return host and port."""
        return self.address

    def close(self) -> None:
        """Release the address."""
        self._network.give_back(self)
        self.served.set()


class Network:
    """Servers by address."""

    def __init__(self) -> None:
        self._bound: dict[tuple[str, int], Bound] = {}
        self._ports = _FIRST_FREE_PORT

    def take(self, host: str, port: int) -> Bound:
        """Bind an address; port 0 takes a free one. Raises `OSError` if it is in use."""
        if not port:
            self._ports += 1
            port = self._ports
        if (host, port) in self._bound:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        bound = self._bound[host, port] = Bound(self, host, port)
        return bound

    def give_back(self, bound: Bound) -> None:
        """Release an address."""
        if self._bound.get(bound.address) is bound:
            del self._bound[bound.address]

    async def find(self, host: str, port: int) -> Bound:
        """Return the server at an address, once it listens. Raises `ConnectionRefusedError` where none will."""
        bound = self._bound.get((host, port))
        if bound is not None:
            await bound.served.wait()
        if bound is None or bound.factory is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return bound

    def connect(
        self, loop: asyncio.AbstractEventLoop, bound: Bound, factory: Callable[[], asyncio.BaseProtocol]
    ) -> tuple["Pipe", asyncio.BaseProtocol]:
        """Make both ends of a connection, and return the client's."""
        if bound.factory is None:  # it has stopped since it was found
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        self._ports += 1
        here, there = ("127.0.0.1", self._ports), bound.address
        protocol = factory()
        client, server = Pipe(loop, protocol, here, there), Pipe(loop, bound.factory(), there, here)
        client.peer, server.peer = server, client
        loop.call_soon(server.begin)
        client.begin()
        return client, protocol


class Server(asyncio.AbstractServer):
    """A server on a bound address."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, bound: Bound, factory: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._loop, self._bound = loop, bound
        bound.factory = factory
        bound.served.set()

    @property
    def sockets(self) -> tuple[Bound, ...]:
        """The address, in place of a socket."""
        return (self._bound,)

    def close(self) -> None:
        """Accept no more connections; open ones stay."""
        self._bound.factory = None
        self._bound.close()

    async def wait_closed(self) -> None:
        """Return at once: nothing is waited for."""

    async def start_serving(self) -> None:
        """Do nothing: it serves from the beginning."""

    async def serve_forever(self) -> None:
        """Serve until it is cancelled."""
        await self._loop.create_future()

    def is_serving(self) -> bool:
        """Return whether connections are accepted."""
        return self._bound.factory is not None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        return self._loop


class Pipe(asyncio.Transport):
    """One end of a connection."""

    peer: "Pipe"

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, here: Any, there: Any) -> None:
        super().__init__({"sockname": here, "peername": there})
        self._loop, self._protocol = loop, protocol
        self._arrived: list[bytes] = []
        self._arrived_bytes = 0
        self._has_ended = False
        """The other side has sent EOF."""
        self._is_reading = True
        self._is_delivering = False
        self._is_closing = False
        self._is_lost = False
        self._is_writer_paused = False

    def begin(self) -> None:
        """Call the protocol's `connection_made`."""
        self._protocol.connection_made(self)

    # --- calls of the protocol

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send bytes."""
        if data and not self._is_closing and not self.peer._is_lost:  # noqa: SLF001 - the two are one thing
            self.peer._receive(bytes(data))  # noqa: SLF001

    def write_eof(self) -> None:
        """Send EOF."""
        self.peer._receive_end()  # noqa: SLF001

    def can_write_eof(self) -> bool:
        """Return whether EOF can be sent."""
        return True

    def close(self) -> None:
        """Close the connection; written data still arrives."""
        if not self._is_closing:
            self._is_closing = True
            self.peer._receive_end()  # noqa: SLF001
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        """Close the connection, and discard unread data."""
        self._arrived.clear()
        self.close()

    def is_closing(self) -> bool:
        """Return whether it is closing."""
        return self._is_closing

    def pause_reading(self) -> None:
        """Pause delivery."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Resume delivery."""
        self._is_reading = True
        self._deliver_soon()

    def is_reading(self) -> bool:
        """Return whether received data is delivered."""
        return self._is_reading and not self._is_closing

    def get_write_buffer_size(self) -> int:
        """Return what was written and not read yet, in bytes."""
        return self.peer._arrived_bytes  # noqa: SLF001

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignore the limits: the defaults stay."""

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and high water marks of the write buffer."""
        return (_ROOMY, _FULL)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace the protocol."""
        self._protocol = protocol

    # --- calls of the peer

    def _receive(self, data: bytes) -> None:
        self._arrived.append(data)
        self._arrived_bytes += len(data)
        if self._arrived_bytes > _FULL:
            self.peer._pause(is_full=True)  # noqa: SLF001
        self._deliver_soon()

    def _receive_end(self) -> None:
        self._has_ended = True
        self._deliver_soon()

    def _pause(self, *, is_full: bool) -> None:
        if is_full is not self._is_writer_paused and not self._is_lost:
            self._is_writer_paused = is_full
            (self._protocol.pause_writing if is_full else self._protocol.resume_writing)()

    def _deliver_soon(self) -> None:
        if not self._is_delivering:
            self._is_delivering = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_delivering = False
        if self._is_closing or not self._is_reading:
            return
        if self._arrived:
            data, self._arrived, self._arrived_bytes = b"".join(self._arrived), [], 0
            self.peer._pause(is_full=False)  # noqa: SLF001
            self._protocol.data_received(data)
        if self._has_ended and self.is_reading():
            self._has_ended = False
            if not self._protocol.eof_received():
                self.close()

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._arrived.clear()
            self._arrived_bytes = 0
            self.peer._pause(is_full=False)  # noqa: SLF001
            self._protocol.connection_lost(None)
