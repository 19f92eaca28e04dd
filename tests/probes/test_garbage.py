"""An auth probe ends with an outcome and without an exception, whatever a server answers."""

import asyncio
import random

import msgspec
import pytest

from sidecar.config import Authorizer, Credentials
from sidecar.core.facts.auth_probes import AuthProbeOutcome
from tests.probes.test_auth_probe import error, greeting
from tests.probes.world import World, saying, world

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
    """Return a response with some of it replaced, doubled or cut off."""
    randomness, data = random.Random(seed), bytearray(content)
    for _ in range(randomness.randint(1, 5)):
        start = randomness.randrange(len(data) + 1)
        data[start : start + randomness.randint(0, 12)] = randomness.choice(_PIECES)
    return bytes(data)


@pytest.mark.parametrize("place", ["app", "reverb"])
async def test_an_auth_probe_ends_after_any_response(place: str) -> None:
    """Five hundred responses are damaged in a few places; a seed reproduces any failure."""
    async with world() as it:
        seed = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(damaged(_HTTP if place == "app" else _SOCKET, seed))
            await writer.drain()
            writer.close()

        await (it.app_is(answer) if place == "app" else it.reverb_is(answer))
        for seed in range(500):
            probed = await it.auth_probe(within_s=0.5)
            assert probed.outcome in AuthProbeOutcome, seed


_WIPE = "\x1b[2J\u202e" + "x" * 100_000


@pytest.mark.parametrize(
    "frame",
    [
        error(4009, _WIPE),
        error(4100, _WIPE),
        msgspec.json.encode(
            {"event": "pusher:connection_established", "data": {"socket_id": _WIPE, "activity_timeout": 30}}
        ).decode(),
    ],
    ids=["4009", "4100", "socket"],
)
async def test_texts_of_reverb_are_safe_to_print(frame: str) -> None:
    """A server could otherwise rewrite or fill the terminal."""
    async with world() as it:
        greeting(frame)(it)
        probed = await it.auth_probe()
    said = [taken.received for taken in probed.steps]
    assert "x" * 100 in "".join(said)
    assert all(each.isprintable() and len(each) < 400 for each in said)


async def test_texts_of_the_app_are_safe_to_print() -> None:
    """A header may contain characters that a line of text may not."""
    async with world() as it:
        await it.app_is(saying("HTTP/1.1 200 OK\r\nContent-Type: a\x1b[2Jb\r\nContent-Length: 0\r\n\r\n"))
        probed = await it.auth_probe()
    assert all(taken.received.isprintable() for taken in probed.steps)


@pytest.mark.parametrize("value", ["a%0d%0ab", "a%00b", "a\x01b", "%ff%fe", "%", "é", '"a\\012b"'])
async def test_an_auth_probe_ends_with_any_cookies(value: str) -> None:
    """Cookies are sent back in headers, where a line break would raise an exception."""
    async with world(login=Credentials.COOKIE, authorizer=Authorizer.AXIOS, is_same_origin=True) as it:
        it.change(csrf_url=await _setting(it, f"XSRF-TOKEN={value}"))
        assert (await it.auth_probe()).outcome is AuthProbeOutcome.CSRF_419
        it.change(csrf_url=await _setting(it, f"session={value}"))
        assert (await it.auth_probe()).outcome is AuthProbeOutcome.CSRF_419


async def _setting(it: World, cookie: str) -> str:
    """Return an address that sets this cookie."""
    port = await it.serve(saying(f"HTTP/1.1 204 No Content\r\nSet-Cookie: {cookie}; path=/\r\n\r\n"))
    return f"http://127.0.0.1:{port}/csrf"
