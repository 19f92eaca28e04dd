"""Sequential evidence: what good and bad outcomes prove about a reliability, valid at every look.

The problem: the controller looks after every payment, without end, and climbs the first time it looks good. Any
fixed-sample test, and any rolling threshold such as "99 % of the last 500", is passed by luck sooner or later when it
is repeated often enough.

What we do: compute the capital of a bettor who bets that the reliability is better than `p0`, starting with 1. While
the reliability, given the past, is at most `p0`, the capital is a supermartingale, so it *ever* reaches `1/alpha` with
probability at most `alpha` (Ville's inequality). Waudby-Smith & Ramdas 2024, "Estimating means of bounded random
variables by betting"; Howard et al. 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences".

The bettor spreads its capital over fixed alternatives. Each assumes that failures are a fraction `r` of what `p0`
allows, `1 - q = r (1 - p0)`, so that a success multiplies its share by `q/p0` and a failure by `r`:

    M(s, f) = sum_k w_k (q_k/p0)^s r_k^f

Capital far above the bar proves nothing more, and would take thousands of failures to lose. So it is capped at the bar
and `MARGIN_NATS`: what is above is given away, which keeps a supermartingale, and the first crossing does not move. At
the cap a small part is spread by the weights again, so that an alternative that a perfect time has made poor can still
win when failures begin. `docs/decisions/0017-evidence-and-alarms.md` has the choice of both constants.

The shares are stored as logarithms in whole nano-nats, each step rounded down, so that rounding never adds evidence.
"""

import functools
import math
from collections.abc import Callable, Sequence

from sidecar.core.facts.policy import PPM

Alternatives = tuple[tuple[float, float], ...]
ALTERNATIVES: Alternatives = ((0.04, 0.61), (0.45, 0.16), (0.71, 0.23))
"""Pairs of (fraction of the allowed failures, weight). Of those whose clean start stays within 1.15 times the
information limit and whose second epoch, after a bad month, proves within 2.5 times a fresh start, the ones with the
least worst ratio to the test that knows the truth, over 99.3 to 100 % (`python -m benchmarks.weights`)."""

MARGIN_NATS = 5.0
"""How far above the bar the capital may be."""
_SPREAD = 0.0003
"""At the cap, the part of the capital that is spread by the weights again, with each success."""
_SPREAD_ONCE = 0.05

Capital = list[int]
"""The logarithm of each alternative's share, in nano-nats, in the order of `ALTERNATIVES`; its weight is included."""

_NANO = 1_000_000_000
_MICRO = 1000
"""Nano-nats in a micro-nat. Shares at the cap are rounded down to these: exponentials differ in their last digits from
machine to machine."""
_SEVERAL = math.log(len(ALTERNATIVES))
"""The most by which the whole can exceed its largest share."""
_FIRST_EPOCH = 0.9
"""The share of alpha that the first epoch may spend; all later ones together get the rest."""


@functools.cache
def initial() -> tuple[int, ...]:
    """Return the capital with which an epoch begins: 1, spread by the weights."""
    return tuple(math.floor(math.log(weight) * _NANO) for _, weight in ALTERNATIVES)


def after(capital: Sequence[int], p0_ppm: int, *, good: int, bad: int) -> Capital:
    """Return the capital after so many more successes and failures, not capped."""
    return [
        share + good * success + bad * failure
        for share, (success, failure) in zip(capital or initial(), _steps(p0_ppm), strict=True)
    ]


def of_counts(p0_ppm: int, bar: float, *, good: int, bad: int) -> Capital:
    """Return the capital of an epoch of which only the counts are known, capped.

    At the cap as much is spread as a long time there would have spread.
    """
    return capped(after([], p0_ppm, good=good, bad=bad), bar, spread=_SPREAD_ONCE)


def capped(capital: Capital, bar: float, *, spread: float = _SPREAD) -> Capital:
    """Return the capital, of which what exceeds the bar and `MARGIN_NATS` is given away."""
    cap = bar + MARGIN_NATS
    if max(capital) <= (cap - _SEVERAL) * _NANO:
        return capital
    excess = log_total(capital) - cap
    if excess <= 0:
        return capital
    scale = math.exp(cap)
    shares = [(1 - spread) * math.exp(share / _NANO - excess) for share in capital]
    parts = [spread * weight * scale for _, weight in ALTERNATIVES]
    return [
        math.floor(math.log(share + part) * _NANO / _MICRO) * _MICRO for share, part in zip(shares, parts, strict=True)
    ]


def log_total(capital: Sequence[int]) -> float:
    """Return the natural logarithm of the whole capital; of a beginning one 0, but for the rounding."""
    shares = capital or initial()
    largest = max(shares)
    return largest / _NANO + math.log(math.fsum(math.exp((share - largest) / _NANO) for share in shares))


def is_proven(capital: Sequence[int], bar: float) -> bool:
    """Return whether the capital proves that the reliability is better than `p0`."""
    return log_total(capital) >= bar


def clean_needed(capital: Sequence[int], p0_ppm: int, bar: float) -> int:
    """Return how many more successes, without a failure, would prove `p0`; 0 when it is proven."""
    return least(lambda more: is_proven(after(capital, p0_ppm, good=more, bad=0), bar))


@functools.lru_cache(maxsize=64)
def _steps(p0_ppm: int) -> tuple[tuple[int, int], ...]:
    """Return what a success and a failure add to each share."""
    p0 = p0_ppm / PPM
    return tuple(
        (
            math.floor(math.log((1 - fraction) / p0 + fraction) * _NANO),
            math.floor(math.log(fraction) * _NANO),
        )
        for fraction, _ in ALTERNATIVES
    )


def bar_of(alpha: float) -> float:
    """Return the logarithm of the capital that proves at error rate `alpha`."""
    return -math.log(alpha)


def epoch_alpha(alpha: float, epoch: int) -> float:
    """Return what the given epoch (from 1) may spend of `alpha`: 0.9 first, then 0.1/(k(k-1)); together 1."""
    if epoch <= 1:
        return _FIRST_EPOCH * alpha
    return (1 - _FIRST_EPOCH) * alpha / (epoch * (epoch - 1))


def log_capital(p0: float, good: int, bad: int, alternatives: Alternatives = ALTERNATIVES) -> float:
    """Return the logarithm of the capital of an epoch with these counts that was never capped."""
    terms = [
        math.log(weight) + bad * math.log(fraction) + good * math.log((1 - fraction) / p0 + fraction)
        for fraction, weight in alternatives
    ]
    largest = max(terms)
    return largest + math.log(math.fsum(math.exp(term - largest) for term in terms))


def lower_bound(good: int, bad: int, alpha: float) -> float:
    """Return the reliability that the counts prove at error rate `alpha`: a lower confidence sequence, from 0 to 1.

    The capital falls as `p0` rises, so the bound is where it crosses `1/alpha`, found by bisection to 2**-40.
    """
    if good == 0:
        return 0.0
    bar, low, high = bar_of(alpha), 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if log_capital(middle, good, bad) >= bar:
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
