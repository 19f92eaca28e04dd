"""Other rules from here on: which evidence stands, which alarms go on, and where the flag stands on another ladder."""

import msgspec
import pytest

from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Policy, ReverbPolicy, Rung, Stage, StripePolicy
from sidecar.core.fold.conclusions import FlagMoved, PolicyChanged
from sidecar.core.fold.serving import Reason, served
from sidecar.core.statistics.indicators import INDICATORS, bank_of
from tests.core.world import HOUR, LAX, MINUTE, POLICY, REVERB, SECOND, World, on

T, S, P = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY
TENTH, HALF, ALL = PPM // 10, PPM // 2, PPM


def _of(**keys: int) -> ReverbPolicy:
    return msgspec.structs.replace(REVERB, **keys)


# fmt: off
CHANGES = [
    # key,                          new value,                  new epoch, other alarms, bottom rung
    ("stage",                       Stage.DISPATCHED,           True,      False,        True),
    ("contexts",                    ("bookings", "invoices"),   True,      False,        True),
    ("on_time_within_ms",           3 * SECOND,                 True,      False,        True),
    ("flag",                        "other-flag",               True,      False,        True),
    ("reliability_ppm",             910_000,                    True,      True,         False),
    ("false_promotion_risk_ppm",    60_000,                     True,      False,        False),
    ("reach_ppm",                   960_000,                    True,      False,        False),
    ("unacceptable_reliability_ppm", 790_000,                   False,     True,         False),
    ("false_alarm_once_in",         50_000,                     False,     True,         False),
    ("missed_after_ms",             40 * SECOND,                False,     False,        False),
    ("coverage_ppm",                960_000,                    False,     False,        False),
    ("coverage_floor_ppm",          700_000,                    False,     False,        False),
    ("reach_not_required",          "an internal tool",         False,     False,        False),
    ("payers_on_rung",              20,                         False,     False,        False),
    ("payer_coverage_ppm",          700_000,                    False,     False,        False),
    ("payer_day_ms",                12 * HOUR,                  True,      False,        True),
    ("lease_ms",                    20 * SECOND,                False,     False,        False),
    ("cooldown_ms",                 2 * HOUR,                   False,     False,        False),
    ("resume_after_ms",             1 * MINUTE,                 False,     False,        False),
    ("suspension_ms",               5 * MINUTE,                 False,     False,        False),
    ("reverb",                      REVERB,                     True,      False,        True),
    ("reverb",                      _of(is_observing=False),    False,     False,        False),
    ("reverb",                      _of(is_observing=False, round_trip_reliability_ppm=980_000), True, False, False),
    ("reverb",                      _of(is_observing=False, auth_reliability_ppm=900_000), True, False, False),
    ("dry_run",                     True,                       False,     False,        False),
    ("ladder",                      LAX.ladder[:3],             False,     False,        False),
    ("lifecycle",                   Lifecycle.MIGRATING,        False,     False,        False),  # removed: in test_lifecycle
    ("environment",                 "test",                     False,     False,        False),  # others: in test_meaning
    ("stripe",                      StripePolicy(livemode=True), False,    False,        False),  # others: in test_meaning
]
# fmt: on


def test_every_key_of_a_policy_has_a_row() -> None:
    """A new key whose change keeps old evidence by accident is a proof of something else."""
    assert {key for key, *_ in CHANGES} == set(Policy.__struct_fields__)


@pytest.mark.parametrize(("key", "value", "is_new_epoch", "is_other_bank", "is_bottom"), CHANGES)
def test_only_keys_that_alter_the_proof_begin_an_epoch_and_only_those_of_the_alarms_quiet_them(
    key: str, value: object, *, is_new_epoch: bool, is_other_bank: bool, is_bottom: bool
) -> None:
    """Evidence kept across another objective proves nothing; a CUSUM zeroed by an unrelated key forgets damage."""
    world = on(1)
    world.bad(2)
    payments = world.state.indicators["payments"]
    epoch, good, levels = payments.epoch, payments.good, list(payments.levels)
    guard_version, version = world.state.flag.guard_version, world.state.flag.version
    world.change(**{key: value})
    assert (payments.epoch, payments.good) == ((epoch + 1, 0) if is_new_epoch else (epoch, good))
    assert (payments.levels != levels) is is_other_bank
    assert sum(payments.levels) > 0
    assert world.state.flag.rung == (0 if is_bottom else 1)
    assert world.state.flag.guard_version > guard_version
    assert world.state.flag.version > version
    assert isinstance(world.last(PolicyChanged), PolicyChanged)


@pytest.mark.parametrize(("key", "value"), [("reliability_ppm", 950_000), ("unacceptable_reliability_ppm", 400_000)])
def test_an_alarm_that_is_latched_stays_latched_under_other_alarms(key: str, value: int) -> None:
    """Editing the objective in the middle of an outage would silence it."""
    world = on(1)
    world.outage()
    world.change(**{key: value})
    payments, policy = world.state.indicators["payments"], world.state.policy
    assert policy is not None
    bank = bank_of(INDICATORS[0], policy)
    assert payments.is_latched
    assert len(payments.levels) == len(bank)
    assert any(level >= cusum.threshold for level, cusum in zip(payments.levels, bank, strict=True))
    world.good(1)
    assert payments.is_latched


