"""What one user is answered: timers, unless everything speaks for push, and always the same to the same user."""

import itertools

import msgspec
import pytest

from sidecar.core.decision.decide import decide
from sidecar.core.facts.policy import PPM, SCHEDULES, Mode, Rung
from sidecar.core.fold.serving import Reason, bucket_of, served
from sidecar.core.fold.state import State
from tests.core.world import DAY, LAX, World, on

T, S, P = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY


def spoilt(rung: int, what: str) -> State:
    """Return the state of a world on a rung, in which one thing is wrong."""
    world = on(min(rung, 2))
    world.decides = False
    world.state.flag.rung = rung
    match what:
        case "no policy":
            return State()
        case "dry run":
            world.change(dry_run=True)
        case "alarm":
            world.bad(6)
        case "restart":
            world.start()
        case "dry run, alarm, restart":
            world.bad(6)
            world.change(dry_run=True)
            world.start()
        case "alarm, restart":
            world.bad(6)
            world.start()
        case _:
            assert what == "nothing"
    return world.state


# fmt: off
ANSWERS = [
    # rung, what is wrong,             bucket,    answer
    (0, "no policy",                   0,         T, Reason.STARTING),
    (2, "dry run",                     0,         T, Reason.DRY_RUN),
    (2, "dry run, alarm, restart",     0,         T, Reason.DRY_RUN),
    (2, "alarm",                       0,         T, Reason.ALARM),
    (2, "alarm, restart",              0,         T, Reason.ALARM),
    (0, "alarm",                       0,         T, Reason.ALARM),
    (2, "restart",                     0,         T, Reason.SUSPENDED),
    (0, "restart",                     0,         T, Reason.SUSPENDED),
    (0, "nothing",                     0,         T, Reason.BOTTOM_RUNG),
    (0, "nothing",                     None,      T, Reason.BOTTOM_RUNG),
    (1, "nothing",                     0,         S, Reason.CURRENT_RUNG),
    (1, "nothing",                     99_999,    S, Reason.CURRENT_RUNG),
    (1, "nothing",                     100_000,   T, Reason.OUTSIDE_SHARE),
    (1, "nothing",                     999_999,   T, Reason.OUTSIDE_SHARE),
    (1, "nothing",                     None,      T, Reason.NO_TARGETING_KEY),
    (2, "nothing",                     999_999,   S, Reason.CURRENT_RUNG),
    (2, "nothing",                     None,      S, Reason.CURRENT_RUNG),
    (3, "nothing",                     999_999,   P, Reason.CURRENT_RUNG),
    (3, "nothing",                     None,      P, Reason.CURRENT_RUNG),
]
# fmt: on


@pytest.mark.parametrize(("rung", "what", "bucket", "mode", "reason"), ANSWERS)
def test_a_user_gets_push_only_if_nothing_speaks_against_it(
    rung: int, what: str, bucket: int | None, mode: Mode, reason: Reason
) -> None:
    """Each row is a wrong "push": to everybody, to one user too many, or to somebody who is nobody."""
    answer = served(spoilt(rung, what), bucket)
    assert (answer.mode, answer.reason) == (mode, reason)
    assert (answer.suspension is not None) is (reason is Reason.SUSPENDED)


def test_every_reason_that_the_core_can_give_is_given_above() -> None:
    """A reason that no test has seen is one that a runbook explains wrongly."""
    elsewhere = {Reason.NO_LEASE, Reason.POLICY_DIFFERS, Reason.OVERRIDE}  # of the replica, and of `test_overrides`
    assert {reason for *_, reason in ANSWERS} == set(Reason) - elsewhere


# fmt: off
FALLBACKS = [
    # rungs above the bottom,                  bucket,    answer
    (((S, PPM), (P, 100_000)),                 50_000,    P),
    (((S, PPM), (P, 100_000)),                 500_000,   S),   # outside the share: the rung below, which it had
    (((S, PPM), (P, 100_000)),                 None,      S),
    (((S, 100_000), (S, 500_000)),             50_000,    S),
    (((S, 100_000), (S, 500_000)),             499_999,   S),
    (((S, 100_000), (S, 500_000)),             500_000,   T),
    (((S, 100_000), (S, 500_000)),             None,      T),
]
# fmt: on


