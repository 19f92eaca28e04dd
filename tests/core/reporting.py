"""Worlds in which payers' browsers tell: what they tell, and a world that holds `push_only`."""

import copy
import functools

import msgspec

from sidecar.core.facts.reports import ClearedBy, Reading, Subscription
from sidecar.core.fold.state import State
from sidecar.core.fold.votes import day_of
from sidecar.core.statistics.indicators import REACH
from tests.core.probed import ProbedWorld, probed
from tests.core.world import MINUTE, REACHED, REFUSED, SECOND, World


def reading(
    subscribed: int | None, pushed: int | None, cleared: int | None, by: ClearedBy | None, watched: int
) -> Reading:
    """Return what a browser measured."""
    return msgspec.structs.replace(
        REACHED,
        subscription=Subscription.SILENT if subscribed is None else Subscription.CONFIRMED,
        subscribed_ms=subscribed,
        pushed_ms=pushed,
        cleared_ms=cleared,
        cleared_by=by,
        watched_ms=watched,
    )


def tell(world: World, user: str, reported: Reading = REACHED) -> None:
    """Make a user pay, be broadcast to, and their browser tell of it."""
    name = world.pay(user=user)
    world.ack(name)
    world.report(name, user, reported)


def counts(state: State, name: str = REACH) -> tuple[int, int]:
    """Return the good and the bad votes of this epoch, counted already or of a day that is open."""
    indicator, days = state.indicators[name], [day_of(payer, name) for payer in state.payers.values()]
    opened = [day.is_bad for day in days if day is not None]
    return indicator.good + opened.count(False), indicator.bad + opened.count(True)


def outcomes(state: State) -> dict[str, int]:
    """Return what became of all reports."""
    return {outcome.value: count for outcome, count in state.tally.reports.items()}


def served(world: World, **keys: object) -> Reading:
    """Return a reading of a payer who was served what is held."""
    rung = world.state.rung
    assert rung is not None
    return msgspec.structs.replace(REACHED, mode=rung.mode, version=world.state.flag.version, **keys)


@functools.cache
def _top() -> ProbedWorld:
    world = probed(2)
    world.change(payers_on_rung=0)
    world.prove()
    world.approve(3, world.state.indicators["payments"].epoch)
    world.good(5)
    world.wait(2 * MINUTE)
    assert world.state.flag.rung == 3
    return world


def top() -> ProbedWorld:
    """Return a world that holds `push_only`, beside a healthy Reverb."""
    return copy.deepcopy(_top())


def report_bad(world: World, user: str, times: int = 1) -> None:
    """Make a user's browser say that push did not reach it, once per payment."""
    for _ in range(times):
        tell(world, user, REFUSED)
        world.wait(1 * SECOND)
