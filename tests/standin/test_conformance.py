"""The stand-in answers as the real Reverb: every recorded exchange, frame for frame and byte for byte."""

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from sidecar.demo.standin.reverb import Reverb
from sidecar.demo.standin.reverb_sockets import Setup
from sidecar.pusher.signing import App, channel_auth
from tests.captures import APP_ID, KEY, SECRET, recorded
from tests.waiting import HANGS_AFTER_S

APP = App(app_id=APP_ID, key=KEY, secret=SECRET)
LIVE = "private-live-refresh.7"
SETUPS = {
    "origin-allowed": Setup(allowed_origins=("app.example.com", "*.test")),
    "origin-disallowed": Setup(allowed_origins=("app.example.com",)),
    "origin-disallowed-then-subscribe-public": Setup(allowed_origins=("app.example.com",)),
    "origin-missing": Setup(allowed_origins=("app.example.com",)),
    "connection-limit-exceeded": Setup(max_connections=0),
}
ORIGINS = {
    "origin-allowed": {"Origin": "https://app.example.com:8443"},
    "origin-disallowed": {"Origin": "https://evil.example.com"},
    "origin-disallowed-then-subscribe-public": {"Origin": "https://evil.example.com"},
}
"""The recordings name these headers in their titles only."""


@pytest.fixture
async def reverb(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Reverb, int]]:
    """Yield a node with the settings of the recording that the parameter names, and its port."""
    node = Reverb(APP, setup=SETUPS.get(getattr(request, "param", ""), Setup()))
    port = await node.start()
    yield node, port
    await node.stop()


def like(text: str) -> str:
    """Return a frame without the parts that differ from run to run."""
    return re.sub(r"\d+\.\d{5,}", "SOCKET", text)


async def frames(ws: aiohttp.ClientWebSocketResponse, *, first_within_s: float = 0.1) -> list[tuple[str, str]]:
    """Return the frames that arrive until there are no more."""
    seen: list[tuple[str, str]] = []
    while True:
        try:
            message = await ws.receive(timeout=0.1 if seen else first_within_s)
        except TimeoutError:
            return seen
        if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}:
            return [*seen, ("close", "")]
        data = message.data.decode() if isinstance(message.data, bytes | bytearray) else str(message.data)
        seen.append((message.type.name.lower(), data))


def resigned(payload: str, recorded_socket: str, socket_id: str) -> str:
    """Return a recorded message with a signature for this socket, if it was right for the recorded one."""
    said = msgspec.json.decode(payload)
    data = said.get("data")
    if said.get("event") == "pusher:subscribe" and "auth" in data:
        made = channel_auth(APP, recorded_socket, data["channel"], data.get("channel_data", ""))
        if data["auth"].partition(":")[2] == made.partition(":")[2]:
            fresh = channel_auth(APP, socket_id, data["channel"], data.get("channel_data", "")).partition(":")[2]
            return payload.replace(made.partition(":")[2], fresh)
    return payload


def is_json(text: str) -> bool:
    """Return whether a text is JSON."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("reverb", "name"),
    [(name, name) for name, each in recorded("ws").items() if "frames" in each and name != "wrong-path"],
    indirect=["reverb"],
)
async def test_the_stand_in_answers_a_recorded_exchange_with_the_same_frames(
    reverb: tuple[Reverb, int], name: str
) -> None:
    """The recorded messages are sent again, signed for this socket."""
    _, port = reverb
    exchange = recorded("ws")[name]
    async with aiohttp.ClientSession() as session:
        url = re.sub(r"//[^/]+", f"//127.0.0.1:{port}", exchange["url"])
        ws = await session.ws_connect(url, headers=ORIGINS.get(name), autoping=False, autoclose=False)
        raw = exchange["upgrade"]["rawHeaders"]
        for header, value in zip(raw[::2], raw[1::2], strict=True):
            if header != "Sec-WebSocket-Accept":
                assert ws._response.headers[header].lower() == value.lower()
        seen = await frames(ws, first_within_s=HANGS_AFTER_S)
        socket_id = re.search(r"\d+\.\d+", seen[0][1])
        for frame in exchange["frames"]:
            if frame["dir"] == "out":
                text = frame["payload"]
                if "(20 kB" in text:
                    text = "x" * 20_000
                elif socket_id and is_json(text):
                    text = resigned(text, exchange.get("sid", ""), socket_id[0])
                await ws.send_str(text)
                seen += await frames(ws)
        if name == "ws-ping-frame":
            await ws.ping(b"hi")
            seen += await frames(ws)
        expected = [(each["opcode"], each["payload"]) for each in exchange["frames"] if each["dir"] == "in"]
        is_over = not exchange["still_open_at_end_of_probe"]
        if len(seen) < len(expected) + is_over:
            seen += await frames(ws, first_within_s=HANGS_AFTER_S)
        assert [(kind, like(text)) for kind, text in seen if kind != "close"] == [(k, like(t)) for k, t in expected]
        assert any(kind == "close" for kind, _ in seen) == is_over
        if exchange["close"] is not None:
            assert ws.close_code == exchange["close"]["code"]
        await ws.close()


async def raw(port: int, request: str) -> str:
    """Return the bytes that answer these bytes, up to the end of the stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    return answer.decode()


@pytest.mark.parametrize("name", recorded("reverb-http-api"))
async def test_a_recorded_call_is_answered_byte_for_byte(reverb: tuple[Reverb, int], name: str) -> None:
    """This includes HTTP/1.0, odd spacing and missing headers; only the date differs."""
    _, port = reverb
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"ws://127.0.0.1:{port}/app/{KEY}")
        hello = msgspec.json.decode((await ws.receive()).data)
        auth = channel_auth(APP, msgspec.json.decode(hello["data"])["socket_id"], LIVE)
        await ws.send_json({"event": "pusher:subscribe", "data": {"channel": LIVE, "auth": auth}})
        await ws.receive()
        exchange = recorded("reverb-http-api")[name]
        answer = await raw(port, exchange["request"])
        assert undated(answer) == undated(exchange["response"])
        await ws.close()


def undated(response: str) -> str:
    """Return a response without its date."""
    return re.sub(r"Date: .*", "Date:", response)


async def test_a_request_without_an_upgrade_is_a_500(reverb: tuple[Reverb, int]) -> None:
    """A proxy that drops the Upgrade header causes this request, as recorded."""
    exchange = recorded("ws")["plain-http-on-app"]
    answer = await raw(reverb[1], f"GET /app/{KEY} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer == "HTTP/1.1 500 Internal Server Error\r\n\r\n" + exchange["body"]
    assert exchange["status"] == 500


async def test_a_wrong_path_is_a_404(reverb: tuple[Reverb, int]) -> None:
    """It is refused before the upgrade, as recorded."""
    answer = await raw(reverb[1], "GET /nope HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    assert answer == "HTTP/1.1 404 Not Found\r\n\r\nNot found."
    assert recorded("ws")["wrong-path"]["upgrade"]["status"] == 404
