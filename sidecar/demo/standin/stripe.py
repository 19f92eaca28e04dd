"""A Stripe that takes payments at once and sends webhooks like the real one: signed, delayed, more than once.

Each endpoint has its own secret, delay and retries, so that the sidecar may receive a payment before the app or after
it. `created` is in whole seconds. A delivery without a 2xx is repeated with a new signature; the real one waits up to
hours, this one seconds. Source: https://docs.stripe.com/webhooks.
"""

import asyncio
import random
from collections.abc import Callable

import aiohttp
import msgspec
import stripe

from sidecar import clock

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_AGAIN_AFTER_S = (2.0, 5.0, 15.0, 30.0, 60.0, 120.0)
_TWICE_RATIO = 0.03
_SLOW_RATIO = 0.08
_QUICK_S, _SLOW_S, _LATE_S = (0.2, 1.4), (5.2, 7.5), (6.0, 8.0)
"""What a delivery takes: usually; one in twelve, which is why timers fail; and while the webhooks are late. Below the
10 s from which a delivery counts as made again."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint of webhooks."""

    name: str
    url: str
    secret: str


Notify = Callable[[str, str, str], None]
"""Called with a payment, an endpoint's name and the result of a delivery."""


class Stripe:
    """Takes payments, and delivers webhooks to its endpoints."""

    def __init__(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup, *, seed: int, notify: Notify) -> None:
        self.endpoints: tuple[Endpoint, ...] = ()
        self.is_late = False
        """All webhooks take long."""
        self.deliveries = 0
        """Attempts to the endpoint named `sidecar`."""
        self._session, self._group, self._seed, self._notify = session, group, seed, notify

    def succeed(self, payment_intent: str, *, user_id: str, booking_id: str) -> None:
        """Take a payment: its webhooks go out."""
        event = {
            "id": f"evt_{payment_intent.removeprefix('pi_')}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": clock.wall_ms() // 1000,
            "type": "payment_intent.succeeded",
            "livemode": True,
            "pending_webhooks": len(self.endpoints),
            "request": {"id": None, "idempotency_key": None},
            "data": {
                "object": {
                    "id": payment_intent,
                    "object": "payment_intent",
                    "amount": 4200,
                    "currency": "eur",
                    "status": "succeeded",
                    "metadata": {"user_id": user_id, "booking_id": booking_id},
                }
            },
        }
        body = msgspec.json.encode(event)
        lot = random.Random(f"{self._seed} {payment_intent}")  # noqa: S311 - each payment's own, whatever else happens
        is_slow = lot.random() < _SLOW_RATIO
        about_s = lot.uniform(*(_LATE_S if self.is_late else _SLOW_S if is_slow else _QUICK_S))
        for endpoint in self.endpoints:
            times = 2 if lot.random() < _TWICE_RATIO else 1
            for _ in range(times):
                after_s = max(0.05, about_s + lot.uniform(-0.15, 0.15))
                self._group.create_task(self._deliver(endpoint, payment_intent, body, after_s), name="stripe.deliver")

    async def _deliver(self, endpoint: Endpoint, payment_intent: str, body: bytes, after_s: float) -> None:
        """Deliver until the endpoint answers 200."""
        for pause_s in (after_s, *_AGAIN_AFTER_S):
            await asyncio.sleep(pause_s)
            self.deliveries += endpoint.name == "sidecar"
            result = await self._try(endpoint, body)
            self._notify(payment_intent, endpoint.name, result)
            if result == "200":
                return

    async def _try(self, endpoint: Endpoint, body: bytes) -> str:
        signature = stripe.WebhookSignature.generate_signature_header(
            body.decode(), endpoint.secret, timestamp=clock.wall_ms() // 1000
        )
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        try:
            async with self._session.post(endpoint.url, data=body, headers=headers, timeout=_TIMEOUT) as answer:
                await answer.read()
                return str(answer.status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return type(error).__name__
