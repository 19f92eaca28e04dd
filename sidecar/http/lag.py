"""The event loop's lag: how late a timer is called.

A single pause (a frozen machine, a garbage collection, a snapshot) is no overload; a lag that persists is. So the lag
is the minimum of the last measurements, as in CoDel (RFC 8289): if even that is long, there is a standing queue.

A single pause matters to what is timed by its arrival, though: it is read after the pause, and looks as if it had just
arrived. `late_ms` bounds that.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NoReturn

from sidecar import clock
from sidecar.parts.metrics import gauge
from sidecar.parts.part import Part, TaskFunction

_EVERY_S = 0.01
"""How exactly a pause is known: it may have begun so long before the measurement that it delayed."""
_LOOKS = 5
_NOISE_S = 0.005
"""A timer that is called later than this had to wait for something."""


class Lag(Part):
    """Measures the event loop's lag for as long as it runs."""

    def __init__(self) -> None:
        self._looks = deque([0.0] * _LOOKS, maxlen=_LOOKS)
        self._due_s = clock.monotonic_s() + _EVERY_S
        """When the next measurement is due; before the first, a replay of the journal may delay requests."""

    @gauge("event_loop_lag_seconds", "Delay of the event loop: the least of the last five measurements.")
    def seconds(self) -> float:
        """Return the persistent lag, in seconds."""
        return min(self._looks)

    def late_ms(self) -> int:
        """Return for how long, at most, a socket was readable before it is read now, in milliseconds; 0: hardly.

        A pause may have begun just after the measurement before the delayed one. A request takes a few iterations of
        the loop, so pauses that follow one another add up.
        """
        waits_s = (*self._looks, max(0.0, clock.monotonic_s() - self._due_s))
        longest_s = max(waits_s)
        return 0 if longest_s < _NOISE_S else int(1000 * max(sum(waits_s), longest_s + _EVERY_S))

    def look(self, late_s: float) -> None:
        """Add a measurement, in seconds."""
        self._looks.append(late_s)

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the measurement."""
        yield "lag", self.run

    async def run(self) -> NoReturn:
        """Measure, for ever."""
        while True:
            await asyncio.sleep(max(0.0, self._due_s - clock.monotonic_s()))
            now_s = clock.monotonic_s()
            self.look(max(0.0, now_s - self._due_s))
            self._due_s = now_s + _EVERY_S
