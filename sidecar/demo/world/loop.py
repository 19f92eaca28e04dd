"""The event loop of the demo's world: its time is the world's, and, with a network in memory, so is its I/O.

The sidecar, the stand-ins and `aiohttp` run on it unchanged: they use the loop for time, connections and threads, and
never bypass it.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from sidecar.demo.world.network import Bound, Network, Server
from sidecar.demo.world.pace import Pace, PacedSelector


class WorldLoop(asyncio.SelectorEventLoop):
    """A loop whose time is that of a `Pace`.

    With a network in memory, servers and clients meet there and executor work runs inline: everything happens in one
    order.
    """

    def __init__(self, pace: Pace, network: Network | None = None) -> None:
        self.pace, self.network = pace, network
        self._dialled: dict[socket.socket, Bound] = {}
        """Sockets without a connection: the network in memory replaces it."""
        super().__init__(PacedSelector(pace))

    def time(self) -> float:
        """Return the world's time, in seconds."""
        return self.pace.monotonic_s()

    # --- threads

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """Run it in a thread, which counts as work in flight; with a network in memory, inline."""
        if self.network is None:
            self.pace.jobs += 1
            job = super().run_in_executor(executor, func, *args)
            job.add_done_callback(self._done)
            return job
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            done.set_exception(error)
        return done

    def _done(self, _: "asyncio.Future[Any]") -> None:
        self.pace.jobs -= 1

    # --- connections

    def take_address(self, host: str, port: int) -> Any:
        """Reserve an address for a later server; None: this loop has no network of its own. Raises `OSError`."""
        return None if self.network is None else self.network.take(host, port)

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        """Serve on an address, or on one that was taken."""
        if self.network is None:
            return await super().create_server(protocol_factory, host, port, **how)
        bound = how.get("sock") or self.network.take(host, port)
        return Server(self, bound, protocol_factory)

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        """Resolve a name; in memory there are only addresses."""
        if self.network is None:
            return await super().getaddrinfo(host, port, **how)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect a socket; in memory, only record its address."""
        if self.network is None:
            await super().sock_connect(sock, address)
        else:
            self._dialled[sock] = await self.network.find(*address[:2])

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        """Make a transport and a protocol of a connected socket, or of a new connection."""
        if self.network is None:
            return await super().create_connection(protocol_factory, host, port, **how)
        dialled = how.get("sock")
        bound = await self.network.find(host, port) if dialled is None else self._dialled.pop(dialled)
        if dialled is not None:
            dialled.close()
        return self.network.connect(self, bound, protocol_factory)
