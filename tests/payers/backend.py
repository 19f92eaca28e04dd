"""The booking backend with its Stripe: pages, bookings, webhooks and broadcasts.

As the Laravel app does it: the webhook commits the booking as paid, and one call of Reverb's API broadcasts on the
user's channel and on the observer's. Stripe tells the sidecar of the same payment, signed.
"""

import asyncio
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.pusher.signing import signed_target
from tests.browser import FOLDER as LIBRARIES
from tests.payers.pace import Pace
from tests.payers.payer import Payer
from tests.payers.reverb import APP, channel_of, observer_channel_of
from tests.shells import browser_reports
from tests.shells.running import event, sign
from tests.waiting import HANGS_AFTER_S

EVENT = "App\\Events\\LiveRefreshContextsUpdated"
CLIENT = Path(__file__).parents[2] / "clients" / "browser"
_SITE = Path(__file__).parent / "site"
_TIMEOUT = aiohttp.ClientTimeout(total=HANGS_AFTER_S)


class Proxy(Protocol):
    """A proxy between a page and its sidecar."""

    async def get(self, request: web.Request) -> web.Response:
        """Answer a request for `path`."""


class Backend:
    """One origin for all payers; each has its own `?payer=`."""

    def __init__(self, pace: Pace, *, client: Path = CLIENT) -> None:
        self._pace = pace
        self.payers: dict[str, Payer] = {}
        self.port = self.reverb_port = 0
        self.proxies: dict[str, Proxy] = {}
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner
        self._session: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        """Of the pages."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on loopback."""
        site = web.Application()
        site.router.add_get("/dashboard", self._dashboard)
        site.router.add_get("/settings", self._settings)
        site.router.add_get("/bookings", self._bookings)
        site.router.add_get("/token", self._token)
        site.router.add_post("/pay", self._pay)
        site.router.add_get("/stripe", self._pay_at_stripe)
        site.router.add_post("/acks", self._report)
        site.router.add_get("/proxy/{proxy}/{path:.*}", self._proxy)
        site.router.add_static("/site", _SITE)
        site.router.add_static("/client", self._client)
        site.router.add_static("/node_modules", LIBRARIES / "node_modules")
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        self._runner = web.AppRunner(site, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Finish running tasks, and stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()
        await self._runner.cleanup()

    def _payer(self, request: web.Request) -> Payer:
        return self.payers[request.query["payer"]]

    # --- the pages

    async def _dashboard(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(_SITE / "dashboard.html")

    async def _settings(self, request: web.Request) -> web.Response:
        payer = self._payer(request)
        if payer.succeeded.is_set():
            payer.began_s = self._pace.now_s
        return web.json_response(payer.settings)

    async def _token(self, request: web.Request) -> web.Response:
        return web.Response(text=browser_reports.token(self._payer(request).user_id))

    async def _proxy(self, request: web.Request) -> web.Response:
        return await self.proxies[request.match_info["proxy"]].get(request)

    async def _bookings(self, request: web.Request) -> web.Response:
        payer = self._payer(request)
        is_shown = payer.paid_s is not None and self._pace.now_s >= payer.paid_s + payer.stale_s
        payer.found.append(is_shown)
        payer.refetched.set()
        return web.json_response({"bookings": [{"id": 42, "paid": is_shown}]}, headers={"Cache-Control": "no-store"})

    async def _report(self, request: web.Request) -> web.Response:
        self._payer(request).reports.append(await request.read())
        return web.Response(status=204)

    # --- Stripe

    async def _pay(self, request: web.Request) -> web.Response:
        payer = self._payer(request)
        self._succeed(payer)
        if payer.tells_page_s:
            await payer.broadcast.wait()
            await self._pace.sleep(payer.tells_page_s)
        payer.began_s = self._pace.now_s
        return web.json_response({"status": "succeeded"})

    async def _pay_at_stripe(self, request: web.Request) -> web.Response:
        """Take the payment on another origin, and send the payer back."""
        payer = self._payer(request)
        self._succeed(payer)
        named = f"&payment_intent={payer.payment_intent}" if payer.names_payment else ""
        back = f"{self.origin}/dashboard?payer={payer.name}{named}&redirect_status=succeeded"
        return web.Response(status=303, headers={"Location": back})

    def _succeed(self, payer: Payer) -> None:
        payer.succeeded_s = self._pace.now_s
        payer.succeeded.set()
        for work in (self._tell_sidecar(payer), self._tell_backend(payer)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell_sidecar(self, payer: Payer) -> None:
        fact = event(payer.payment_intent, metadata={"user_id": payer.user_id, "booking_id": "42"})
        body = msgspec.json.encode(fact)
        try:
            async with self._session.post(
                payer.webhook_url, data=body, headers={"Stripe-Signature": sign(body)}
            ) as answer:
                assert answer.status == 200, await answer.text()
        except aiohttp.ClientError:  # it is down: Stripe delivers again later
            pass

    async def _tell_backend(self, payer: Payer) -> None:
        """Do what `StripeWebhookController` does."""
        if payer.paid_at is not None:
            await payer.paid_at.wait()
        elif payer.paid_after_s is not None:
            await payer.refetched.wait()
            await self._pace.sleep(payer.paid_after_s)
        payer.paid_s = self._pace.now_s
        await self._broadcast(payer)
        payer.broadcast_s = self._pace.now_s
        payer.broadcast.set()

    async def _broadcast(self, payer: Payer) -> None:
        data = msgspec.json.encode({"contexts": ["bookings"], "payment_intent": payer.payment_intent}).decode()
        channels = [channel_of(payer.user_id), observer_channel_of(payer.sidecar)]
        body = msgspec.json.encode({"name": EVENT, "data": data, "channels": channels})
        target = signed_target(APP, "POST", f"/apps/{APP.app_id}/events", body, timestamp_s=clock.wall_ms() // 1000)
        async with self._session.post(f"http://127.0.0.1:{self.reverb_port}{target}", data=body) as answer:
            assert answer.status == 200, await answer.text()
