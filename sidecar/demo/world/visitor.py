"""A visitor who pays in the demo with a real browser: while their payment is in flight, time runs at real speed."""

import asyncio
from collections.abc import Callable

import jwt

from sidecar import clock
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import Flow
from sidecar.demo.world.stage import Stage
from sidecar.ports import ErrorCode, SidecarError
from sidecar.tokens import AUDIENCE, key_id

USER = "9"
_AWAITED_S = 60.0
"""So long a payment that was begun may take to be paid, and a page to find it paid."""
_AFTERWARDS_S = 2.0
_TOKEN_LASTS_S = 900


class Wallet:
    """The visitor's payments."""

    def __init__(self, world: Stage, changed: Callable[[], None]) -> None:
        self._world, self._changed = world, changed
        self._payments: dict[str, Flow] = {}
        self._in_flight: dict[str, asyncio.TimerHandle] = {}

    @property
    def is_in_flight(self) -> bool:
        """Whether a payment is in flight."""
        return bool(self._in_flight)

    def intend(self, flow: Flow) -> str:
        """Make a payment, and return its id."""
        payment_intent = f"pi_demo_visitor_{len(self._payments) + 1}"
        self._payments[payment_intent] = flow
        self._hold(payment_intent, _AWAITED_S)
        return payment_intent

    def pay(self, payment_intent: str) -> None:
        """Take the payment at Stripe. Raises `SidecarError` with `not_found`."""
        flow = self._payments.get(payment_intent)
        if flow is None:
            raise SidecarError(ErrorCode.NOT_FOUND, "there is no such payment; begin one on the payer's page")
        self._hold(payment_intent, _AWAITED_S)
        self._world.history.pay(payment_intent, USER, flow, is_visitor=True)
        self._world.stripe.succeed(payment_intent, user_id=USER, booking_id=payment_intent)

    def is_paid(self, payment_intent: str, *, is_pushed: bool) -> bool:
        """Return whether the booking is paid in the app; the first refetch that finds it so clears "Pay now"."""
        is_paid = payment_intent in self._world.app.paid
        if is_paid and payment_intent in self._in_flight:
            status = self._world.watching.status
            mode = status.served.mode if status else Mode.TIMER_POLLING
            self._world.history.found_paid(payment_intent, mode, is_pushed=is_pushed)
            self._hold(payment_intent, _AFTERWARDS_S)
        return is_paid

    def _hold(self, payment_intent: str, span_s: float) -> None:
        held = self._in_flight.get(payment_intent)
        if held is not None:
            held.cancel()
        loop = asyncio.get_running_loop()
        self._in_flight[payment_intent] = loop.call_later(span_s, self._release, payment_intent)
        self._changed()

    def _release(self, payment_intent: str) -> None:
        self._in_flight.pop(payment_intent, None)
        self._changed()


def report_token(secret: str, user_id: str) -> str:
    """Return a token for this browser's reports, signed by the app."""
    now_s = clock.wall_ms() // 1000
    claims = {"sub": user_id, "aud": AUDIENCE, "iat": now_s, "exp": now_s + _TOKEN_LASTS_S}
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": key_id(secret)})
