"""Does alpha hold against the worst that it allows, and what breaks it? Seeded simulations of the evidence.

Alpha assumes that the reliability *given the past* is at most p0. So the adversaries here see the capital, and choose
after each payment how reliable the next one is, up to p0. Bursts break the assumption: between them push is better than
p0, although its mean is p0.
"""

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from sidecar.core.statistics import evidence
from sidecar.core.statistics.alarms import bank

_SEED = 20_261_201
_RENEW_AFTER = 280
"""Payments in the 7 days after which an epoch may be renewed, at 40 a day."""
_TARGET, _RISK = 0.99, 0.01

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Bettors:
    """The capital of many runs at once, each with its own epoch. Not capped: the first crossing does not move."""

    def __init__(self, runs: int, target: float = _TARGET, risk: float = _RISK) -> None:
        self.target, self.risk = target, risk
        fractions = np.array([[fraction] for fraction, _ in evidence.ALTERNATIVES])
        self._weights = np.array([[weight] for _, weight in evidence.ALTERNATIVES])
        self._good, self._bad = (1 - fractions) / target + fractions, fractions
        self._shares: Floats = np.repeat(self._weights, runs, axis=1)
        self.epochs = np.ones(runs, dtype=np.int64)
        self.ages = np.zeros(runs, dtype=np.int64)
        self.has_climbed: Flags = np.zeros(runs, dtype=bool)
        self.total: Floats = np.ones(runs)
        self.bars: Floats = np.full(runs, evidence.bar_of(evidence.epoch_alpha(risk, 1)))
        cusums = [cusum for cusum in bank(round(target * 1e6), 950_000, 100_000) if cusum.p1_ppm <= 950_000]
        self._rise = np.array([[cusum.bad] for cusum in cusums])
        self._sink = np.array([[cusum.good] for cusum in cusums])
        self._threshold = np.array([[cusum.threshold] for cusum in cusums])
        self._levels = np.zeros((len(cusums), runs))

    @property
    def log_total(self) -> Floats:
        """Return the logarithm of each capital."""
        return np.asarray(np.log(np.maximum(self.total, 1e-300)))

    def step(self, is_good: Flags, is_judged: Flags | None = None) -> None:
        """Bet on one payment of each run; one that is not judged changes nothing."""
        steps = np.where(is_good, self._good, self._bad)
        if is_judged is not None:
            steps = np.where(is_judged, steps, 1.0)
        self._shares *= steps
        self.total = self._shares.sum(axis=0)
        self._levels = np.clip(self._levels + np.where(is_good, self._sink, self._rise), 0, self._threshold)
        self.ages += 1
        self.has_climbed |= self.total >= np.exp(self.bars)

    def begin(self, which: Flags) -> None:
        """Begin a new epoch in these runs."""
        if not which.any():
            return
        self._shares[:, which] = self._weights
        self.total[which] = 1.0
        self.epochs[which] += 1
        self.ages[which] = 0
        k = self.epochs[which]
        self.bars[which] = -np.log(0.1 * self.risk / (k * (k - 1)))

    def renew(self) -> None:
        """Begin a new epoch where the rule on the bottom rung does.

        After 7 days, where the capital lacks more than in a new epoch, and the CUSUMs of damage are calm.
        """
        coming = -np.log(0.1 * self.risk / (self.epochs * (self.epochs + 1)))
        is_calm = (2 * self._levels < self._threshold).all(axis=0)
        self.begin((self.ages >= _RENEW_AFTER) & is_calm & (self.bars - self.log_total > coming))


class Adversary(msgspec.Struct, frozen=True, kw_only=True):
    """How reliable the next payment is, given the past, and what else happens."""

    name: str
    reliability: Callable[[Bettors, int], Floats]
    judged: float = 1.0
    """The share of payments that is judged, whatever their outcome; restarts leave the others out."""
    resets: int = 0
    """New epochs by hand or by policy, at equal distances."""
    renews: bool = True
    payments: int = 20_000


def _constant(bettors: Bettors, _: int) -> Floats:
    return np.full_like(bettors.total, bettors.target)


def _near_the_bar(bettors: Bettors, _: int) -> Floats:
    """Be as good as allowed until the bar is near, then worse."""
    return np.where(bettors.log_total > bettors.bars - 0.5, 0.9, 1.0) * bettors.target


def _while_losing(bettors: Bettors, _: int) -> Floats:
    """Be as good as allowed while it wins, and waste no epoch: fail at once when it loses, to be renewed."""
    return np.where(bettors.log_total < -1.0, 0.0, bettors.target)


