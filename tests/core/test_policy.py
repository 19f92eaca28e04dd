"""What is decided: situations as rows, each one difference from a world that is ready to climb, decision last."""

import copy
import functools

import msgspec
import pytest

from sidecar.core.decision.decide import Action, Verdict, decide
from sidecar.core.decision.gates import GATES, gates
from sidecar.core.facts.observations import Climbed, EpochRenewed, Fell
from sidecar.core.facts.policy import PPM, Stage
from sidecar.core.facts.reports import Flow
from sidecar.core.facts.windows import Once
from sidecar.core.fold.state import State
from sidecar.core.statistics.coverage import Coverage
from tests.core.probed import PROBED_GATES
from tests.core.world import DAY, HOUR, LAX, SECOND, World, counted, decided

CLIMB, FALL, RENEW, STAY = Action.CLIMB, Action.FALL, Action.RENEW, Action.STAY


@functools.cache
def _ready(rung: int) -> World:
    """Return a world on a rung where nothing is missing for the next; indicators without a source as if they had one."""
    world = World(LAX)
    world.climb_to(rung if rung < 3 else 2)
    world.decides = False
    world.good(40)
    for name in ("user_auth", "reach"):
        indicator = world.state.indicators[name]
        counted(indicator, 5000)
        indicator.last_ms, indicator.epoch_began_ms = world.now_ms, world.now_ms
        world.state.payer_coverage[name].add(is_judged=True, at_ms=world.now_ms)
    world.state.reach.flows = [Flow.IN_PAGE] * 19 + [Flow.REDIRECT]
    world.state.flag.payers = {Flow.IN_PAGE: 50, Flow.REDIRECT: 50}
    world.approve(rung=3)
    if rung == 3:
        world.see(decided(world, Climbed))
    return world


def ready(rung: int) -> World:
    """Return a copy, to be spoilt."""
    return copy.deepcopy(_ready(rung))


def differ(world: World, what: str) -> None:  # noqa: C901, PLR0912, PLR0915 - one case for each kind of difference
    """Make the world differ in one way from one that is ready."""
    state = world.state
    flag, payments = state.flag, state.indicators["payments"]
    match what.split(" "):
        case ["nothing"]:
            pass
        case ["no", "policy"]:
            world.state = State()
        case [count, "missed"]:
            world.bad(int(count))
        case [count, "missed,", more, "good"]:
            world.bad(int(count))
            world.good(int(more))
        case [count, "redelivered"]:
            for _ in range(int(count)):
                world.pay(waited_s=10)
        case [count, "cut", "off"]:
            for _ in range(int(count)):
                world.pay()
            world.sleep(29 * SECOND)
            world.beat()
        case ["restart"]:
            world.start()
        case ["silent", "for", span_ms]:
            world.sleep(int(span_ms))
            world.beat()
        case ["held"]:
            world.hold()
        case ["frozen", "from", from_ms, "until", until_ms]:
            world.freeze("term", Once(from_ms=world.now_ms + int(from_ms), until_ms=world.now_ms + int(until_ms)))
        case ["fell,", "calmed"]:
            world.bad(6)
            world.see(decided(world, Fell))
            world.good(60)
        case ["climbed", "just", "now"]:
            world.see(decided(world, Climbed))
        case ["soaked", "1", "ms", "less"]:
            assert state.policy is not None
            flag.soaked_ms = state.policy.ladder[flag.rung].soak_ms - 1
        case ["reset"]:
            world.reset()
        case ["nameless", "acks"]:
            state.first_named_ack_ms.clear()
        case ["stage", stage]:
            state.policy = msgspec.structs.replace(LAX, stage=Stage(stage))
            state.first_named_ack_ms[Stage(stage)] = world.now_ms
        case [name, "silent"]:
            state.indicators[name].last_ms = 0
        case [name, "unproven"]:
            counted(state.indicators[name], 10)
        case ["payers", in_page, redirect, "of", *flows]:
            flag.payers = {Flow.IN_PAGE: int(in_page), Flow.REDIRECT: int(redirect)}
            state.reach.flows = [flow for flow, count in zip(Flow, flows, strict=True) for _ in range(int(count))]
        case [name, "answered", count, "of", total]:
            coverage = state.payer_coverage[name] = Coverage()
            for number in range(int(total)):
                coverage.add(is_judged=number < int(count), at_ms=state.now_ms)
        case [count, "unmeasured", "long", "ago"]:
            payments.unmeasured = payments.doubtful = int(count)
        case ["not", "approved"]:
            flag.approval = None
        case ["approved", "for", rung, epoch]:
            world.approve(int(rung), int(epoch))
        case ["epoch", "of", days, "d", bad, "bad"]:
            payments.epoch_began_ms = world.now_ms - int(days) * DAY
            counted(payments, 20, int(bad))
        case _:
            raise AssertionError(what)


