"""What does a scrape cost the event loop? Every possible series, with a state of many payments.

Compressed, as Prometheus asks for it. Beside it, as the baseline: merely encoding the same series, already collected.
And a quiet sidecar, to see what the payments add.
"""

import time
import zlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.samples import Exemplar

from sidecar.composition import kinds_of
from sidecar.core.fold.state import State
from sidecar.metrics import catalogue, encode
from tests.core.world import POLICY, World
from tests.shells.metrics_view import Collected, exposition_of

_PAYMENTS = 20_000
_ROUNDS = 50
_OBJECTIVES = msgspec.structs.replace(POLICY, on_time_within_ms=2500, missed_after_ms=25_000)
"""Payments, each in its own bucket."""


_PAYMENT = Exemplar({"payment_ref": "0123456789abcdef"}, 0.25, 1.8e9)
"""Exemplars: OpenMetrics has one for each bucket of the latency."""


class _Cost(NamedTuple):
    """Medians in milliseconds."""

    all_ms: float
    encoding_ms: float
    library_ms: float
    series: int


def median_ms(act: Callable[[], object]) -> float:
    """Return the median duration of an action."""
    took = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        act()
        took.append(1000 * (time.perf_counter() - started))
    return sorted(took)[_ROUNDS // 2]


def measured(state: State, library: Callable[[Collected], bytes]) -> _Cost:
    """Return the cost of a scrape of a state, of encoding alone, and of the library's encoding."""
    exposition = exposition_of(state, exemplars=lambda edges_ms: dict.fromkeys(range(len(edges_ms) + 1), _PAYMENT))
    families = list(exposition.collect())
    is_open = library is openmetrics.generate_latest
    return _Cost(
        all_ms=median_ms(lambda: zlib.compress(encode(exposition.collect(), is_open=is_open))),
        encoding_ms=median_ms(lambda: encode(families, is_open=is_open)),
        library_ms=median_ms(lambda: library(Collected(families))),
        series=sum(len(family.samples) for family in families),
    )


def quiet() -> State:
    """Return the state of a sidecar without payments in progress."""
    world = World(_OBJECTIVES, decides=False)
    world.wire()
    world.good(200)
    return world.state


def busy() -> State:
    """Return the state of a sidecar with that many payments of the last half minute, and others in progress."""
    world = World(_OBJECTIVES, decides=False)
    world.wire()
    world.good(200)
    names = [world.pay(user=f"u{number}") for number in range(_PAYMENTS)]
    for name in names:
        world.ack(name)
    world.wait(_OBJECTIVES.on_time_within_ms + 1)
    for number in range(_PAYMENTS):
        world.pay(user=f"u{number}")
    assert len(world.state.journeys) >= 2 * _PAYMENTS
    return world.state


def main() -> None:
    """Print milliseconds, and the ratios."""
    bound = catalogue(kinds_of()).series_max
    for name, state in (("quiet", quiet()), (f"{2 * _PAYMENTS} payments kept", busy())):
        for words, library in (("text", generate_latest), ("OpenMetrics", openmetrics.generate_latest)):
            cost = measured(state, library)
            assert cost.series == bound, (cost.series, bound)
            print(
                f"scrape, {words}, {name}: {cost.all_ms:.1f} ms for {cost.series} series; "
                f"{cost.all_ms / cost.encoding_ms:.2f} x merely encoding them ({cost.encoding_ms:.1f} ms); "
                f"the client library alone would encode for {cost.library_ms:.1f} ms"
            )


if __name__ == "__main__":
    main()