def ladder(*rungs: tuple[Mode, int]) -> tuple[Rung, ...]:
    """Return a ladder of modes and shares, with soaks of an hour."""
    return tuple(Rung(mode=mode, share_ppm=share_ppm, soak_ms=HOUR) for mode, share_ppm in rungs)


# fmt: off
LADDERS = [
    # old ladder and held rung,                        new ladder,                                       new rung
    (((T, ALL), (S, TENTH), (S, ALL), (P, ALL)), 3,    ((T, ALL), (S, TENTH), (S, ALL), (P, ALL)),       3),
    (((T, ALL), (S, TENTH), (S, ALL), (P, ALL)), 3,    ((T, ALL), (S, ALL)),                             1),
    (((T, ALL), (S, TENTH), (S, ALL), (P, ALL)), 3,    ((T, ALL), (S, TENTH)),                           1),
    (((T, ALL), (S, TENTH), (S, ALL), (P, ALL)), 3,    ((T, ALL), (S, ALL), (P, HALF), (P, ALL)),        3),
    (((T, ALL), (S, TENTH), (S, ALL), (P, ALL)), 2,    ((T, ALL), (P, TENTH), (P, ALL)),                 0),
    (((T, ALL), (S, TENTH), (S, ALL), (P, ALL)), 2,    ((T, ALL), (S, TENTH), (S, HALF), (S, ALL)),      3),
    (((T, ALL), (S, TENTH), (S, ALL), (P, ALL)), 1,    ((T, ALL), (S, HALF), (S, ALL)),                  0),
    (((T, ALL), (S, HALF), (S, ALL)),            1,    ((T, ALL), (S, TENTH), (S, HALF - 1), (S, ALL)),  2),
    (((T, ALL), (S, HALF), (S, ALL)),            0,    ((T, ALL), (S, TENTH), (S, ALL)),                 0),
    (((T, ALL), (P, HALF), (P, ALL)),            1,    ((T, ALL), (S, TENTH), (S, ALL), (P, ALL)),       1),
    (((T, ALL), (P, HALF), (P, ALL)),            1,    ((T, ALL), (S, TENTH), (P, TENTH), (P, ALL)),     2),
]
# fmt: on


@pytest.mark.parametrize(("old", "held", "new", "expected"), LADDERS)
def test_on_another_ladder_the_flag_stands_on_the_highest_rung_that_is_no_better(
    old: tuple[tuple[Mode, int], ...], held: int, new: tuple[tuple[Mode, int], ...], expected: int
) -> None:
    """A rung's number means another thing on another ladder: kept as it is, it would be a climb without a gate."""
    world = World(msgspec.structs.replace(POLICY, ladder=ladder(*old)), decides=False)
    world.wire()
    world.state.flag.rung, world.state.flag.soaked_ms = held, 5 * MINUTE
    world.change(ladder=ladder(*new))
    flag, is_same = world.state.flag, old[held] == new[expected]
    assert flag.rung == expected
    assert flag.soaked_ms == (5 * MINUTE if is_same else 0)
    assert any(isinstance(one, FlagMoved) for one in world.conclusions) is not is_same
    for bucket in (0, TENTH, HALF, PPM - 1):
        answer = served(world.state, bucket)
        assert answer.mode.rank <= old[held][0].rank
        assert answer.reason in {Reason.CURRENT_RUNG, Reason.BOTTOM_RUNG, Reason.OUTSIDE_SHARE}


def test_the_same_policy_adopted_again_changes_nothing_but_the_versions() -> None:
    """A restart that adopts its own file again must not cost the evidence of months."""
    world = on(2)
    payments, soaked_ms = world.state.indicators["payments"], world.state.flag.soaked_ms
    good = payments.good
    world.change()
    assert (world.state.flag.rung, world.state.flag.soaked_ms, payments.good) == (2, soaked_ms, good)


# --- from acks by user to acks by name


def test_a_proof_by_inferred_acks_does_not_open_the_way_to_push_only() -> None:
    """One ack with a name opened the gate `exact`, and what had been guessed for months became the proof."""
    world = World(LAX)
    world.wire_by_user()
    for number in range(90):
        world.wait(1 * SECOND)
        world.pay(user=f"u{number}")
        world.broadcast(user=f"u{number}")
    world.wait(2 * MINUTE)
    payments = world.state.indicators["payments"]
    assert (world.state.flag.rung, world.state.is_exact, payments.good) == (2, False, 90)
    world.ack("pi_with_a_name")
    assert (world.state.is_exact, payments.epoch) == (False, 1), "an ack without a payment proves nothing"
    world.wire()
    assert (world.state.is_exact, payments.epoch, payments.good) == (True, 2, 0)
    assert world.state.flag.rung == 2


def test_a_change_of_the_objective_does_not_make_named_acks_nameless() -> None:
    """Until the next named ack, a miss without a user was excused as `no_user`: in an outage, every one of them."""
    world = on(1)
    world.change(on_time_within_ms=3 * SECOND)
    name = world.pay(user=None)
    world.wait(60 * SECOND)
    assert world.endings(name) == ["missed"]
