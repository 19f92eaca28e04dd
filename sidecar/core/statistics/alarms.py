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

import msgspec

_NANO = 1_000_000_000
DEGREES_PPM = (800_000, 500_000, 100_000)
"""Degrees of damage beside the unacceptable reliability that the policy names: 80 %, 50 % and 10 %."""


class Cusum(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one CUSUM, in nano-nats."""

    p1_ppm: int
    """The reliability that it is tuned to notification."""
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


class Bank(msgspec.Struct, frozen=True, kw_only=True):
    """The CUSUMs of one indicator: `alarms` raise the alarm, `recent` blocks climbing after recent damage."""

    alarms: tuple[Cusum, ...]
    recent: Cusum

    def failures_to_alarm(self) -> int:
        """Return after how many failures in a row, from level 0, the alarm is raised."""
        return min(-(-cusum.threshold // cusum.bad) for cusum in self.alarms)


@functools.lru_cache(maxsize=64)
def bank(p0_ppm: int, unacceptable_ppm: int, once_in: int) -> Bank:
    """Return the CUSUMs for a target `p0`, a mildest damage, and at most one false alarm in `once_in` outcomes."""
    degrees = (unacceptable_ppm, *(degree for degree in DEGREES_PPM if degree < unacceptable_ppm))
    threshold = _threshold(len(degrees) * once_in)
    alarms = tuple(_cusum(p0_ppm, degree, threshold) for degree in degrees)
    twice_the_failures = max(1, 2 * p0_ppm - 1_000_000)
    return Bank(alarms=alarms, recent=_cusum(p0_ppm, twice_the_failures, _threshold(once_in)))


def _cusum(p0_ppm: int, p1_ppm: int, threshold: int) -> Cusum:
    good = _nano(math.log(p1_ppm / p0_ppm))
    bad = _nano(math.log((1_000_000 - p1_ppm) / (1_000_000 - p0_ppm)))
    return Cusum(p1_ppm=p1_ppm, good=good, bad=bad, threshold=threshold)


def _threshold(odds: int) -> int:
    return math.ceil(math.log(odds) * _NANO)


def _nano(nats: float) -> int:
    return math.floor(nats * _NANO)
