"""A stand-in for Laravel Reverb: the wire behaviour of a real one, and on command that of a broken one.

It follows a list of Reverb 1.10's behaviour, and is tested against recorded traffic (`tests/captures`), the real
pusher-js and Laravel Echo. One port serves WebSockets, the HTTP API and `/up`. Beside the API's odd answers
(`reverb_api`): it closes without a Close frame, leaves a refused origin's socket open, and pings, prunes and counts
only connections with a subscription.

Not modelled: unmasked frames, the bytes on Reverb's Redis bus (only its effects), several applications, TLS.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from aiohttp import web

from sidecar import clock, randomness
from sidecar.demo.standin.reverb_api import (
    Broadcast,
    Raw,
    Refused,
    batch_of,
    broadcast_of,
    check_signature,
    decoded,
    internal_error,
    refused,
    succeeded,
    wanted,
)
from sidecar.demo.standin.reverb_bus import Bus, Node
from sidecar.demo.standin.reverb_channels import Channels
from sidecar.demo.standin.reverb_sockets import Faults, Setup, Sockets
from sidecar.pusher.signing import App

_METRICS_WITHIN_S = 10.0


class Reverb:
    """One node."""

    def __init__(self, app: App, *, setup: Setup | None = None, bus: Bus | None = None) -> None:
        self.app, self.setup = app, setup or Setup()
        self.channels = Channels()
        self.sockets = Sockets(app, self.setup, self.channels, self._whisper)
        self.published: list[Broadcast] = []
        """The last broadcasts that the API took."""
        self.is_dead = False
        """The process has exited with code 0, without a message."""
        self._bus = bus
        self._ticking: asyncio.Task[None] | None = None
        self._runner: web.ServerRunner | None = None
        if bus is not None:
            bus.add(self)

    # --- the process

    async def start(self, port: int = 0) -> int:
        """Listen on loopback, and return the port."""
        self._runner = web.ServerRunner(
            web.Server(self._serve, keepalive_timeout=3600), handle_signals=False, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True).start()
        self._ticking = asyncio.create_task(self.sockets.tick())
        self.is_dead = False
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End every connection without a Close frame, and stop listening."""
        for socket_id in self.sockets:
            await self.sockets.drop(socket_id)
        if self._ticking is not None:
            self._ticking.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def serve(self) -> web.RequestHandler | None:
        """Return a protocol for one more connection, for a proxy; None: it is down."""
        return None if self._runner is None or self._runner.server is None else self._runner.server()

    async def exit(self) -> None:
        """Die as Reverb does of an exception in its event loop."""
        if not self.is_dead:
            self.is_dead = True
            await self.stop()

    @property
    def faults(self) -> Faults:
        """What is broken."""
        return self.sockets.faults

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        await self.sockets.thawed()
        path = request.path
        if self.setup.path:
            if not path.startswith(f"{self.setup.path}/"):
                return refused(Refused(404, "Not found."))
            path = path.removeprefix(self.setup.path)
        try:
            body = await self._body(request)
            return await self._route(request, path, body)
        except Refused as error:
            return refused(error)

    async def _body(self, request: web.BaseRequest) -> bytes:
        head = sum(len(name) + len(value) + 4 for name, value in request.raw_headers) + len(request.path_qs) + 20
        length = request.content_length or 0
        if head + length > self.setup.max_request_bytes:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Payload too large.")
        return await request.content.readexactly(length) if length else b""

    async def _route(self, request: web.BaseRequest, path: str, body: bytes) -> web.StreamResponse:
        match path.strip("/").split("/") if not path.endswith("/") or path == "/" else []:
            case ["app", key]:
                self._allow(request, "GET")
                if self.faults.upgrade_status is not None:
                    raise Refused(self.faults.upgrade_status, HTTPStatus(self.faults.upgrade_status).phrase)
                if "Upgrade" not in request.headers:
                    raise internal_error()
                return await self.sockets.connect(request, key)
            case ["up"]:
                self._allow(request, "GET", "HEAD")
                return self._answer({"health": "OK"})
            case ["apps", app_id, *rest] if rest:
                return await self._api(request, path, app_id, rest, body)
        raise Refused(HTTPStatus.NOT_FOUND, "Not found.")

    def _allow(self, request: web.BaseRequest, *methods: str) -> None:
        if request.method not in methods:
            allowed = f"Allow: {', '.join(methods)}\r\n"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed.", allowed)

    def _answer(self, content: object, status: int = 200) -> Raw:
        return succeeded(content, status=status, now_s=clock.wall_ms() / 1000)

    # --- the HTTP API

    async def _api(
        self, request: web.BaseRequest, path: str, app_id: str, rest: list[str], body: bytes
    ) -> web.StreamResponse:
        calls: dict[tuple[str, ...], tuple[str, Callable[[dict[str, str]], Awaitable[Raw]]]] = {
            ("events",): ("POST", lambda _: self._events(body)),
            ("batch_events",): ("POST", lambda _: self._batch_events(body)),
            ("connections",): ("GET", lambda _: self._connections()),
            ("channels",): ("GET", self._list),
            ("channels", "*"): ("GET", lambda params: self._describe(rest[1], params)),
            ("channels", "*", "users"): ("GET", lambda _: self._users(rest[1])),
            ("users", "*", "terminate_connections"): ("POST", lambda _: self._terminate(rest[1])),
        }
        shape = tuple("*" if index == 1 else part for index, part in enumerate(rest))
        if shape not in calls:
            raise Refused(HTTPStatus.NOT_FOUND, "Not found.")
        method, call = calls[shape]
        self._allow(request, method)
        if self.faults.api_status is not None:
            raise Refused(self.faults.api_status, HTTPStatus(self.faults.api_status).phrase)
        if app_id != self.app.app_id:
            raise Refused(HTTPStatus.NOT_FOUND, f"No matching application for ID [{app_id}].")
        params = check_signature(self.app, method, path, request.query_string, body)
        return await call(params)

    async def _events(self, body: bytes) -> Raw:
        content = decoded(body)
        asked = broadcast_of(content)
        if isinstance(asked, dict):
            return self._answer(asked, HTTPStatus.UNPROCESSABLE_ENTITY)
        await self._broadcast(asked)
        attributes = wanted(content.get("info"))
        if not attributes:
            return self._answer({})
        await self._metrics()
        return self._answer({"channels": {name: self._counted(name, attributes) for name in asked.channels}})

    async def _batch_events(self, body: bytes) -> Raw:
        content = decoded(body)
        asked = batch_of(content)
        if isinstance(asked, dict):
            return self._answer(asked, HTTPStatus.UNPROCESSABLE_ENTITY)
        for each in asked:
            await self._broadcast(each)
        infos = [
            self._counted(each.channels[0], wanted(item.get("info"))) if item.get("info") else {}
            for each, item in zip(asked, content["batch"], strict=True)
        ]
        return self._answer({"batch": infos if any(infos) else {}})

    async def _connections(self) -> Raw:
        await self._metrics()
        nodes: Sequence[Node] = self._bus.nodes if self._bus else [self]
        return self._answer({"connections": len({socket for node in nodes for socket in node.channels.sockets()})})

    async def _list(self, params: dict[str, str]) -> Raw:
        await self._metrics()
        prefix, attributes = params.get("filter_by_prefix", ""), wanted(params.get("info"))
        content = {name: self._counted(name, attributes) for name in self.channels.names() if name.startswith(prefix)}
        return self._answer({"channels": content or []})

    async def _describe(self, channel: str, params: dict[str, str]) -> Raw:
        await self._metrics()
        return self._answer(self.channels.info(channel, {"occupied", *wanted(params.get("info"))}))

    async def _users(self, channel: str) -> Raw:
        await self._metrics()
        users = self.channels.users(channel)
        if users is None:
            return self._answer({}, HTTPStatus.NOT_FOUND)
        if not channel.startswith("presence"):
            return self._answer({}, HTTPStatus.BAD_REQUEST)
        return self._answer({"users": [{"id": user} for user in users]})

    async def _terminate(self, user_id: str) -> Raw:
        """Disconnect a user; with a subscriber that has no user id this is an exception in Reverb, which may end it."""
        members = [self.channels.member(name, each) for name in self.channels.names() for each in self.sockets]
        if any(member is not None and member.user_id is None for member in members):
            if self._bus is not None:
                await asyncio.gather(*(node.exit() for node in self._bus.nodes))
            raise internal_error()
        for member in members:
            if member is not None and str(member.user_id) == user_id:
                await self.sockets.drop(member.socket_id)
        return self._answer({})

    def _counted(self, channel: str, attributes: set[str]) -> dict[str, object]:
        content = self.channels.info(channel, attributes)
        return {name: value for name, value in content.items() if name != "occupied" or "occupied" in attributes}

    async def _broadcast(self, asked: Broadcast) -> None:
        self.published = [*self.published[-99:], asked]
        frames = [(channel, asked.frame(channel)) for channel in asked.channels]
        if randomness.uniform(0, 1) >= self.faults.swallow_ratio:
            self._publish(lambda node: node.deliver(frames, but=asked.socket_id))
        await self.sockets.flush()

    def _whisper(self, channel: str, frame: str, but: str) -> None:
        self._publish(lambda node: node.deliver([(channel, frame)], but=but))

    def _publish(self, deliver: Callable[[Node], None]) -> None:
        """Deliver on this node; with scaling on every node, and only over the bus."""
        if self._bus is None:
            deliver(self)
        else:
            self._bus.publish(deliver)

    def deliver(self, frames: list[tuple[str, str]], *, but: str | None) -> None:
        """Send frames to the members of their channels on this node."""
        if self.faults.is_deaf:
            return
        if self.faults.delay_s:
            asyncio.get_running_loop().call_later(self.faults.delay_s, self._deliver, frames, but)
        else:
            self._deliver(frames, but)

    def _deliver(self, frames: list[tuple[str, str]], but: str | None) -> None:
        for channel, frame in frames:
            self.channels.deliver(channel, frame, but=but)

    async def _metrics(self) -> None:
        """Wait as Reverb does while another subscriber on its bus never replies."""
        if self._bus is not None and (self._bus.foreign_subscribers or self._bus.is_down):
            await asyncio.sleep(_METRICS_WITHIN_S)
