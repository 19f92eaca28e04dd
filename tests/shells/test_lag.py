"""How late a request can have been read: bounds from the pauses of the event loop."""

import asyncio
import time

import pytest

from sidecar import clock
from sidecar.http.lag import Lag


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def wall_ms(self) -> int:
        """Return Unix milliseconds."""
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        """Return the seconds that the test set."""
        return self.now_s


# fmt: off
ROWS = [
    ([],                                    0),
    ([0.001, 0.004, 0.001, 0.002, 0.001],   0),     # a loop that is well
    ([0.006, 0.006, 0.006, 0.006, 0.006],  30),     # a busy one
    ([0.300],                             310),     # a pause begins after the last measurement at the earliest
    ([0.300, 0.0, 0.0, 0.0, 0.0],         310),
    ([0.300, 0.0, 0.0, 0.0, 0.0, 0.0],      0),     # five measurements later it has been read
    ([0.200, 0.200, 0.200],               600),     # one pause after another: a request needs a few iterations
]
# fmt: on


@pytest.mark.parametrize(("looks_s", "late_ms"), ROWS)
def test_the_bound_is_the_pause_and_what_came_before_it(looks_s: list[float], late_ms: int) -> None:
    """A payment is called late rather than fast: a bound that is too low would flatter push."""
    before = clock.install(Hand())
    try:
        lag = Lag()
        for late_s in looks_s:
            lag.look(late_s)
        assert lag.late_ms() == pytest.approx(late_ms, abs=1)
    finally:
        clock.install(before)


def test_a_pause_counts_before_it_was_measured() -> None:
    """After a pause the request may be handled before the delayed timer."""
    hand = Hand()
    before = clock.install(hand)
    try:
        lag = Lag()
        hand.now_s += 0.01
        assert lag.late_ms() == 0
        hand.now_s += 3.0
        assert lag.late_ms() == pytest.approx(3010, abs=1)
    finally:
        clock.install(before)


async def test_a_real_pause_of_the_loop_is_bounded_from_above() -> None:
    """A blocking call of 300 ms; a busy machine makes it longer, and the bound with it."""
    lag = Lag()
    [(_, run)] = lag.tasks()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run())
        await asyncio.sleep(0.2)
        began_s = time.monotonic()
        time.sleep(0.3)  # noqa: ASYNC251 - this is the pause
        paused_ms = 1000 * (time.monotonic() - began_s)
        first = lag.late_ms()
        await asyncio.sleep(0)
        assert min(first, lag.late_ms()) >= paused_ms - 1
        task.cancel()
