"""Leaps of a page's clocks: ten minutes pass, a machine sleeps, the clock is set.

Only what the page reads is changed, not when its timers fire: they must not be what saves the payer.
"""

import msgspec

_LEAP = """
(() => {
  const wall = Date.now, monotonic = performance.now.bind(performance);
  let from = Infinity;
  window.leapIn = (ms) => { from = monotonic() + ms; };
  document.addEventListener('freeze', () => leapIn(0));
  const leapt = (by) => (monotonic() >= from ? by : 0);
  Date.now = () => wall() + leapt(%d);
  performance.now = () => monotonic() + leapt(%d);
})();
"""


class Leap(msgspec.Struct, frozen=True):
    """What a page's clocks do at one moment, in milliseconds: when it is frozen, or after it calls `leapIn(ms)`."""

    wall_ms: int
    monotonic_ms: int

    @property
    def script(self) -> str:
        """What makes them do it."""
        return _LEAP % (self.wall_ms, self.monotonic_ms)


TEN_MINUTES = Leap(600_000, 600_000)
ASLEEP = Leap(600_000, 0)
"""Ten minutes, in a machine that sleeps: the monotonic clock stands still."""
SET_BACK = Leap(-3_600_000, 0)
"""The clock is set."""
