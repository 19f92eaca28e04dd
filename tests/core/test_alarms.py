"""The alarm: an outage at the third payment, mild damage in time, and hardly ever for nothing."""

import math

import msgspec
import numpy as np
import pytest

from sidecar.core.statistics.alarms import Bank, Cusum, bank
from sidecar.core.statistics.indicators import INDICATORS, Indicator, bank_of, is_calm, step
from tests.core.world import POLICY, World

DEFAULT = bank(990_000, 950_000, 100_000)


def feed(indicator: Indicator, outcomes: str, of: Bank = DEFAULT) -> list[bool]:
    """Judge outcomes (`g` good, `b` bad) on the bottom rung and return after each whether the alarm is latched."""
    latched = []
    for outcome in outcomes:
        step(indicator, of, is_good=outcome == "g", at_ms=1, can_end=True)
        latched.append(indicator.is_latched)
    return latched


@pytest.mark.parametrize(("p0_ppm", "unacceptable_ppm", "once_in", "failures"), [
    (990_000,     950_000,    100_000, 3),   # the default: an outage is noticed at the third payment
    (990_000,     950_000,        100, 2),
    (990_000,     950_000, 10_000_000, 4),
    (999_000,     950_000,    100_000, 2),
    (900_000,     800_000,    100_000, 6),
    (500_000,     400_000,    100_000, 21),
    (990_000,     1,          100_000, 3),
])  # fmt: skip
def test_an_outage_raises_the_alarm_at_a_promised_failure(
    p0_ppm: int, unacceptable_ppm: int, once_in: int, failures: int
) -> None:
    """`failures_to_alarm` is printed as a promise; the fold must keep it, not one failure later and not one sooner."""
    tested = bank(p0_ppm, unacceptable_ppm, once_in)
    assert tested.failures_to_alarm() == failures
    assert feed(Indicator(), "b" * failures, tested) == [False] * (failures - 1) + [True]


def test_the_default_policy_falls_at_the_third_missed_payment_exactly() -> None:
    """The promise must hold in the fold, through deadlines and heartbeats, not only in the arithmetic."""
    world = World(decides=False)
    world.wire()
    world.good(10)
    latched = []
    for _ in range(3):
        world.bad()
        latched.append(world.state.indicators["payments"].is_latched)
    assert latched == [False, False, True]


@pytest.mark.parametrize(("unacceptable_ppm", "degrees"), [
    (950_000, (950_000, 800_000, 500_000, 100_000)),
    (800_000, (800_000, 500_000, 100_000)),
    (799_999, (799_999, 500_000, 100_000)),
    (300_000, (300_000, 100_000)),
    (100_000, (100_000,)),
    (1,       (1,)),
])  # fmt: skip
def test_there_is_one_cusum_for_each_degree_of_damage(unacceptable_ppm: int, degrees: tuple[int, ...]) -> None:
    """A degree that is milder than what the user calls unacceptable would alarm where nothing is wrong."""
    tested = bank(990_000, unacceptable_ppm, 100_000)
    assert tuple(cusum.p1_ppm for cusum in tested.alarms) == degrees
    assert {cusum.threshold for cusum in tested.alarms} == {math.ceil(math.log(len(degrees) * 100_000) * 1e9)}


def test_rounding_never_brings_an_alarm_nearer() -> None:
    """Steps rounded up or a threshold rounded down would void the promise of at most one false alarm in N."""
    for cusum in (*DEFAULT.alarms, DEFAULT.recent):
        p1, p0 = cusum.p1_ppm / 1e6, 0.99
        assert 0 <= math.log((1 - p1) / (1 - p0)) * 1e9 - cusum.bad < 2
        assert 0 <= math.log(p1 / p0) * 1e9 - cusum.good < 2
    assert DEFAULT.recent.threshold >= math.log(100_000) * 1e9
    assert DEFAULT.alarms[0].threshold >= math.log(400_000) * 1e9


@pytest.mark.parametrize("reach_ppm", [500_000, 500_001, 970_000, 999_999])
@pytest.mark.parametrize("unacceptable_ppm", [1, 500_000, 950_000, 989_999])
def test_every_policy_that_the_file_may_hold_has_a_bank_for_every_stream(reach_ppm: int, unacceptable_ppm: int) -> None:
    """With `reach: 50%` the mildest damage was 0 %, whose logarithm stopped every replica, at every start, for ever."""
    policy = msgspec.structs.replace(POLICY, reach_ppm=reach_ppm, unacceptable_reliability_ppm=unacceptable_ppm)
    for row in INDICATORS:
        for cusum in bank_of(row, policy).alarms:
            assert cusum.good < 0 < cusum.bad
            assert 0 < cusum.p1_ppm < row.p0_ppm(policy)


def test_damage_is_forgotten_in_bounded_time() -> None:
    """Without a cap an outage of a thousand payments would block climbing for a thousand more than one of ten."""
    needed = []
    for failures in (20, 1000):
        indicator = Indicator()
        feed(indicator, "b" * failures)
        assert all(level <= cusum.threshold for level, cusum in zip(indicator.levels, DEFAULT.alarms, strict=True))
        assert indicator.recent == DEFAULT.recent.threshold
        clean = 0
        while indicator.is_latched or not DEFAULT.recent.is_calm(indicator.recent):
            feed(indicator, "g")
            clean += 1
        needed.append(clean)
    assert needed == [568, 568]


def test_an_alarm_stays_until_every_cusum_is_below_half() -> None:
    """An alarm that ends as soon as one payment comes through would flap with every second one."""
    indicator = Indicator()
    assert feed(indicator, "bbb")[-1]
    clean = 0
    while indicator.is_latched:
        was_calm = is_calm(indicator, DEFAULT)
        feed(indicator, "g")
        clean += 1
    assert not was_calm
    assert is_calm(indicator, DEFAULT)
    assert clean > 10


@pytest.mark.parametrize(("can_end", "expected"), [(True, False), (False, True)])
def test_an_alarm_ends_only_after_it_has_made_the_flag_fall(*, can_end: bool, expected: bool) -> None:
    """At a thousand payments a second the alarm was raised and calmed within one heartbeat, and nobody ever fell."""
    indicator = Indicator()
    for outcome in "b" * 3 + "g" * 1000:
        step(indicator, DEFAULT, is_good=outcome == "g", at_ms=1, can_end=can_end)
    assert indicator.is_latched is expected


def test_exactly_half_of_the_threshold_is_not_calm() -> None:
    """Below half means below: on the boundary the safer answer is no."""
    cusum = Cusum(p1_ppm=1, good=-1, bad=1, threshold=10)
    assert [cusum.is_calm(level) for level in (4, 5, 6)] == [True, False, False]


@pytest.mark.parametrize("p0_ppm", [990_000, 900_000])
def test_a_system_as_good_as_the_target_alarms_at_most_once_in_so_many_payments(p0_ppm: int) -> None:
    """Pages where nobody is affected are how a page comes to be ignored."""
    once_in, count = 500, 200_000
    tested = bank(p0_ppm, p0_ppm - 40_000, once_in)
    is_good = np.random.default_rng(20_260_102).random(count) < p0_ppm / 1e6
    levels, false_alarms = [0] * len(tested.alarms), 0
    for good in is_good.tolist():
        levels = [cusum.next(level, is_good=good) for cusum, level in zip(tested.alarms, levels, strict=True)]
        if any(level >= cusum.threshold for cusum, level in zip(tested.alarms, levels, strict=True)):
            levels, false_alarms = [0] * len(tested.alarms), false_alarms + 1
    assert 0 < false_alarms <= count / once_in
