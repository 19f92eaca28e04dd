"""The booking app's half: what a payment's webhook sets in motion, and what it tells the sidecar of it.

As the app's `StripeWebhookController` with `clients/laravel`: it commits the booking as paid, broadcasts in one call of
Reverb's API on the user's channel and on the observers', and acks `paid` and `dispatched`. How it answered each request
for a channel it tells too.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import stripe
from aiohttp import web

from sidecar import clock
from sidecar.demo.standin.booking_app import CHANNEL, BookingApp
from sidecar.pusher.signing import App, signed_target

EVENT = "App\\Events\\LiveRefreshContextsUpdated"
OBSERVER_CHANNEL = "private-reverb-sidecar"
_COMMIT_S, _QUEUED_S, SLOW_QUEUE_S = 0.06, 0.08, 4.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_SPOKEN_AGAIN_S = (0.0, 1.0, 3.0)

Told = Callable[[str, str, str | None], None]
"""Takes who did it, what was done, and the payment that it is about."""


class Backend(BookingApp):
    """The app, with its bookings."""

    def __init__(
        self, app: App, *, webhook_secret: str, ack_token: str, group: asyncio.TaskGroup, told: Told, **how: Any
    ) -> None:
        super().__init__(app, **how)
        self.reverb_url = self.acks_url = ""
        self.is_queue_slow = False
        """Broadcasts wait for seconds in the queue."""
        self.broadcasts = 0
        self.paid: set[str] = set()
        """Payments whose bookings are paid."""
        self._app_of_reverb, self._webhook_secret, self._ack_token = app, webhook_secret, ack_token
        self._group, self._told = group, told
        self._session: aiohttp.ClientSession

    def use(self, session: aiohttp.ClientSession) -> None:
        """Ask others by this session."""
        self._session = session

    def token_of(self, user_id: str) -> str:
        """Let a user in, and return what their requests are authorised with."""
        token = f"demo-token-of-{user_id}"
        self._users[token] = user_id
        return token

    def forget(self, token: str) -> None:
        """Let a user go."""
        self._users.pop(token, None)

    def allowed_from(self, *origins: str) -> None:
        """Let scripts of these pages read what is answered."""
        self._origins = origins

    async def elsewhere(self, request: web.Request, body: str) -> web.Response:
        """Answer what is not about channels."""
        if request.path == "/stripe/webhook" and request.method == "POST":
            return self._webhook(request, body)
        if request.path == "/bookings":
            is_paid = request.query.get("payment_intent") in self.paid
            return web.json_response({"paid": is_paid}, headers={"Cache-Control": "no-store"})
        if request.path == "/up":
            return web.Response(text="up")
        return await super().elsewhere(request, body)

    def answered(self, channel: str, status: int) -> None:
        """Tell the sidecar how a request for a channel was answered."""
        user_id = channel.removeprefix(CHANNEL)
        report: dict[str, object] = {
            "auth": "ok" if status == 200 else "refused",  # noqa: PLR2004
            "user_id": user_id,
            "channel": channel,
        }
        self._speak(report)

    def _webhook(self, request: web.Request, body: str) -> web.Response:
        try:
            stripe.WebhookSignature.verify_header(
                body, request.headers.get("Stripe-Signature", ""), self._webhook_secret, tolerance=None
            )
        except stripe.SignatureVerificationError:
            return web.Response(status=400)
        paid = msgspec.json.decode(body)["data"]["object"]
        if paid["id"] not in self.paid:
            self._group.create_task(self._book(paid["id"], paid["metadata"]["user_id"]), name="app.book")
        return web.Response()

    async def _book(self, payment_intent: str, user_id: str) -> None:
        """Commit, broadcast, and say so."""
        await asyncio.sleep(_COMMIT_S)
        if payment_intent in self.paid:  # the same webhook again
            return
        self.paid.add(payment_intent)
        self._told("booking app", "booking paid", payment_intent)
        self._speak({"stage": "paid", "payment_intent": payment_intent, "contexts": ["bookings"]})
        await asyncio.sleep(SLOW_QUEUE_S if self.is_queue_slow else _QUEUED_S)
        status = await self._broadcast(payment_intent, user_id)
        if status == 200:  # noqa: PLR2004
            self.broadcasts += 1
            self._told("booking app", "broadcast sent", payment_intent)
            self._speak({"stage": "dispatched", "payment_intent": payment_intent, "contexts": ["bookings"]})
        else:
            self._told("booking app", f"Reverb took no broadcast ({status or 'no answer'})", payment_intent)
            self._speak({"stage": "skipped", "payment_intent": payment_intent, "reason": "failed"})

    async def _broadcast(self, payment_intent: str, user_id: str) -> int:
        """Return what Reverb's API answered; 0: nothing."""
        data = msgspec.json.encode({"contexts": ["bookings"], "payment_intent": payment_intent}).decode()
        body = msgspec.json.encode({"name": EVENT, "data": data, "channels": [f"{CHANNEL}{user_id}", OBSERVER_CHANNEL]})
        path, now_s = f"/apps/{self._app_of_reverb.app_id}/events", clock.wall_ms() // 1000
        target = signed_target(self._app_of_reverb, "POST", path, body, timestamp_s=now_s)
        try:
            async with self._session.post(f"{self.reverb_url}{target}", data=body, timeout=_TIMEOUT) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0

    def _speak(self, ack: dict[str, object]) -> None:
        self._group.create_task(self._spoken(ack), name="app.ack")

    async def _spoken(self, ack: dict[str, object]) -> None:
        """Ack; a sidecar that is away is told again, and then no more."""
        headers = {"Authorization": f"Bearer {self._ack_token}"}
        for pause_s in _SPOKEN_AGAIN_S:
            await asyncio.sleep(pause_s)
            try:
                async with self._session.post(self.acks_url, json=ack, headers=headers, timeout=_TIMEOUT) as answer:
                    await answer.read()
                    return
            except (aiohttp.ClientError, OSError, TimeoutError):
                continue
