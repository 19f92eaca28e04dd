"""Receivers for tests: real servers on loopback with configurable, also faulty, behaviour."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """A receiver: its requests and its responses."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.url = ""
        self.bodies: list[Any] = []
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._behaviours = list(behaviours) or [well]
        """Used in turn; the last one is repeated."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Record a request, and respond with the next behaviour."""
        body = await request.read()
        self.raw.append(body)
        self.bodies.append(msgspec.json.decode(body) if body else None)
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        behave = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
        return await behave(request)

    def events(self) -> list[str]:
        """Return the events that a webhook received, in order."""
        return [body["event"] for body in self.bodies]


@asynccontextmanager
async def receiving(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver with these behaviours, used in turn."""
    receiver = Receiver(*behaviours)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    assert site._server is not None
    port = runner.addresses[0][1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/hooks/T1?token=in-the-url"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def well(_: web.Request) -> web.Response:
    """Respond with 200."""
    return web.Response(text="ok")


def says(status: int, **headers: str) -> Behaviour:
    """Return a behaviour that responds with a status and headers (underscores are dashes)."""

    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, headers=named, text="a body that is not read")

    return answer


async def hang(_: web.Request) -> web.StreamResponse:
    """Never respond."""
    await asyncio.Event().wait()
    raise AssertionError


async def drip(request: web.Request) -> web.StreamResponse:
    """Respond at once, with a body that never ends."""
    response = web.StreamResponse(status=200)
    await response.prepare(request)
    await asyncio.Event().wait()
    raise AssertionError


async def cut(request: web.Request) -> web.StreamResponse:
    """Close the connection without a response."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def annotate(request: web.Request) -> web.Response:
    """Behave like Grafana's `POST /api/annotations`, according to its documentation and source.

    401 without a known bearer token, 400 for invalid JSON or a missing text, 200 with the id.
    """
    if request.method != "POST" or request.path != "/api/annotations":
        return web.json_response({"message": "Not found"}, status=404)
    if request.headers.get("Authorization") != "Bearer signing-key-for-the-tests-0123456789":
        return web.json_response({"message": "Invalid API key"}, status=401)
    if request.content_type != "application/json":
        return web.json_response({"message": "bad request data"}, status=400)
    try:
        command = msgspec.json.decode(await request.read(), type=Annotation)
    except msgspec.DecodeError:
        return web.json_response({"message": "bad request data"}, status=400)
    if not command.text:
        return web.json_response({"message": "Failed to save annotation: text field should not be empty"}, status=400)
    return web.json_response({"message": "Annotation added", "id": 1})


class Annotation(msgspec.Struct, forbid_unknown_fields=True):
    """The body, as in Grafana's `dtos.PostAnnotationsCmd`."""

    text: str
    time: int = 0
    timeEnd: int = 0  # noqa: N815 - Grafana's name
    tags: list[str] = []
    dashboardUID: str = ""  # noqa: N815
    panelId: int = 0  # noqa: N815
