"""The release check over worlds that are folded record by record."""

import copy
import functools

import msgspec

from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.payer_coverage import forget_all
from sidecar.core.release.checks import Question
from sidecar.core.release.readiness import Answer, Readiness, readiness
from tests.core.probed import ProbedWorld, probed
from tests.core.world import HOUR, MINUTE, REACHED, SECOND, counted
from tests.release.test_readiness import LIVE, against

ASKED = Question(mode=Mode.PUSH_ONLY, for_ms=HOUR, environment="test", payments_min=50)


def pay(world: ProbedWorld, span_ms: int) -> None:
    """Add payers, one every half minute, whose browsers report that push reached them."""
    end_ms, rung = world.now_ms + span_ms, world.state.rung
    reported = msgspec.structs.replace(
        REACHED, mode=rung.mode if rung else Mode.TIMER_POLLING, version=world.state.flag.version
    )
    while world.now_ms < end_ms:
        user = f"u{world.now_ms}"
        world.authorise(user, UserAuth.OK)
        name = world.pay(user=user)
        world.ack(name)
        world.report(name, user, reported)
        world.wait(min(30 * SECOND, end_ms - world.now_ms))


@functools.cache
def _top() -> ProbedWorld:
    world = probed(2)
    world.approve(3)
    world.wait(5 * MINUTE)
    world.climb_to(3)
    counted(world.state.indicators["round_trips"], 500_000)  # as after a month; a deploy costs a few
    forget_all(world.state)  # nobody's browser reported the payments of the climb
    return world


def top() -> ProbedWorld:
    """Return a world that has just climbed to push only for everybody."""
    return copy.deepcopy(_top())


def verdict(world: ProbedWorld) -> Readiness:
    """Return the verdict."""
    return readiness(world.state, ASKED, LIVE)


def test_a_served_hour_is_a_yes_after_it_and_not_before() -> None:
    """Except for the 3.6 s that may be missing."""
    world = top()
    moved_ms = world.state.flag.since_ms
    pay(world, moved_ms + HOUR - 10 * SECOND - world.now_ms)
    early = verdict(world)
    assert against(early) == ["served"]
    assert early.again_ms == moved_ms + HOUR - HOUR // 1000
    world.wait(10 * SECOND)
    assert verdict(world).answer is Answer.YES


def test_after_an_outage_the_whole_period_is_needed_again() -> None:
    """Here the period is an hour."""
    world = top()
    pay(world, HOUR)
    world.bad(20, every_ms=6 * SECOND)
    found = verdict(world)
    assert world.state.flag.rung == 0
    assert {"falls", "now", "served"} <= set(against(found))
    fell_ms = next(mark.at_ms for mark in reversed(world.state.history.events) if mark.kind == "fell")
    assert {check.name: check.again_ms for check in found.checks}["falls"] == fell_ms + HOUR + 1


def test_a_deployment_of_reverb_is_a_suspension_and_no_fall() -> None:
    """Ten minutes are more than 1 % of an hour, and less than 1 % of a day."""
    world = top()
    pay(world, HOUR)
    world.fail()
    world.wait(20 * SECOND)
    world.recover()
    assert against(verdict(world)) == ["now", "alarm"]
    pay(world, 11 * MINUTE)
    found = verdict(world)
    assert against(found) == ["suspended"]
    days = readiness(world.state, msgspec.structs.replace(ASKED, for_ms=24 * HOUR), LIVE)
    assert "suspended" not in against(days)
    assert {check.name: check.value for check in found.checks}["suspensions"] == "1"


def test_a_stopped_sidecar_serves_nothing() -> None:
    """The time counts as not served."""
    world = top()
    pay(world, HOUR)
    world.sleep(5 * MINUTE)
    world.start()
    world.beat()
    found = verdict(world)
    assert {"now", "served"} <= set(against(found))
    value = {check.name: check.value for check in found.checks}["served"]
    assert value == "92.50 % of 1 h", "an hour less five minutes, and the lease of half a minute"