@pytest.mark.parametrize(("rungs", "bucket", "mode"), FALLBACKS)
def test_a_user_outside_the_share_keeps_what_the_rung_below_gave(
    rungs: tuple[tuple[Mode, int], ...], bucket: int | None, mode: Mode
) -> None:
    """A climb to a tenth of `push_only` must not take the push from the other nine tenths."""
    state = on(1).state
    ladder = (Rung(mode=T), *(Rung(mode=each, share_ppm=share_ppm) for each, share_ppm in rungs))
    state.policy = msgspec.structs.replace(LAX, ladder=ladder)
    state.flag.rung = len(rungs)
    assert served(state, bucket).mode is mode


def test_an_alarm_answers_timers_before_anybody_has_decided() -> None:
    """Between the third miss and the record of the fall, every payer would still be answered push."""
    world = on(2)
    world.decides = False
    world.bad(6)
    assert (world.state.flag.rung, world.mode()) == (2, T)
    assert decide(world.state, "a").reason == "alarm"


def test_a_day_of_visibility_gap_answers_timers_before_anybody_has_decided() -> None:
    """Likewise for proof that has become too old."""
    world = on(2)
    world.decides = False
    world.sleep(DAY + 1)
    world.beat()
    assert (world.state.flag.rung, world.mode()) == (2, T)


# --- buckets


# fmt: off
BUCKETS = [
    ("payment-refresh", "user-1",     77_562),
    ("payment-refresh", "user-2",     341_282),
    ("payment-refresh", "",           328_480),
    ("other-flag",      "user-1",     753_547),
    ("payment-refresh", "ü\ud800",    336_359),   # half a surrogate pair, as JSON may carry it
]
# fmt: on


@pytest.mark.parametrize(("flag", "key", "bucket"), BUCKETS)
def test_a_bucket_is_the_same_on_every_machine_and_in_every_version(flag: str, key: str, bucket: int) -> None:
    """A bucket that moved with a release would take users in and out of push, and mix who was tried."""
    assert bucket_of(flag, key) == bucket


def test_a_larger_share_keeps_everybody_that_it_had() -> None:
    """A user who lost push on a climb would see the flag flap."""
    state = on(1).state
    keys = [f"user-{number}" for number in range(500)]
    shares = (0, 1, 50_000, 100_000, 250_000, 900_000, 999_999, PPM)
    served_by_share = []
    for share_ppm in shares:
        state.policy = msgspec.structs.replace(LAX, ladder=(Rung(mode=T), Rung(mode=S, share_ppm=share_ppm)))
        served_by_share.append({key for key in keys if served(state, bucket_of("f", key)).mode is S})
    assert all(fewer <= more for fewer, more in itertools.pairwise(served_by_share))
    assert (served_by_share[0], len(served_by_share[-1])) == (set(), 500)


def test_buckets_are_spread_evenly_and_each_flag_draws_anew() -> None:
    """A share of 10 % that is 15 % of the users, or always the same unlucky ones, is no share."""
    buckets = [bucket_of("payment-refresh", f"user-{number}") for number in range(20_000)]
    assert all(0 <= bucket < PPM for bucket in buckets)
    for tenth in range(10):
        count = sum(tenth * 100_000 <= bucket < (tenth + 1) * 100_000 for bucket in buckets)
        assert abs(count - 2000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5
    others = [bucket_of("other-flag", f"user-{number}") for number in range(20_000)]
    both = sum(one < 100_000 and other < 100_000 for one, other in zip(buckets, others, strict=True))
    assert 130 < both < 270


def test_every_mode_has_a_schedule_that_refetches_at_once() -> None:
    """The first refetch is what finds a payment whose broadcast came before the page was there."""
    assert set(SCHEDULES) == set(Mode)
    assert all(schedule.refetch_after_ms[0] == 0 for schedule in SCHEDULES.values())
    assert World(LAX).mode() is T
