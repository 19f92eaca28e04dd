"""Spans of time that return: once, or in every week.

The core has no calendar: days and times of a week are integer arithmetic on Unix milliseconds, with a fixed offset from
UTC. 1970-01-05 was a Monday.
"""

import msgspec

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
WEEK_MS = 7 * DAY_MS
WEEK_MINUTES = 7 * 24 * 60
DAY_MINUTES = 24 * 60
OFFSET_MAX_MINUTES = 14 * 60
"""No clock on Earth is further from UTC (Line Islands)."""
_MONDAY_MS = 4 * DAY_MS


class Once(msgspec.Struct, frozen=True, kw_only=True, tag="once"):
    """One span of time, such as a term's start: the first millisecond is in it, the last is not."""

    from_ms: int
    until_ms: int


class Weekly(msgspec.Struct, frozen=True, kw_only=True, tag="weekly"):
    """The same span in every week, such as from Friday evening to Monday morning."""

    days: tuple[int, ...]
    """On which days it begins: 0 is Monday."""
    from_minute: int
    """After midnight, by the clock of `utc_offset_minutes`."""
    lasts_minutes: int
    utc_offset_minutes: int
    """Offset ahead of UTC. Fixed: with summer time, freeze an hour more, or freeze again."""


def span_at(window: Once | Weekly, at_ms: int) -> tuple[int, int] | None:
    """Return from when until when the span lasts in which this moment is; None: it is in none."""
    if isinstance(window, Once):
        spans = [(window.from_ms, window.until_ms)]
    else:
        begins = [begin_ms - WEEK_MS for begin_ms in _begins_ms(window, at_ms)]
        spans = [(begin_ms, begin_ms + window.lasts_minutes * MINUTE_MS) for begin_ms in begins]
    around = [span for span in spans if span[0] <= at_ms < span[1]]
    if not around:
        return None
    return min(begin_ms for begin_ms, _ in around), max(until_ms for _, until_ms in around)


def next_begin_ms(window: Once | Weekly, at_ms: int) -> int | None:
    """Return when a span next begins after this moment; None: never."""
    begins = [window.from_ms] if isinstance(window, Once) else _begins_ms(window, at_ms)
    return min((begin_ms for begin_ms in begins if begin_ms > at_ms), default=None)


def _begins_ms(window: Weekly, at_ms: int) -> list[int]:
    """Return when it begins in this week, by the window's own clock, and in the next."""
    offset_ms = window.utc_offset_minutes * MINUTE_MS
    monday_ms = at_ms - (at_ms + offset_ms - _MONDAY_MS) % WEEK_MS
    weeks = (monday_ms, monday_ms + WEEK_MS)
    return [week_ms + day * DAY_MS + window.from_minute * MINUTE_MS for week_ms in weeks for day in window.days]


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """The freeze that another one replaces."""

    id: int
    """The number of its record."""
    actor: str
    reason: str
