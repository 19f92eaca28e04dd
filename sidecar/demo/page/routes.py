"""The pages' routes: the demo's page with its stream, and the payer's page with the app and Stripe behind it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from sidecar.core.facts.reports import Flow
from sidecar.demo.page.bookings import Bookings
from sidecar.demo.page.files import ASSETS, asset, client, document
from sidecar.demo.world.contract import Demo
from sidecar.http.body import read_body
from sidecar.http.connections import BANNER
from sidecar.ports import ErrorCode, SidecarError

PACE_S = 0.25
"""Interval of the stream's messages, in seconds of real time."""
SPEEDS = (1, 5, 20)
_BODY_BYTES_MAX = 1000
_BODY_WITHIN_S = 5.0
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class SwitchBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /switches/{key}` and `POST /story`."""

    on: bool


class SpeedBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /speed`."""

    speed: int


class PayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /payer/pay`."""

    flow: Flow


Body = TypeVar("Body")


class Pages:
    """Both pages of one world."""

    def __init__(self, world: Demo, *, pace_s: float = PACE_S) -> None:
        self._world = world
        self._pace_s = pace_s
        self._bookings = Bookings(world)
        self._is_stopping = False

    def routes(self) -> list[web.RouteDef]:
        """Return all that the page's listener answers."""
        return [
            web.get("/", self._page("demo.html")),
            web.get("/page/{name}", self._asset),
            web.get("/payment-refresh.js", self._client),
            web.get("/world", self._view),
            web.get("/world/stream", self._stream),
            web.post("/switches/{key}", self._turn),
            web.post("/story", self._start_story),
            web.post("/speed", self._set_speed),
            web.get("/payer", self._page("payer.html", is_payer=True)),
            web.get("/payer/return", self._page("payer.html", is_payer=True)),
            web.get("/payer/stripe", self._page("stripe.html")),
            web.post("/payer/stripe", self._pay_at_stripe),
            web.get("/payer/settings", self._settings),
            web.get("/payer/token", self._token),
            web.get("/payer/bookings", self._list),
            web.post("/payer/pay", self._pay),
            web.post("/payer/book", self._book),
        ]

    async def stop(self) -> None:
        """End the streams that are open."""
        self._is_stopping = True

    # --- files

    def _page(self, name: str, *, is_payer: bool = False) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            elsewhere = ""
            if is_payer:
                visitor = self._world.visitor()
                urls = (visitor.flag_url, visitor.report_url, visitor.auth_endpoint, visitor.reverb_url)
                elsewhere = "".join(f" {origin}" for origin in dict.fromkeys(map(_origin_of, urls)))
            return _text(document(name), "text/html", {"Content-Security-Policy": _POLICY.format(elsewhere)})

        return answer

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in ASSETS:
            raise SidecarError(ErrorCode.NOT_FOUND, "there is no such file")
        return _text(asset(name), ASSETS[name])

    async def _client(self, _: web.Request) -> web.Response:
        return _text(client(), "text/javascript")

    # --- the world

    async def _view(self, _: web.Request) -> web.Response:
        return _json(self._world.view())

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send the world's view repeatedly, until the client disconnects or the server stops."""
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "Server": BANNER})
        response.content_type = "text/event-stream"
        try:
            await response.prepare(request)
            await response.write(b"retry: 1000\n\n")
            is_last = False
            while not is_last:  # the last state is sent too
                is_last = self._is_stopping
                await response.write(b"data: " + msgspec.json.encode(self._world.view()) + b"\n\n")
                await self._pause()
        except ConnectionError:  # the client has disconnected
            pass
        return response

    async def _pause(self) -> None:
        """Wait for the interval in real time. The loop runs in world time, and its speed may change meanwhile."""
        waited = 0
        while waited < self._world.speed and not self._is_stopping:
            await asyncio.sleep(self._pace_s)
            waited += 1

    async def _turn(self, request: web.Request) -> web.Response:
        wanted = await _body_of(request, SwitchBody, '{"on": true} or {"on": false}')
        self._world.turn(request.match_info["key"], on=wanted.on)
        return web.Response(status=204)

    async def _start_story(self, request: web.Request) -> web.Response:
        if not (await _body_of(request, SwitchBody, '{"on": true}')).on:
            raise SidecarError(ErrorCode.BODY_INVALID, "the story is running, and cannot be stopped")
        self._world.start_story()
        return web.Response(status=204)

    async def _set_speed(self, request: web.Request) -> web.Response:
        what = 'a speed of 1, 5 or 20: {"speed": 5}'
        speed = (await _body_of(request, SpeedBody, what)).speed
        if speed not in SPEEDS:
            raise SidecarError(ErrorCode.BODY_INVALID, f"send {what}")
        self._world.set_speed(speed)
        return web.Response(status=204)

    # --- the app behind the payer's page

    async def _settings(self, _: web.Request) -> web.Response:
        return _json(self._world.visitor())

    async def _token(self, _: web.Request) -> web.Response:
        return _text(self._world.token().encode(), "text/plain")

    async def _list(self, request: web.Request) -> web.Response:
        """Answer a refetch, which says whether a push caused it."""
        return _json({"bookings": self._bookings.all(is_pushed="pushed" in request.query)})

    async def _book(self, _: web.Request) -> web.Response:
        self._bookings.book()
        return _json({"bookings": self._bookings.all()})

    async def _pay(self, request: web.Request) -> web.Response:
        """Make the PaymentIntent; in the page it is paid at once, else the payer is sent to Stripe's page."""
        wanted = await _body_of(request, PayBody, '{"flow": "in_page"} or {"flow": "redirect"}')
        payment_intent = self._bookings.begin(wanted.flow)
        if wanted.flow is Flow.IN_PAGE:
            self._bookings.pay(payment_intent)
            return _json({"payment_intent": payment_intent, "redirect": None})
        return _json({"payment_intent": payment_intent, "redirect": f"/payer/stripe?payment_intent={payment_intent}"})

    async def _pay_at_stripe(self, request: web.Request) -> web.Response:
        """Take the payment on the stand-in for Stripe's page, and redirect the payer back."""
        payment_intent = request.query.get("payment_intent", "")
        self._bookings.pay(payment_intent)
        back = f"/payer/return?payment_intent={payment_intent}&redirect_status=succeeded"
        return web.Response(status=303, headers={"Location": back})


def _origin_of(url: str) -> str:
    scheme, netloc, *_ = urlsplit(url)
    return f"{scheme}://{netloc}"


async def _body_of(request: web.Request, shape: type[Body], what: str) -> Body:
    """Return the decoded body. Raises `SidecarError`: `body_invalid` and those of `read_body`."""
    body = await read_body(request, bytes_max=_BODY_BYTES_MAX, within_s=_BODY_WITHIN_S)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SidecarError(ErrorCode.BODY_INVALID, f"send JSON: {what}") from error


def _text(body: bytes, content_type: str, headers: dict[str, str] | None = None) -> web.Response:
    headers_out = {"Cache-Control": "no-cache", "Referrer-Policy": "same-origin", **(headers or {})}
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers_out)


def _json(value: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", headers={"Cache-Control": "no-store"}
    )
