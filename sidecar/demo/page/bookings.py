"""The visitor's bookings, as rows of the app's table: some lessons, each unpaid until the app reports it paid."""

import msgspec

from sidecar.core.facts.reports import Flow
from sidecar.demo.world.contract import Demo
from sidecar.ports import ErrorCode, SidecarError

LESSONS = (
    ("Swimming, level 2", "Tuesday 16:00"),
    ("Judo for beginners", "Wednesday 17:30"),
    ("Climbing wall", "Friday 15:00"),
    ("Choir", "Thursday 16:15"),
    ("Pottery", "Saturday 10:00"),
)
SHOWN_MAX = 5
"""Of the visitor's bookings, the newest."""


class Booking(msgspec.Struct, kw_only=True):
    """One booking of the visitor's."""

    number: int
    title: str
    when: str
    price: str = "€42.00"
    payment_intent: str | None = None
    """None: no payment has begun."""
    paid: bool = False


class Bookings:
    """The visitor's bookings; the newest is the last."""

    def __init__(self, world: Demo) -> None:
        self._world = world
        self._count = 0
        self._bookings: list[Booking] = []
        self._taken: set[str] = set()
        """Payments that Stripe took, whether or not the app received the webhook."""
        self.book()

    def all(self, *, is_pushed: bool = False) -> list[Booking]:
        """Return the bookings, as the app has them now; whether a push caused the question is recorded."""
        for booking in self._bookings:
            if booking.payment_intent is not None and not booking.paid:
                booking.paid = self._world.is_paid(booking.payment_intent, is_pushed=is_pushed)
        return self._bookings

    def book(self) -> None:
        """Add one more lesson, once payment of all others has begun."""
        if self._bookings and self._bookings[-1].payment_intent is None:
            return
        title, when = LESSONS[self._count % len(LESSONS)]
        self._count += 1
        self._bookings = [*self._bookings, Booking(number=self._count, title=title, when=when)][-SHOWN_MAX:]

    def begin(self, flow: Flow) -> str:
        """Begin to pay the newest booking, and return the payment. Raises `SidecarError` with `conflict`."""
        newest = self.all()[-1]
        if newest.paid:
            raise SidecarError(ErrorCode.CONFLICT, "this booking is paid; book another lesson first")
        if newest.payment_intent in self._taken:
            raise SidecarError(
                ErrorCode.CONFLICT, "this booking is already paid at Stripe; the app receives the webhook in a moment"
            )
        newest.payment_intent = self._world.intend(flow)
        return newest.payment_intent

    def pay(self, payment_intent: str) -> None:
        """Record that Stripe took a payment, once. Raises `SidecarError` with `conflict` if another was begun since."""
        if payment_intent in self._taken:
            return
        if payment_intent not in {booking.payment_intent for booking in self._bookings}:
            raise SidecarError(ErrorCode.CONFLICT, "there is no such payment now; begin one on the payer's page")
        self._world.pay(payment_intent)
        self._taken.add(payment_intent)
