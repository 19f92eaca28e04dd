"""What lies can do, and what the truth does: alarms, deploys, a fifth of the payers, and a whole day's climb."""

import msgspec

from sidecar.core.decision.decide import Action, decide
from sidecar.core.decision.gates import gates
from sidecar.core.facts.auth_probes import IsolationOutcome, UserAuth
from sidecar.core.facts.observations import FallCause, Fell
from sidecar.core.facts.outcomes import ReportOutcome
from sidecar.core.facts.policy import Mode
from sidecar.core.fold import votes
from sidecar.core.statistics.indicators import REACH
from tests.core.probed import ProbedWorld, probed
from tests.core.reporting import counts, outcomes, report_bad, served, tell, top
from tests.core.world import HOUR, MINUTE, REFUSED, SECOND, counted, on

REPORTERS_MIN = votes.REPORTERS_MIN[REACH]


def test_bad_reports_of_four_users_change_nothing_however_many() -> None:
    """Four payers with a grudge, or with a browser extension that blocks WebSockets, stop nobody else's push."""
    world = top()
    for hour in range(30):
        for user in range(REPORTERS_MIN - 1):
            report_bad(world, f"forger{user}", 2)
        world.wait(1 * HOUR if hour % 10 == 0 else 1 * MINUTE)
    assert (world.state.flag.rung, world.mode()) == (3, Mode.PUSH_ONLY)


def test_bad_reports_of_five_users_cost_a_fall_and_no_more() -> None:
    """What reaches no payer must fall, whoever says so; and that is the worst that a lie can do."""
    world = top()
    for user in range(REPORTERS_MIN - 1):
        report_bad(world, f"u{user}")
    assert world.state.flag.rung == 3
    report_bad(world, "the fifth")
    assert world.state.flag.rung == 0
    fell = next(record.observation for record in reversed(world.records) if isinstance(record.observation, Fell))
    assert (fell.cause, fell.detail) == (FallCause.ALARM, "alarm of reach")


def test_the_five_users_may_take_their_time() -> None:
    """At two payments a day an alarm that forgets within an hour never comes."""
    world = top()
    for user in range(REPORTERS_MIN):
        report_bad(world, f"u{user}")
        world.wait(3 * HOUR)
    assert world.state.flag.rung == 0


def test_a_user_who_reports_a_failure_again_is_one_voice_of_the_alarm() -> None:
    """Day after day, one user's votes are proof; but the alarm counts one voice until others join."""
    world = top()
    report_bad(world, "u1")
    indicator = world.state.indicators[REACH]
    levels = list(indicator.levels)
    world.wait(25 * HOUR)
    report_bad(world, "u1")
    assert (indicator.levels, indicator.bad) == (levels, 1)
    assert counts(world.state)[1] == 2


def test_reporters_are_forgotten_when_the_alarm_stands_at_zero() -> None:
    """Four voices of last month and one of today are not five."""
    world = top()
    for user in range(REPORTERS_MIN - 1):
        report_bad(world, f"u{user}")
    assert len(world.state.indicators[REACH].reporters) == REPORTERS_MIN - 1
    for number in range(600):
        tell(world, f"good{number}")
        world.wait(1 * SECOND)
    assert not world.state.indicators[REACH].reporters
    report_bad(world, "one more")
    assert (world.state.flag.rung, len(world.state.indicators[REACH].reporters)) == (3, 1)


def test_a_policy_with_other_alarm_numbers_keeps_the_levels_and_their_reporters() -> None:
    """Four users' reports were seen, whatever the numbers are: the fifth raises the alarm."""
    world = top()
    for user in range(REPORTERS_MIN - 1):
        report_bad(world, f"u{user}")
    world.change(false_alarm_once_in=50_000)
    assert len(world.state.indicators[REACH].reporters) == REPORTERS_MIN - 1
    assert world.state.flag.rung == 3
    report_bad(world, "one more")
    assert world.state.flag.rung == 0


def test_good_reports_alone_never_earn_a_climb() -> None:
    """A thousand users' forged good reports only lifts the veto that is theirs; payments must be proven all the same."""
    world = ProbedWorld()
    world.wire()
    world.wait(1 * MINUTE)
    for number in range(1000):
        world.report(world.pay(user=f"u{number}", waited_s=10), f"u{number}")
        if number % 50 == 0:
            world.wait(5 * SECOND)
    assert counts(world.state) == (1000, 0)
    assert world.state.flag.rung == 0
    gate = {gate.name: gate.passes for gate in gates(world.state)}
    assert gate["evidence_payments"] is False


