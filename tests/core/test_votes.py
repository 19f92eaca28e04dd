"""One vote per payer and day: when it is counted, what it steps, and what regulars, robots and the broken few do to it."""

import functools
import random
from collections.abc import Callable

import msgspec
import pytest

from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.policy import Mode, Policy
from sidecar.core.fold import votes
from sidecar.core.fold.fold import fold
from sidecar.core.fold.payer_state import Payer
from sidecar.core.fold.payers import due
from sidecar.core.fold.state import State, encode
from sidecar.core.statistics.indicators import REACH, USER_AUTH, bank_of, row_of
from tests.core.probed import PROBED, ProbedWorld
from tests.core.reporting import counts, outcomes, served, tell, top
from tests.core.world import DAY, HOUR, MINUTE, POLICY, REFUSED, SECOND, World

BOTH = pytest.mark.parametrize("name", [USER_AUTH, REACH])


class Votes:
    """Payers who vote in one indicator, without the payments around them."""

    def __init__(self, name: str, policy: Policy = POLICY) -> None:
        self.name, self.policy, self.state = name, policy, State(policy=policy, now_ms=DAY)
        self.opened = 0

    def vote(self, user: str, *, is_good: bool) -> None:
        """Make a payer's payment end."""
        due(self.state, self.policy)
        if user not in self.state.payers:
            self.state.payers[user] = Payer(seen_ms=self.state.now_ms)
        self.opened += votes.day_of(self.state.payers[user], self.name) is None
        votes.cast(self.state, self.policy, self.name, user, is_good=is_good, at_ms=self.state.now_ms)

    def wait(self, span_ms: int) -> None:
        """Make time pass."""
        self.state.now_ms += span_ms

    @property
    def is_alarmed(self) -> bool:
        """Whether the alarm is raised."""
        return self.state.indicators[self.name].is_latched

    def calm(self) -> None:
        """End the alarm, so that the next can be counted."""
        indicator = self.state.indicators[self.name]
        indicator.is_latched, indicator.levels = False, []
        indicator.reporters.clear()


