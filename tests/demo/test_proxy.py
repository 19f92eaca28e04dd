"""A proxy that is closed for a while: who knocks is refused, and nobody else takes its address meanwhile."""

import asyncio
import socket

import pytest

from sidecar.demo.standin.proxy import Proxy


async def test_nobody_takes_the_port_of_a_closed_proxy() -> None:
    """A free port is what the system gives to anybody who dials; taken meanwhile, it would end the whole world."""
    proxy = Proxy([lambda: None])
    port = await proxy.open()
    for _ in range(3):
        proxy.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        assert await proxy.open() == port
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    proxy.end()