def test_a_million_beacons_of_one_user_change_nothing_but_a_count() -> None:
    """Repeated, invented or of others: the state stays as small as it was, and nothing moves."""
    world = on(2)
    name = world.pay(user="u1")
    world.report(name, "u1", REFUSED)
    before = (world.state.flag.rung, counts(world.state), len(world.state.payers))
    for number in range(20_000):  # each costs as much as the millionth: there is nothing that grows
        world.report(f"pi_{number}_forged", "u1", REFUSED)
    assert (world.state.flag.rung, counts(world.state), len(world.state.payers)) == before
    assert len(world.state.payers["u1"].early) == 8
    assert world.state.tally.reports[ReportOutcome.UNMATCHED] == 20_000 - 8


def test_a_deploy_of_reverb_is_no_fall_by_its_payers_reports() -> None:
    """Browsers that could not connect for ten seconds say so half a minute later: the suspension's payers, not an alarm."""
    world = top()
    epoch = world.state.indicators[REACH].epoch
    report_bad(world, "before")
    world.fail()
    world.observe(is_up=False)
    names = []
    for number in range(12):
        names.append(world.pay(user=f"u{number}"))
        world.wait(1 * SECOND)
    world.recover()
    world.observe(is_up=True)
    for name in names:
        world.ack(name)
    world.wait(20 * SECOND)
    for number, name in enumerate(names):
        world.report(name, f"u{number}", REFUSED)
        world.wait(1 * SECOND)
    world.wait(15 * MINUTE)
    assert (world.state.flag.rung, world.mode()) == (3, Mode.PUSH_ONLY)
    assert world.state.indicators[REACH].epoch == epoch
    assert counts(world.state)[1] == 1
    assert outcomes(world.state) == {"bad": 1, "excused": 12}
    assert set(world.state.indicators[REACH].reporters) == {"before"}


def test_403_for_a_fifth_of_the_payers_keeps_push_only_away_and_says_why() -> None:
    """The observer signs for itself and the probe is one user: both are green while every fifth payer sees Pay now."""
    world = probed(2)
    counted(world.state.indicators[REACH], 0)
    counted(world.state.indicators["user_auth"], 0)
    world.approve(3, world.state.indicators["payments"].epoch)
    for number in range(600):
        user, is_refused = f"u{number}", number % 5 == 0
        name = world.pay(user=user)
        world.authorise(user, UserAuth.REFUSED if is_refused else UserAuth.OK)
        world.ack(name)
        world.report(name, user, served(world) if not is_refused else msgspec.structs.replace(REFUSED))
        world.wait(2 * SECOND)
        if world.state.flag.rung < 2:
            break
    assert world.state.flag.rung < 3
    assert Mode.PUSH_ONLY not in {world.mode(f"user{number}") for number in range(50)}
    verdict = decide(world.state, "a")
    closed = {gate.name for gate in gates(world.state) if not gate.passes}
    assert verdict.action is not Action.CLIMB
    assert closed & {"alarm", "evidence_reach"}


def test_the_whole_ladder_is_climbed_by_honest_evidence_and_nothing_less() -> None:
    """Two days in the life: probes, payers whose auth, broadcasts and browsers are well, and one approval."""
    world = ProbedWorld()
    world.wire()
    world.probe_isolation(IsolationOutcome.REFUSED)
    reached: dict[int, int] = {}
    for number in range(1800):
        user = f"u{number}"
        world.authorise(user, UserAuth.OK)
        name, reported = world.pay(user=user), served(world)
        world.ack(name)
        world.wait(90 * SECOND)
        world.report(name, user, reported)
        reached.setdefault(world.state.flag.rung, number)
        if world.state.flag.rung == 2 and not world.state.flag.approval:
            world.approve(3, world.state.indicators["payments"].epoch)
        if world.state.flag.rung == 3:
            break
    assert world.mode() is Mode.PUSH_ONLY
    assert sorted(reached) == [0, 1, 2, 3]
    assert all(indicator.good > 0 and indicator.bad == 0 for indicator in world.state.indicators.values())
    assert reached[2] - reached[1] >= 50, "payers on the rung"
    assert reached[3] - reached[2] >= 50