# fmt: off
SITUATIONS = [
    # on rung, what differs from being ready,   action, reason
    (0, "nothing",                              CLIMB,  "proven"),
    (1, "nothing",                              CLIMB,  "proven"),
    (2, "nothing",                              CLIMB,  "proven"),
    (3, "nothing",                              STAY,   "top"),
    (0, "no policy",                            STAY,   "no_policy"),
    # --- down, whatever else is the case
    (3, f"silent for {DAY + 1}",                FALL,   "blind"),
    (3, f"silent for {DAY}",                    STAY,   "top"),
    (1, f"silent for {DAY + 1}",                FALL,   "blind"),
    (1, f"silent for {DAY}",                    STAY,   "suspension"),
    (0, f"silent for {DAY + 1}",                FALL,   "blind"),
    (3, "6 missed",                             FALL,   "alarm"),
    (1, "6 missed",                             FALL,   "alarm"),
    (1, "5 missed",                             STAY,   "evidence_payments"),
    (1, "6 missed, 60 good",                    FALL,   "alarm"),
    # --- on the bottom rung an alarm is no fall
    (0, "6 missed",                             STAY,   "alarm"),
    (0, "5 missed",                             STAY,   "evidence_payments"),
    # --- when we cannot see
    (1, "restart",                              STAY,   "suspension"),
    (1, f"silent for {30 * SECOND}",            CLIMB,  "proven"),
    (1, f"silent for {30 * SECOND + 1}",        STAY,   "suspension"),
    (1, "4 cut off",                            STAY,   "coverage"),
    (1, "5 cut off",                            STAY,   "suspension"),
    (1, "30 redelivered",                       STAY,   "suspension"),
    # --- up, when every gate passes
    (1, "held",                                 STAY,   "hold"),
    (1, "frozen from 0 until 1",                STAY,   "freeze"),
    (1, "frozen from 1 until 9",                CLIMB,  "proven"),
    (1, "frozen from -9 until 0",               CLIMB,  "proven"),
    (1, "fell, calmed",                         STAY,   "cooldown"),
    (0, "climbed just now",                     STAY,   "soak"),
    (1, "soaked 1 ms less",                     STAY,   "soak"),
    (1, "3 redelivered",                        CLIMB,  "proven"),
    (1, "5 redelivered",                        STAY,   "coverage"),
    (0, "12 missed, 5 good",                   STAY,   "alarm"),
    (0, "reset",                                STAY,   "evidence_payments"),
    (0, "payments unproven",                    STAY,   "evidence_payments"),
    (0, "20 unmeasured long ago",               STAY,   "worst_case"),
    (0, "epoch of 7 d 9 bad",                   RENEW,  "renew"),
    (0, "epoch of 6 d 9 bad",                   STAY,   "evidence_payments"),
    (0, "epoch of 7 d 0 bad",                   STAY,   "evidence_payments"),
    (1, "epoch of 7 d 9 bad",                   STAY,   "evidence_payments"),
    # --- onto `push_only`
    (2, "nameless acks",                        STAY,   "exact"),
    (1, "nameless acks",                        CLIMB,  "proven"),
    (2, "stage paid",                           STAY,   "stage"),
    (2, "stage dispatched",                     STAY,   "stage"),
    (2, "stage refreshed",                      CLIMB,  "proven"),
    (1, "stage dispatched",                     CLIMB,  "proven"),
    (2, "user_auth silent",                     STAY,   "evidence_user_auth"),
    (2, "user_auth unproven",                   STAY,   "evidence_user_auth"),
    (2, "reach silent",                         STAY,   "evidence_reach"),
    (1, "reach silent",                         CLIMB,  "proven"),
    # --- leaving a push rung, where browsers report
    (2, "payers 25 24 of 95 5",                 STAY,   "payers_on_rung"),
    (2, "payers 25 25 of 95 5",                 CLIMB,  "proven"),
    (1, "payers 25 24 of 95 5",                 STAY,   "payers_on_rung"),
    (0, "payers 0 0 of 95 5",                   CLIMB,  "proven"),
    (2, "payers 0 50 of 95 5",                  CLIMB,  "proven"),
    (2, "payers 49 50 of 96 5",                 STAY,   "payers_on_rung"),
    (2, "payers 50 0 of 96 5",                  CLIMB,  "proven"),
    (1, "payers 0 0 of 0 0",                    CLIMB,  "proven"),
    (2, "reach answered 0 of 0",                STAY,   "payer_coverage"),
    (2, "reach answered 59 of 99",              STAY,   "payer_coverage"),
    (2, "reach answered 60 of 100",             CLIMB,  "proven"),
    (2, "user_auth answered 59 of 99",          STAY,   "payer_coverage"),
    (2, "user_auth answered 60 of 100",         CLIMB,  "proven"),
    (1, "reach answered 0 of 100",              CLIMB,  "proven"),
    (2, "not approved",                         STAY,   "approval"),
    (1, "not approved",                         CLIMB,  "proven"),
    (2, "approved for 2 1",                     STAY,   "approval"),
    (2, "approved for 3 2",                     STAY,   "approval"),
]
# fmt: on


