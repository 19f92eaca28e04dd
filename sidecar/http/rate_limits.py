"""Limit request rate and concurrency per route, and shed load by priority while the event loop lags.

The problem: one process receives webhooks, decides and answers reads. A flood of one kind of request would starve the
others, and anybody who can send requests can flood reads and acks.

What we do: every route has its own limit, so a flood of one does not affect the others. While the event loop lags,
routes are shed in order: reads of the flag first (a client without an answer follows the timers), then acks, webhooks
never. A request is refused at once, before its body is read, and counted.
"""

import asyncio
import contextlib
import enum
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable

import msgspec

from sidecar import clock
from sidecar.http.quotas import Quotas, Shares


class Refusal(enum.StrEnum):
    """Why a route refused a request."""

    RATE = "rate"
    IN_FLIGHT = "in_flight"
    LAG = "lag"
    """The event loop lags, and this route is shed."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """The limit of one route."""

    in_flight_max: int
    """Maximum concurrent requests, including those with an incomplete body."""
    per_s: int
    """Maximum requests per second, which is also the burst after a pause."""
    sheds_from_s: float | None = None
    """Lag of the event loop, in seconds, from which all requests are refused; None: never."""
    is_for_scripts: bool = False
    """Whether scripts of other origins read its answers, so that they must be able to read its errors."""
    is_ofrep: bool = False
    """Whether its errors have OFREP's shape."""
    is_costly: bool = False
    """Whether it takes much of the event loop: such requests run one at a time (`Turns`)."""
    address_share: int | None = None
    """One address may have one in so many of the permits, because anybody can send bodies that never end; None: all."""
    is_per_address: bool = False
    """Whether `per_s` is the rate of each address: a client without end must not keep out the one that matters."""


INSIDE = Limit(in_flight_max=50, per_s=200)
"""For routes that only operators, Prometheus and health checks reach."""

REFUSED_AFTER_S = 0.25
"""An address above its rate is answered so late, so that a client that sends again at once sends less."""
PAUSES = 4
"""A costly request is followed by a pause of so many times its duration: together they take a fifth of the loop."""
PAUSE_MAX_S = 1.0
_COSTLY = Limit(in_flight_max=50, per_s=200, sheds_from_s=0.5, is_costly=True)
"""For an operator's reads that look at much."""
UNLIMITED = Limit(in_flight_max=sys.maxsize, per_s=sys.maxsize)
"""For health checks. Anybody can reach those of the public listener: a limit that is shared with them would let a flood
of requests make a load balancer take the process out of service."""

LIMITS = {
    "/healthz":            UNLIMITED,
    "/readyz":             UNLIMITED,
    "/metrics":            Limit(in_flight_max=10,     per_s=20,     is_per_address=True),
    "/api/gate":           _COSTLY,
    "/api/report":         _COSTLY,
    "/api/decisions":      _COSTLY,
    "/api/decisions/{seq}":             _COSTLY,
    "/api/payments/{payment_intent}":   _COSTLY,
    "/api/explanation":    _COSTLY,
    "/versions":           _COSTLY,
    "/api/versions":       _COSTLY,
    "/decisions":          _COSTLY,
    "/decisions/{seq}":    _COSTLY,
    "/payments/{payment_intent}":       _COSTLY,
    "/stripe/webhook":     Limit(in_flight_max=4_000,  per_s=20_000, address_share=4),
    "/acks":               Limit(in_flight_max=2_000,  per_s=10_000, sheds_from_s=0.5, is_for_scripts=True),
    "/watches":
        Limit(in_flight_max=100,   per_s=100,    sheds_from_s=0.2, is_for_scripts=True, address_share=4),
    "/flags/{key}":        Limit(in_flight_max=2_000,  per_s=50_000, sheds_from_s=0.2, is_for_scripts=True),
    "/flags/{key}/stream": Limit(in_flight_max=10_000, per_s=5_000,  sheds_from_s=0.2, is_for_scripts=True),
    "/ofrep/v1/stream":    Limit(in_flight_max=10_000, per_s=5_000,  sheds_from_s=0.2, is_for_scripts=True),
    "/ofrep/v1/evaluate/flags":
        Limit(in_flight_max=2_000, per_s=20_000, sheds_from_s=0.2, is_for_scripts=True, is_ofrep=True, address_share=4),
    "/ofrep/v1/evaluate/flags/{key}":
        Limit(in_flight_max=2_000, per_s=20_000, sheds_from_s=0.2, is_for_scripts=True, is_ofrep=True, address_share=4),
}  # fmt: skip
"""The limits by path, in one table because routes share the process. Webhooks and acks in flight are together well
below the appends that may wait for the journal (`journal.sqlite.journal.WAITING_MAX`), so a flood of them does not make
the journal refuse a heartbeat or a decision. Stripe as a whole sent about 2 500 events per second at its peak, and a
payment has up to four acks. The rates are a last resort: on most machines the lag is reached first. `http.connections`
limits open streams."""


