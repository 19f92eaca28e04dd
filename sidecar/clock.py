"""The only module that reads the time from the operating system. The demo can `install` a faster clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

_NEVER_BACK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that also counts while the machine sleeps, if the system has it: a lease must not outlive a suspend."""


class Source(Protocol):
    """A source of time."""

    def wall_ms(self) -> int:
        """Return Unix milliseconds."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        ...


class System:
    """The operating system's time."""

    def wall_ms(self) -> int:
        """Return Unix milliseconds by the wall clock."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds by the monotonic clock."""
        return time.clock_gettime(_NEVER_BACK)

    def nap(self, span_s: float) -> None:
        """Block this thread, and so the event loop, for a moment."""
        time.sleep(span_s)


_in_force: list[Source] = [System()]
"""The one source of this process, in a list so that `install` can replace it."""


def install(source: Source) -> Source:
    """Use another source of time in the whole process; return the previous one, to restore it later."""
    before = _in_force[0]
    _in_force[0] = source
    return before


def wall_ms() -> int:
    """Return Unix milliseconds by the wall clock, which an administrator or NTP may set back."""
    return _in_force[0].wall_ms()


def wall_iso() -> str:
    """Return the wall clock as ISO 8601 in UTC."""
    return f"{datetime.fromtimestamp(wall_ms() / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def monotonic_s() -> float:
    """Return seconds since an arbitrary instant, which never go back; for durations within this process."""
    return _in_force[0].monotonic_s()


class AnchoredClock:
    """Unix milliseconds that never go back: anchored once, then counted by the monotonic clock.

    The anchor is the later of the wall clock and `last_ms`, so that the time of a journal continues from its last
    stamp even if the wall clock was set back in between.
    """

    def __init__(self, last_ms: int = 0) -> None:
        self._anchor_ms = max(wall_ms(), last_ms)
        self._anchor_s = monotonic_s()

    def now_ms(self) -> int:
        """Return the present in Unix milliseconds on this clock."""
        return self._anchor_ms + int((monotonic_s() - self._anchor_s) * 1000)


class JumpWatch:
    """Detects that the wall clock and the monotonic clock moved apart: an administrator or NTP set the time."""

    def __init__(self, wall_ms: Callable[[], int] = wall_ms, monotonic_s: Callable[[], float] = monotonic_s) -> None:
        self._wall_ms = wall_ms
        self._monotonic_s = monotonic_s
        self._offset_ms = self._read()

    def moved_ms(self) -> int:
        """Return by how many milliseconds the wall clock gained on the monotonic one since the last call."""
        before, self._offset_ms = self._offset_ms, self._read()
        return self._offset_ms - before

    def _read(self) -> int:
        return self._wall_ms() - int(self._monotonic_s() * 1000)
