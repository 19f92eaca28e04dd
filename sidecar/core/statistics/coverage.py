"""Which share of the succeeded payments could be judged at all? Proof about a chosen few proves nothing.

The window is the larger of 24 hours (in whole hours, so up to 25) and the last 200 payments. Payments from before the
first ack ever (`not_wired`) are in neither.
"""

import msgspec

from sidecar.core.facts.policy import PPM

_HOUR_MS = 3_600_000
_HOURS = 24
_LAST_MAX = 200
SUSPEND_FROM = 20
"""With fewer payments than this, low coverage only blocks climbing."""


class Coverage(msgspec.Struct, kw_only=True):
    """Counts of judged and unmeasured payments, by hour and one by one."""

    hours: list[tuple[int, int, int]] = []
    """(hour since the epoch of Unix time, judged, unmeasured), oldest first; at most 25."""
    last: list[bool] = []
    """Whether each of the last payments was judged, oldest first; at most 200."""
    judged: int = 0
    total: int = 0
    """The sums of `hours`, stored because every record reads them."""

    def add(self, *, is_judged: bool, at_ms: int) -> None:
        """Count one payment."""
        hour = at_ms // _HOUR_MS
        judged, unmeasured = int(is_judged), int(not is_judged)
        if self.hours and self.hours[-1][0] == hour:
            _, judged_before, unmeasured_before = self.hours[-1]
            self.hours[-1] = (hour, judged_before + judged, unmeasured_before + unmeasured)
        else:
            self.hours.append((hour, judged, unmeasured))
        self.judged += judged
        self.total += 1
        self.last.append(is_judged)
        if len(self.last) > _LAST_MAX:
            del self.last[0]

    def forget(self, now_ms: int) -> bool:
        """Drop the hours that have left the window; return whether any did."""
        oldest = now_ms // _HOUR_MS - _HOURS
        if not self.hours or self.hours[0][0] >= oldest:
            return False
        self.hours = [hour for hour in self.hours if hour[0] >= oldest]
        self.judged = sum(hour[1] for hour in self.hours)
        self.total = self.judged + sum(hour[2] for hour in self.hours)
        return True

    def counts(self) -> tuple[int, int]:
        """Return (judged, all) payments in the window."""
        if self.total >= len(self.last):
            return self.judged, self.total
        return sum(self.last), len(self.last)

    def share_ppm(self) -> int | None:
        """Return the share that could be judged; None before the first payment."""
        judged, total = self.counts()
        return judged * PPM // total if total else None
