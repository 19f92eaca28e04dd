"""Servers that replay recordings: a Reverb from its frames, and an app from its bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from sidecar.probes.auth_probe import AuthProber
from sidecar.probes.browser import Browser
from sidecar.pusher.signing import channel_auth
from tests.captures import lines
from tests.probes.world import APP, target_at

CHANNEL = "private-live-refresh.7"
Frames = list[dict[str, Any]]


def frames_of(folder: str) -> Frames:
    """Return the text frames of a scenario's first upgraded connection, and how it ended."""
    own = [line for line in lines(f"{folder}/ws.jsonl") if line["conn"] == 1]
    return [
        {"dir": "in" if line["dir"] == "s2c" else "out", "payload": line["ws"]["payload"]}
        for line in own
        if line.get("ws", {}).get("opcode") == "text"
    ]


def auth_response_of(folder: str) -> str:
    """Return the bytes of the app's response to the auth request."""
    web_lines = lines(f"{folder}/web.jsonl")
    asked = next(
        line for line in web_lines if line["dir"] == "c2s" and "POST /broadcasting/auth" in line.get("text", "")
    )
    return "".join(line["text"] for line in web_lines if line["conn"] == asked["conn"] and line["dir"] == "s2c")


def welcome() -> Frames:
    """Return the frames of a healthy Reverb, up to the subscription."""
    hello = (
        '{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"123.456\\",\\"activity_timeout\\":30}"}'
    )
    done = '{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"private-live-refresh.7"}'
    return [
        {"dir": "in", "payload": hello},
        {"dir": "out", "payload": "pusher:subscribe"},
        {"dir": "in", "payload": done},
    ]


def signed(socket_id: str) -> str:
    """Return the bytes of an app that signs correctly."""
    body = msgspec.json.encode({"auth": channel_auth(APP, socket_id, CHANNEL)}).decode()
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"


@asynccontextmanager
async def replaying(frames: Frames | None, response: str, *, is_dropped: bool = False) -> AsyncIterator[AuthProber]:
    """Serve the recording, and return an auth prober for it. Without frames no Reverb listens."""

    async def reverb(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        for frame in frames or []:
            if frame["dir"] == "in":
                await ws.send_str(frame["payload"])
            elif (await ws.receive()).type is not WSMsgType.TEXT:
                return ws
        if is_dropped and request.transport is not None:
            request.transport.close()
        else:
            async for _ in ws:
                pass
        return ws

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")), 0
        )
        await reader.readexactly(length)
        writer.write(response.encode())
        await writer.drain()
        writer.close()

    site = web.Application()
    site.router.add_get("/app/{key}", reverb)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = await asyncio.start_server(app, "127.0.0.1", 0)
    app_port = server.sockets[0].getsockname()[1]
    port = runner.addresses[0][1] if frames is not None else 9
    origin = f"http://127.0.0.1:{app_port}"  # no preflight: none was recorded
    target = target_at(port, app_port, channel=CHANNEL, origin=origin)
    try:
        yield AuthProber(Browser(target))
    finally:
        server.close()
        await runner.cleanup()
