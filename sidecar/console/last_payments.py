"""The last payments since this process started, for a person who watches."""

import collections

import msgspec

from sidecar.core.facts.observations import PaymentSucceeded, Record
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Stage
from sidecar.core.fold.conclusions import Conclusion, PaymentLeftOut, PaymentSettled
from sidecar.parts.part import Part

LAST_MAX = 8


class LastPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment, and how it ended."""

    payment_intent: str
    at_ms: int
    """When its webhook arrived, or when it was left out."""
    outcome: Outcome | None = None
    """None: it is on its way, or it was left out."""
    unmeasured: Unmeasured | None = None
    left_out: str = ""
    """Why it is not judged; empty: it is."""
    stages_ms: dict[Stage, int] = {}
    """Milliseconds from the webhook to the first ack of each stage."""


class LastPayments(Part):
    """Remembers the last payments of this process."""

    def __init__(self) -> None:
        self._last: collections.OrderedDict[str, LastPayment] = collections.OrderedDict()

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Note a payment that came, or how one ended."""
        fact = record.observation
        if isinstance(fact, PaymentSucceeded) and fact.payment_intent not in self._last:
            self._put(LastPayment(payment_intent=fact.payment_intent, at_ms=record.at_ms))
        for each in conclusions:
            if isinstance(each, PaymentSettled | PaymentLeftOut):
                self._end(each, record.at_ms)

    def newest(self) -> tuple[LastPayment, ...]:
        """Return them, the newest first."""
        return tuple(reversed(self._last.values()))

    def _end(self, ended: PaymentSettled | PaymentLeftOut, at_ms: int) -> None:
        known = self._last.get(ended.payment_intent)
        if known is None:
            if isinstance(ended, PaymentSettled):
                return  # it came before many others, or before the start
            known = LastPayment(payment_intent=ended.payment_intent, at_ms=at_ms)
        if isinstance(ended, PaymentLeftOut):
            self._put(msgspec.structs.replace(known, left_out=ended.reason))
        else:
            changes = {"outcome": ended.outcome, "unmeasured": ended.unmeasured, "stages_ms": ended.stages_ms}
            self._put(msgspec.structs.replace(known, **changes))

    def _put(self, payment: LastPayment) -> None:
        self._last[payment.payment_intent] = payment
        while len(self._last) > LAST_MAX:
            self._last.popitem(last=False)
