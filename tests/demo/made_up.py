"""A made-up world behind the demo's real pages: it shows a given view and records the requests.

For the payer's page it has a booking app and a Reverb (the stand-ins), and a flag with a given answer.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.config import Address
from sidecar.core.facts.policy import SCHEDULES, Mode
from sidecar.core.facts.reports import Flow
from sidecar.demo.page import Pages, Visitor
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.demo.world.switches import Key
from sidecar.demo.world.view import WorldView
from sidecar.http.guard import Guard
from sidecar.http.server import Listener
from sidecar.ports import ErrorCode, SidecarError
from sidecar.pusher.signing import signed_target
from tests.demo.states import STATES
from tests.payers.reverb import APP, LosingReverb, channel_of

USER = "7"
EVENT = "App\\Events\\LiveRefreshContextsUpdated"
_PACE_S = 0.05


class MadeUpWorld:
    """The interface that the pages use; the test controls the booking app's delays."""

    def __init__(self) -> None:
        self.shown: WorldView = STATES["empty"]
        self.asked: list[tuple[str, Any]] = []
        """A visitor's actions, in order."""
        self.mode = Mode.TIMER_POLLING
        """The mode that the flag answers."""
        self.paid_after_s: float | None = 0.3
        """Delay from the page's first refetch to the app's webhook and broadcast; None: before the first refetch."""
        self.has_webhooks = asyncio.Event()
        """Until it is set, no webhook reaches the app."""
        self.has_webhooks.set()
        self.loses_push = False
        self.paid: list[str] = []
        """Payments sent to Stripe, in order."""
        self.reports: list[dict[str, Any]] = []
        self.reverb = LosingReverb()
        self.app: BookingApp
        self.page_url = ""
        self._urls: dict[str, str] = {}
        self._paid: dict[str, bool] = {}
        self._asked: dict[str, asyncio.Event] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession

    # --- requests of the pages

    @property
    def speed(self) -> int:
        """Return the speed; this world's loop runs in real time, whatever is shown."""
        return 1

    def view(self) -> WorldView:
        """Return the view."""
        return self.shown

    def turn(self, key: str, *, on: bool) -> None:
        """Record it, and show the switch turned."""
        if key not in set(Key):
            raise SidecarError(ErrorCode.NOT_FOUND, "there is no such switch")
        self.asked.append((key, on))
        turned = [
            msgspec.structs.replace(each, is_on=on, turned_ms=self.shown.now_ms) if each.key == key else each
            for each in self.shown.switches
        ]
        self.shown = msgspec.structs.replace(self.shown, switches=tuple(turned))

    def start_story(self) -> None:
        """Record it."""
        self.asked.append(("story", True))

    def set_speed(self, speed: int) -> None:
        """Record it, and show it."""
        self.asked.append(("speed", speed))
        self.shown = msgspec.structs.replace(self.shown, speed=speed)

    def visitor(self) -> Visitor:
        """Return the payer."""
        return Visitor(
            user_id=USER,
            app_key=APP.key,
            channel=channel_of(USER),
            event=EVENT,
            auth_token="token-of-7",
            **self._urls,
        )

    def token(self) -> str:
        """Return a token; it is not verified here."""
        return "a.signed.token"

    def intend(self, flow: Flow) -> str:
        """Create a payment."""
        payment_intent = f"pi_madeup_{next(self._numbers)}_{flow}"
        self._paid[payment_intent] = False
        self._asked[payment_intent] = asyncio.Event()
        return payment_intent

    def pay(self, payment_intent: str) -> None:
        """Send the webhook to the app after a while."""
        if payment_intent not in self._paid:
            raise SidecarError(ErrorCode.NOT_FOUND, "there is no such payment")
        self.paid.append(payment_intent)
        task = asyncio.create_task(self._receive_webhook(payment_intent))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def is_paid(self, payment_intent: str, *, is_pushed: bool) -> bool:  # noqa: ARG002
        """Return whether the app has the booking as paid."""
        self._asked[payment_intent].set()
        return self._paid[payment_intent]

    # --- behind the pages

    async def _receive_webhook(self, payment_intent: str) -> None:
        if self.paid_after_s is not None:
            await self._asked[payment_intent].wait()
            await asyncio.sleep(self.paid_after_s)
        await self.has_webhooks.wait()
        self._paid[payment_intent] = True
        if self.loses_push:
            return
        data = msgspec.json.encode({"contexts": ["bookings"], "payment_intent": payment_intent}).decode()
        body = msgspec.json.encode({"name": EVENT, "data": data, "channels": [channel_of(USER)]})
        target = signed_target(APP, "POST", f"/apps/{APP.app_id}/events", body, timestamp_s=clock.wall_ms() // 1000)
        url = self._urls["reverb_url"].replace("ws:", "http:")
        async with self._session.post(f"{url}{target}", data=body) as answer:
            assert answer.status == 200, await answer.text()

    async def flag(self, _: web.Request) -> web.Response:
        """Answer like the sidecar."""
        schedule = SCHEDULES[self.mode]
        answer = {
            "flag": "payment-refresh",
            "mode": self.mode,
            "refetch_after_ms": schedule.refetch_after_ms,
            "safety_net_ms": schedule.safety_net_ms,
            "refetch_on_subscribe": True,
            "version": 1,
            "valid_for_s": 15.0,
            "reason": "current_rung",
            "environment": "demo",
        }
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "ETag, Age, Reverb-Sidecar-Issued-At",
            "Reverb-Sidecar-Issued-At": str(clock.wall_ms()),
        }
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json", headers=headers)

    async def take_report(self, request: web.Request) -> web.Response:
        """Record a browser's report."""
        self.reports.append(msgspec.json.decode(await request.read()))
        return web.Response(status=204)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["MadeUpWorld"]:
        """Listen on free ports of loopback."""
        pages = Pages(self, pace_s=_PACE_S)
        loopback = Address(host="127.0.0.1", port=0)
        page = Listener("page", loopback, pages.routes(), before_stop=pages.stop, guard=Guard(loopback.host))
        public = Listener("public", loopback)
        public.add([web.get("/flags/payment-refresh", self.flag), web.post("/acks", self.take_report)])
        self.page_url, public_url = page.bind(), public.bind()
        self.app = BookingApp(APP, origins=(self.page_url,), users={"token-of-7": USER})
        self._urls = {
            "flag_url": f"{public_url}/flags/payment-refresh",
            "report_url": f"{public_url}/acks",
            "reverb_url": f"ws://127.0.0.1:{await self.reverb.start()}",
            "auth_endpoint": f"http://127.0.0.1:{await self.app.start()}/broadcasting/auth",
        }
        async with aiohttp.ClientSession() as self._session:
            await page.start()
            await public.start()
            try:
                yield self
            finally:
                await asyncio.gather(*self._tasks, return_exceptions=True)
                await page.stop()
                await public.stop()
                await self.app.stop()
                await self.reverb.stop()
