"""A Reverb and an app on loopback, and servers with one fault each."""

import asyncio
import base64
import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from unittest.mock import patch

import aiohttp
import msgspec

from sidecar.config import Authorizer, Credentials, ProbeSecrets
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.demo.standin.reverb import Reverb
from sidecar.demo.standin.reverb_sockets import Setup
from sidecar.probes.auth_probe import AuthProber
from sidecar.probes.browser import Browser
from sidecar.probes.probe_record import AuthProbeResult
from sidecar.probes.target import Target
from sidecar.pusher.signing import App

APP = App(app_id="501", key="liverefresh-key", secret="liverefresh-secret")
ORIGIN = "http://app.test.localhost:3000"
TOKEN, EMAIL, PASSWORD = "probe-token-of-user-0", "probe@example.test", "a fine password"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read everything, and answer nothing."""
    await reader.read(-1)
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection once bytes arrive."""
    await reader.read(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection once bytes arrive."""
    await reader.read(1)
    writer.close()


def saying(text: str) -> Talk:
    """Return a handler that answers a request with these bytes, and closes."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.encode())
        await writer.drain()
        writer.close()

    return say


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept a WebSocket handshake (RFC 6455); the caller sends what follows."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.partition(": ")[2] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324
    accept = base64.b64encode(digest).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    await writer.drain()


def framing(frame: bytes) -> Talk:
    """Return a handler that upgrades, sends these bytes, and then nothing."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(frame)
        await reader.read(-1)
        writer.close()

    return say


class World:
    """The servers to probe, and the target that the probes are configured with."""

    def __init__(self, stack: AsyncExitStack, reverb: Reverb, app: BookingApp, target: Target) -> None:
        self.reverb, self.app, self.target = reverb, app, target
        self._stack = stack
        self.auth_prober = AuthProber(Browser(target))

    def change(self, **keys: object) -> None:
        """Change the target, with a new browser."""
        self.target = msgspec.structs.replace(self.target, **keys)
        self.auth_prober = AuthProber(Browser(self.target))

    async def auth_probe(self, *, within_s: float = 60.0) -> AuthProbeResult:
        """Run one auth probe."""
        return await self.auth_prober.auth_probe(within_s=within_s)

    async def serve(self, talk: Talk, tls: ssl.SSLContext | None = None) -> int:
        """Start a server on loopback with this handler, and return its port."""

        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await talk(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
        self._stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    def resolver_hangs(self) -> None:
        """Make name resolution hang until the end."""

        async def resolve(*_: object, **__: object) -> list[object]:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

        self._stack.enter_context(patch.object(aiohttp.ThreadedResolver, "resolve", resolve))

    def hold(self, held: socket.socket) -> None:
        """Keep a socket open until the end."""
        self._stack.callback(held.close)

    async def reverb_is(self, talk: Talk, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        """Replace Reverb by another server."""
        port = await self.serve(talk, tls)
        self.change(socket_url=f"{'wss' if tls else 'ws'}://{host}:{port}/app/{APP.key}")

    async def app_is(self, talk: Talk) -> None:
        """Replace the app by another server."""
        self.change(auth_endpoint=f"http://127.0.0.1:{await self.serve(talk)}/broadcasting/auth")


def target_at(port: int, app_port: int, **keys: object) -> Target:
    """Return a target on loopback: Reverb and the app by their ports, with these changes."""
    base = f"http://127.0.0.1:{app_port}"
    target = Target(
        app=APP,
        socket_url=f"ws://127.0.0.1:{port}/app/{APP.key}?protocol=7",
        api_url=f"http://127.0.0.1:{port}",
        origin=ORIGIN,
        auth_endpoint=f"{base}/broadcasting/auth",
        csrf_url=f"{base}/sanctum/csrf-cookie",
        login_url=f"{base}/login",
        channel="private-live-refresh.0",
        isolation_channel="private-live-refresh.1",
        observer_channel="private-reverb-sidecar",
        reference=None,
        authorizer=Authorizer.DEFAULT,
        login=Credentials.BEARER,
        secrets=ProbeSecrets(app_secret=APP.secret, token=TOKEN),
    )
    return msgspec.structs.replace(target, **keys)


@asynccontextmanager
async def world(
    *,
    login: Credentials = Credentials.BEARER,
    authorizer: Authorizer = Authorizer.DEFAULT,
    setup: Setup | None = None,
    is_same_origin: bool = False,
) -> AsyncIterator[World]:
    """Start a healthy Reverb and a healthy app."""
    async with AsyncExitStack() as stack:
        reverb = Reverb(APP, setup=setup)
        app = BookingApp(APP, origins=(ORIGIN,), users={TOKEN: "0"})
        app.passwords[EMAIL] = (PASSWORD, "0")
        port, app_port = await reverb.start(), await app.start()
        stack.push_async_callback(reverb.stop)
        stack.push_async_callback(app.stop)
        by_token = login is Credentials.BEARER
        secrets = ProbeSecrets(
            app_secret=APP.secret,
            token=TOKEN if by_token else None,
            email=None if by_token else EMAIL,
            password=None if by_token else PASSWORD,
        )
        base = f"http://127.0.0.1:{app_port}"
        target = target_at(port, app_port, login=login, authorizer=authorizer, secrets=secrets)
        if is_same_origin:
            target = msgspec.structs.replace(target, origin=base)
        yield World(stack, reverb, app, target)
