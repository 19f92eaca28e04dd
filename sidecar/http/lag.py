"""The event loop's lag: how late a timer is called.

A single pause (a frozen machine, a garbage collection, a snapshot) is no overload; a lag that persists is. So the lag
is the minimum of the last measurements, as in CoDel (RFC 8289): if even that is long, there is a standing queue.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NoReturn

from sidecar import clock
from sidecar.parts.metrics import gauge
from sidecar.parts.part import Part, TaskFunction

_EVERY_S = 0.05
_LOOKS = 5


class Lag(Part):
    """Measures the event loop's lag for as long as it runs."""

    def __init__(self) -> None:
        self._looks = deque([0.0] * _LOOKS, maxlen=_LOOKS)

    @gauge("event_loop_lag_seconds", "Delay of the event loop: the least of the last five measurements.")
    def seconds(self) -> float:
        """Return the persistent lag, in seconds."""
        return min(self._looks)

    def look(self, late_s: float) -> None:
        """Add a measurement, in seconds."""
        self._looks.append(late_s)

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the measurement."""
        yield "lag", self.run

    async def run(self) -> NoReturn:
        """Measure, for ever."""
        while True:
            due_s = clock.monotonic_s() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self.look(max(0.0, clock.monotonic_s() - due_s))
