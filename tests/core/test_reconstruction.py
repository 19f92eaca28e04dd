"""A payment that was forgotten is reported once more as it ended, from the minutes around it alone."""

import pytest
from hypothesis import given, settings

from sidecar.core.facts.observations import (
    PaymentSucceeded,
    PolicyAdopted,
    Record,
    SkipReason,
)
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.fold.conclusions import PaymentLeftOut, PaymentSettled
from sidecar.core.fold.state import State
from sidecar.core.release.reconstruction import Reconstruction, reconstruct, window_of
from tests.core.lives import Life, Step, lives
from tests.core.probed import probed
from tests.core.world import LAX, MINUTE, SECOND, World, on


def looked_back(state: State, records: list[Record], name: str) -> Reconstruction:
    """Tell of a payment from its own minutes, under the policy of its time."""
    first = next(
        each
        for each in records
        if isinstance(each.observation, PaymentSucceeded) and each.observation.payment_intent == name
    )
    policy = _policy_at(records, first.seq)
    from_ms, until_ms = window_of(policy, first.at_ms)
    return reconstruct(state, policy, [each for each in records if from_ms <= each.at_ms <= until_ms], name)


def _policy_at(records: list[Record], seq: int) -> Policy:
    adopted = [each.observation for each in records if each.seq < seq and isinstance(each.observation, PolicyAdopted)]
    return adopted[-1].policy if adopted else LAX


def ending(world: World, name: str) -> tuple[Outcome | None, Unmeasured | None, str | None]:
    """Return how a payment ended, as it was reported when it did."""
    for each in reversed(world.conclusions):
        if isinstance(each, PaymentSettled) and each.payment_intent == name:
            return each.outcome, each.unmeasured, None
        if isinstance(each, PaymentLeftOut) and each.payment_intent == name:
            return None, None, each.reason
    return None, None, None


# fmt: off
WAYS = [
    # what becomes of it,    outcome,              why unmeasured,           why left out
    ("acked",                Outcome.ON_TIME,      None,                     None),
    ("acked first",          Outcome.ON_TIME,      None,                     None),
    ("acked too soon",       Outcome.MISSED,       None,                     None),
    ("acked late",           Outcome.LATE,         None,                     None),
    ("never acked",          Outcome.MISSED,       None,                     None),
    ("nobody's, never acked", Outcome.MISSED,      None,                     None),
    ("failed",               Outcome.MISSED,       None,                     None),
    ("skipped",              None,                 None,                     SkipReason.NO_BOOKING),
    ("redelivered",          Outcome.UNMEASURED,   Unmeasured.REDELIVERED,   None),
    ("backfilled",           Outcome.UNMEASURED,   Unmeasured.BACKFILLED,    None),
    ("stopped",              Outcome.UNMEASURED,   Unmeasured.STOPPED,       None),
    ("cut off",              Outcome.UNMEASURED,   Unmeasured.CUT_OFF,       None),
    ("clock jumped",         Outcome.UNMEASURED,   Unmeasured.CLOCK_JUMPED,  None),
]
# fmt: on


@pytest.mark.parametrize(("what", "outcome", "unmeasured", "left_out"), WAYS)
@pytest.mark.parametrize("world", [lambda: on(1), lambda: probed(1)], ids=["unprobed", "probed"])
def test_each_end_is_reported_as_it_was(
    world: object, what: str, outcome: Outcome | None, unmeasured: Unmeasured | None, left_out: str | None
) -> None:
    """Support looks at one payment, days later: another answer than that in the numbers would be a lie."""
    assert callable(world)
    lived: World = world()
    lived.good(3)
    lived.wait(10 * MINUTE)  # so that nothing of theirs is in the minutes around
    name = "pi_asked"
    _arrive(lived, what, name)
    _go_on(lived, what, name)
    lived.wait(3 * MINUTE)
    lived.wait(10 * MINUTE)
    reported = looked_back(lived.state, lived.records, name)
    assert (reported.outcome, reported.unmeasured, reported.left_out) == (outcome, unmeasured, left_out)
    assert ending(lived, name) == (outcome, unmeasured, left_out)
    assert reported.journey is not None
    assert reported.journey.payment_intent == name


def _arrive(world: World, what: str, name: str) -> None:
    match what:
        case "acked first":
            world.ack(name)
            world.wait(1 * SECOND)
            world.pay(name=name)
        case "acked too soon":
            world.ack(name)
            world.wait(20 * SECOND)
            world.pay(name=name)
        case "nobody's, never acked":
            world.pay(name=name, user=None)
        case "redelivered":
            world.pay(name=name, waited_s=10)
        case "backfilled":
            world.pay(name=name, waited_s=None)
        case _:
            world.pay(name=name)
            world.now_ms += 300


def _go_on(world: World, what: str, name: str) -> None:
    match what:
        case "acked":
            world.ack(name)
        case "acked late":
            world.wait(5 * SECOND)
            world.ack(name)
        case "failed":
            world.ack(name, Stage.SKIPPED, SkipReason.FAILED)
        case "skipped":
            world.ack(name, Stage.SKIPPED, SkipReason.NO_BOOKING)
        case "stopped":
            world.start()
        case "cut off":
            world.sleep(31 * SECOND)
        case "clock jumped":
            world.jump(5 * SECOND)


def test_what_has_not_ended_has_no_outcome_yet() -> None:
    """And what nobody knows has no journey."""
    world = on(1)
    world.pay(name="pi_young")
    reported = looked_back(world.state, world.records, "pi_young")
    assert (reported.outcome, reported.journey is not None) == (None, True)
    assert reconstruct(world.state, LAX, [], "pi_nobody").journey is None


def test_before_the_first_ack_ever_a_payment_is_not_wired_and_stays_so() -> None:
    """What was learned later must not change what was known then."""
    world = World(LAX)
    world.pay(name="pi_early")
    world.wait(1 * MINUTE)
    world.wire()
    world.wait(10 * MINUTE)
    assert looked_back(world.state, world.records, "pi_early").unmeasured is Unmeasured.NOT_WIRED


@settings(max_examples=40)
@given(lives)
def test_in_any_life_what_is_reported_later_is_what_was_concluded_then(steps: list[Step]) -> None:
    """VisibilityGap, restarts, other policies, acks in any order: the minutes alone must give the same end."""
    life = Life()
    life.live(steps)
    life.drain()
    names = [each.observation.payment_intent for each in life.records if isinstance(each.observation, PaymentSucceeded)]
    for name in names[:20]:
        reported = looked_back(life.state, life.records, name)
        assert (reported.outcome, reported.unmeasured, reported.left_out) == ending(life, name), name
