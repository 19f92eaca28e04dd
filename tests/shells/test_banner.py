"""No answer names a library or its version, or repeats what was sent, whatever makes the answer."""

import pytest

from tests.e2e.processes import ACK_TOKEN
from tests.shells.running import running
from tests.shells.test_proxy import say

_TOKEN = b"Authorization: Bearer " + ACK_TOKEN.encode() + b"\r\n"
_ACK = b"POST /acks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + _TOKEN

REQUESTS = {
    "200": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "no Host": (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    "absolute form": (b"GET http://SECRETX/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
    "HEAD": (b"HEAD /SECRETX HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    "no such path": (b"GET /SECRETX HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    "a path of dots": (b"GET /../../SECRETX HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    "the whole server": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    "an expectation of the whole server": (
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: SECRETX\r\n\r\n",
        417,
    ),
    "an expectation of a tunnel": (
        b"CONNECT SECRETX:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: SECRETX\r\n\r\n",
        417,
    ),
    "a tunnel": (b"CONNECT SECRETX:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    "another method": (b"SECRETX /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", None),
    "method not allowed": (b"DELETE /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
    "a web socket": (
        (
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ),
        200,
    ),
    "an unknown expectation": (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: SECRETX\r\n\r\n",
        417,
    ),
    "an unknown expectation, elsewhere": (
        b"GET /SECRETX HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: SECRETX\r\n\r\n",
        417,
    ),
    "two expectations": (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue, SECRETX\r\n\r\n",
        417,
    ),
    "another version": (b"GET /healthz HTTP/3.7\r\nHost: localhost\r\n\r\n", None),
    "no HTTP": (b"\x16\x03\x01SECRETX\r\n\r\n", 400),
    "a bad chunk": (_ACK + b"Transfer-Encoding: chunked\r\n\r\nSECRETX\r\n", None),
    "a bad length": (_ACK + b"Content-Length: SECRETX\r\n\r\n", 400),
}


@pytest.mark.parametrize("listener", ["public", "operator"])
@pytest.mark.parametrize(("request_", "status"), REQUESTS.values(), ids=REQUESTS)
async def test_no_answer_names_a_library_or_repeats_the_request(
    listener: str, request_: bytes, status: int | None
) -> None:
    """Whatever the status, and whoever makes it: our handler, the router or the parser. None: any status."""
    async with running() as sidecar:
        answer = await say(getattr(sidecar.urls, listener), request_)
    assert answer.startswith(b"HTTP/1.")
    if not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2")) and not request_.startswith(b"HEAD"):
        assert b'\r\n\r\n{"code":"' in answer, answer
    if status is not None:
        assert answer.split(b" ", 2)[1] == str(status).encode(), answer
    head = answer.partition(b"\r\n\r\n")[0]
    assert b"\r\nServer: reverb-sidecar" in head
    for word in (b"aiohttp", b"python", b"secretx"):
        assert word not in answer.lower(), answer


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (b"Content-Length: 2\r\n", b"{}", 400),
        (b"Content-Length: 9999999\r\n", b"", 413),
        (b"Content-Length: 2\r\nContent-Encoding: gzip\r\n", b"{}", 415),
        (b"Content-Length: 2\r\nExpect: SECRETX\r\n", b"{}", 417),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"{}", 400),
    ],
)
async def test_no_refusal_of_a_body_names_a_library(headers: bytes, body: bytes, status: int) -> None:
    """What is refused because of its body is answered like everything else."""
    async with running() as sidecar:
        answer = await say(sidecar.urls.public, _ACK + headers + b"\r\n" + body)
    assert answer.split(b" ", 2)[1] == str(status).encode(), answer
    assert b"\r\nServer: reverb-sidecar" in answer
    assert b"aiohttp" not in answer.lower()


async def test_a_body_is_asked_for_after_the_token_and_before_it_is_read() -> None:
    """A client that waits to be asked does not send a body that would be refused."""
    waits = b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    async with running() as sidecar:
        asked = await say(sidecar.urls.public, _ACK + waits + b"")
        refused = await say(sidecar.urls.public, _ACK.replace(ACK_TOKEN.encode(), b"x" * 40) + waits)
        sent = await say(sidecar.urls.public, _ACK + waits + b"{}")
    assert asked.startswith((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 408"))
    assert refused.startswith(b"HTTP/1.1 401"), "it is refused without its body"
    assert b"HTTP/1.1 400" in sent
