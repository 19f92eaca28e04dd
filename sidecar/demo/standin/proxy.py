"""A proxy: one address in front of several servers, like a load balancer, with round robin.

The sidecar has proxies of its own, so that it can be cut off while all other traffic continues.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from itertools import count

from aiohttp import web

Serve = Callable[[], web.RequestHandler | None]
"""Returns a protocol for one more connection; None: this server is down."""


class Proxy:
    """One address."""

    def __init__(self, behind: Sequence[Serve]) -> None:
        self.port = 0
        self._behind = behind
        self._turns = count()
        self._inside: list[web.RequestHandler] = []
        self._server: asyncio.Server | None = None
        self._kept: socket.socket | None = None
        """The socket that reserves the port while the proxy is closed."""

    @property
    def is_open(self) -> bool:
        """Whether connections are taken."""
        return self._server is not None

    async def open(self, port: int = 0) -> int:
        """Take connections, again at the same port unless another is named; return it. Raises `OSError`."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            if self._kept is None:
                self._server = await loop.create_server(self._allowed, "127.0.0.1", port or self.port)
            else:
                self._server = await loop.create_server(self._allowed, sock=self._kept)
                self._kept = None
            self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def close(self) -> None:
        """Refuse connections and cut existing ones; the port stays reserved."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._kept = _kept(self.port)
        for handler in self._inside:
            if handler.transport is not None:
                handler.transport.abort()
        self._inside = []

    def end(self) -> None:
        """Close for good."""
        self.close()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _allowed(self) -> asyncio.BaseProtocol:
        self._inside = [each for each in self._inside if each.transport is not None]
        for _ in self._behind:
            handler = self._behind[next(self._turns) % len(self._behind)]()
            if handler is not None:
                self._inside.append(handler)
                return handler
        return _Nobody()


def _kept(port: int) -> socket.socket | None:
    """Reserve a port while it is closed; None: in memory no other process can take it."""
    if getattr(asyncio.get_running_loop(), "network", None) is not None:
        return None
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", port))
    return kept


class _Nobody(asyncio.Protocol):
    """What answers where every server is gone: nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()
