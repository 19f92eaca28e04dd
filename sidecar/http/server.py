"""Starting a listener with limits that fit a public address."""

import errno
from collections.abc import Sequence

from aiohttp import web

from sidecar.config import Address
from sidecar.http.errors import errors_in_words
from sidecar.ports import ErrorCode, SidecarError

_KEEPALIVE_S = 75.0
"""Longer than the idle time of common proxies (60 s): the proxy closes first. `aiohttp`'s own is an hour."""
_SHUTDOWN_S = 5.0


class Listener:
    """One listening address with its routes."""

    def __init__(self, name: str, address: Address, routes: Sequence[web.AbstractRouteDef]) -> None:
        self.name = name
        self._address = address
        app = web.Application(middlewares=[errors_in_words])
        app.add_routes(routes)
        app.on_response_prepare.append(_without_banner)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=_KEEPALIVE_S,
            lingering_time=1.0,
            auto_decompress=False,
            max_line_size=4096,
            max_field_size=4096,
            shutdown_timeout=_SHUTDOWN_S,
        )

    async def start(self) -> str:
        """Listen, and return the URL. Raises `SidecarError` with `address_in_use`."""
        host, port = self._address.host, self._address.port
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise SidecarError(ErrorCode.ADDRESS_IN_USE, _why_not(self.name, self._address, error)) from error
        bound_port = self._runner.addresses[0][1]
        return f"http://{f'[{host}]' if ':' in host else host}:{bound_port}"

    async def stop(self) -> None:
        """Stop listening, and let what is being answered be answered."""
        await self._runner.cleanup()


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
    response.headers["Server"] = "reverb-sidecar"
    response.headers["X-Content-Type-Options"] = "nosniff"
