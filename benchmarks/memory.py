"""Does memory stay flat? Ten million observations are folded, with a payment every 400 ms of simulated time."""

import resource
import sys
import time
from collections.abc import Iterator

from sidecar.core.facts.observations import (
    AckReceived,
    Heartbeat,
    Observation,
    PaymentSucceeded,
    Record,
)
from sidecar.core.facts.policy import Stage
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import encode
from tests.core.world import LAX, World

_LOOKS = 10


def facts() -> Iterator[tuple[int, Observation]]:
    """Yield facts without end, each with its delay after the one before it."""
    number = 0
    while True:
        number += 1
        name = f"pi_{number}"
        yield (
            100,
            PaymentSucceeded(payment_intent=name, event_id=name, created_s=1, signed_s=1, user_ref=f"u{number % 97}"),
        )
        if number % 200:
            yield 100, AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent=name)
        yield 200, Heartbeat(replica="a", beat=number)


def resident_mb() -> float:
    """Return the resident memory of this process."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123 - a file of the kernel
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6


def main(count: int) -> None:
    """Print the resident memory during the fold."""
    world = World(LAX)
    world.wire()
    state, at_ms, seq = world.state, world.now_ms, world.state.seq
    started = time.perf_counter()
    looks: list[float] = []
    for number, (after_ms, fact) in enumerate(facts(), start=1):
        at_ms += after_ms
        seq += 1
        fold(state, Record(seq=seq, at_ms=at_ms, observation=fact))
        if number % (count // _LOOKS) == 0:
            looks.append(resident_mb())
            if len(looks) == _LOOKS:
                break
    took = time.perf_counter() - started
    print(
        f"memory: {count:,} observations in {took:.0f} s; resident {looks[0]:.1f} MB after a tenth, "
        f"{looks[-1]:.1f} MB at the end ({looks[-1] / looks[0]:.3f} x); the state is {len(encode(state)):,} bytes"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
