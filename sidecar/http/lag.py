"""How late is the event loop? What it was asked to do at an instant it does when it gets there."""

import asyncio
from typing import NoReturn

from sidecar import clock

_EVERY_S = 0.05
_FORGOTTEN = 0.8
"""What is left of a lag after each look: one long pause is over soon, an overload stays."""


class Lag:
    """Measures the event loop's lag for as long as it runs."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        """The longest lag ever, in seconds."""
        self._lag_s = 0.0
        self._due_s: float | None = None

    def seconds(self) -> float:
        """Return the lag in seconds: what was measured lately, or how late the next measurement is by now."""
        late_s = 0.0 if self._due_s is None else clock.monotonic_s() - self._due_s
        return max(self._lag_s, late_s)

    async def run(self) -> NoReturn:
        """Measure, for ever."""
        while True:
            self._due_s = clock.monotonic_s() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            late_s = max(0.0, clock.monotonic_s() - self._due_s)
            self._lag_s = max(late_s, self._lag_s * _FORGOTTEN)
            self.longest_s = max(self.longest_s, late_s)