@pytest.mark.parametrize(("rung", "what", "action", "reason"), SITUATIONS)
def test_one_difference_decides(rung: int, what: str, action: Action, reason: str) -> None:
    """Each row closes one way up that should not be open, or opens one that should."""
    world = ready(rung)
    differ(world, what)
    verdict = decide(world.state, "a")
    assert (verdict.action, verdict.reason) == (action, reason)
    assert _kind(verdict) is {CLIMB: Climbed, FALL: Fell, RENEW: EpochRenewed, STAY: None}[action]


def _kind(verdict: Verdict) -> type | None:
    return None if verdict.decision is None else type(verdict.decision)


def test_every_reason_is_reached_by_a_situation_above() -> None:
    """A gate that nothing can close, or a reason that nothing can give, is a promise that nobody tested."""
    all_reasons = {"no_policy", "blind", "alarm", "renew", "top", "proven"} | {row.name for row in GATES}
    assert {reason for *_, reason in SITUATIONS} == all_reasons - PROBED_GATES


def test_a_climb_carries_what_every_gate_said() -> None:
    """Without the readings in the record nobody can explain the climb a month later."""
    world = ready(2)
    climbed = decided(world, Climbed)
    assert [reading.name for reading in climbed.gates] == [row.name for row in GATES if row.name not in PROBED_GATES]
    assert all(reading.passes for reading in climbed.gates)


@pytest.mark.parametrize(("rung", "what", "action", "reason"), SITUATIONS)
def test_a_closed_gate_says_what_it_needs_and_an_open_one_needs_nothing(
    rung: int, what: str, action: Action, reason: str
) -> None:
    """Release managers ask "what is still missing, and for how long": a closed gate without an answer is no use."""
    world = ready(rung)
    differ(world, what)
    readings = {gate.name: gate for gate in gates(world.state)}
    assert all(bool(gate.needs) is not gate.passes for gate in readings.values())
    assert all(gate.expected_ms is None or gate.expected_ms >= world.now_ms for gate in readings.values())
    if action is STAY and reason in readings:
        assert not readings[reason].passes


# fmt: off
NEEDS = [
    # on rung, what differs,              gate,                 what it needs
    (0, "reset",                          "evidence_payments",  "64 more clean payments"),
    (1, "soaked 1 ms less",               "soak",               "1 s more on this rung"),
    (1, "fell, calmed",                   "cooldown",           "57 min to pass after the fall"),
    (0, "6 missed",                       "alarm",              "6 clean payments in a row to calm payments"),
    (1, "5 redelivered",                  "coverage",
     "20 judged payments more, or the unmeasured ones to leave the window"),
    (2, "reach silent",                   "evidence_reach",
     "a first report of payers' browsers that push reached: none has come yet"),
    (2, "payers 30 10 of 95 5",           "payers_on_rung",     "10 more payers who were served this rung"),
    (2, "payers 30 10 of 96 5",           "payers_on_rung",     "20 more payers who were served this rung"),
    (2, "reach answered 50 of 100",       "payer_coverage",
     "25 more payers who answer (reach), or the silent ones to leave the window"),
    (2, "user_auth answered 0 of 0",      "payer_coverage",     "a payment for which a payer waits, ten minutes ago"),
]
# fmt: on


@pytest.mark.parametrize(("rung", "what", "name", "needs"), NEEDS)
def test_a_gate_counts_exactly_what_it_needs(rung: int, what: str, name: str, needs: str) -> None:
    """A number that is one too small is a promise broken on the day that it was made for."""
    world = ready(rung)
    differ(world, what)
    assert next(gate.needs for gate in gates(world.state) if gate.name == name) == needs


@pytest.mark.parametrize(("what", "name"), [("6 missed", "alarm"), ("12 missed, 5 good", "alarm")])
def test_a_gate_opens_after_as_many_clean_payments_as_it_said(what: str, name: str) -> None:
    """The count is computed by dividing levels and the gate by folding outcomes: they must agree to the payment."""
    world = ready(0)
    differ(world, what)
    needs = int(next(gate.needs for gate in gates(world.state) if gate.name == name).split()[0])
    world.good(needs - 1)
    assert name in {gate.name for gate in gates(world.state) if not gate.passes}
    world.good(1)
    assert name not in {gate.name for gate in gates(world.state) if not gate.passes}


def test_full_coverage_never_promises_that_more_payments_will_do() -> None:
    """At `coverage: 100%` one unmeasured payment closes the gate until it leaves the window: no count can recover it."""
    world = ready(1)
    assert world.state.policy is not None
    world.change(coverage_ppm=PPM)
    world.wait(2 * SECOND)
    differ(world, "3 redelivered")
    coverage = next(gate for gate in gates(world.state) if gate.name == "coverage")
    assert (coverage.passes, coverage.needs) == (False, "the unmeasured payments to leave the window")


def test_a_silence_of_an_hour_is_not_a_cool_down() -> None:
    """A cool-down that only heartbeats could end would hold the flag down for ever on a quiet night."""
    world = ready(1)
    differ(world, "fell, calmed")
    world.sleep(1 * HOUR)
    world.beat()
    assert next(gate.passes for gate in gates(world.state) if gate.name == "cooldown")
