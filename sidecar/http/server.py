"""Starting a listener: its address, its routes, and its end."""

import asyncio
import errno
import socket
from collections.abc import Sequence

from aiohttp import web

from sidecar.config import Address
from sidecar.http.connections import BANNER, OPERATOR_MAX, Connection, Refused
from sidecar.http.errors import errors_in_words
from sidecar.ports import ErrorCode, SidecarError

_SHUTDOWN_S = 5.0
_BACKLOG = 1024


class Listener:
    """One listening address with its routes."""

    def __init__(
        self,
        name: str,
        address: Address,
        routes: Sequence[web.AbstractRouteDef] = (),
        *,
        connections_max: int = OPERATOR_MAX,
    ) -> None:
        self.name = name
        self.refused_count = 0
        """Connections that were one too many."""
        self._address = address
        self._connections_max = connections_max
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._app = web.Application(middlewares=[errors_in_words])
        self._app.add_routes(routes)
        self._app.on_response_prepare.append(_without_banner)
        self._runner = web.AppRunner(self._app, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)

    def add(self, routes: Sequence[web.AbstractRouteDef]) -> None:
        """Add routes, before `start`."""
        self._app.add_routes(routes)

    def bind(self) -> str:
        """Take the address, and return its URL; who connects waits until `start`.

        Raises `SidecarError` with `address_in_use`.
        """
        host, port = self._address.host, self._address.port
        try:
            family, *_, sockaddr = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._socket = socket.create_server(sockaddr[:2], family=family, backlog=_BACKLOG)
        except OSError as error:
            raise SidecarError(ErrorCode.ADDRESS_IN_USE, _why_not(self.name, self._address, error)) from error
        return f"http://{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        """Serve who connects to the address that was bound."""
        assert self._socket is not None  # noqa: S101 - the composition binds first
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=self._socket, backlog=_BACKLOG)

    async def stop(self) -> None:
        """Stop listening; requests that have come whole are answered, others are cut off after some seconds."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None  # noqa: S101 - `start` has set it up
        if len(server.connections) >= self._connections_max:
            self.refused_count += 1
            return Refused()
        return Connection(server, asyncio.get_running_loop())


def _why_not(name: str, address: Address, error: OSError) -> str:
    where = f"listen.{name}: cannot listen on {address}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}: another process does; stop it, or choose another port (0 takes any free one)"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{where}: not permitted; choose a port from 1024"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address; 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses"
    return f"{where}: {error.strerror or error}"


async def _without_banner(_: web.Request, response: web.StreamResponse) -> None:
    """Do not tell which versions run here."""
    response.headers["Server"] = BANNER
    response.headers["X-Content-Type-Options"] = "nosniff"
