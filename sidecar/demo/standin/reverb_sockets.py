"""The WebSocket side of the Reverb stand-in: greeting, subscribing, whispering, pinging and pruning."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from sidecar import clock, randomness
from sidecar.demo.standin.reverb_channels import Channels, Member, is_private, php_json
from sidecar.pusher.signing import App, channel_auth

_UNSENT_MAX = 10_000
_LOOK_S = 0.05
FLUSHED_WITHIN_S = 1.0

Whisper = Callable[[str, str, str], None]
"""Takes a channel, a frame for its members, and the socket that is left out."""


class Setup(msgspec.Struct, kw_only=True):
    """The application's settings in `config/reverb.php`, with Reverb's defaults."""

    allowed_origins: tuple[str, ...] = ("*",)
    """Hosts, with `*` as a wildcard; scheme and port never match anything."""
    activity_timeout_s: int = 30
    ping_interval_s: float = 60.0
    tick_s: float = 60.0
    """How often it prunes and pings; fixed in Reverb."""
    max_connections: int | None = None
    max_message_bytes: int = 10_000
    max_request_bytes: int = 10_000
    accept_client_events_from: str = "members"
    path: str = ""
    """A prefix of all paths, such as `/reverb`."""
    messages_max: int | None = None
    """Per socket and minute; None: rate limiting is off."""


class Faults(msgspec.Struct, kw_only=True):
    """What is broken; may be changed at any time."""

    is_frozen: bool = False
    """Nothing is read or answered, and nothing closed, as after SIGSTOP."""
    upgrade_status: int | None = None
    """Refuse the upgrade with this status."""
    first_frame: str | None = None
    """Sent instead of `connection_established`; `silence`: nothing; `drop`: the connection ends."""
    subscribe_code: int | None = None
    """Refuse every subscription with this code."""
    is_mute: bool = False
    """Take subscriptions and answer none."""
    is_deaf: bool = False
    """Take broadcasts and deliver none to this node's sockets."""
    swallow_ratio: float = 0.0
    """Lose this share of broadcasts after the API's 200."""
    delay_s: float = 0.0
    """Deliver so much later."""
    api_status: int | None = None
    """Refuse every call of the API with this status."""


