"""How a payer's vote in `user_auth` ends, on both sides of each boundary, and how many users are kept."""

import msgspec
import pytest

from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.outcomes import NoPayer
from sidecar.core.fold import payers
from sidecar.core.statistics.indicators import USER_AUTH
from tests.core.probed import PROBED, ProbedWorld
from tests.core.reporting import counts
from tests.core.world import DAY, HOUR, MINUTE

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
    ([(-1, 0, OK), (5, 0, REFUSED)],                                       0,    1),
    ([(-1, 0, OK), (5, 0, GUEST), (5, 0, OK)],                             1,    0),
    ([(-1, 0, OK), (5, 0, OK), (5, 0, GUEST)],                             0,    1),
    ([(-1, 0, REFUSED), (10, 0, OK)],                                      0,    1),
    ([(-1, 0, OK), (10, 0, REFUSED)],                                      1,    0),
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
    """The last answer decides: an `ok` before a redirect hides no 403 after it; what nobody said is no vote."""
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
    assert counts(world.state, USER_AUTH) == (good, bad)


def test_tabs_of_users_who_do_not_pay_are_counted_and_never_judged() -> None:
    """Logged-out tabs ask all night."""
    world = patient()
    for number in range(100):
        world.authorise(f"u{number}", GUEST)
    world.authorise(None, GUEST)
    pass_time(world, 3 * HOUR)
    assert (*counts(world.state, USER_AUTH), world.state.tally.user_auths) == (0, 0, {GUEST: 101})


def test_every_payment_has_ten_minutes_of_its_own() -> None:
    """The second of two payments within ten minutes ends bad, and the payer's day with it."""
    world = patient()
    world.authorise("u1", OK)
    world.pay(user="u1")
    pass_time(world, 5 * MINUTE)
    world.pay(user="u1")
    pass_time(world, 6 * MINUTE)
    assert counts(world.state, USER_AUTH) == (1, 0)
    world.authorise("u1", REFUSED)
    pass_time(world, 5 * MINUTE)
    assert counts(world.state, USER_AUTH) == (0, 1)


@pytest.mark.parametrize("answers", [(REFUSED,), (OK, REFUSED)])
def test_a_refusal_survives_a_restart(answers: tuple[UserAuth, ...]) -> None:
    """A process that ends every nine minutes must not hide that its payers are refused."""
    world = patient()
    for _ in range(3):
        for number in range(10):
            user = f"u{world.state.seq}-{number}"
            for answer in answers:
                world.authorise(user, answer)
            world.pay(user=user)
        pass_time(world, 9 * MINUTE)
        world.start()
    pass_time(world, 11 * MINUTE)
    assert counts(world.state, USER_AUTH) == (0, 30)
    assert world.state.indicators[USER_AUTH].is_latched


def test_restarts_leave_out_no_good_vote_either() -> None:
    """Where only refusals survived, a process that ends every nine minutes would raise an alarm at 1 % refused."""
    world = patient()
    for number in range(300):
        world.authorise(f"u{number}", REFUSED if number % 100 == 50 else OK)
        world.pay(user=f"u{number}")
        pass_time(world, 3 * MINUTE)
        if number % 3 == 2:
            world.start()
    pass_time(world, 11 * MINUTE)
    assert counts(world.state, USER_AUTH) == (297, 3)
    assert not world.state.indicators[USER_AUTH].is_latched


def test_an_ok_after_a_restart_is_the_last_answer() -> None:
    """The page subscribed again, and the refusal before it is over."""
    world = patient()
    world.authorise("u1", REFUSED)
    world.pay(user="u1")
    world.start()
    world.authorise("u1", OK)
    pass_time(world, 11 * MINUTE)
    assert counts(world.state, USER_AUTH) == (1, 0)


def test_a_payment_without_a_payer_is_no_vote() -> None:
    """A subscription that renews at night is no statement of a tab that lost its session an hour ago."""
    world = patient()
    for reason in NoPayer:
        world.authorise("u1", GUEST)
        world.pay(user="u1", no_payer=reason)
    pass_time(world, 11 * MINUTE)
    assert counts(world.state, USER_AUTH) == (0, 0)
    assert world.state.tally.no_payer == dict.fromkeys(NoPayer, 1)


def test_a_million_answers_to_one_user_are_one_vote() -> None:
    """And take the memory of one."""
    world = patient()
    world.pay(user="u1")
    for _ in range(2000):
        world.authorise("u1", REFUSED)
    assert (len(world.state.payers), len(world.state.payer_agenda)) == (1, 2)
    pass_time(world, 11 * MINUTE)
    assert counts(world.state, USER_AUTH) == (0, 1)


def test_users_are_forgotten_and_bounded() -> None:
    """Reports may name as many users as anybody likes."""
    world = patient()
    world.decides = False
    for number in range(payers.PAYERS_MAX + 30):
        world.authorise(f"u{number}", REFUSED)
    assert (len(world.state.payers), world.state.tally.dropped_payers) == (payers.PAYERS_MAX, 30)
    world.report(world.pay(user="payer"), "payer")
    assert counts(world.state) == (1, 0), "whoever asks for channels without paying keeps no payer out"
    pass_time(world, 2 * HOUR)
    assert len(world.state.payers) == payers.PAYERS_MAX // 2, "half of the space is free again"
    pass_time(world, 1 * DAY)
    assert (world.state.payers, world.state.payer_agenda, world.state.paid) == ({}, [], {})
    assert counts(world.state) == (1, 0)


def test_few_users_are_kept_for_a_day() -> None:
    """Payer coverage counts an answer of this morning: a page that stays open asks once."""
    world = patient()
    world.authorise("u1", OK)
    pass_time(world, 1 * DAY)
    assert set(world.state.payers) == {"u1"}
    pass_time(world, 15 * MINUTE)
    assert not world.state.payers
