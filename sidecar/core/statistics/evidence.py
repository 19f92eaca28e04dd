"""Sequential evidence: what good and bad outcomes prove about a reliability, valid at every look.

The problem: the controller looks after every payment, without end, and climbs the first time it looks good. Any
fixed-sample test, and any rolling threshold such as "99 % of the last 500", is passed by luck sooner or later when it
is repeated often enough.

What we do: compute the capital of a bettor who bets that the reliability is better than `p0`, starting with 1. While
the truth, given the past, is at most `p0`, the capital is a supermartingale, so it *ever* reaches `1/alpha` with
probability at most `alpha` (Ville's inequality). Waudby-Smith & Ramdas 2024, "Estimating means of bounded random
variables by betting"; Howard et al. 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences".

The bettor spreads its capital over fixed alternatives. Each assumes that failures are a fraction `r` of what `p0`
allows, `1 - q = r (1 - p0)`, so that a success multiplies its share by `q/p0` and a failure by `r`:

    M(s, f) = sum_k w_k (q_k/p0)^s r_k^f

Only counts are needed; the state holds no capital.
"""

import math
from collections.abc import Callable

from sidecar.core.facts.policy import PPM

ALTERNATIVES = ((0.0, 0.72), (0.04, 0.07), (0.12, 0.07), (0.3, 0.07), (0.5, 0.07))
"""Pairs of (fraction of the allowed failures, weight). Most of the capital bets on "never fails", so that a clean start
proves almost as soon as information allows; the rest limits what a few failures cost. For the choice see
`docs/decisions/0003-evidence.md`."""

_FIRST_EPOCH = 0.9
"""The share of alpha that the first epoch may spend; all later ones together get the rest."""


def log_capital(p0: float, good: int, bad: int, alternatives: tuple[tuple[float, float], ...] = ALTERNATIVES) -> float:
    """Return the natural logarithm of the capital after `good` successes and `bad` failures."""
    terms = []
    for fraction, weight in alternatives:
        if fraction == 0.0:
            if bad == 0:
                terms.append(math.log(weight) - good * math.log(p0))
            continue
        growth = math.log((1 - fraction) / p0 + fraction)
        terms.append(math.log(weight) + bad * math.log(fraction) + good * growth)
    largest = max(terms)
    return largest + math.log(math.fsum(math.exp(term - largest) for term in terms))


def epoch_alpha(alpha: float, epoch: int) -> float:
    """Return what the given epoch (from 1) may spend of `alpha`: 0.9 first, then 0.1/(k(k-1)); together 1."""
    if epoch <= 1:
        return _FIRST_EPOCH * alpha
    return (1 - _FIRST_EPOCH) * alpha / (epoch * (epoch - 1))


def is_proven(p0: float, good: int, bad: int, alpha: float) -> bool:
    """Return whether the counts prove, at error rate `alpha`, that the reliability is better than `p0`."""
    return log_capital(p0, good, bad) >= -math.log(alpha)


def clean_needed(p0: float, good: int, bad: int, alpha: float) -> int:
    """Return how many more successes, without a failure, would prove `p0`; 0 when it is proven."""
    return least(lambda more: is_proven(p0, good + more, bad, alpha))


def lower_bound(good: int, bad: int, alpha: float) -> float:
    """Return the reliability that is proven at error rate `alpha` (a lower confidence sequence), from 0 to 1.

    The capital falls as `p0` rises, so the bound is where it crosses `1/alpha`, found by bisection to 2**-40.
    """
    if good == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if is_proven(middle, good, bad, alpha):
            low = middle
        else:
            high = middle
    return low


def ratio(ppm: int) -> float:
    """Return parts per million as a ratio from 0 to 1."""
    return ppm / PPM


def least(holds: Callable[[int], bool]) -> int:
    """Return the least count from 0 for which a monotone predicate is true."""
    if holds(0):
        return 0
    high = 1
    while not holds(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
