"""A bank of Bernoulli CUSUMs, one per degree of damage: it raises the alarm of an indicator.

The problem: one CUSUM tuned to a mild damage (95 %) needs eight failures in a row to detect an outage; one tuned to an
outage never detects a mild damage.

What we do: run one per degree `p1` side by side. Each adds the log-likelihood ratio of `p1` against `p0` per outcome
and never goes below zero; the alarm is raised when any of the `K` reaches `ln(K N)`. Their average is an e-detector,
so that while reliability is at least `p0` there is at most one false alarm in `N` outcomes on average (Shin, Ramdas &
Rinaldo 2023, "E-detectors: a nonparametric framework for sequential change detection").

Levels are whole nano-nats, so that every machine computes the same bytes. Each likelihood ratio is rounded down and
each threshold up, so that rounding never adds a false alarm. A CUSUM is capped at its threshold, so that damage is
forgotten in bounded time.
"""

import functools
import math
from collections.abc import Sequence

import msgspec

from sidecar.core.facts.policy import PPM

_NANO = 1_000_000_000
DEGREES_PPM = (800_000, 500_000, 100_000)
"""Degrees of damage beside those that the policy names: 80 %, 50 % and 10 %."""


class Cusum(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one CUSUM, in nano-nats."""

    p1_ppm: int
    """The reliability that it is tuned to notice."""
    good: int
    """Added per success; negative."""
    bad: int
    """Added per failure; positive."""
    threshold: int

    def next(self, level: int, *, is_good: bool) -> int:
        """Return the level after one more outcome, from 0 to the threshold."""
        return min(self.threshold, max(0, level + (self.good if is_good else self.bad)))

    def is_calm(self, level: int) -> bool:
        """Return whether the level is below half the threshold."""
        return 2 * level < self.threshold

    def good_to_calm(self, level: int) -> int:
        """Return after how many successes in a row the level is below half the threshold; 0: it is."""
        return 0 if self.is_calm(level) else (2 * level - self.threshold) // (-2 * self.good) + 1


Bank = tuple[Cusum, ...]
"""The CUSUMs of one indicator, from the mildest damage to the heaviest."""


@functools.lru_cache(maxsize=64)
def bank(p0_ppm: int, unacceptable_ppm: int, once_in: int) -> Bank:
    """Return the CUSUMs for a target `p0`, a mildest damage, and at most one false alarm in `once_in` outcomes."""
    degrees = degrees_of(p0_ppm, unacceptable_ppm)
    threshold = math.ceil(math.log(len(degrees) * once_in) * _NANO)
    return tuple(_cusum(p0_ppm, degree, threshold) for degree in degrees)


def degrees_of(p0_ppm: int, unacceptable_ppm: int) -> tuple[int, ...]:
    """Return the degrees of damage: twice the allowed failures, the unacceptable reliability, and those below it."""
    twice_the_failures = 2 * p0_ppm - PPM
    heavier = (degree for degree in DEGREES_PPM if degree < unacceptable_ppm)
    degrees = {twice_the_failures, unacceptable_ppm, *heavier}
    detectable = (degree for degree in degrees if 0 < degree < p0_ppm)
    return tuple(sorted(detectable, reverse=True)) or (p0_ppm // 2,)


def failures_to_alarm(cusums: Bank) -> int:
    """Return after how many failures in a row, from level 0, the alarm is raised."""
    return min(-(-cusum.threshold // cusum.bad) for cusum in cusums)


def stepped(cusums: Bank, levels: Sequence[int], *, is_good: bool) -> list[int]:
    """Return the levels after one more outcome."""
    return [cusum.next(level, is_good=is_good) for cusum, level in zip(cusums, levels, strict=True)]


def is_reached(cusums: Bank, levels: Sequence[int]) -> bool:
    """Return whether any level is at its threshold."""
    return any(level >= cusum.threshold for cusum, level in zip(cusums, levels, strict=True))


def rescaled(before: Bank, levels: Sequence[int], now: Bank) -> list[int]:
    """Return levels for another bank: each the same share of its threshold as that of the nearest degree before.

    Rounded down below the threshold, so that a change of numbers raises no alarm; damage that was seen stays seen.
    """
    if len(levels) != len(before):
        return [0] * len(now)
    nearest = [min(zip(before, levels, strict=True), key=lambda pair: abs(pair[0].p1_ppm - new.p1_ppm)) for new in now]
    return [level * new.threshold // old.threshold for new, (old, level) in zip(now, nearest, strict=True)]


def _cusum(p0_ppm: int, p1_ppm: int, threshold: int) -> Cusum:
    good = _nano(math.log(p1_ppm / p0_ppm))
    bad = _nano(math.log((PPM - p1_ppm) / (PPM - p0_ppm)))
    return Cusum(p1_ppm=p1_ppm, good=good, bad=bad, threshold=threshold)


def _nano(nats: float) -> int:
    return math.floor(nats * _NANO)
