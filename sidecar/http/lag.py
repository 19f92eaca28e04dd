"""How late is the event loop? What it was asked to do at an instant it does when it gets there.

One pause says nothing about the next moment: a frozen machine, a collection, a snapshot. What stays is an overload. So
the lag is the least of the last few looks, as in "controlled delay" (RFC 8289): if even that is long, there is a queue
that does not go away.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NoReturn

from sidecar import clock
from sidecar.metrics.declarations import gauge
from sidecar.ports import Actor, Part

_EVERY_S = 0.05
_LOOKS = 5


class Lag(Part):
    """Measures the event loop's lag for as long as it runs."""

    def __init__(self) -> None:
        self._looks = deque([0.0] * _LOOKS, maxlen=_LOOKS)

    @gauge("event_loop_lag_seconds", "Delay of the event loop: the least of the last five measurements.")
    def seconds(self) -> float:
        """Return the lag that stays, in seconds."""
        return min(self._looks)

    def look(self, late_s: float) -> None:
        """Note by how many seconds the loop was late."""
        self._looks.append(late_s)

    def tasks(self) -> Iterable[tuple[str, Actor]]:
        """Return the measurement."""
        yield "lag", self.run

    async def run(self) -> NoReturn:
        """Measure, for ever."""
        while True:
            due_s = clock.monotonic_s() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self.look(max(0.0, clock.monotonic_s() - due_s))
