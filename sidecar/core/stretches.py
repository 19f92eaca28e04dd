"""What was servable in a stretch of time, to the millisecond: cut out of the history's spans."""

from collections.abc import Callable, Iterator

import msgspec

from sidecar.core.history import HOUR_MS, Condition, History, Hour, MarkKind, Span
from sidecar.core.policy import Mode
from sidecar.core.state import State


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A time that ends with the last record: half-open, and what is asked of it."""

    state: State
    from_ms: int
    mode: Mode

    @property
    def until_ms(self) -> int:
        """When it ends."""
        return self.state.now_ms

    @property
    def history(self) -> History:
        """Where it is cut from."""
        return self.state.history

    def pieces(self) -> Iterator[tuple[int, int, Span]]:
        """Return (from, until, span) for all of it that is known; what is beyond the lease is blind."""
        spans = self.history.spans
        seen_until_ms = min(self.until_ms, self.history.lease_until_ms)
        for number, span in enumerate(spans):
            end_ms = spans[number + 1].at_ms if number + 1 < len(spans) else seen_until_ms
            from_ms, until_ms = max(span.at_ms, self.from_ms), min(end_ms, self.until_ms)
            if from_ms < until_ms:
                yield from_ms, until_ms, span

    def served_ms(self) -> int:
        """Return how long everybody could be served this mode or a better one."""
        return sum(
            until_ms - from_ms for from_ms, until_ms, span in self.pieces() if span.for_all.rank >= self.mode.rank
        )

    def sheltered_ms(self) -> int:
        """Return how long it was sheltered."""
        return sum(
            until_ms - from_ms
            for from_ms, until_ms, span in self.pieces()
            if span.condition is Condition.SHELTERED and span.for_all.rank < self.mode.rank
        )

    def shelters(self) -> int:
        """Return how many shelters lie in it, with the one that it may begin in."""
        named = [mark for mark in self.history.marks if mark.kind is MarkKind.SHELTER_BEGAN]
        pieces = [piece for piece in self.pieces() if piece[2].condition is Condition.SHELTERED]
        within = [mark for mark in named if self.from_ms <= mark.at_ms <= self.until_ms]
        is_begun_in = bool(pieces) and pieces[0][0] == self.from_ms and pieces[0][2].at_ms < self.from_ms
        is_named_within = is_begun_in and any(mark.at_ms < pieces[0][1] for mark in within)
        return len(within) + (is_begun_in and not is_named_within)

    def falls_ms(self) -> list[int]:
        """Return when the flag fell in it."""
        marks = self.history.marks
        return [mark.at_ms for mark in marks if mark.kind is MarkKind.FELL and mark.at_ms >= self.from_ms]

    def hours(self, hours: list[Hour]) -> list[Hour]:
        """Return the hours of it, with the whole of the one that it begins in."""
        first = self.from_ms // HOUR_MS
        return [hour for hour in hours if hour.hour >= first]

    def later(self, by_ms: int) -> "Stretch":
        """Return what will be left of it so much later, if all goes well from here on."""
        return msgspec.structs.replace(self, from_ms=self.from_ms + by_ms)


def first_ms(holds: Callable[[int], bool], most_ms: int) -> int:
    """Return after how many milliseconds something that goes on holding begins to; at most `most_ms`."""
    low, high = 0, most_ms
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
