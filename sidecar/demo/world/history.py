"""The history that the page shows: the last events, the last payers, and totals."""

from collections import deque
from itertools import islice

from sidecar import clock
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import Flow
from sidecar.demo.world.payers import Browser
from sidecar.demo.world.view import Event, PayerView

EVENTS_SHOWN, PAYERS_SHOWN = 40, 12
_PAYERS_KEPT = 400


class History:
    """The last events and payers of one world."""

    def __init__(self) -> None:
        self.payments = self.cleared = 0
        self.unanswered = 0
        """Payers whose alert was cleared without an answer from the flag."""
        self._events: deque[Event] = deque(maxlen=EVENTS_SHOWN)
        self._payers: dict[str, PayerView] = {}

    def events(self) -> tuple[Event, ...]:
        """Return the last events, oldest first."""
        return tuple(self._events)

    def payers(self) -> tuple[PayerView, ...]:
        """Return the last payers, oldest first; a visitor's own stays among them."""
        last = [*islice(reversed(self._payers.values()), PAYERS_SHOWN)]
        own = next((each for each in reversed(self._payers.values()) if each.is_visitor), None)
        if own is not None and own not in last:
            last[-1] = own
        return tuple(reversed(last))

    def note(self, kind: str, who: str, text: str, payment: str | None = None) -> None:
        """Record an event."""
        self._events.append(Event(at_ms=clock.wall_ms(), kind=kind, who=who, text=text, payment=payment))

    def pay(self, payment: str, user_id: str, flow: Flow, *, is_visitor: bool = False) -> None:
        """Record a payment."""
        self.payments += 1
        self._payers[payment] = PayerView(
            payment=payment, user_id=user_id, flow=flow, paid_ms=clock.wall_ms(), is_visitor=is_visitor
        )
        while len(self._payers) > _PAYERS_KEPT:
            del self._payers[next(iter(self._payers))]
        self.note(
            "browser", _who(user_id), "paid, in the page" if flow is Flow.IN_PAGE else "paid at Stripe's", payment
        )

    def note_stripe(self, payment: str, endpoint: str, result: str) -> None:
        """Record a delivery of a webhook."""
        self.note("stripe", "Stripe", f"webhook to the {endpoint}: {result}", payment)

    def note_app(self, who: str, what: str, payment: str | None) -> None:
        """Record an event of the app."""
        self.note("app", who, what, payment)
        paying = self._payers.get(payment or "")
        if paying is not None and paying.is_visitor and "broadcast sent" in what:
            paying.pushed_ms = clock.wall_ms()

    def changed(self, browser: Browser, what: str) -> None:
        """Record an event of a simulated browser."""
        self.note("browser", _who(browser.user_id), what, browser.payment)
        paying = self._payers.get(browser.payment)
        if paying is None:
            return
        paying.mode = browser.mode
        if browser.pushed_ms is not None and paying.pushed_ms is None:
            paying.pushed_ms = clock.wall_ms()
        if browser.cleared_ms is not None and paying.cleared_ms is None:
            self._clear(paying, str(browser.cleared_by))
            self.unanswered += not browser.was_answered

    def found_paid(self, payment: str, mode: Mode, *, is_pushed: bool) -> None:
        """Record that a visitor's page found its booking paid, because of a push or not."""
        paying = self._payers.get(payment)
        if paying is not None and paying.cleared_ms is None:
            paying.mode = mode
            self._clear(paying, "push" if is_pushed else "first")
            self.note("browser", _who(paying.user_id), '"Pay now" is cleared', payment)

    def _clear(self, paying: PayerView, by: str) -> None:
        self.cleared += 1
        paying.cleared_ms, paying.cleared_by = clock.wall_ms(), by


def _who(user_id: str) -> str:
    return f"payer {user_id}"
