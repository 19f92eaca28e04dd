"""Why these weights, this margin, this spread? The figures behind the constants of `sidecar.core.statistics.evidence`.

The criterion for the weights: the least worst ratio of the mean number of payments to a proof to that of the test that
knows the truth, over 99.3 to 100 %, of those whose clean start stays within 1.15 times the information limit at a risk
of 5, 1 and 0.1 %. For the margin and the spread: after 30 000 payments at 99.9 %, the share of runs that are still
proven 2 000 payments after the reliability sank, and the share of time for which one at 99.5 % is not.
"""

import math

import numpy as np
import numpy.typing as npt

from sidecar.core.statistics import evidence
from sidecar.core.statistics.evidence import ALTERNATIVES, Alternatives

_SEED = 20_261_201
_P0 = 0.99
_RUNS = 400
_FAILURES = 420
_TRUTHS = (0.993, 0.994, 0.995, 0.996, 0.997, 0.998, 0.999, 0.9995)
_BAR = evidence.bar_of(evidence.epoch_alpha(0.01, 1))
_NONE = 1e-9
"""An alternative that bets on no failure at all."""
_CALM = 160
"""Clean payments until the CUSUM of unacceptable damage is calm after a bad month."""
_SETS: dict[str, Alternatives] = {
    "in use": ALTERNATIVES,
    "0.72 + 4 x 0.07 (before)": ((_NONE, 0.72), (0.04, 0.07), (0.12, 0.07), (0.3, 0.07), (0.5, 0.07)),
    "0.3 + 4 x 0.175": ((_NONE, 0.3), (0.1, 0.175), (0.25, 0.175), (0.45, 0.175), (0.65, 0.175)),
    "0.45 + 4, least worst": ((_NONE, 0.45), (0.1, 0.06), (0.25, 0.05), (0.43, 0.19), (0.71, 0.25)),
}

Floats = npt.NDArray[np.float64]


def main() -> None:
    """Print both tables."""
    print("weights | clean start, x the limit at risk 5, 1, 0.1 % | mean payments, x the best test | worst | bad month")
    for name, alternatives in _SETS.items():
        clean = [_clean(alternatives, risk) for risk in (0.05, 0.01, 0.001)]
        ratios = [_mean(alternatives, truth) / _mean(_knowing(truth), truth) for truth in _TRUTHS]
        print(
            f"{name} | {', '.join(f'{each:.2f}' for each in clean)} | "
            + ", ".join(f"{truth:.2%}: {ratio:.2f}" for truth, ratio in zip(_TRUTHS, ratios, strict=True))
            + f" | {max(ratios):.2f} | {_bad_month(alternatives):.2f}"
        )
    print("margin, spread | proven 2 000 after 98.9 %, 98.5 % | not proven at 99.5 %, 99.7 %")
    for margin, spread in ((5, 0.0003), (3, 0.0003), (8, 0.0003), (5, 0.0), (5, 0.001), (5, 0.0001), (1e9, 0.0)):
        open_after = [_after(margin, spread, truth)[0] for truth in (0.989, 0.985)]
        blocked = [_after(margin, spread, truth)[1] for truth in (0.995, 0.997)]
        print(
            f"{margin:g}, {spread:g} | {', '.join(f'{each:.1%}' for each in open_after)} | "
            f"{', '.join(f'{each:.1%}' for each in blocked)}"
        )


def _knowing(truth: float) -> Alternatives:
    return (((1 - truth) / (1 - _P0), 1.0),)


def _clean(alternatives: Alternatives, risk: float) -> float:
    bar = evidence.bar_of(risk)
    return evidence.least(lambda good: evidence.log_capital(_P0, good, 0, alternatives) >= bar) / (bar / -math.log(_P0))


def _mean(alternatives: Alternatives, truth: float) -> float:
    return float(_waits(alternatives, truth, _BAR).mean())


def _bad_month(alternatives: Alternatives) -> float:
    """Return the median wait at 99.9 % after a bad month, in the second epoch, as a multiple of a fresh start's."""
    second = evidence.bar_of(evidence.epoch_alpha(0.01, 2))
    later, fresh = (np.median(_waits(alternatives, 0.999, bar)) for bar in (second, _BAR))
    return float((_CALM + later) / fresh)


def _waits(alternatives: Alternatives, truth: float, bar: float) -> Floats:
    """Return the payments to a proof of each run: a run is its gaps between failures."""
    random = np.random.default_rng(_SEED)
    failures_at = np.cumsum(random.geometric(1 - truth, size=(_RUNS, _FAILURES)), axis=1)
    before = failures_at - 1 - np.arange(_FAILURES)
    needed = _needed(alternatives, bar)
    waits = np.full(_RUNS, float(failures_at[:, -1].mean()))
    for bad in range(_FAILURES - 1, -1, -1):
        reached = before[:, bad] >= needed[bad]
        so_far = before[reached, bad - 1] if bad else 0
        waits[reached] = np.maximum(needed[bad], so_far) + bad
    return waits


def _needed(alternatives: Alternatives, bar: float) -> list[int]:
    return [
        evidence.least(lambda good, bad=bad: evidence.log_capital(_P0, good, bad, alternatives) >= bar)  # type: ignore[misc]
        for bad in range(_FAILURES)
    ]


def _after(margin: float, spread: float, truth: float) -> tuple[float, float]:
    """Return the share of runs that are proven at the end, and the share of payments after which none was."""
    random = np.random.default_rng(_SEED + 1)
    fractions = np.array([fraction for fraction, _ in ALTERNATIVES])
    weights = np.array([weight for _, weight in ALTERNATIVES])
    success = np.log((1 - fractions) / _P0 + fractions)
    failure = np.log(fractions)
    shares: Floats = np.tile(np.log(weights), (_RUNS, 1))
    cap, blocked = _BAR + margin, 0.0
    for reliability, count in ((0.999, 8000), (truth, 2000)):  # the cap is reached long before, and forgets the rest
        for _ in range(count):
            is_good = random.random(_RUNS) < reliability
            shares = shares + np.where(is_good[:, None], success, failure)
            total = np.logaddexp.reduce(shares, axis=1)
            over = total > cap
            if over.any():
                kept = np.exp(shares[over] - total[over, None]) * (1 - spread) + spread * weights
                shares[over] = np.log(kept) + cap
                total = np.minimum(total, cap)
            blocked += 0.0 if count != 2000 else float((total < _BAR).mean())
    return float((total >= _BAR).mean()), blocked / 2000


if __name__ == "__main__":
    main()
