"""The promises of the evidence against adversaries who see it, in small; `benchmarks/promises.py` has the large runs."""

import numpy as np
import pytest

from benchmarks.promises import ADVERSARIES, Adversary, Bettors, climbing, climbing_in_bursts
from sidecar.core.statistics import evidence

RUNS = 500


@pytest.mark.parametrize("adversary", ADVERSARIES, ids=lambda each: each.name)
def test_nobody_who_is_no_better_than_the_target_given_the_past_climbs_more_often_than_alpha(
    adversary: Adversary,
) -> None:
    """Renewals, resets, restarts and reliabilities that follow the capital buy no more climbs than 1 % of the runs."""
    payments = adversary.payments if adversary.resets else 4000
    assert climbing(adversary, runs=RUNS, payments=payments) <= 0.01 * RUNS + 3 * (0.01 * RUNS) ** 0.5


def test_bursts_break_the_assumption() -> None:
    """A mean of exactly 99 % in bursts of ten is better than 99 % between them: most runs climb."""
    assert climbing_in_bursts(runs=200, payments=4000) > 100


def test_the_simulated_capital_is_that_of_the_fold() -> None:
    """What is simulated is what is shipped: the same outcomes give the same capital, but for its rounding."""
    random, bettors, capital = np.random.default_rng(1), Bettors(1), list(evidence.initial())
    for is_good in random.random(2000) < 0.99:
        bettors.step(np.array([is_good]))
        capital = evidence.after(capital, 990_000, good=int(is_good), bad=int(not is_good))
    assert bettors.log_total[0] == pytest.approx(evidence.log_total(capital), abs=1e-4)
