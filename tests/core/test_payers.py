"""One vote per payer and hour, on both sides of each boundary."""

import msgspec
import pytest

from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.fold import payers
from tests.core.probed import PROBED, ProbedWorld
from tests.core.world import HOUR, MINUTE

OK, GUEST, REFUSED = UserAuth.OK, UserAuth.GUEST, UserAuth.REFUSED


def patient() -> ProbedWorld:
    """Return a world that beats rarely, so that hours pass in a few steps."""
    return ProbedWorld(msgspec.structs.replace(PROBED, lease_ms=10 * MINUTE))


def pass_time(world: ProbedWorld, span_ms: int) -> None:
    """Make time pass, seen, in a few steps."""
    end_ms = world.now_ms + span_ms
    while world.now_ms < end_ms:
        world.now_ms = min(end_ms, world.now_ms + 5 * MINUTE)
        world.beat()


# fmt: off
VOTES = [
    # answers as (minutes and milliseconds from the payment, result),      good, bad
    ([(-1, 0, OK)],                                                        1,    0),
    ([(-1, 0, GUEST)],                                                     0,    1),
    ([(-1, 0, GUEST), (5, 0, OK)],                                         1,    0),
    ([(-1, 0, OK), (5, 0, REFUSED)],                                       1,    0),
    ([(-60, 0, REFUSED)],                                                  0,    1),
    ([(-60, -1, REFUSED)],                                                 0,    0),
    ([(-60, -1, OK), (1, 0, GUEST)],                                       0,    1),
    ([(10, -1, OK)],                                                       1,    0),
    ([(10, 1, OK)],                                                        0,    0),
    ([(-1, 0, REFUSED), (10, 1, OK)],                                      0,    1),
    ([],                                                                   0,    0),
]
# fmt: on


@pytest.mark.parametrize(("answers", "good", "bad"), VOTES)
def test_a_payer_votes_by_what_was_answered_around_the_payment(
    answers: list[tuple[int, int, UserAuth]], good: int, bad: int
) -> None:
    """Any ok is good; else any refusal is bad; what nobody said is no vote."""
    world = patient()
    paid_ms = world.now_ms + 2 * HOUR
    times: list[tuple[int, UserAuth | None]] = [(paid_ms, None)]
    times += [(paid_ms + minutes * MINUTE + ms, result) for minutes, ms, result in answers]
    times.sort(key=lambda each: each[0])
    for at_ms, result in times:
        pass_time(world, at_ms - world.now_ms)
        if result is None:
            world.pay(user="u1")
        else:
            world.authorise("u1", result)
    pass_time(world, paid_ms + 11 * MINUTE - world.now_ms)
    indicator = world.state.indicators["user_auth"]
    assert (indicator.good, indicator.bad) == (good, bad)


def test_tabs_of_users_who_do_not_pay_are_counted_and_never_judged() -> None:
    """Logged-out tabs ask all night."""
    world = patient()
    for number in range(100):
        world.authorise(f"u{number}", GUEST)
    world.authorise(None, GUEST)
    pass_time(world, 3 * HOUR)
    indicator = world.state.indicators["user_auth"]
    assert (indicator.good, indicator.bad, world.state.tally.user_auths) == (0, 0, {GUEST: 101})


@pytest.mark.parametrize(("gap_ms", "votes"), [(HOUR - 1, 1), (HOUR, 2)])
def test_one_vote_per_payer_and_hour(gap_ms: int, votes: int) -> None:
    """One user with a broken tab who pays five times is one user."""
    world = patient()
    world.authorise("u1", REFUSED)
    world.pay(user="u1")
    pass_time(world, gap_ms)
    world.authorise("u1", REFUSED)
    world.pay(user="u1")
    pass_time(world, 11 * MINUTE)
    assert world.state.indicators["user_auth"].bad == votes


def test_a_vote_whose_time_was_not_all_seen_is_left_out() -> None:
    """A refusal before we were stopped, and an `ok` while: the vote would be a lie."""
    world = patient()
    world.authorise("u1", REFUSED)
    world.pay(user="u1")
    world.start()
    pass_time(world, 11 * MINUTE)
    indicator = world.state.indicators["user_auth"]
    assert (indicator.good, indicator.bad, indicator.unmeasured) == (0, 0, 1)


def test_the_time_of_a_vote_that_was_left_out_is_not_that_of_the_next() -> None:
    """Who pays again after we were stopped has ten minutes of their own: the `ok` may still come."""
    world = patient()
    world.pay(user="u1")
    pass_time(world, 5 * MINUTE)
    world.start()
    world.pay(user="u1")
    world.authorise("u1", REFUSED)
    pass_time(world, 9 * MINUTE)
    world.authorise("u1", OK)
    pass_time(world, 2 * MINUTE)
    indicator = world.state.indicators["user_auth"]
    assert (indicator.good, indicator.bad, indicator.unmeasured) == (1, 0, 1)


def test_a_million_answers_to_one_user_are_one_vote() -> None:
    """And take the memory of one."""
    world = patient()
    world.pay(user="u1")
    for _ in range(2000):
        world.authorise("u1", REFUSED)
    assert (len(world.state.payers), len(world.state.payer_agenda)) == (1, 2)
    pass_time(world, 11 * MINUTE)
    assert world.state.indicators["user_auth"].bad == 1


def test_users_are_forgotten_and_bounded() -> None:
    """Reports may name as many users as anybody likes."""
    world = patient()
    world.decides = False
    for number in range(payers.PAYERS_MAX + 30):
        world.authorise(f"u{number}", REFUSED)
    assert (len(world.state.payers), world.state.tally.dropped_payers) == (payers.PAYERS_MAX, 30)
    world.report(world.pay(user="payer"), "payer")
    assert world.state.indicators["reach"].good == 1, "whoever asks for channels without paying keeps no payer out"
    pass_time(world, 2 * HOUR)
    assert (world.state.payers, world.state.payer_agenda) == ({}, [])


def test_one_user_who_is_refused_again_and_again_is_one_voice_of_the_alarm() -> None:
    """One browser that pays once an hour and loses its session on purpose must not cost everybody their push."""
    world = patient()
    indicator = world.state.indicators["user_auth"]
    levels = []
    for _ in range(6):
        world.authorise("grudge", GUEST)
        world.pay(user="grudge")
        pass_time(world, 1 * HOUR + 1 * MINUTE)
        levels.append(list(indicator.levels))
    assert (indicator.good, indicator.bad, indicator.is_latched) == (0, 6, False)
    assert levels[0] == levels[-1] != [0] * len(levels[0])
    for number in range(3):
        world.authorise(f"u{number}", GUEST)
        world.pay(user=f"u{number}")
    pass_time(world, 20 * MINUTE)
    assert indicator.is_latched, "three users are an alarm"
