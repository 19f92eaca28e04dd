"""The states of the console: a world, the answer of a replica in it, and what the page must contain."""

from collections.abc import Callable

import msgspec

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.observations import BrowserReported, Heartbeat
from sidecar.core.facts.operator_actions import Frozen, Held
from sidecar.core.facts.policy import LADDER_OFF, Lifecycle, Mode, Rung
from sidecar.core.facts.reports import ClearedBy, Family, Flow
from sidecar.core.facts.windows import Once
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.core.fold.state import State
from tests.console.quarter import quarter
from tests.core.probed import ProbedWorld, probed
from tests.core.reporting import served as read_as_served
from tests.core.reporting import top as on_top
from tests.core.world import DAY, HOUR, MINUTE, REFUSED, SECOND, World, on


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One state."""

    name: str
    world: Callable[[], World]
    headline: str
    answer: str
    why: str
    """A part of the reason of what is served."""
    serves: Callable[[State], Served] = lambda state: served(state, 0)


_LADDER = (
    Rung(mode=Mode.TIMER_POLLING, soak_ms=3 * DAY),
    Rung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=100_000, soak_ms=DAY),
    Rung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=2 * DAY),
    Rung(mode=Mode.PUSH_ONLY, approval_required=True),
)
"""As in `sidecar/config/sidecar.yaml`."""


def _not_wired() -> World:
    world = World()
    world.pay()
    world.wait(MINUTE)
    return world


def _at_first() -> World:
    """Wired an hour ago, with Reverb that works, and much to be proven yet."""
    world = ProbedWorld()
    world.change(ladder=_LADDER)
    world.wire()
    world.probe_isolation(IsolationOutcome.REFUSED)
    world.good(30, every_ms=20 * SECOND)
    world.bad()
    world.authorise("u1", UserAuth.OK)
    world.authorise("u2", UserAuth.GUEST)
    world.good(10, every_ms=20 * SECOND)
    return world


def _climbing() -> World:
    world = probed(1)
    _report(world, 40)
    world.change(ladder=_LADDER)
    world.wait(2 * MINUTE)
    return world


def _report(world: World, payers: int) -> None:
    """Add reports of payers' browsers, of every flow and several families."""
    families = (Family.CHROME, Family.SAFARI, Family.SAFARI, Family.FIREFOX)
    for number in range(payers):
        name, user = world.pay(user=f"payer-{number}"), f"payer-{number}"
        world.now_ms += 300
        world.ack(name)
        reading = read_as_served(world, flow=Flow.REDIRECT if number % 3 == 0 else Flow.IN_PAGE)
        if number % 3 == 0:
            reading = msgspec.structs.replace(reading, cleared_by=ClearedBy.FIRST, pushed_ms=None, cleared_ms=150)
        if number == 17:
            reading = msgspec.structs.replace(REFUSED, mode=reading.mode, version=reading.version)
        family = families[number % len(families)]
        world.see(BrowserReported(payment_intent=name, user_ref=user, browser=family, reading=reading))
        world.wait(2700)


def _held() -> World:
    world = probed(1)
    world.see(Held(actor="ann", reason="the term starts on Monday"))
    world.wait(MINUTE)
    return world


def _awaiting() -> World:
    world = probed(2)
    world.change(payers_on_rung=0)
    world.prove()
    world.good(5)
    world.wait(2 * MINUTE)
    return world


def _frozen() -> World:
    world = probed(1)
    window = Once(from_ms=world.now_ms, until_ms=world.now_ms + 3 * DAY)
    world.see(Frozen(actor="ann", reason="enrolment", name="term-start", window=window, expires_ms=window.until_ms))
    world.wait(MINUTE)
    return world


def _removed() -> World:
    world = on_top()
    world.change(lifecycle=Lifecycle.REMOVED, ladder=LADDER_OFF)
    world.wait(HOUR)
    return world


def _unstable() -> World:
    world = probed(2)
    world.round_trip, world.auth_probe = RoundTripOutcome.LOST, AuthProbeOutcome.REFUSED_403
    world.wait(MINUTE)
    return world


def _fallen() -> World:
    world = on(2)
    world.outage()
    world.wait(5 * MINUTE)
    return world


def _source_down() -> World:
    world = on(2)
    world.wait(MINUTE)
    for _ in range(10):
        world.now_ms += 5 * SECOND
        world.see(Heartbeat(replica="a", beat=len(world.records), silent_sources=("ack_stream",)))
    return world


def _blind() -> World:
    world = on(2)
    world.wait(MINUTE)
    return world


def _dry_run() -> World:
    world = on(1)
    world.change(dry_run=True)
    world.wait(MINUTE)
    return world


def _alarmed() -> World:
    world = probed(0)
    world.auth_probe = AuthProbeOutcome.SIGNED_WITH_OTHER_SECRET
    world.probe_isolation(IsolationOutcome.ALLOWED)
    world.wait(10 * MINUTE)
    return world


def _top() -> World:
    world = on_top()
    _report(world, 60)
    world.wait(2 * HOUR)
    return world


CASES = (
    Case(name="not wired", world=_not_wired, headline="Timers", answer="Cannot know", why="Not wired"),
    Case(name="at first", world=_at_first, headline="Timers", answer="Cannot know", why="not proven yet"),
    Case(name="climbing", world=_climbing, headline="Push with a safety net", answer="Not yet", why="Rung 1"),
    Case(name="held", world=_held, headline="Push with a safety net", answer="Cannot know", why="Rung 1"),
    Case(
        name="awaiting approval", world=_awaiting, headline="Push with a safety net", answer="Cannot know", why="Rung 2"
    ),
    Case(name="Reverb unstable", world=_unstable, headline="Timers", answer="No", why="Suspended"),
    Case(name="alarmed", world=_alarmed, headline="Timers", answer="No", why="Alarm"),
    Case(name="fallen", world=_fallen, headline="Timers", answer="No", why="Fell from rung 2"),
    Case(name="source down", world=_source_down, headline="Timers", answer="Cannot know", why="has not answered"),
    Case(
        name="blind",
        world=_blind,
        headline="Timers",
        answer="Cannot know",
        why="not recently proven",
        serves=lambda _: Served(mode=Mode.TIMER_POLLING, reason=Reason.NO_LEASE),
    ),
    Case(name="dry run", world=_dry_run, headline="Timers", answer="Cannot know", why="Dry run"),
    Case(name="frozen", world=_frozen, headline="Push with a safety net", answer="Cannot know", why="Rung 1"),
    Case(
        name="removed",
        world=_removed,
        headline="Push with a safety net",
        answer="They are removed",
        why="The ladder is off",
    ),
    Case(name="top", world=_top, headline="Push only", answer="Not yet", why="top of the ladder"),
    Case(name="90 days", world=quarter, headline="Push only", answer="Yes", why="top of the ladder"),
)
"""The states, in the order in which a flag passes through them."""
