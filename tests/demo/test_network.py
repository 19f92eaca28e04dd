"""The network in memory: aiohttp's servers and clients meet on it unchanged, and no socket is opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from sidecar.config import Address
from sidecar.demo.world.pace import Pace
from sidecar.http.server import Listener
from sidecar.ports import ErrorCode, SidecarError
from tests.demo.running import lived


@asynccontextmanager
async def _serving(*routes: web.RouteDef, port: int = 8700) -> AsyncIterator[str]:
    listener = Listener("public", Address(host="127.0.0.1", port=port), routes)
    url = listener.bind()
    await listener.start()
    try:
        yield url
    finally:
        await listener.stop()


async def _echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def _chat(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(f"received {message.data}")
    return ws


def test_a_listener_and_a_client_communicate_in_no_time() -> None:
    """Requests, large bodies and WebSockets of aiohttp work on it."""

    async def live() -> tuple[bytes, str, float]:
        large = bytes(range(256)) * 4000
        async with (
            _serving(web.post("/echo", _echo), web.get("/chat", _chat)) as url,
            aiohttp.ClientSession() as session,
        ):
            assert url == "http://127.0.0.1:8700"
            async with session.post(f"{url}/echo", data=large) as response:
                assert await response.read() == large
            async with session.ws_connect(f"{url}/chat") as ws:
                await ws.send_str("hello")
                answer = await ws.receive_str()
            async with session.post(f"{url}/echo", data=b"again") as response:
                return await response.read(), answer, asyncio.get_running_loop().time()

    assert lived(live(), Pace()) == (b"again", "received hello", 0.0)


def test_connections_are_refused_without_a_listener_and_an_address_is_bound_once() -> None:
    """Connections are refused, an address in use is reported, and it can be bound again."""

    async def live() -> ErrorCode:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get("http://127.0.0.1:8700/")
        async with _serving():
            with pytest.raises(SidecarError) as refused:
                Listener("other", Address(host="127.0.0.1", port=8700)).bind()
        async with _serving(port=8700) as url, _serving(port=0) as other:
            assert url != other
        return refused.value.code

    assert lived(live(), Pace()) is ErrorCode.ADDRESS_IN_USE


def test_a_connection_before_serving_waits() -> None:
    """A bound address accepts connections like the kernel, and serves them once it starts."""

    async def live() -> bytes:
        listener = Listener("public", Address(host="127.0.0.1", port=8700), [web.post("/echo", _echo)])
        url = listener.bind()
        async with aiohttp.ClientSession() as session:
            asking = asyncio.ensure_future(session.post(f"{url}/echo", data=b"early"))
            await asyncio.sleep(5)
            assert not asking.done()
            await listener.start()
            async with await asking as response:
                body = await response.read()
        await listener.stop()
        return body

    assert lived(live(), Pace()) == b"early"


def test_a_reader_that_does_not_read_makes_the_writer_wait() -> None:
    """No buffer grows without a bound: `drain` waits while the reader does not read."""

    async def live() -> tuple[bool, int]:
        received = 0
        may_read = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal received
            await may_read.wait()
            while chunk := await reader.read(100_000):
                received += len(chunk)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 9000, limit=1000)
        reader, writer = await asyncio.open_connection("127.0.0.1", 9000)

        async def send() -> None:
            for _ in range(50):
                writer.write(b"x" * 10_000)
                await writer.drain()
            writer.write_eof()

        sending = asyncio.ensure_future(send())
        await asyncio.sleep(60)
        was_held = not sending.done()
        may_read.set()
        await sending
        assert await reader.read() == b""
        writer.close()
        server.close()
        return was_held, received

    assert lived(live(), Pace()) == (True, 500_000)
