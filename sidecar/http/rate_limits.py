"""How much may come through a route at once and per second, and what gives way when we are short of time.

The problem: one process takes webhooks, takes decisions and answers reads. A flood of any of them would starve the
others, and reads and acks can be had by anybody who can send requests.

What we do: every route has a limit of its own, so that a flood of one leaves the others their room; and while the event
loop lags, the routes give way in order: reads of the flag first (who gets no answer follows the timers), then acks,
webhooks never. What is refused is refused at once, before its body is read, and counted.
"""

import enum
from collections import Counter
from collections.abc import Callable

import msgspec

from sidecar import clock


class Refusal(enum.StrEnum):
    """Why a request was refused at the proxy."""

    RATE = "rate"
    IN_FLIGHT = "in_flight"
    LAG = "lag"
    """The event loop is short of time, and this route gives way to another."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """What one route may take."""

    in_flight_max: int
    """Requests at once; those whose body is still coming count."""
    per_s: int
    """Requests per second, on average over a second; so many may come in one moment after a pause."""
    sheds_from_s: float | None = None
    """From this lag of the event loop on nothing is taken, in seconds; None: never."""
    is_for_scripts: bool = False
    """Scripts in browsers read its answers, and must be able to read its errors."""
    is_ofrep: bool = False
    """Its errors have OFREP's shape."""


INSIDE = Limit(in_flight_max=50, per_s=200)
"""For routes that only our own people, Prometheus and health checks reach."""

LIMITS = {
    "/stripe/webhook":     Limit(in_flight_max=4_000,  per_s=20_000),
    "/acks":               Limit(in_flight_max=2_000,  per_s=10_000, sheds_from_s=0.5, is_for_scripts=True),
    "/watches":            Limit(in_flight_max=100,    per_s=100,    sheds_from_s=0.2, is_for_scripts=True),
    "/flags/{key}":        Limit(in_flight_max=2_000,  per_s=50_000, sheds_from_s=0.2, is_for_scripts=True),
    "/flags/{key}/stream": Limit(in_flight_max=10_000, per_s=5_000,  sheds_from_s=0.2, is_for_scripts=True),
    "/ofrep/v1/stream":    Limit(in_flight_max=10_000, per_s=5_000,  sheds_from_s=0.2, is_for_scripts=True),
    "/ofrep/v1/evaluate/flags":
        Limit(in_flight_max=2_000, per_s=20_000, sheds_from_s=0.2, is_for_scripts=True, is_ofrep=True),
    "/ofrep/v1/evaluate/flags/{key}":
        Limit(in_flight_max=2_000, per_s=20_000, sheds_from_s=0.2, is_for_scripts=True, is_ofrep=True),
}  # fmt: skip
"""By path. What webhooks and acks have in flight together is well below what may wait for the journal's disk
(`journal.sqlite.journal.WAITING_MAX`), so that no flood of them refuses a heartbeat or a decision. Stripe as a whole
sent about 2 500 events per second at its busiest, and a payment has up to four acks. The rates are a last resort: on
most machines the lag speaks first. How many streams may be open, `flags.streams` says."""


class RateLimiter:
    """Lets requests through one route, within its limit. Belongs to one event loop."""

    def __init__(
        self, limit: Limit, lag_s: Callable[[], float], now_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self.refused: Counter[Refusal] = Counter(dict.fromkeys(Refusal, 0))
        """How many were refused, by reason."""
        self.limit = limit
        self.in_flight = 0
        self._lag_s = lag_s
        self._now_s = now_s
        self._permits = float(limit.per_s)
        self._filled_s = now_s()

    def enter(self) -> Refusal | None:
        """Let one more through, who must `leave`; or return why not."""
        refusal = self._refusal()
        if refusal is None:
            self.in_flight += 1
        else:
            self.refused[refusal] += 1
        return refusal

    def leave(self) -> None:
        """Make room for another."""
        self.in_flight -= 1

    def _refusal(self) -> Refusal | None:
        limit, now_s = self.limit, self._now_s()
        if limit.sheds_from_s is not None and self._lag_s() >= limit.sheds_from_s:
            return Refusal.LAG
        if self.in_flight >= limit.in_flight_max:
            return Refusal.IN_FLIGHT
        self._permits = min(limit.per_s, self._permits + (now_s - self._filled_s) * limit.per_s)
        self._filled_s = now_s
        if self._permits < 1:
            return Refusal.RATE
        self._permits -= 1
        return None
