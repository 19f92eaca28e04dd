"""Bounds of this machine's clock error, from the time stamps of Stripe and of the app: in whole seconds.

A webhook of Stripe contains the second `t` in which it was signed, and a response of the app the second `Date` in which
it was made (RFC 9110, 6.6.1). Each names some instant within that second, and arrives after an unknown delay. So one
webhook proves that this clock is ahead by *at most* its arrival time less `t`. One response, which was made between the
request and its arrival, proves that it is ahead by at most the arrival less `Date`, and by *at least* the request less
the end of that second. An estimate between the two bounds would have no basis. Delays vary, so many samples narrow the
bounds: the tightest bound of the last minutes counts.
"""

import enum
from collections import deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from sidecar import clock
from sidecar.parts.metrics import gauge
from sidecar.parts.part import Part

LASTS_S = 600.0
"""Lifetime of a sample: a corrected clock must soon be reported as correct."""
SAMPLES_MAX = 1000


class Reference(enum.StrEnum):
    """The reference clock."""

    STRIPE = "stripe"
    APP = "app"


class Bound(enum.StrEnum):
    """The kind of bound."""

    LEAST = "least"
    MOST = "most"


BOUNDS = ((Reference.STRIPE, Bound.MOST), (Reference.APP, Bound.LEAST), (Reference.APP, Bound.MOST))
"""Stripe's webhooks may be delayed for long: they give no lower bound."""
_UNKNOWN = float("nan")


class OutsideClocks(Part):
    """Bounds on the difference to other clocks, from the samples of the last minutes."""

    def __init__(self, *, has_app: bool = True) -> None:
        """`has_app`: whether the app is probed, so that its answers give samples."""
        self._has_app = has_app
        self._samples: dict[tuple[Reference, Bound], deque[tuple[float, float]]] = {
            each: deque(maxlen=SAMPLES_MAX) for each in BOUNDS
        }
        """Time of the sample on the monotonic clock, and the bound in seconds."""

    def signed(self, signed_s: int) -> None:
        """Add a sample: the second in which Stripe signed a webhook that has just arrived."""
        self._add(Reference.STRIPE, Bound.MOST, clock.wall_ms() - 1000 * signed_s)

    def answered(self, headers: Mapping[str, str], *, asked_ms: int) -> None:
        """Add a sample: the headers of the app's response that has just arrived to a request of `asked_ms`.

        A response from a cache is ignored.
        """
        date_s = _seconds(headers.get("date", ""))
        if date_s is None or "age" in headers:
            return
        self._add(Reference.APP, Bound.LEAST, asked_ms - 1000 * (date_s + 1))
        self._add(Reference.APP, Bound.MOST, clock.wall_ms() - 1000 * date_s)

    @gauge(
        "clock_ahead_of_reference_seconds",
        "Seconds that this machine's clock is ahead of another's, at least and at most; NaN without recent samples.",
        {"reference": Reference, "bound": Bound},
        series=lambda _: BOUNDS,
    )
    def bounds(self) -> dict[tuple[str, ...], float]:
        """Return the bounds of the difference in seconds by (reference, bound); NaN without recent samples."""
        bounds: dict[tuple[str, ...], float] = {}
        oldest_s = clock.monotonic_s() - LASTS_S
        for (reference, bound), samples in self._samples.items():
            if reference is Reference.APP and not self._has_app:
                continue
            while samples and samples[0][0] < oldest_s:
                samples.popleft()
            tightest = max if bound is Bound.LEAST else min
            bounds[reference.value, bound.value] = tightest((value for _, value in samples), default=_UNKNOWN)
        return bounds

    def _add(self, reference: Reference, bound: Bound, value_ms: int) -> None:
        self._samples[reference, bound].append((clock.monotonic_s(), value_ms / 1000))


def _seconds(date: str) -> int | None:
    """Return Unix seconds of an HTTP date; None if it is invalid."""
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
