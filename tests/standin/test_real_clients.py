"""The real pusher-js and Laravel Echo, in Node and in Chromium, work with the stand-in as with Reverb."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from sidecar import clock
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.demo.standin.reverb import Reverb
from sidecar.pusher.signing import App, signed_target
from tests.browser import Events, in_chromium, in_node
from tests.captures import APP_ID, KEY, SECRET
from tests.e2e.processes import free_port

APP = App(app_id=APP_ID, key=KEY, secret=SECRET)
LIVE = "private-live-refresh.7"
EVENT = "App\\Events\\LiveRefreshContextsUpdated"
Client = Callable[..., AbstractAsyncContextManager[Events]]


class World:
    """A Reverb, an app, and a client that subscribes to the channel of user 7."""

    def __init__(self, events: Events, reverb: Reverb, app: BookingApp, port: int) -> None:
        self.events, self.reverb, self.app, self.port = events, reverb, app, port

    async def broadcast(self) -> None:
        """Broadcast as Laravel does."""
        body = msgspec.json.encode({"name": EVENT, "data": '{"contexts":["bookings"]}', "channel": LIVE})
        target = signed_target(APP, "POST", f"/apps/{APP_ID}/events", body, timestamp_s=clock.wall_ms() // 1000)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.port}{target}", data=body) as response,
        ):
            assert (response.status, await response.text()) == (200, "{}")


@asynccontextmanager
async def world(
    client: Client, prepare: Callable[[Reverb, BookingApp], None] = lambda _r, _a: None
) -> AsyncIterator[World]:
    """Start all of them, with the fault in place from the beginning."""
    page = free_port()
    reverb, app = Reverb(APP), BookingApp(APP, origins=(f"http://127.0.0.1:{page}",), users={"user-7": "7"})
    prepare(reverb, app)
    port, app_port = await reverb.start(), await app.start()
    options: dict[str, Any] = {
        "key": KEY,
        "wsHost": "127.0.0.1",
        "wsPort": port,
        "authEndpoint": f"http://127.0.0.1:{app_port}/broadcasting/auth",
        "bearerToken": "user-7",
    }
    extra = {"port": page} if client is in_chromium else {}
    async with client({"options": options, "channel": "live-refresh.7"}, **extra) as events:
        try:
            yield World(events, reverb, app, port)
        finally:
            await reverb.stop()
            await app.stop()


clients = pytest.mark.parametrize("client", [in_node, in_chromium], ids=["node", "chromium"])


@clients
async def test_they_connect_authorise_subscribe_and_receive(client: Client) -> None:
    """The app receives the recorded request: a form, `*/*`, no cookie."""
    async with world(client) as it:
        await it.events.until("subscribed")
        await it.broadcast()
        await it.events.until("event", {"contexts": ["bookings"]})
        method, _, headers, body = next(each for each in it.app.requests if each[0] == "POST")
        assert (method, headers["Accept"], headers["Content-Type"].partition(";")[0]) == (
            "POST",
            "*/*",
            "application/x-www-form-urlencoded",
        )
        assert body.startswith("socket_id=")
        assert "Cookie" not in headers


@clients
async def test_a_403_is_reported_to_the_channel(client: Client) -> None:
    """The channel gets an AuthError with the status, as recorded."""

    def refuse(_: Reverb, app: BookingApp) -> None:
        app.faults.refuses = frozenset({"7"})

    async with world(client, refuse) as it:
        await it.events.until("refused", {"type": "AuthError", "status": 403})


@clients
async def test_a_wrong_secret_is_silent_in_the_channel(client: Client) -> None:
    """The endpoint answers 200 and Reverb 4009, but Echo's channel gets no event, as recorded."""

    def missign(_: Reverb, app: BookingApp) -> None:
        app.faults.signs_as = App(app_id=APP_ID, key=KEY, secret="another")

    async with world(client, missign) as it:
        await it.events.until("error", {"code": 4009, "message": "Connection is unauthorized"})
        assert {what for what, _ in it.events.everything} == {"state", "error"}


@clients
async def test_an_unknown_key_ends_the_connection(client: Client) -> None:
    """After 4001, pusher-js does not reconnect."""

    def forget(reverb: Reverb, _: BookingApp) -> None:
        reverb.sockets._app = App(app_id=APP_ID, key="another", secret=SECRET)

    async with world(client, forget) as it:
        await it.events.until("error", {"code": 4001, "message": "Application does not exist"})
        await it.events.until("state", "disconnected")


@clients
async def test_a_closed_connection_is_opened_and_the_channel_subscribed_again(client: Client) -> None:
    """This takes one more request to the auth endpoint for every private channel."""
    async with world(client) as it:
        seen = await it.events.until("subscribed")
        it.reverb.sockets.drop_all()
        seen = await it.events.until("state", "connecting", after=seen)
        await it.events.until("subscribed", after=seen)
        await it.broadcast()
        await it.events.until("event", after=seen)
        assert sum(each[0] == "POST" for each in it.app.requests) == 2


async def test_without_cors_headers_a_browser_hides_the_response() -> None:
    """Only a browser applies CORS: the status is 0, although the app answered 200."""

    def forbid(_: Reverb, app: BookingApp) -> None:
        app.faults.has_cors = False

    async with world(in_chromium, forbid) as it:
        await it.events.until("refused", {"type": "AuthError", "status": 0})
