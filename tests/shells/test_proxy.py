"""The proxy: what is said to those who do not speak HTTP, how many may connect, and how much garbage is logged."""

import asyncio
import json
from contextlib import suppress

import pytest

from sidecar.config import Address
from sidecar.core.fold.state import State
from sidecar.http.health import Health
from sidecar.http.server import Listener
from sidecar.logs import Throttle
from tests.e2e.processes import until
from tests.shells.running import running
from tests.waiting import HANGS_AFTER_S

HOST = b"Host: x\r\n"

GARBAGE = {
    "a control character in the path": b"GET /\x01SECRETX HTTP/1.1\r\n" + HOST + b"\r\n",
    "another protocol": b"\x16\x03\x01SECRETX\r\n\r\n",
    "a head that is too large": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"SECRETX" * 2000 + b"\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X%d: SECRETX\r\n" % n for n in range(300)) + b"\r\n",
    "two lengths": b"POST /acks HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 7\r\n\r\nSECRETX",
    "a length and chunks": b"POST /acks HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
}


async def say(url: str, request: bytes) -> bytes:
    """Send bytes, and return what is answered until the connection is closed."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    async with asyncio.timeout(HANGS_AFTER_S):
        answer = await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize("request_", GARBAGE.values(), ids=GARBAGE)
async def test_what_is_no_http_is_answered_in_our_words(request_: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """No version, no echo, no traceback: a 400 with a code and a sentence."""
    async with running() as sidecar:
        head, _, body = (await say(sidecar.urls.public, request_)).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"Server: reverb-sidecar" in head
    assert json.loads(body)["code"] == "request_invalid"
    assert b"SECRETX" not in head + body
    assert "SECRETX" not in capsys.readouterr().out


@pytest.mark.both_loops
async def test_a_connection_too_many_is_closed_and_counted_and_the_others_go_on() -> None:
    """Idle connections must not use up the descriptors of the whole process."""
    health = Health(State(), "", lambda: 0.0)
    listener = Listener("public", Address(host="127.0.0.1", port=0), health.routes(), connections_max=2)
    url = listener.bind()
    await listener.start()
    host, _, port = url.removeprefix("http://").partition(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
    refused, writer = await asyncio.open_connection(host, int(port))
    with suppress(ConnectionError):
        assert await refused.read() == b""
    writer.close()
    assert listener.refused_connections() == {"public": 1}
    reader, first = idle[0]
    first.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    for _, each in idle:
        each.close()

    async def has_permits() -> bool:
        with suppress(ConnectionError, TimeoutError):
            return (await say(url, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) != b""
        return False

    await until(has_permits, "who left frees a permit")
    await listener.stop()


def test_invalid_requests_are_logged_at_intervals_with_the_number_of_suppressed_lines() -> None:
    """Whoever needs no token to send it must not be able to fill the log."""
    throttle = Throttle()
    assert throttle.passes("signature_wrong") == 0
    assert [throttle.passes("signature_wrong") for _ in range(5)] == [None] * 5
    assert throttle.passes("body_invalid") == 0, "another kind is logged at once"