def until_alarm(them: Votes, users: int, is_bad: Callable[[int], bool], *, per_day: int = 1, days: int = 60) -> int:
    """Return the votes until the alarm, of users who all pay some times a day; fail where it is not raised."""
    for _ in range(days):
        for _ in range(per_day):
            for user in range(users):
                them.vote(f"u{user}", is_good=not is_bad(user))
                if them.is_alarmed:
                    return them.opened
                them.wait(DAY // (users * per_day))
        them.wait(30 * MINUTE)
    raise AssertionError("no alarm")


# --- the day


@BOTH
def test_a_day_is_counted_once_when_it_closes(name: str) -> None:
    """Good at once and bad at the end, or the reverse, would bias the proof while days are open."""
    them = Votes(name)
    indicator = them.state.indicators[name]
    them.vote("u1", is_good=True)
    them.vote("u2", is_good=False)
    them.wait(DAY - 1)
    for user in ("u1", "u2"):
        them.vote(user, is_good=True)
    assert (indicator.good, indicator.bad) == (0, 0)
    them.wait(1)
    due(them.state, POLICY)
    assert (indicator.good, indicator.bad) == (1, 1)


@BOTH
def test_a_day_is_bad_if_any_payment_in_it_ended_bad(name: str) -> None:
    """Evidence counts the day; in the alarm it counts at once, and not again within the quarter of the day."""
    them, bank = Votes(name), bank_of(row_of(name), POLICY)
    indicator = them.state.indicators[name]
    for is_good in (False, True, False, True):
        them.vote("u1", is_good=is_good)
        them.wait(1 * HOUR)
    assert indicator.levels == [cusum.bad for cusum in bank]
    them.vote("u2", is_good=True)
    assert indicator.levels == [cusum.bad + cusum.good for cusum in bank]
    them.wait(2 * DAY)
    due(them.state, POLICY)
    assert (indicator.good, indicator.bad) == (1, 1)


@BOTH
@pytest.mark.parametrize("is_good", [True, False])
def test_the_alarm_takes_the_first_payment_of_each_quarter_of_the_day(
    name: str, monkeypatch: pytest.MonkeyPatch, *, is_good: bool
) -> None:
    """Whether a payment is a vote depends on when it was, and never on how it ended."""
    steps: list[int] = []
    them = Votes(name)
    monkeypatch.setattr(votes, "step", lambda *_, at_ms, **__: steps.append(at_ms - DAY))
    monkeypatch.setattr(votes, "clear", lambda _: None)
    them.state.indicators[name].reporters = {f"other{number}": 1 for number in range(20)}
    for wait_ms in (0, 6 * HOUR - 1, 1, 6 * HOUR, 5 * HOUR):
        them.wait(wait_ms)
        them.vote("u1", is_good=is_good)
    assert steps == [0, 6 * HOUR, 12 * HOUR]


@BOTH
@pytest.mark.parametrize("later", [6 * HOUR, 12 * HOUR])
def test_payers_who_return_within_the_day_raise_no_false_alarm(name: str, later: int) -> None:
    """Two hundred payers, all in the morning and again later, with the allowed share of bad payments, for a hundred days.

    If only bad votes counted among the later ones, five of them would be the alarm on most days.
    """
    them, alarms, days = Votes(name, msgspec.structs.replace(POLICY, false_alarm_once_in=10_000)), 0, 100
    rng, bad_share = random.Random(name), 1 - row_of(name).p0_ppm(POLICY) / 1_000_000
    for _ in range(days):
        for _ in range(2):
            for user in range(200):
                them.vote(f"u{user}", is_good=rng.random() >= bad_share)
                alarms += them.is_alarmed
                if them.is_alarmed:
                    them.calm()
            them.wait(later)
        them.wait(DAY - 2 * later)
    assert alarms <= 2 * days * 200 // 10_000


@BOTH
def test_regulars_who_were_well_in_the_morning_raise_the_alarm_in_the_afternoon(name: str) -> None:
    """An open day hides nothing for long: a vote is due again after a quarter of the day."""
    them = Votes(name)
    for is_good in (True, False):
        for user in range(30):
            them.vote(f"u{user}", is_good=is_good)
        them.wait(6 * HOUR)
    assert them.is_alarmed


def test_a_long_silence_and_a_restart_lose_no_day() -> None:
    """Who voted before the sidecar stopped for thirty hours is counted when it is back, though everybody is forgotten."""
    world = ProbedWorld(msgspec.structs.replace(PROBED, lease_ms=10 * MINUTE))
    for number in range(6):
        user = f"u{number}"
        world.authorise(user, UserAuth.REFUSED if number < 2 else UserAuth.OK)
        tell(world, user, REFUSED if number < 3 else served(world))
    world.sleep(30 * HOUR)
    world.start()
    indicators = world.state.indicators
    assert (indicators[USER_AUTH].good_total, indicators[USER_AUTH].bad_total) == (4, 2)
    assert (indicators[REACH].good_total, indicators[REACH].bad_total) == (3, 3)
    world.sleep(30 * HOUR)
    world.start()
    assert (world.state.payers, world.state.paid, world.state.payer_agenda) == ({}, {}, [])


def test_a_payment_before_a_long_silence_of_a_user_who_was_about_to_be_forgotten_is_decided() -> None:
    """The user's time to be forgotten lies before the decision, and both lie in the gap."""
    world = ProbedWorld(msgspec.structs.replace(PROBED, lease_ms=10 * MINUTE))
    world.authorise("u1", UserAuth.OK)
    world.sleep(1 * DAY + 9 * MINUTE)
    world.authorise("u1", UserAuth.REFUSED)
    world.pay(user="u1")
    world.sleep(30 * HOUR)
    world.start()
    assert world.state.indicators[USER_AUTH].bad_total == 1


@pytest.mark.parametrize("every_ms", [1 * MINUTE, 7 * HOUR])
def test_when_the_fold_is_called_changes_no_day(every_ms: int) -> None:
    """Payments are decided and days closed at their own times, in order, however late a record makes it happen."""
    world = ProbedWorld(msgspec.structs.replace(PROBED, lease_ms=2 * DAY))
    world.decides = False
    for hour, answer in (
        (0, UserAuth.OK),
        (3, UserAuth.OK),
        (2, UserAuth.GUEST),
        (19, UserAuth.OK),
        (1, UserAuth.GUEST),
    ):
        world.sleep(hour * HOUR)
        world.authorise("u1", answer)
        world.pay(user="u1")
        world.sleep(1 * HOUR)
        end_ms = world.now_ms
        while world.now_ms - every_ms > end_ms:
            world.beat()
            world.sleep(every_ms)
    for _ in range(3 * DAY // every_ms):
        world.beat()
        world.sleep(every_ms)
    indicator = world.state.indicators[USER_AUTH]
    assert (indicator.good_total, indicator.bad_total) == (0, 2)


@BOTH
def test_a_new_epoch_does_not_count_the_days_of_the_one_before(name: str) -> None:
    """A day that began before the evidence was reset is proof of what was then."""
    world = World(POLICY)
    for number in range(5):
        world.state.payers[f"u{number}"] = Payer(seen_ms=world.now_ms)
        votes.cast(world.state, POLICY, name, f"u{number}", is_good=number > 0, at_ms=world.now_ms)
    world.reset()
    indicator = world.state.indicators[name]
    assert (indicator.epoch, indicator.good_total, indicator.bad_total) == (2, 4, 1)
    world.sleep(2 * DAY)
    world.beat()
    assert (indicator.good, indicator.bad, indicator.good_total) == (0, 0, 4)


def test_days_of_a_time_without_a_judge_are_no_proof_later() -> None:
    """While reports are waived nothing is judged; when they are required again, proof begins with the next vote."""
    world = World(msgspec.structs.replace(POLICY, reach_not_required="an internal tool"))
    for number in range(5):
        tell(world, f"u{number}", served(world))
    indicator = world.state.indicators[REACH]
    assert (indicator.epoch_began_ms, counts(world.state)) == (0, (5, 0))
    world.change(reach_not_required=None)
    world.sleep(2 * DAY)
    world.beat()
    assert (indicator.good, indicator.good_total) == (0, 5)


@BOTH
def test_a_bad_day_that_closes_stops_a_climb_that_was_decided_before_it(name: str) -> None:
    """It may have closed a gate: whoever decided did not know of it."""
    world = World(POLICY)
    world.state.payers["u1"] = Payer(seen_ms=world.now_ms)
    votes.cast(world.state, POLICY, name, "u1", is_good=False, at_ms=world.now_ms)
    before = world.state.flag.guard_version
    votes.close_all(world.state, POLICY, name)
    assert world.state.flag.guard_version > before


def test_a_replay_from_a_checkpoint_in_the_middle_of_a_day_gives_the_same_state() -> None:
    """Open days, payments that await their decision and reports that are early are in the state."""
    world = ProbedWorld(msgspec.structs.replace(PROBED, lease_ms=10 * MINUTE))
    cut, middle = 0, b""
    for number in range(40):
        user = f"u{number % 7}"
        world.authorise(user, UserAuth.OK if number % 3 else UserAuth.GUEST)
        tell(world, user, REFUSED if number % 4 == 0 else served(world))
        world.report(f"pi_early_{number}", user)
        world.sleep(9 * MINUTE)
        world.beat()
        if number == 20:
            cut, middle = len(world.records), encode(world.state)
    state = msgspec.json.decode(middle, type=State)
    for record in world.records[cut:]:
        fold(state, record)
    assert encode(state) == encode(world.state)


def test_what_reverb_explains_is_no_vote_good_or_bad() -> None:
    """Of the payers during a deploy of Reverb the lucky ones prove nothing."""
    world = top()
    world.fail()
    world.observe(is_up=False)
    world.wait(20 * SECOND)
    assert world.state.flag.suspension is not None
    tell(world, "unlucky", REFUSED)
    tell(world, "lucky")
    world.authorise("lucky", UserAuth.OK)
    world.authorise("unlucky", UserAuth.REFUSED)
    world.recover()
    world.observe(is_up=True)
    world.wait(9 * MINUTE)
    assert world.state.flag.suspension is not None
    world.wait(2 * MINUTE)
    indicators = world.state.indicators
    assert (counts(world.state), counts(world.state, USER_AUTH)) == ((10_000, 0), (10_000, 0))
    assert (indicators[REACH].unmeasured, indicators[REACH].levels, outcomes(world.state)) == (2, [], {"excused": 2})


def test_a_report_that_arrives_after_the_suspension_of_its_payment_is_no_vote() -> None:
    """Its payer was served timers: nothing depended on push."""
    world = top()
    world.fail()
    world.observe(is_up=False)
    world.wait(20 * SECOND)
    world.recover()
    world.observe(is_up=True)
    world.wait(8 * MINUTE)
    assert world.mode() is Mode.TIMER_POLLING
    name = world.pay(user="u1")
    world.ack(name)
    world.wait(4 * MINUTE)
    assert world.mode() is Mode.PUSH_ONLY
    world.report(name, "u1", REFUSED)
    assert outcomes(world.state) == {"excused": 1}


# --- regulars, robots and the broken few


@BOTH
@pytest.mark.parametrize("per_day", [1, 6])
def test_regulars_do_not_mask_five_in_a_hundred_who_are_refused(name: str, per_day: int) -> None:
    """The same hundred payers, day after day; 5 % is close to the 3 % that the default target of `reach` allows."""
    needed = until_alarm(Votes(name), 100, lambda user: user % 20 == 7, per_day=per_day)
    assert needed <= {USER_AUTH: 330, REACH: 2300}[name]


def _is_one_of_twenty(rng: random.Random, _: int) -> bool:
    return rng.random() < 0.05


@BOTH
def test_five_percent_of_the_votes_are_noticed_as_soon_as_promised(name: str) -> None:
    """Whoever of forty regulars is hit: after 294 votes on average where the target is 99 %."""
    needed = []
    for seed in range(20):
        rng = random.Random(seed)
        needed.append(until_alarm(Votes(name), 40, functools.partial(_is_one_of_twenty, rng), days=400))
    assert sum(needed) / len(needed) <= {USER_AUTH: 330, REACH: 2300}[name]


@BOTH
def test_ten_broken_users_of_a_hundred_are_noticed(name: str) -> None:
    """Their votes are bad every day, and not only on the first."""
    assert until_alarm(Votes(name), 100, lambda user: user % 10 == 3) <= {USER_AUTH: 110, REACH: 400}[name]


@BOTH
def test_one_robot_raises_no_alarm_and_supplies_one_vote_a_day(name: str) -> None:
    """However often it pays, and for a month."""
    for is_good in (False, True):
        them = Votes(name)
        for _ in range(30 * 24):
            them.vote("robot", is_good=is_good)
            them.wait(1 * HOUR)
            assert not them.is_alarmed
        indicator = them.state.indicators[name]
        assert indicator.good_total + indicator.bad_total == 29
        assert indicator.reporters == ({} if is_good else {"robot": 1})


@BOTH
def test_a_robot_beside_a_few_honest_payers_raises_no_alarm(name: str) -> None:
    """At nine honest payers a day its refusals are 10 % of the votes; with their noise they must not be an alarm."""
    for seed in range(5):
        rng, them = random.Random(seed), Votes(name)
        for day in range(120):
            them.vote("robot", is_good=False)
            for number in range(9):
                them.vote(f"u{day}-{number}", is_good=rng.random() >= 0.003)
            them.wait(DAY)
            assert not them.is_alarmed


@BOTH
def test_users_below_the_minimum_raise_no_alarm_however_often(name: str) -> None:
    """Two in `user_auth`, four in `reach`, every day for a quarter, among ten who are well."""
    them = Votes(name)
    for _ in range(90):
        for user in range(votes.REPORTERS_MIN[name] - 1):
            them.vote(f"broken{user}", is_good=False)
        for user in range(10):
            them.vote(f"u{user}", is_good=True)
        them.wait(DAY)
        assert not them.is_alarmed


@BOTH
@pytest.mark.parametrize("late", [0.0, 0.5, 1.0])
def test_there_are_no_more_false_alarms_than_promised(name: str, late: float) -> None:
    """With exactly the allowed share of bad days, of which some turn bad only after a good vote."""
    once_in = 1000
    policy = msgspec.structs.replace(POLICY, false_alarm_once_in=once_in)
    them, alarms, days = Votes(name, policy), 0, 60_000
    bad_share = 1 - row_of(name).p0_ppm(policy) / 1_000_000
    rng = random.Random(f"{name}{late}")
    for number in range(days):
        user, is_bad = f"u{number}", rng.random() < bad_share
        is_late = is_bad and rng.random() < late
        them.vote(user, is_good=not is_bad or is_late)
        if is_late:
            them.vote(user, is_good=False)
        if them.is_alarmed:
            alarms += 1
            them.calm()
        them.wait(200 * SECOND)
    assert alarms <= days // once_in
    assert alarms > 0 or late
