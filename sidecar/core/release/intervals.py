"""What was servable in an interval of time, to the millisecond: cut out of the history's spans."""

import bisect
from collections.abc import Callable, Iterator

from sidecar.core.facts.policy import Mode
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.history import HOUR_MS, Condition, EventKind, History, Hour, Span, TimelineEvent
from sidecar.core.fold.state import State


class Timeline:
    """All spans up to the last record, with cumulated sums, so that any interval of them is read in constant time.

    The search for the earliest moment of a yes evaluates thousands of intervals.
    """

    def __init__(self, state: State, mode: Mode) -> None:
        self.state = state
        self.until_ms = state.now_ms
        self.spans = state.history.spans
        self._starts_ms = [span.at_ms for span in self.spans]
        seen_until_ms = min(self.until_ms, state.history.lease_until_ms)
        ends_ms = [*self._starts_ms[1:], seen_until_ms][: len(self.spans)]
        self.ends_ms = [min(at_ms, self.until_ms) for at_ms in ends_ms]
        self._is_served = [span.for_all.rank >= mode.rank for span in self.spans]
        self.is_unstable = [
            span.condition is Condition.REVERB_UNSTABLE and not served
            for span, served in zip(self.spans, self._is_served, strict=True)
        ]
        self._served_ms = self._cumulated(self._is_served)
        self._unstable_ms = self._cumulated(self.is_unstable)
        events = state.history.events
        self.suspensions_ms = [event.at_ms for event in events if _is_of_reverb(event)]
        self.falls_ms = [event.at_ms for event in events if event.kind is EventKind.FELL]

    def served_ms(self, from_ms: int) -> int:
        """Return how long everybody could be served the mode or a better one since a time."""
        return self._since(from_ms, self._is_served, self._served_ms)

    def reverb_unstable_ms(self, from_ms: int) -> int:
        """Return how long it was suspended because Reverb was unstable since a time."""
        return self._since(from_ms, self.is_unstable, self._unstable_ms)

    def at(self, at_ms: int) -> int:
        """Return the number of the span in which a time is; -1: before the first."""
        return bisect.bisect_right(self._starts_ms, at_ms) - 1

    def _cumulated(self, counts: list[bool]) -> list[int]:
        """Return how much of the time that counts lies before each span, and in all."""
        sums = [0]
        for start_ms, end_ms, is_counted in zip(self._starts_ms, self.ends_ms, counts, strict=True):
            sums.append(sums[-1] + (max(0, end_ms - start_ms) if is_counted else 0))
        return sums

    def _since(self, from_ms: int, counts: list[bool], sums: list[int]) -> int:
        number = self.at(from_ms)
        if number < 0:
            return sums[-1]
        rest_ms = max(0, self.ends_ms[number] - from_ms) if counts[number] else 0
        return sums[-1] - sums[number + 1] + rest_ms


class Interval:
    """A half-open interval that ends with the last record."""

    def __init__(self, timeline: Timeline, from_ms: int) -> None:
        self._timeline = timeline
        self.from_ms = from_ms
        self.until_ms = timeline.until_ms

    @property
    def state(self) -> State:
        """What it is a part of."""
        return self._timeline.state

    @property
    def history(self) -> History:
        """Where it is cut from."""
        return self._timeline.state.history

    def pieces(self) -> Iterator[tuple[int, int, Span]]:
        """Return (from, until, span) for all of it that is known; what is beyond the lease is in none."""
        for span, end_ms in zip(self._timeline.spans, self._timeline.ends_ms, strict=True):
            from_ms = max(span.at_ms, self.from_ms)
            if from_ms < end_ms:
                yield from_ms, end_ms, span

    def served_ms(self) -> int:
        """Return how long everybody could be served the mode or a better one."""
        return self._timeline.served_ms(self.from_ms)

    def reverb_unstable_ms(self) -> int:
        """Return how long it was suspended because Reverb was unstable."""
        return self._timeline.reverb_unstable_ms(self.from_ms)

    def suspensions(self) -> int:
        """Return how many suspensions because of Reverb lie in it, with one that it may begin in."""
        timeline, number = self._timeline, self._timeline.at(self.from_ms)
        first = bisect.bisect_left(timeline.suspensions_ms, self.from_ms)
        within = len(timeline.suspensions_ms) - first
        is_begun_in = (
            number >= 0
            and timeline.is_unstable[number]
            and timeline.spans[number].at_ms < self.from_ms < timeline.ends_ms[number]
        )
        is_named_within = is_begun_in and within and timeline.suspensions_ms[first] < timeline.ends_ms[number]
        return within + int(is_begun_in and not is_named_within)

    def falls_ms(self) -> list[int]:
        """Return when the flag fell in it."""
        return self._timeline.falls_ms[bisect.bisect_left(self._timeline.falls_ms, self.from_ms) :]

    def hours(self, hours: list[Hour]) -> list[Hour]:
        """Return the hours of it, with the whole of the one that it begins in."""
        return hours[bisect.bisect_left(hours, self.from_ms // HOUR_MS, key=_number) :]

    def later(self, by_ms: int) -> "Interval":
        """Return what will be left of the interval that much later, without further changes."""
        return Interval(self._timeline, self.from_ms + by_ms)


def _is_of_reverb(event: TimelineEvent) -> bool:
    return event.kind is EventKind.SUSPENSION_BEGAN and event.detail == SuspensionReason.REVERB_UNSTABLE


def _number(hour: Hour) -> int:
    return hour.hour


def first_ms(holds: Callable[[int], bool], most_ms: int) -> int:
    """Return the least delay in milliseconds for which a monotone predicate is true; at most `most_ms`."""
    low, high = 0, most_ms
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
