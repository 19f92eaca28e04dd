"""A proxy that is closed for a while: it refuses connections and keeps its address."""

import asyncio
import socket

import pytest

from sidecar.demo.standin.proxy import Proxy


async def test_a_closed_proxy_keeps_its_port() -> None:
    """Connections are refused, and no other socket can bind the port meanwhile."""
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
