"""403 for every fifth payer while everything that does not ask the auth endpoint as a payer is green.

The observer signs for itself, and the probe is one user who is allowed: payments read 100 %, round trips and auth probes are
clean. Only payers can tell, by their browsers or by the backend's word of how it answered them.
"""

import itertools
from collections.abc import Iterator

import msgspec
import pytest

from sidecar.core.decision.gates import Gate, gates
from sidecar.core.facts.auth_probes import IsolationOutcome, UserAuth
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import ClearedBy, Subscription
from tests.core.probed import PROBED, ProbedWorld
from tests.core.world import REACHED, SECOND

PAYERS = 700
"""More than enough for the whole ladder if no payer is refused, which is tested too."""
_EVERY_S = 90


class Sources(msgspec.Struct, frozen=True):
    """The sources of reports about payers."""

    browsers: bool
    backend: bool


def payers(world: ProbedWorld, sources: Sources, *, refused_every: int | None) -> Iterator[None]:
    """Simulate payers; each nth is refused, follows timers, and is cleared by a timer."""
    for number in range(PAYERS):
        user = f"u{number}"
        is_refused = refused_every is not None and number % refused_every == 0
        if sources.backend:
            world.authorise(user, UserAuth.REFUSED if is_refused else UserAuth.OK)
        payment = world.pay(user=user)
        reading = msgspec.structs.replace(REACHED, mode=world.mode(user), version=world.state.flag.version)
        if is_refused:
            reading = msgspec.structs.replace(
                reading,
                mode=Mode.TIMER_POLLING,
                subscription=Subscription.REFUSED,
                auth_status=403,
                subscribed_ms=None,
                pushed_ms=None,
                cleared_ms=2040,
                cleared_by=ClearedBy.TIMER,
                refetches=3,
            )
        world.ack(payment)
        world.wait(30 * SECOND)
        if sources.browsers:
            world.report(payment, user, reading)
        world.wait((_EVERY_S - 30) * SECOND)
        if world.state.flag.rung == 2 and not world.state.flag.approval:
            world.approve(3, world.state.indicators["payments"].epoch)
        yield


def wired() -> ProbedWorld:
    """Return a world on the bottom rung, beside a healthy Reverb."""
    world = ProbedWorld(msgspec.structs.replace(PROBED, payers_on_rung=10))
    world.wire()
    world.probe_isolation(IsolationOutcome.REFUSED)
    return world


def is_green(world: ProbedWorld) -> bool:
    """Return whether every signal without payers is good."""
    return all(world.state.indicators[name].bad_total == 0 for name in ("payments", "round_trips", "channel_auth"))


# fmt: off
FIFTHS = [
    # sources                              held rung, the gate,        its value,                                and what it needs
    (Sources(browsers=True,  backend=True),   0, "alarm",                 "user_auth, reach",                       "payers whose channel auth succeeded in a row to calm user_auth"),
    (Sources(browsers=True,  backend=False),  0, "alarm",                 "reach",                                  "payers' browsers that push reached in a row to calm reach"),
    (Sources(browsers=False, backend=True),   0, "alarm",                 "user_auth",                              "payers whose channel auth succeeded in a row to calm user_auth"),
    (Sources(browsers=False, backend=False),  2, "evidence_reach",        "0 good, 0 bad in epoch 1",               "a first report of payers' browsers that push reached: none has come yet"),
]
# fmt: on


@pytest.mark.parametrize(("sources", "rung", "name", "value", "needs"), FIFTHS)
def test_push_only_is_never_reached_and_a_gate_says_why(
    sources: Sources, rung: int, name: str, value: str, needs: str
) -> None:
    """For a day it does not climb, with each source of reports; without any, their absence is the reason."""
    world = wired()
    for _ in payers(world, sources, refused_every=5):
        assert world.mode() is not Mode.PUSH_ONLY
    assert is_green(world), "no other signal shows it"
    assert world.state.flag.rung == rung
    closed: dict[str, Gate] = {gate.name: gate for gate in gates(world.state) if not gate.passes}
    assert closed[name].value == value
    assert closed[name].needs.endswith(needs)


def test_the_same_days_without_a_refusal_end_on_push_only() -> None:
    """The refusals prevented the climb, not the number of payers. A vote is proof a day after it was cast."""
    world = wired()
    days = [payers(world, Sources(browsers=True, backend=True), refused_every=None) for _ in range(3)]
    for _ in itertools.chain(*days):
        if world.mode() is Mode.PUSH_ONLY:
            break
    assert world.mode() is Mode.PUSH_ONLY


def test_refusals_that_begin_on_a_push_rung_make_it_fall() -> None:
    """After a deploy that broke the callback for some, within a few dozen payers, by their browsers alone."""
    world = wired()
    for _ in payers(world, Sources(browsers=True, backend=False), refused_every=None):
        if world.state.flag.rung == 2:
            break
    assert world.mode() is Mode.PUSH_WITH_SAFETY_NET
    seen = 0
    for _ in payers(world, Sources(browsers=True, backend=False), refused_every=5):
        seen += 1
        if world.state.flag.rung == 0:
            break
    assert seen <= 100
    assert is_green(world)
    assert (world.state.flag.rung, world.mode()) == (0, Mode.TIMER_POLLING)
    assert world.state.moves[-1].detail == "alarm of reach"
