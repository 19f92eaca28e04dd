"""Do the statistics keep their error bounds? Seeded simulations and comparisons, with the functions of the core.

A run climbs when, for some number of failures `f`, it saw `clean_needed(f)` successes before the next failure. So a run
is its gaps between failures, and ten thousand runs of twenty thousand payments take seconds.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from sidecar.core.statistics import evidence
from sidecar.core.statistics.alarms import Bank, bank, failures_to_alarm

_RUNS = 10_000
_PAYMENTS = 20_000
_SEED = 20_261_122
_RISKS = (0.05, 0.01, 0.001)
_TARGETS = (0.95, 0.99, 0.999)

Counts = npt.NDArray[np.int64]


def main() -> None:
    """Print every figure."""
    for target in _TARGETS:
        for risk in _RISKS:
            print(_promotions(target, risk))
    print(_false_promotions(0.99, 0.01, truth=0.98))
    for target in _TARGETS:
        print(_payments_needed(target))
    _alarms()


def climbs(truth: float, target: float, alphas: list[float], seed: int) -> int:
    """Return how many runs ever climb, with one epoch after the other of equal length, one for each alpha."""
    random = np.random.default_rng(seed)
    length = _PAYMENTS // len(alphas)
    climbed = np.zeros(_RUNS, dtype=bool)
    for alpha in alphas:
        climbed |= _climbed_in(random, truth, target, alpha, length)
    return int(climbed.sum())


def _climbed_in(
    random: np.random.Generator, truth: float, target: float, alpha: float, length: int
) -> npt.NDArray[np.bool_]:
    most = int(length * (1 - truth) + 12 * math.sqrt(length * (1 - truth)) + 12)
    gaps: Counts = random.geometric(1 - truth, size=(_RUNS, most)).astype(np.int64)
    failures_at = np.cumsum(gaps, axis=1)  # the payment, from 1, at which the (f+1)-th failure comes
    needed = np.array([_needed(target, bad, alpha) for bad in range(most)], dtype=np.int64)
    successes_before: Counts = np.minimum(failures_at - 1, length) - np.arange(most)
    return np.asarray((successes_before >= needed).any(axis=1))


def _needed(target: float, bad: int, alpha: float) -> int:
    capital = evidence.after([], round(target * 1e6), good=0, bad=bad)
    return evidence.clean_needed(capital, round(target * 1e6), evidence.bar_of(alpha))


def _promotions(target: float, risk: float) -> str:
    """Print how often it climbs if the true reliability is exactly the target: at most `risk` is promised."""
    one = climbs(target, target, [evidence.epoch_alpha(risk, 1)], _SEED)
    ten = climbs(target, target, [evidence.epoch_alpha(risk, epoch) for epoch in range(1, 11)], _SEED + 1)
    return (
        f"truth = target = {target:.1%}, risk {risk:.1%}: {one} of {_RUNS} runs of {_PAYMENTS} payments climb, "
        f"{ten} with ten epochs; promised at most {risk * _RUNS:.0f}"
    )


def _false_promotions(target: float, risk: float, truth: float) -> str:
    count = climbs(truth, target, [evidence.epoch_alpha(risk, 1)], _SEED + 2)
    rolling = _rolling(target, truth)
    return (
        f"truth {truth:.1%}, target {target:.1%}, risk {risk:.1%}: {count} of {_RUNS} runs climb; "
        f"a rolling 'at least {target:.0%} of the last 500' climbs in {rolling} of 1000"
    )


def _rolling(target: float, truth: float) -> int:
    random = np.random.default_rng(_SEED + 3)
    bad = (random.random((1000, _PAYMENTS)) >= truth).astype(np.int32)
    sums = np.cumsum(bad, axis=1)
    window = sums[:, 500:] - sums[:, :-500]
    return int((window <= 500 * (1 - target)).any(axis=1).sum())


def _payments_needed(target: float) -> str:
    """Compare with the exact binomial test that may look only once, at the same alpha."""
    parts = []
    for risk in _RISKS:
        alpha = evidence.epoch_alpha(risk, 1)
        limit = math.log(1 / alpha) / -math.log(target)
        clean = _needed(target, 0, alpha)
        ratios = [(_needed(target, bad, alpha) + bad) / _fixed_sample(target, alpha, bad) for bad in range(1, 11)]
        parts.append(f"risk {risk:.1%}: {clean} clean ({clean / limit:.3f} x the limit), failures {max(ratios):.2f} x")
    return f"target {target:.1%}: " + "; ".join(parts)


def _fixed_sample(target: float, alpha: float, bad: int) -> int:
    low, high = bad, 64
    while stats.binom.cdf(bad, high, 1 - target) > alpha:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if stats.binom.cdf(bad, middle, 1 - target) <= alpha else (middle, high)
    return high


def _alarms() -> None:
    """Print how long the default alarm bank is quiet at the target, and how fast it detects damage."""
    default = bank(990_000, 950_000, 100_000)
    print(f"alarm bank at the default policy: an outage is noticed at failure {failures_to_alarm(default)}")
    for truth, runs, cap in (
        (0.99, 200, 2_000_000),
        (0.98, 2000, 200_000),
        *((truth, 2000, 20_000) for truth in (0.95, 0.9, 0.8, 0.5, 0.0)),
    ):
        lengths = _run_lengths(default, truth, runs, cap)
        capped = int((lengths >= cap).sum())
        print(
            f"truth {truth:.0%}: alarm after {lengths.mean():,.0f} payments on average, "
            f"median {np.median(lengths):,.0f}"
            + (f" ({capped} of {runs} runs had none in {cap:,} and count as that)" if capped else "")
        )


def _run_lengths(default: Bank, truth: float, runs: int, cap: int) -> Counts:
    random = np.random.default_rng(_SEED + 5)
    good = np.array([[cusum.good] for cusum in default], dtype=np.int64)
    bad = np.array([[cusum.bad] for cusum in default], dtype=np.int64)
    threshold = np.array([[cusum.threshold] for cusum in default], dtype=np.int64)
    levels = np.zeros((len(default), runs), dtype=np.int64)
    lengths = np.full(runs, cap, dtype=np.int64)
    alive = np.ones(runs, dtype=bool)
    now = np.zeros(runs, dtype=np.int64)
    while alive.any():  # jump from failure to failure: successes only lower the levels
        gaps = random.geometric(1 - truth, size=runs).astype(np.int64)
        levels = np.maximum(0, levels + (gaps - 1) * good) + bad
        now += gaps
        alarmed = alive & (levels >= threshold).any(axis=0) & (now <= cap)
        lengths[alarmed] = now[alarmed]
        alive &= ~alarmed & (now < cap)
    return lengths


if __name__ == "__main__":
    main()
