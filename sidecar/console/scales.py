"""Scales, ticks and percentiles of plots."""

import math
from collections.abc import Iterator, Sequence
from email.utils import formatdate

import msgspec

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_STEPS_MS = (
    *(minutes * _MINUTE_MS for minutes in (1, 5, 10, 20, 60, 180, 360, 720)),
    *(days * _DAY_MS for days in (1, 2, 7, 14, 28, 56, 112, 364, 1820)),
)


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a plot, and its range of time."""

    width: int
    height: int
    from_ms: int
    until_ms: int
    left: int = 74
    margin: int = 14

    @property
    def right(self) -> int:
        """The right edge of the plot."""
        return self.width - self.margin

    def x(self, at_ms: float) -> float:
        """Return the position of a time."""
        return self.left + (self.right - self.left) * (at_ms - self.from_ms) / (self.until_ms - self.from_ms)

    @staticmethod
    def logarithm(value: float, low: float, high: float, at_low: float, at_high: float) -> float:
        """Return the position of a number on a logarithmic scale, limited to its ends."""
        share = math.log(min(max(value, low), high) / low) / math.log(high / low) if high > low else 0.0
        return at_low + (at_high - at_low) * share


def round_up(number: int) -> int:
    """Return the next number of the form 1, 2 or 5 times a power of ten; at least 1."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= number:
                return factor * power
        power *= 10


def times(frame: Frame) -> Iterator[tuple[int, str]]:
    """Yield ticks that do not overlap, with their labels in UTC: `14:00`, or `26 Nov` at midnight."""
    slots = max(1, (frame.right - frame.left) // 70)
    span_ms = frame.until_ms - frame.from_ms
    step_ms = next((step for step in _STEPS_MS if span_ms / step <= slots), _STEPS_MS[-1])
    at_ms = -(-frame.from_ms // step_ms) * step_ms
    while at_ms <= frame.until_ms and frame.x(at_ms) <= frame.right - 8:
        _, day, month, _, clock, _ = formatdate(at_ms // 1000, usegmt=True).split()
        is_day = at_ms % _DAY_MS == 0
        yield at_ms, f"{int(day)} {month}" if is_day else clock[:5]
        at_ms += step_ms


def percentile_ms(edges_ms: Sequence[int], counts: Sequence[int], percent: int) -> float:
    """Return a percentile of a histogram, interpolated within its bucket; beyond the last edge it is the last edge."""
    whole, reached = sum(counts), 0
    for number, count in enumerate(counts[: len(edges_ms)]):
        if count and 100 * (reached + count) >= percent * whole:
            lower = edges_ms[number - 1] if number else 0
            return lower + (edges_ms[number] - lower) * (percent * whole / 100 - reached) / count
        reached += count
    return float(edges_ms[-1]) if edges_ms else 0.0