def _baiting(bettors: Bettors, _: int) -> Floats:
    """Fail through an eighth of each epoch's first week, so that it is renewed as often as can be."""
    return np.where(bettors.ages < _RENEW_AFTER // 8, 0.0, bettors.target)


ADVERSARIES = (
    Adversary(name="exactly p0", reliability=_constant, renews=False),
    Adversary(name="exactly p0, renewed", reliability=_constant),
    Adversary(name="exactly p0, 50 resets", reliability=_constant, resets=50, payments=50_000),
    Adversary(name="exactly p0, a restart touches 4 % of the payments", reliability=_constant, judged=0.96),
    Adversary(name="worse near the bar", reliability=_near_the_bar),
    Adversary(name="fails at once when it loses", reliability=_while_losing),
    Adversary(name="baits renewals", reliability=_baiting),
)


def climbing(
    adversary: Adversary,
    *,
    runs: int,
    payments: int | None = None,
    target: float = _TARGET,
    risk: float = _RISK,
    seed: int = _SEED,
) -> int:
    """Return how many runs ever climb: alpha promises at most `risk` of them."""
    payments = payments or adversary.payments
    random, bettors = np.random.default_rng(seed), Bettors(runs, target, risk)
    every = payments // adversary.resets if adversary.resets else payments + 1
    for number in range(1, payments + 1):
        is_good = random.random(runs) < adversary.reliability(bettors, number)
        bettors.step(is_good, random.random(runs) < adversary.judged if adversary.judged < 1 else None)
        if number % every == 0:
            bettors.begin(np.ones(runs, dtype=bool))
        if adversary.renews and number % 40 == 0:
            bettors.renew()
    return int(bettors.has_climbed.sum())


def climbing_in_bursts(*, runs: int, payments: int, burst: int = 10, seed: int = _SEED) -> int:
    """Return how many runs ever climb if failures come in bursts, and are 1 % of the payments in the long run."""
    random, bettors = np.random.default_rng(seed + 1), Bettors(runs)
    gap = burst * _TARGET / (1 - _TARGET)
    left = np.zeros(runs, dtype=np.int64)
    for number in range(payments):
        left = np.where(left > 0, left - 1, np.where(random.random(runs) < 1 / gap, burst, 0))
        bettors.step(left == 0)
        if number % 40 == 0:
            bettors.renew()
    return int(bettors.has_climbed.sum())


def payments_to_proof(
    truth: float, *, renews: bool, runs: int, most: int = 60_000, bad_first: int = 0, seed: int = _SEED
) -> tuple[float, float]:
    """Return the median and the mean of the payments to the first proof, after so many at 80 %; at most `most`."""
    random, bettors = np.random.default_rng(seed + 2), Bettors(runs)
    at = np.full(runs, most, dtype=np.int64)
    for number in range(1, most + 1):
        bettors.step(random.random(runs) < (0.8 if number <= bad_first else truth))
        at[bettors.has_climbed & (at == most)] = number
        if renews and number % 40 == 0:
            bettors.renew()
        if bettors.has_climbed.all():
            break
    return float(np.median(at)) - bad_first, float(at.mean()) - bad_first


def main() -> None:
    """Print every figure."""
    for adversary in ADVERSARIES:
        count = climbing(adversary, runs=5000)
        print(f"{adversary.name}: {count} of 5000 runs climb in {adversary.payments} payments; promised: 50 at most")
    for burst in (1, 3, 10, 30):
        count = climbing_in_bursts(runs=1000, payments=20_000, burst=burst)
        print(f"mean exactly 99 %, failures in bursts of {burst}: {count} of 1000 runs climb in 20 000 payments")
    for truth in (0.995, 0.997, 0.999):
        with_, without = (payments_to_proof(truth, renews=renews, runs=1000) for renews in (True, False))
        print(
            f"payments to the proof at {truth:.1%}, median and mean: {with_[0]:,.0f}, {with_[1]:,.0f}; "
            f"without renewal {without[0]:,.0f}, {without[1]:,.0f}"
        )
    fresh = payments_to_proof(0.999, renews=True, runs=1000)
    after = payments_to_proof(0.999, renews=True, runs=1000, bad_first=1200)
    print(
        f"after 30 days at 80 %, 40 a day: median {after[0]:,.0f} payments at 99.9 %, {after[0] / fresh[0]:.2f} x "
        f"a fresh start; mean {after[1]:,.0f}, {after[1] / fresh[1]:.2f} x"
    )


if __name__ == "__main__":
    main()
