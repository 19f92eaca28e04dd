"""The speed of the demo's time: one for the whole world, that is the sidecar's clock, every sleep and every deadline.

The problem: a clock that runs twenty times as fast makes everything twenty times as slow. A journal that needs 5 ms for
its disk would need 100, and payments would be late by the sidecar's own fault.

What we do: only *waiting* is sped up. While the loop works, or a thread works for it for long, a second is a second.
Without a speed (headless), work takes no time at all, and where nothing is ready or in flight, time jumps to the next
due time: a run of hours takes seconds, and is the same each time.
"""

import selectors

from sidecar import clock

_REAL = clock.System()
_NAP_S = 0.0002
_LATE_S = 0.003
"""A wait may end so much late, since the system counts it in milliseconds, and a thread may work so long before the
world slows down for it. All beyond that is the machine's own delay."""


class Pace:
    """The world's time, as a source for `sidecar.clock`."""

    def __init__(self, *, starts_ms: int | None = None, speed: int | None = None, settles_s: float = 0.0) -> None:
        self.speed = speed
        """Seconds of world time per second of waiting; None: time jumps."""
        self.settles_s = settles_s
        """Before a jump, data in flight between sockets gets this long to arrive."""
        self.jobs = 0
        """Jobs that threads run for the loop."""
        self._starts_ms = _REAL.wall_ms() if starts_ms is None else starts_ms
        self._now_s = 0.0
        self._worked_s = _REAL.monotonic_s()
        """Up to when real time has been counted."""

    def wall_ms(self) -> int:
        """Return the world's Unix milliseconds."""
        return self._starts_ms + int(self.monotonic_s() * 1000)

    def monotonic_s(self) -> float:
        """Return the world's seconds since it began."""
        if self.speed is not None:
            now_s = _REAL.monotonic_s()
            self._now_s += now_s - self._worked_s
            self._worked_s = now_s
        return self._now_s

    def set_speed(self, speed: int) -> None:
        """Set the speed from now on."""
        self.monotonic_s()
        self.speed = speed

    def waited(self, wait_s: float, took_s: float, rate: float) -> None:
        """Count a wait of the loop by its real duration; never much more than the requested one."""
        self._now_s += min(wait_s + _LATE_S * rate, took_s * rate)
        self._worked_s = _REAL.monotonic_s()

    def jump(self, wait_s: float) -> None:
        """Advance by the whole wait at once."""
        self._now_s += wait_s


class PacedSelector(selectors.DefaultSelector):
    """A selector that waits for I/O in the world's time."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, after at most `timeout` seconds of the world."""
        pace = self._pace
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if pace.speed is None:
            return self._jump(timeout)
        rate = pace.speed
        pace.monotonic_s()
        began_s = _REAL.monotonic_s()
        ready = super().select(None if timeout is None else timeout / (1 if pace.jobs else rate))
        took_s = _REAL.monotonic_s() - began_s
        wait_s = took_s if pace.jobs else took_s * rate if timeout is None else timeout
        pace.waited(wait_s, took_s, rate)
        return ready

    def _jump(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None or self._pace.jobs:
            return super().select(None)  # a thread or a signal wakes it
        until_s = _REAL.monotonic_s() + self._pace.settles_s
        while not ready and _REAL.monotonic_s() < until_s:
            _REAL.nap(_NAP_S)
            ready = super().select(0)
        if not ready:
            self._pace.jump(timeout)
        return ready
