"""The alarm: an outage at the third payment, mild damage in time, and hardly ever for nothing."""

import math

import msgspec
import numpy as np
import pytest

from sidecar.core.facts.policy import Mode, Policy
from sidecar.core.statistics.alarms import Cusum, bank, failures_to_alarm, is_reached, rescaled, stepped
from sidecar.core.statistics.indicators import (
    INDICATORS,
    PAYMENTS,
    Indicator,
    bank_of,
    can_begin,
    is_calm,
    row_of,
    step,
)
from tests.core.probed import probed
from tests.core.reporting import tell
from tests.core.world import HOUR, POLICY, REFUSED, SECOND, World, on

DEFAULT = bank(990_000, 950_000, 100_000)


def feed(indicator: Indicator, outcomes: str, policy: Policy = POLICY) -> list[bool]:
    """Judge outcomes (`g` good, `b` bad) on the bottom rung and return after each whether the alarm is latched."""
    latched = []
    for outcome in outcomes:
        step(indicator, row_of(PAYMENTS), policy, is_good=outcome == "g", at_ms=1, can_end=True)
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
    policy = msgspec.structs.replace(
        POLICY, reliability_ppm=p0_ppm, unacceptable_reliability_ppm=unacceptable_ppm, false_alarm_once_in=once_in
    )
    assert failures_to_alarm(bank(p0_ppm, unacceptable_ppm, once_in)) == failures
    assert feed(Indicator(), "b" * failures, policy) == [False] * (failures - 1) + [True]


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
    (985_000, (985_000, 980_000, 800_000, 500_000, 100_000)),
    (980_000, (980_000, 800_000, 500_000, 100_000)),
    (950_000, (980_000, 950_000, 800_000, 500_000, 100_000)),
    (800_000, (980_000, 800_000, 500_000, 100_000)),
    (799_999, (980_000, 799_999, 500_000, 100_000)),
    (300_000, (980_000, 300_000, 100_000)),
    (100_000, (980_000, 100_000)),
    (1,       (980_000, 1)),
])  # fmt: skip
def test_there_is_one_cusum_for_each_degree_of_damage(unacceptable_ppm: int, degrees: tuple[int, ...]) -> None:
    """Twice the allowed failures and what the user calls unacceptable are among them, each once, mildest first."""
    tested = bank(990_000, unacceptable_ppm, 100_000)
    assert tuple(cusum.p1_ppm for cusum in tested) == degrees
    assert {cusum.threshold for cusum in tested} == {math.ceil(math.log(len(degrees) * 100_000) * 1e9)}


def test_rounding_never_brings_an_alarm_nearer() -> None:
    """Steps rounded up or a threshold rounded down would void the promise of at most one false alarm in N."""
    for cusum in DEFAULT:
        p1, p0 = cusum.p1_ppm / 1e6, 0.99
        assert 0 <= math.log((1 - p1) / (1 - p0)) * 1e9 - cusum.bad < 2
        assert 0 <= math.log(p1 / p0) * 1e9 - cusum.good < 2
    assert DEFAULT[0].threshold >= math.log(500_000) * 1e9


@pytest.mark.parametrize("reach_ppm", [500_000, 500_001, 970_000, 999_999])
@pytest.mark.parametrize("unacceptable_ppm", [1, 500_000, 950_000, 989_999])
def test_every_policy_that_the_file_may_hold_has_a_bank_for_every_stream(reach_ppm: int, unacceptable_ppm: int) -> None:
    """With `reach: 50%` the mildest damage was 0 %, whose logarithm stopped every replica, at every start, for ever."""
    policy = msgspec.structs.replace(POLICY, reach_ppm=reach_ppm, unacceptable_reliability_ppm=unacceptable_ppm)
    for row in INDICATORS:
        for cusum in bank_of(row, policy):
            assert cusum.good < 0 < cusum.bad
            assert 0 < cusum.p1_ppm < row.p0_ppm(policy)


