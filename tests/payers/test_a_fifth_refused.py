"""403 for every fifth payer while everything that does not ask the auth endpoint as a payer is green.

The observer signs for itself, and the probe is one user who is let in: payments read 100 %, round trips and auth probes are
clean. Only payers can tell, by their browsers or by the backend's word of how it answered them.
"""

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
"""As many as are more than enough for the whole ladder where all are let in, which is shown too."""
_EVERY_S = 90


class Told(msgspec.Struct, frozen=True):
    """Who tells of payers."""

    browsers: bool
    backend: bool


def payers(world: ProbedWorld, told: Told, *, refused_every: int | None) -> Iterator[None]:
    """Let payers come; every so many is refused, follows timers, and is helped by one."""
    for number in range(PAYERS):
        user = f"u{number}"
        is_refused = refused_every is not None and number % refused_every == 0
        if told.backend:
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
        if told.browsers:
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
    """Say whether everything is well that no payer has a part in."""
    return all(world.state.indicators[name].bad_total == 0 for name in ("payments", "round_trips", "channel_auth"))


# fmt: off
FIFTHS = [
    # who tells                            held rung, the gate,        what it says,                             and what it needs
    (Told(browsers=True,  backend=True),   0, "alarm",                 "user_auth, reach",                       "payers whose channel auth succeeded in a row to calm user_auth"),
    (Told(browsers=True,  backend=False),  0, "alarm",                 "reach",                                  "payers' browsers that push reached in a row to calm reach"),
    (Told(browsers=False, backend=True),   0, "alarm",                 "user_auth",                              "payers whose channel auth succeeded in a row to calm user_auth"),
    (Told(browsers=False, backend=False),  2, "evidence_reach",        "0 good, 0 bad in epoch 1",               "a first report of payers' browsers that push reached: none has ever come"),
]
# fmt: on


@pytest.mark.parametrize(("told", "rung", "name", "value", "needs"), FIFTHS)
def test_push_only_is_never_reached_and_a_gate_says_why(
    told: Told, rung: int, name: str, value: str, needs: str
) -> None:
    """Through a day of it, whoever tells of payers; and where nobody does, that is the reason."""
    world = wired()
    for _ in payers(world, told, refused_every=5):
        assert world.mode() is not Mode.PUSH_ONLY
    assert is_green(world), "nothing else would have told"
    assert world.state.flag.rung == rung
    closed: dict[str, Gate] = {gate.name: gate for gate in gates(world.state) if not gate.passes}
    assert closed[name].value == value
    assert closed[name].needs.endswith(needs)


def test_the_same_day_without_a_refusal_ends_on_push_only() -> None:
    """So it was the refusals that kept it away, and not the number of payers."""
    world = wired()
    for _ in payers(world, Told(browsers=True, backend=True), refused_every=None):
        if world.mode() is Mode.PUSH_ONLY:
            break
    assert world.mode() is Mode.PUSH_ONLY


def test_refusals_that_begin_on_a_push_rung_make_it_fall() -> None:
    """After a deploy that broke the callback for some: a few dozen payers later, and by their browsers alone."""
    world = wired()
    for _ in payers(world, Told(browsers=True, backend=False), refused_every=None):
        if world.state.flag.rung == 2:
            break
    assert world.mode() is Mode.PUSH_WITH_SAFETY_NET
    seen = 0
    for _ in payers(world, Told(browsers=True, backend=False), refused_every=5):
        seen += 1
        if world.state.flag.rung == 0:
            break
    assert seen <= 100
    assert is_green(world)
    assert (world.state.flag.rung, world.mode()) == (0, Mode.TIMER_POLLING)
    assert world.state.moves[-1].detail == "alarm of reach"