class PusherError(Exception):
    """Becomes a `pusher:error` frame; the socket stays open."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


_INVALID = PusherError(4200, "Invalid message format")


class _Socket:
    """One WebSocket, its outbox, and the time of its last frame."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, now_s: float) -> None:
        self.socket_id = f"{int(randomness.uniform(1, 10**9))}.{int(randomness.uniform(1, 10**9))}"
        self.ws, self.request, self.last_frame_s = ws, request, now_s
        self.is_pinged = self.uses_control = False
        self.minute, self.messages = 0, 0
        self.unsent: asyncio.Queue[str | None] = asyncio.Queue(_UNSENT_MAX)

    def send(self, text: str | None) -> None:
        """Send a text frame; None: a Ping frame."""
        with suppress(asyncio.QueueFull):
            self.unsent.put_nowait(text)

    def error(self, code: int, message: str) -> None:
        self.send(_error(code, message))

    async def write(self) -> None:
        """Write what is in the outbox, for ever."""
        while True:
            text = await self.unsent.get()
            with suppress(ConnectionError):
                await (self.ws.ping() if text is None else self.ws.send_str(text))
            self.unsent.task_done()

    async def drop(self) -> None:
        """End the TCP stream without a Close frame, as Reverb does; queued data is still sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSHED_WITHIN_S):
                await self.unsent.join()
        if self.request.transport is not None:
            self.request.transport.close()


class Sockets:
    """All connections of a node."""

    def __init__(self, app: App, setup: Setup, channels: Channels, whisper: Whisper) -> None:
        self.faults = Faults()
        self._app, self._setup, self._channels, self._whispered = app, setup, channels, whisper
        self._open: dict[str, _Socket] = {}
        self._dropping: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._open))

    async def thawed(self) -> None:
        """Wait while the process is frozen."""
        while self.faults.is_frozen:  # noqa: ASYNC110 - a switch that anybody may turn needs no event
            await asyncio.sleep(_LOOK_S)

    async def flush(self) -> None:
        """Return once the outbox is written, or after a second: a slow client must not block the API."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSHED_WITHIN_S):
                for socket in list(self._open.values()):
                    await socket.unsent.join()

    async def drop(self, socket_id: str) -> None:
        """End one connection without a Close frame."""
        if socket_id in self._open:
            await self._open[socket_id].drop()

    def drop_all(self) -> None:
        """Cut every connection."""
        for socket in self._open.values():
            self._drop_soon(socket)

    def _drop_soon(self, socket: _Socket) -> None:
        task = asyncio.ensure_future(socket.drop())
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

    async def connect(self, request: web.BaseRequest, key: str) -> web.StreamResponse:
        """Serve one connection until it ends."""
        ws = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=0, timeout=0.1)
        ws.headers["X-Powered-By"] = "Laravel Reverb"
        try:
            await ws.prepare(request)
        except ConnectionError:  # it was given up meanwhile
            return ws
        assert isinstance(request, web.BaseRequest)  # noqa: S101 - `web.Server` gives no application's request
        socket = _Socket(ws, request, clock.monotonic_s())  # type: ignore[arg-type]
        self._open[socket.socket_id] = socket
        writer = asyncio.ensure_future(socket.write())
        try:
            if self._greet(socket, key, request.headers.get("Origin")):
                await self._listen(socket)
            else:
                await socket.drop()
        finally:
            writer.cancel()
            del self._open[socket.socket_id]
            self._channels.leave_all(socket.socket_id)
        return ws

    def _greet(self, socket: _Socket, key: str, origin: str | None) -> bool:
        """Send the first frame, and return whether the connection continues."""
        faults, setup = self.faults, self._setup
        if faults.first_frame is not None:
            if faults.first_frame not in {"silence", "drop"}:
                socket.send(faults.first_frame)
            return faults.first_frame != "drop"
        if key != self._app.key:
            socket.error(4001, "Application does not exist")
            return False
        if setup.max_connections is not None and len(self._channels.sockets()) >= setup.max_connections:
            socket.error(4004, "Application is over connection quota")
        elif not _is_allowed(origin, setup.allowed_origins):
            socket.error(4009, "Origin not allowed")
        else:
            hello = {"socket_id": socket.socket_id, "activity_timeout": setup.activity_timeout_s}
            socket.send(php_json({"event": "pusher:connection_established", "data": php_json(hello)}))
        return True

    async def _listen(self, socket: _Socket) -> None:
        async for message in socket.ws:
            await self.thawed()
            socket.last_frame_s, socket.is_pinged = clock.monotonic_s(), False
            if message.type in {WSMsgType.PING, WSMsgType.PONG}:
                socket.uses_control = True
                if message.type is WSMsgType.PING:
                    await socket.ws.pong(message.data)
            elif message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                text = message.data if isinstance(message.data, bytes) else message.data.encode()
                if len(text) > self._setup.max_message_bytes:
                    await socket.ws.close(code=WSCloseCode.MESSAGE_TOO_BIG, message=b"Maximum message size exceeded")
                    return
                self._receive(socket, text)

    def _receive(self, socket: _Socket, text: bytes) -> None:
        try:
            self._limit(socket)
            try:
                received = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise _INVALID from error
            if not isinstance(received, dict) or not isinstance(received.get("event"), str):
                raise _INVALID
            self._handle(socket, received, received["event"])
        except PusherError as error:
            socket.error(error.code, error.message)
        except (KeyError, TypeError, ValueError, AttributeError):  # Reverb answers every other exception so
            socket.error(_INVALID.code, _INVALID.message)

    def _limit(self, socket: _Socket) -> None:
        if self._setup.messages_max is None:
            return
        minute = int(clock.monotonic_s() // 60)
        socket.messages = socket.messages + 1 if minute == socket.minute else 1
        socket.minute = minute
        if socket.messages > self._setup.messages_max:
            raise PusherError(4301, "Rate limit exceeded")

    def _handle(self, socket: _Socket, received: dict[str, Any], event: str) -> None:
        data = received.get("data")
        data = json.loads(data) if isinstance(data, str) and event.startswith("pusher:") else data
        if event == "pusher:ping":
            socket.send(php_json({"event": "pusher:pong"}))
        elif event == "pusher:pong":
            pass
        elif event == "pusher:subscribe":
            self._subscribe(socket, data or {})
        elif event == "pusher:unsubscribe":
            self._channels.leave(str((data or {}).get("channel", "")), socket.socket_id)
        elif event.startswith("pusher:"):
            raise _INVALID
        elif event.startswith("client-"):
            self._whisper(socket, received, event)
        elif not isinstance(received.get("channel"), str):
            raise _INVALID

    def _subscribe(self, socket: _Socket, data: dict[str, Any]) -> None:
        if data.get("channel") is None:
            raise _INVALID
        channel, text = str(data["channel"]), data.get("channel_data") or ""
        if self.faults.is_mute:
            return
        if self.faults.subscribe_code is not None:
            raise PusherError(self.faults.subscribe_code, "Connection is unauthorized")
        if not isinstance(text, str):
            raise _INVALID
        if is_private(channel):
            made = channel_auth(self._app, socket.socket_id, channel, text).partition(":")[2]
            given = str(data.get("auth") or "")
            if (given.partition(":")[2] if ":" in given else given) != made:
                raise PusherError(4009, "Connection is unauthorized")
        details = json.loads(text) if text else {}
        member = Member(socket_id=socket.socket_id, send=socket.send, data=details, text=text)
        for frame in self._channels.join(channel, member):
            socket.send(frame)

    def _whisper(self, socket: _Socket, received: dict[str, Any], event: str) -> None:
        channel, data, mode = received.get("channel"), received.get("data"), self._setup.accept_client_events_from
        if isinstance(data, str):
            data = json.loads(data)
        if not isinstance(channel, str) or not (data is None or isinstance(data, dict | list)):
            raise _INVALID
        if mode not in {"members", "all"}:
            raise PusherError(4301, "The app does not have client messaging enabled.")
        member = self._channels.member(channel, socket.socket_id)
        if mode == "all":
            frame = php_json(received)
        elif member is None:
            raise PusherError(4009, "The client is not a member of the specified channel.")
        else:
            user = {"user_id": member.user_id} if member.user_id else {}
            frame = php_json({"event": event, "channel": channel, "data": data, **user})
        self._whispered(channel, frame, socket.socket_id)

    async def tick(self) -> None:
        """Prune and ping, for ever."""
        while True:
            await asyncio.sleep(self._setup.tick_s)
            await self.thawed()
            now_s, subscribed = clock.monotonic_s(), self._channels.sockets()
            quiet = [
                socket
                for socket in self._open.values()
                if socket.socket_id in subscribed and now_s - socket.last_frame_s >= self._setup.ping_interval_s
            ]
            for socket in quiet:
                if socket.is_pinged:
                    socket.error(4201, "Pong reply not received in time")
                    self._channels.leave_all(socket.socket_id)
                    self._drop_soon(socket)
                else:
                    socket.is_pinged = True
                    socket.send(None if socket.uses_control else php_json({"event": "pusher:ping"}))


def _is_allowed(origin: str | None, allowed: tuple[str, ...]) -> bool:
    """Compare only the host, as Reverb does."""
    if "*" in allowed:
        return True
    host = (origin or "").partition("://")[2].partition("/")[0].rpartition("@")[2]
    host = host.split(":")[0] if not host.startswith("[") else host
    return any(_matches(host, pattern) for pattern in allowed)


def _matches(host: str, pattern: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return bool(host) and host == pattern
    if not host.startswith(first) or not host.endswith(rest[-1]):
        return False
    at = len(first)
    for part in rest[:-1]:
        at = host.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return at <= len(host) - len(rest[-1])


def _error(code: int, message: str) -> str:
    return php_json({"event": "pusher:error", "data": php_json({"code": code, "message": message})})
