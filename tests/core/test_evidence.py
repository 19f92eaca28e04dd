"""The proof: never bought by luck more often than alpha allows, however often we look, and not a payment too late."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import beta, binom

from sidecar.core.statistics import evidence
from sidecar.core.statistics.evidence import ALTERNATIVES, MARGIN_NATS, bar_of, epoch_alpha, log_capital, lower_bound

TARGETS = (Fraction(95, 100), Fraction(99, 100), Fraction(999, 1000))
ALPHAS = (0.05, 0.01, 0.001)


def capital(p0: Fraction, good: int, bad: int) -> Fraction:
    """Return the capital of the module's own formula, without rounding."""
    total = Fraction(0)
    for fraction, weight in ALTERNATIVES:
        r = Fraction(str(fraction))
        q = 1 - r * (1 - p0)
        total += Fraction(str(weight)) * (q / p0) ** good * ((1 - q) / (1 - p0)) ** bad
    return total


def is_proven(p0: float, good: int, bad: int, alpha: float) -> bool:
    """Return whether the counts of one epoch prove the target, below the cap."""
    return evidence.is_proven(_after(p0, good, bad), bar_of(alpha))


def clean_needed(p0: float, good: int, bad: int, alpha: float) -> int:
    """Return how many successes more prove it."""
    return evidence.clean_needed(_after(p0, good, bad), round(p0 * 1e6), bar_of(alpha))


def _after(p0: float, good: int, bad: int) -> evidence.Capital:
    return evidence.after([], round(p0 * 1e6), good=good, bad=bad)


def test_the_bettor_starts_with_a_capital_of_one() -> None:
    """Weights that sum to more than 1 would be alpha spent that nobody granted."""
    assert sum(Fraction(str(weight)) for _, weight in ALTERNATIVES) == 1
    assert all(0 < fraction < 1 for fraction, _ in ALTERNATIVES)


@pytest.mark.parametrize("p0", TARGETS)
@pytest.mark.parametrize(("good", "bad"), [(0, 0), (1, 0), (0, 1), (40, 0), (700, 3), (2000, 11), (50, 50)])
def test_the_floats_are_the_formula(p0: Fraction, good: int, bad: int) -> None:
    """A slip in the logarithms, or an underflow after many failures, would prove what the formula does not."""
    assert log_capital(float(p0), good, bad) == pytest.approx(_log(capital(p0, good, bad)), rel=1e-9, abs=1e-9)


