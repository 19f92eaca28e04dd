"""Whatever a server answers, a walk ends with an outcome: it is data, and never an exception of ours."""

import asyncio
import random

import pytest

from sidecar.core.walks import WalkOutcome
from tests.probes.world import world

_HTTP = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\nSet-Cookie: a=b; path=/\r\n"
    b"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: authorization\r\nContent-Encoding: identity\r\n"
    b'Location: http://a/login\r\nTransfer-Encoding: identity\r\n\r\n{"auth":"k:"}'
)
_SOCKET = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n\x81\x05hello\x88\x02\x03\xe8"
)
_PIECES = [
    b"",
    b"\r\n",
    b"\x00",
    b"\xff\xfe",
    b"9" * 30,
    b"-1",
    b"gzip",
    b"chunked",
    b"deflate",
    b": ",
    b"\x81\x7f\xff",
    b"[",
    b"%zz",
    b"br",
]


def damaged(content: bytes, seed: int) -> bytes:
    """Return an answer with some of it replaced, doubled or cut off."""
    chance, data = random.Random(seed), bytearray(content)
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(data) + 1)
        data[start : start + chance.randint(0, 12)] = chance.choice(_PIECES)
    return bytes(data)


@pytest.mark.parametrize("place", ["app", "reverb"])
async def test_a_walk_ends_whatever_is_answered(place: str) -> None:
    """Five hundred answers, each damaged in a few places; a seed reproduces any failure."""
    async with world() as it:
        seed = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(damaged(_HTTP if place == "app" else _SOCKET, seed))
            await writer.drain()
            writer.close()

        await (it.app_is(answer) if place == "app" else it.reverb_is(answer))
        for seed in range(500):
            walked = await it.walk(within_s=0.5)
            assert walked.outcome in WalkOutcome, seed