class Turns:
    """Run costly requests one at a time, each followed by a pause, so that they take a share of the event loop.

    A flood of them then waits in a queue, which `in_flight_max` bounds, and webhooks are served in between.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and end it some time after the request."""
        loop = asyncio.get_running_loop()
        await self._lock.acquire()
        began_s = loop.time()
        try:
            yield
        finally:
            took_s = loop.time() - began_s
            loop.call_later(min(PAUSE_MAX_S, PAUSES * took_s), self._lock.release)


class RateLimiter:
    """Limits the requests of one route. Belongs to one event loop."""

    def __init__(
        self, limit: Limit, lag_s: Callable[[], float], now_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self.refused: Counter[Refusal] = Counter(dict.fromkeys(Refusal, 0))
        """Refused requests by reason."""
        self.limit = limit
        self.in_flight = 0
        self._lag_s = lag_s
        self._now_s = now_s
        self._permits = float(limit.per_s)
        self._filled_s = now_s()
        share = limit.address_share
        self._shares = Shares(max(1, limit.in_flight_max // share)) if share is not None else None
        per_s = limit.per_s
        self._quotas = Quotas(at_once=per_s, per_s=per_s, now_s=now_s) if limit.is_per_address else None
        self.needs_address = share is not None or limit.is_per_address
        """Whether `enter` and `leave` need the client's address."""
        self.refused_after_s = REFUSED_AFTER_S if limit.is_per_address else 0.0
        """How long the answer to a refused request waits."""

    def enter(self, address: str = "") -> Refusal | None:
        """Admit a request, which must `leave` at its end, and return None; or return why it is refused."""
        refusal = self._refusal(address)
        if refusal is None:
            self.in_flight += 1
        else:
            self.refused[refusal] += 1
        return refusal

    def leave(self, address: str = "") -> None:
        """Release the permit of a request that has ended."""
        self.in_flight -= 1
        if self._shares is not None:
            self._shares.give_back(address)

    def _refusal(self, address: str) -> Refusal | None:
        limit, now_s = self.limit, self._now_s()
        if limit.sheds_from_s is not None and self._lag_s() >= limit.sheds_from_s:
            return Refusal.LAG
        if self.in_flight >= limit.in_flight_max:
            return Refusal.IN_FLIGHT
        if not self._has_rate(address, now_s):
            return Refusal.RATE
        if self._shares is not None and not self._shares.take(address):
            return Refusal.IN_FLIGHT
        return None

    def _has_rate(self, address: str, now_s: float) -> bool:
        """Take from the rate of the address or of the route, if there is some left."""
        if self._quotas is not None:
            return self._quotas.takes(address)
        self._permits = min(self.limit.per_s, self._permits + (now_s - self._filled_s) * self.limit.per_s)
        self._filled_s = now_s
        if self._permits < 1:
            return False
        self._permits -= 1
        return True
