"""How rows are read: from the state and from this process, at the moment when Prometheus asks."""

from collections.abc import Callable, Iterable

from sidecar.core.facts.observations import FallCause
from sidecar.core.facts.policy import Mode, Policy
from sidecar.core.fold.ladder import RETURNED
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import INDICATORS, Indicator, IndicatorRow
from sidecar.metrics.view import Samples, Sets, View

NAMES = tuple(row.name for row in INDICATORS)


def plain(read: Callable[[View], float]) -> Callable[[View], Samples]:
    """Read one number, without labels."""
    return lambda view: [((), read(view))]


def counts(names: Iterable[str], read: Callable[[State], dict[str, int]]) -> Callable[[View], Samples]:
    """Read counts by name; every name of the closed set is there, from the first scrape."""
    names = tuple(names)
    return lambda view: [((name,), read(view.state).get(name, 0)) for name in names]


def states(names: Iterable[str], present: str | None) -> Samples:
    """Read which of several states is the present one."""
    return [((str(name),), float(name == present)) for name in names]


def by_policy(read: Callable[[State, Policy], Samples]) -> Callable[[View], Samples]:
    """Read what depends on the policy in force; nothing before the first."""
    return lambda view: [] if view.state.policy is None else read(view.state, view.state.policy)


def by_indicator(read: Callable[[State, Policy, Indicator, IndicatorRow], float]) -> Callable[[View], Samples]:
    """Read a number of each indicator; none before the first policy."""
    return by_policy(
        lambda state, policy: [
            ((row.name,), read(state, policy, state.indicators[row.name], row)) for row in INDICATORS
        ]
    )


def moves(view: View) -> Samples:
    """Read the moves of the flag, with every move that can happen."""
    moved = view.state.tally.moves
    return [(move, moved.get("/".join(move), 0)) for move in MOVES]


def may(before: Mode, after: Mode, cause: str) -> bool:
    """Say whether the flag can move so: only proof climbs, one rung, and falls end at timers.

    Where the ladder is off, the flag returns to push with its safety net.
    """
    if cause == "proven":
        return before.rank <= after.rank <= before.rank + 1 and after is not Mode.TIMER_POLLING
    if cause == RETURNED:
        return (before, after) == (Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET)
    if cause == "policy":
        return after.rank <= before.rank and before is not Mode.TIMER_POLLING
    return after is Mode.TIMER_POLLING and before is not Mode.TIMER_POLLING


CAUSES = ("proven", RETURNED, "policy", *(cause.value for cause in FallCause))
MOVES = tuple(
    (before.value, after.value, cause)
    for before in Mode
    for after in Mode
    for cause in CAUSES
    if may(before, after, cause)
)
"""Every move that can happen: (from, to, cause)."""
WORKED = ("true", "false")
BASES = ("paid", "push")
"""What tells when a booking was paid: the backend, or a later stage in its place."""


def timers(view: View) -> Samples:
    """Read whether timers would have worked."""
    counted = view.state.tally.timers
    return [((worked, basis), counted.get(f"{worked}/{basis}", 0)) for worked in WORKED for basis in BASES]


def oldest_unmatched(view: View) -> float:
    """Return when the oldest payment arrived that still waits for its deciding ack; 0 where none does.

    Journeys stand in the order in which they were first heard of. So nobody after a payment that nothing was heard of
    before it arrived has arrived earlier.
    """
    oldest_ms = 0
    for journey in view.state.journeys.values():
        arrived_ms = journey.arrived_ms
        if journey.outcome is None and arrived_ms is not None and not journey.is_left_out:
            oldest_ms = min(oldest_ms or arrived_ms, arrived_ms)
            if all(heard_ms >= arrived_ms for heard_ms in (*journey.acks.values(), *journey.skips.values())):
                break
    return oldest_ms / 1000


def routes(sets: Sets) -> tuple[str, ...]:
    """Return the routes of all listeners."""
    return tuple(dict.fromkeys(path for paths in sets.routes.values() for path in paths))
