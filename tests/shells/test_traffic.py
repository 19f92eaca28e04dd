"""Answers of the public listener, as Prometheus counts them: rate, errors and duration by route."""

import asyncio

import aiohttp
from aiohttp import web

from sidecar.config import Address
from sidecar.http.server import Listener
from sidecar.parts.routes import OPERATOR, PUBLIC


async def _ok(_: web.Request) -> web.Response:
    return web.Response()


async def _broken(_: web.Request) -> web.Response:
    message = "a fault of ours"
    raise ValueError(message)


async def _slow(_: web.Request) -> web.Response:
    await asyncio.sleep(0.3)
    return web.Response(status=304)


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.sleep(0.3)
    return response


async def _asked(name: str) -> Listener:
    """Return a listener that has answered each of its routes once, and another path."""
    routes = [
        web.get("/ok/{key}", _ok),
        web.get("/broken", _broken),
        web.get("/slow", _slow),
        web.get("/stream", _stream),
    ]
    listener = Listener(name, Address(host="127.0.0.1", port=0), routes)
    url = listener.bind()
    await listener.start()
    async with aiohttp.ClientSession() as session:
        for path in ("/ok/one", "/ok/two", "/broken", "/slow", "/stream", "/nowhere"):
            async with session.get(url + path) as response:
                await response.read()
    await listener.stop()
    return listener


async def test_answers_are_counted_by_route_and_class_and_timed() -> None:
    """A path's parameter is no label, an error of ours is 5xx, and a stream has no duration."""
    listener = await _asked(PUBLIC)
    answered = {key: count for key, count in listener.requests().items() if count}
    assert answered == {
        ("/ok/{key}", "2xx"): 2,
        ("/broken", "5xx"): 1,
        ("/slow", "3xx"): 1,
        ("/stream", "2xx"): 1,
        ("/{elsewhere}", "4xx"): 1,
    }
    took_s, slow = listener.request_seconds(), listener.slow_requests()
    assert took_s[("/slow",)] >= 0.3
    assert took_s[("/stream",)] == 0
    assert (slow[("/slow",)], slow[("/stream",)]) == (1, 0)


async def test_operators_are_not_counted() -> None:
    """Only the public listener has these series."""
    listener = await _asked(OPERATOR)
    assert (listener.requests(), listener.request_seconds(), listener.slow_requests()) == ({}, {}, {})