def test_damage_is_forgotten_in_bounded_time() -> None:
    """Without a cap an outage of a thousand payments would block climbing for a thousand more than one of ten."""
    needed = []
    for failures in (20, 1000):
        indicator = Indicator()
        feed(indicator, "b" * failures)
        assert all(level <= cusum.threshold for level, cusum in zip(indicator.levels, DEFAULT, strict=True))
        clean = 0
        while indicator.is_latched:
            feed(indicator, "g")
            clean += 1
        needed.append(clean)
    assert needed == [647, 647]


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
        step(indicator, row_of(PAYMENTS), POLICY, is_good=outcome == "g", at_ms=1, can_end=can_end)
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
    levels, false_alarms = [0] * len(tested), 0
    for good in is_good.tolist():
        levels = stepped(tested, levels, is_good=good)
        if is_reached(tested, levels):
            levels, false_alarms = [0] * len(tested), false_alarms + 1
    assert 0 < false_alarms <= count / once_in


def test_other_numbers_rescale_the_levels() -> None:
    """`false_alarm_once_in` raised by one wiped out the damage that was seen, and the flag climbed two rungs."""
    world = on(1)
    world.bad(5)
    payments = world.state.indicators[PAYMENTS]
    levels = list(payments.levels)
    world.change(false_alarm_once_in=100_001)
    assert [after - before for before, after in zip(levels, payments.levels, strict=True)] == [
        pytest.approx(0, abs=10_000_000)
    ] * len(levels)
    world.bad(1)
    assert payments.alarmed_ms > 0


@pytest.mark.parametrize(("before", "after"), [
    ((990_000, 950_000, 100_000), (990_000, 950_000, 100)),
    ((990_000, 950_000, 100_000), (990_000, 700_000, 100_000)),
    ((990_000, 950_000, 100_000), (900_000, 850_000, 10)),
    ((990_000, 100_000, 100_000), (990_000, 985_000, 100_000)),
])  # fmt: skip
def test_a_change_of_numbers_neither_raises_nor_ends_an_alarm(
    before: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    """Each level keeps its share of the threshold: below it stays below, at it stays at it, and damage stays seen."""
    old, new = bank(*before), bank(*after)
    below = rescaled(old, [cusum.threshold - 1 for cusum in old], new)
    at_it = rescaled(old, [cusum.threshold for cusum in old], new)
    assert len(below) == len(new)
    assert all(0.99 * cusum.threshold < level < cusum.threshold for level, cusum in zip(below, new, strict=True))
    assert at_it == [cusum.threshold for cusum in new]


@pytest.mark.parametrize("indicator", ["round_trips", "channel_auth"])
def test_an_indicator_that_is_no_longer_configured_holds_nobody(indicator: str) -> None:
    """`reverb` was removed while its alarm was latched: timers for ever."""
    world = probed(2)
    world.fail()
    while not world.state.indicators[indicator].is_latched:
        world.wait(5 * SECOND)
    world.recover()
    world.change(reverb=None)
    assert not any(each.is_latched for each in world.state.indicators.values())
    world.source = "backend"
    world.wait(1 * HOUR)  # the change is a fall too: it ends what the alarm was about
    world.good(90)
    assert world.mode() is not Mode.TIMER_POLLING


def test_an_indicator_that_is_configured_again_begins_anew() -> None:
    """What was proven of another Reverb, or before nobody looked, proves nothing."""
    world = probed(0)
    assert world.state.indicators["round_trips"].good > 1000
    reverb = world.state.policy.reverb if world.state.policy else None
    world.change(reverb=None)
    world.change(reverb=reverb)
    round_trips = world.state.indicators["round_trips"]
    assert (round_trips.good, round_trips.capital) == (0, [])
    assert round_trips.epoch > 1


def test_waived_reports_raise_no_alarm_and_release_theirs() -> None:
    """`reach` was waived while its alarm was latched: timers for ever; and votes went on raising it."""
    world = probed(2)
    reach = world.state.indicators["reach"]
    for number in range(60):
        tell(world, f"u{number}", REFUSED)
        world.wait(3 * SECOND)
    was_latched = reach.is_latched
    world.change(reach_not_required="a kiosk")
    assert (was_latched, reach.is_latched) == (True, False)
    for number in range(60):
        tell(world, f"v{number}", REFUSED)
        world.wait(3 * SECOND)
    assert (reach.is_latched, reach.levels) == (False, [])


def test_milder_damage_than_unacceptable_does_not_delay_a_new_epoch() -> None:
    """Its CUSUM calms slowly: 646 clean payments. It keeps the flag from climbing, not the proof from beginning."""
    indicator = Indicator()
    feed(indicator, "b" * 20 + "g" * 300)
    assert indicator.is_latched
    assert can_begin(indicator, row_of(PAYMENTS), POLICY)
    assert not is_calm(indicator, DEFAULT)