def _log(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


@pytest.mark.parametrize("p0", TARGETS)
@pytest.mark.parametrize("share", [Fraction(1), Fraction(999, 1000), Fraction(9, 10), Fraction(1, 2), Fraction(0)])
def test_the_capital_is_expected_to_shrink_whenever_push_is_no_better_than_the_target(
    p0: Fraction, share: Fraction
) -> None:
    """A bet that gains at some p <= p0 would climb by luck sooner or later: the proof's only premise, exactly."""
    p = p0 * share
    for good in range(30):
        for bad in range(12):
            later = p * capital(p0, good + 1, bad) + (1 - p) * capital(p0, good, bad + 1)
            assert later <= capital(p0, good, bad)


@pytest.mark.parametrize("p0", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("alpha", [0.2, 0.05])
def test_every_path_together_climbs_with_at_most_alpha(p0: float, alpha: float) -> None:
    """Looking after each of 400 payments must cost no more than alpha: all paths at p = p0, enumerated."""
    alive = {0: 1.0}  # failures so far -> probability of being there without a proof
    climbed = 0.0
    for count in range(1, 401):
        following: dict[int, float] = {}
        for bad, probability in alive.items():
            for more, weight in ((0, p0), (1, 1 - p0)):
                if is_proven(p0, count - bad - more, bad + more, alpha):
                    climbed += probability * weight
                else:
                    following[bad + more] = following.get(bad + more, 0.0) + probability * weight
        alive = {bad: probability for bad, probability in following.items() if probability > 1e-15}
    assert climbed > alpha / 20, "a proof that never comes proves nothing about this test"
    assert climbed <= alpha


@pytest.mark.parametrize("p0", [0.95, 0.99, 0.999])
@pytest.mark.parametrize("count", [1, 10, 100, 2_000])
def test_the_expected_capital_is_one_at_the_target_and_sinks_below_it(p0: float, count: int) -> None:
    """Summed exactly over SciPy's binomial: a martingale at the target, and a supermartingale wherever it is worse."""

    def expected(p: float) -> float:
        odds = np.asarray(binom.pmf(range(count + 1), count, 1 - p))
        return math.fsum(
            float(odd) * math.exp(log_capital(p0, count - bad, bad)) for bad, odd in enumerate(odds) if odd > 0
        )

    assert expected(p0) == pytest.approx(1.0, rel=1e-9)
    falling = [expected(p0 * share) for share in (1.0, 0.999, 0.99, 0.9, 0.5)]
    assert falling == sorted(falling, reverse=True)
    assert falling[1] < 1.0


def test_all_epochs_together_spend_at_most_alpha() -> None:
    """Epochs that each spent alpha would climb for certain in the end."""
    spent = math.fsum(epoch_alpha(0.01, epoch) for epoch in range(1, 100_001))
    assert 0.00999 < spent <= 0.01


@pytest.mark.parametrize(("epoch", "expected"), [
    (1, 0.009),
    (2, 0.0005),
    (3, 0.0005 / 3),
    (4, 0.0005 / 6),
])  # fmt: skip
def test_every_epoch_has_less_to_spend(epoch: int, expected: float) -> None:
    """The design's own numbers: 0.9 alpha, then 0.1 alpha / (k (k-1))."""
    assert epoch_alpha(0.01, epoch) == pytest.approx(expected)


@pytest.mark.parametrize("p0", TARGETS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_clean_start_proves_within_fifteen_percent_of_what_information_allows(p0: Fraction, alpha: float) -> None:
    """A proof that is safe but slow keeps the timers for months; the limit is ln(1/alpha) / -ln p0.

    At a risk of 5 % the limit itself is so near that the weights cost a fifth of it.
    """
    limit = math.log(1 / alpha) / -math.log(p0)
    assert limit <= clean_needed(float(p0), 0, 0, alpha) <= (1.2 if alpha > 0.01 else 1.15) * limit


@pytest.mark.parametrize(("p0", "good", "bad", "alpha", "needed"), [
    (0.99, 0,   0, 0.009,  536),
    (0.99, 535, 0, 0.009,    1),
    (0.99, 536, 0, 0.009,    0),
    (0.99, 537, 0, 0.009,    0),
    (0.99, 488, 1, 0.009,  375),
    (0.9,  0,   0, 0.045,   35),
])  # fmt: skip
def test_it_says_how_many_more_clean_payments_it_needs(
    p0: float, good: int, bad: int, alpha: float, needed: int
) -> None:
    """Release managers plan by this number; off by one it is a promise broken at the boundary."""
    assert clean_needed(p0, good, bad, alpha) == needed


@pytest.mark.parametrize("p0", [0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("bad", [0, 1, 2, 7, 40])
@pytest.mark.parametrize("alpha", [0.2, 0.009, 1e-9])
def test_need_proof_and_bound_agree_at_the_boundary(p0: float, bad: int, alpha: float) -> None:
    """Three answers to one question: a page that says "proven" beside "needs 1 more" is believed by nobody."""
    needed = clean_needed(p0, 0, bad, alpha)
    assert not is_proven(p0, needed - 1, bad, alpha)
    assert lower_bound(math.floor(needed * 0.9999) - 1, bad, alpha) < p0, "steps are rounded down, by no more than that"
    assert is_proven(p0, needed, bad, alpha)
    assert lower_bound(needed, bad, alpha) >= p0 - 2**-39


@pytest.mark.parametrize("bad", [0, 1, 5, 30])
def test_the_bound_rises_with_every_success_and_sinks_with_every_failure(bad: int) -> None:
    """A success that closed the `worst_case` gate would let a climb through without a raised guard version."""
    for good in (0, 1, 2, 3, 10, 100, 999, 20_000):
        here = lower_bound(good, bad, 0.01)
        assert lower_bound(good + 1, bad, 0.01) >= here
        assert lower_bound(good, bad + 1, 0.01) <= here


@pytest.mark.parametrize(("good", "bad"), [(10, 0), (500, 0), (500, 3), (2000, 20), (5, 5)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_looking_for_ever_never_proves_more_than_looking_once(good: int, bad: int, alpha: float) -> None:
    """A bound above Clopper-Pearson's would claim more than the best test that may look only once."""
    once = float(beta.ppf(alpha, good, bad + 1))
    assert 0.8 * once - 0.2 < lower_bound(good, bad, alpha) <= once


@pytest.mark.parametrize(("p0", "alpha"), [(0.95, 0.05), (0.9, 0.2)])
def test_at_most_alpha_of_simulated_systems_climb_that_do_not_deserve_it(p0: float, alpha: float) -> None:
    """A rolling threshold climbed in every run; this is the difference, seen, with what the first epoch may spend."""
    runs, payments = 2000, 2000
    is_bad = np.random.default_rng(20_260_101).random((runs, payments)) >= p0
    bad = np.cumsum(is_bad, axis=1)
    good = np.arange(1, payments + 1) - bad
    needed = np.array([clean_needed(p0, 0, count, epoch_alpha(alpha, 1)) for count in range(int(bad.max()) + 1)])
    climbed = int((good >= needed[bad]).any(axis=1).sum())
    assert 0 < climbed <= alpha * runs


DEFAULT_PPM, BAR = 990_000, bar_of(epoch_alpha(0.01, 1))


def bet(capital: evidence.Capital, outcomes: str, bar: float = BAR) -> evidence.Capital:
    """Return the capital after outcomes (`g` good, `b` bad), capped after each as the fold does."""
    for outcome in outcomes:
        is_good = outcome == "g"
        capital = evidence.after(capital, DEFAULT_PPM, good=int(is_good), bad=int(not is_good))
        capital = evidence.capped(capital, bar)
    return capital


def test_the_capital_never_exceeds_the_bar_by_more_than_the_margin() -> None:
    """Thirty thousand payments at 99.9 % carried a flag up long after the damage had begun."""
    capital = bet([], "g" * 3000)
    assert BAR + MARGIN_NATS - 1e-3 <= evidence.log_total(capital) <= BAR + MARGIN_NATS
    assert len(capital) == len(ALTERNATIVES)


def test_the_first_crossing_is_where_the_counts_say() -> None:
    """What is given away is above the bar: the cap must not delay a first proof by a single payment."""
    capital: evidence.Capital = []
    outcomes = ("g" * 300 + "b") * 3
    for count, outcome in enumerate(outcomes + "g" * 2000, start=1):
        was_proven, capital = evidence.is_proven(capital, BAR), bet(capital, outcome)
        bad = (outcomes + "g" * 2000)[:count].count("b")
        assert evidence.is_proven(capital, BAR) == (log_capital(0.99, count - bad, bad) >= BAR) or was_proven
        if evidence.is_proven(capital, BAR):
            break
    else:
        pytest.fail("never proven")


def test_capping_never_adds_capital() -> None:
    """Giving away keeps a supermartingale; a redistribution that added a nano-nat would not."""
    capital: evidence.Capital = []
    draw = np.random.default_rng(20_261_203)
    for is_good in (draw.random(5000) < 0.998).tolist():
        before = evidence.after(capital, DEFAULT_PPM, good=int(is_good), bad=int(not is_good))
        capital = evidence.capped(before, BAR)
        assert evidence.log_total(capital) <= evidence.log_total(before)


@pytest.mark.parametrize(("truth", "blocked_max"), [(0.998, 0.01), (0.995, 0.1)])
def test_what_is_better_than_the_target_stays_proven_after_a_perfect_time(truth: float, blocked_max: float) -> None:
    """Scaling all shares alike starved those that win when failures begin: the gate was closed 68 % of the time."""
    start = bet([], "g" * 30_000)
    draw = np.random.default_rng(20_261_204)
    blocked = 0
    for _ in range(10):
        capital = start
        for is_good in (draw.random(2000) < truth).tolist():
            capital = bet(capital, "g" if is_good else "b")
            blocked += not evidence.is_proven(capital, BAR)
    assert blocked / 20_000 <= blocked_max


def test_what_has_become_worse_than_the_target_does_not_stay_proven() -> None:
    """After 30 000 payments at 99.9 % every run still climbed 2 000 payments after the damage had begun."""
    draw = np.random.default_rng(20_261_205)
    proven = 0
    for _ in range(20):
        capital = bet([], "".join("g" if is_good else "b" for is_good in (draw.random(6000) < 0.999).tolist()))
        capital = bet(capital, "".join("g" if is_good else "b" for is_good in (draw.random(2000) < 0.985).tolist()))
        proven += evidence.is_proven(capital, BAR)
    assert proven <= 1
