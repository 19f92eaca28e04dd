"""The booking app's backend: what a payment's webhook triggers, and what it reports to the sidecar.

It follows the app's `StripeWebhookController` with `clients/laravel`: it commits the booking as paid, broadcasts in one
call of Reverb's API on the user's channel and on the observer channel, and acks `paid` and `dispatched`. It also
reports its answer to each channel authorisation.
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

Notify = Callable[[str, str, str | None], None]
"""Called with the actor, the event, and the payment that it is about."""


class Backend(BookingApp):
    """The app, with its bookings."""

    def __init__(
        self, app: App, *, webhook_secret: str, ack_token: str, group: asyncio.TaskGroup, notify: Notify, **how: Any
    ) -> None:
        super().__init__(app, **how)
        self.reverb_url = self.acks_url = ""
        self.is_queue_slow = False
        """Broadcasts wait for seconds in the queue."""
        self.broadcasts = 0
        self.paid: set[str] = set()
        """Payments with a paid booking."""
        self._app_of_reverb, self._webhook_secret, self._ack_token = app, webhook_secret, ack_token
        self._group, self._notify = group, notify
        self._session: aiohttp.ClientSession

    def use(self, session: aiohttp.ClientSession) -> None:
        """Use this session for outgoing requests."""
        self._session = session

    def token_of(self, user_id: str) -> str:
        """Log a user in, and return the token that authorises their requests."""
        token = f"demo-token-of-{user_id}"
        self._users[token] = user_id
        return token

    def forget(self, token: str) -> None:
        """Log a user out."""
        self._users.pop(token, None)

    def allowed_from(self, *origins: str) -> None:
        """Allow scripts of these origins to read the answers (CORS)."""
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
        """Report the answer to a channel authorisation to the sidecar."""
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
        """Commit, broadcast, and send the acks."""
        await asyncio.sleep(_COMMIT_S)
        if payment_intent in self.paid:  # the same webhook again
            return
        self.paid.add(payment_intent)
        self._notify("booking app", "booking paid", payment_intent)
        self._speak({"stage": "paid", "payment_intent": payment_intent, "contexts": ["bookings"]})
        await asyncio.sleep(SLOW_QUEUE_S if self.is_queue_slow else _QUEUED_S)
        status = await self._broadcast(payment_intent, user_id)
        if status == 200:  # noqa: PLR2004
            self.broadcasts += 1
            self._notify("booking app", "broadcast sent", payment_intent)
            self._speak({"stage": "dispatched", "payment_intent": payment_intent, "contexts": ["bookings"]})
        else:
            self._notify("booking app", f"Reverb took no broadcast ({status or 'no answer'})", payment_intent)
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
        """Send an ack; retry while the sidecar is unreachable, up to a limit."""
        headers = {"Authorization": f"Bearer {self._ack_token}"}
        for pause_s in _SPOKEN_AGAIN_S:
            await asyncio.sleep(pause_s)
            try:
                async with self._session.post(self.acks_url, json=ack, headers=headers, timeout=_TIMEOUT) as answer:
                    await answer.read()
                    return
            except (aiohttp.ClientError, OSError, TimeoutError):
                continue
