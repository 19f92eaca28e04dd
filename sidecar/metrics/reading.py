"""How rows are read: from the state and from this process, at the moment when Prometheus asks."""

from collections.abc import Callable, Iterable

from sidecar.core import evidence
from sidecar.core import gates as core_gates
from sidecar.core.observations import FallCause
from sidecar.core.policy import Mode
from sidecar.core.state import State
from sidecar.core.streams import STREAMS, Stream, StreamRow, bank_of, clean_needed, proven_ratio
from sidecar.metrics.view import Samples, Sets, View

NAMES = tuple(row.name for row in STREAMS)
GATES = tuple(row.name for row in core_gates.GATES)


def plain(read: Callable[[View], float]) -> Callable[[View], Samples]:
    """Read one number, without labels."""
    return lambda view: [((), read(view))]


def counts(names: Iterable[str], read: Callable[[State], dict[str, int]]) -> Callable[[View], Samples]:
    """Read counts by name; every name of the closed set is there, from the first scrape."""
    names = tuple(names)
    return lambda view: [((name,), read(view.state).get(name, 0)) for name in names]


def by_stream(read: Callable[[State, Stream, StreamRow], float]) -> Callable[[View], Samples]:
    """Read a number of each stream; none before the first policy."""
    return lambda view: (
        [((row.name,), read(view.state, view.state.streams[row.name], row)) for row in STREAMS]
        if view.state.policy
        else []
    )


def moves(view: View) -> Samples:
    """Read the moves of the flag, with every move that can happen."""
    moved = view.state.tally.moves
    return [(move, moved.get("/".join(move), 0)) for move in MOVES]


def may(before: Mode, after: Mode, cause: str) -> bool:
    """Say whether the flag can move so: only proof climbs, one rung; falls end at timers."""
    if cause == "proven":
        return before.rank <= after.rank <= before.rank + 1 and after is not Mode.TIMER_POLLING
    if cause == "policy":
        return after.rank <= before.rank and before is not Mode.TIMER_POLLING
    return after is Mode.TIMER_POLLING and before is not Mode.TIMER_POLLING


CAUSES = ("proven", "policy", *(cause.value for cause in FallCause))
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


def gates(view: View) -> Samples:
    """Read which gates of the next rung hold, or do not apply to it."""
    applying = {gate.name: gate.holds for gate in core_gates.gates(view.state)}
    return [((name,), float(applying.get(name, True))) for name in GATES]


def bound(state: State, stream: Stream, _: StreamRow) -> float:
    """Read the reliability that the present epoch proves."""
    return proven_ratio(stream, state.policy) if state.policy else 0.0


def needed(state: State, stream: Stream, row: StreamRow) -> float:
    """Read how many outcomes without a failure would prove the target."""
    return clean_needed(stream, row, state.policy) if state.policy else 0.0


def alarm_level(state: State, stream: Stream, row: StreamRow) -> float:
    """Read the highest alarm CUSUM as a share of its threshold."""
    if state.policy is None:
        return 0.0
    cusums = bank_of(row, state.policy).alarms
    return max((level / cusum.threshold for cusum, level in zip(cusums, stream.levels, strict=False)), default=0.0)


def oldest_unmatched(view: View) -> float:
    """Return when the oldest payment arrived that still waits for its deciding ack; 0 where none does."""
    waiting = (
        journey.arrived_ms
        for journey in view.state.journeys.values()
        if journey.arrived_ms is not None and not journey.is_settled
    )
    return min(waiting, default=0) / 1000


def coverage(view: View) -> Samples:
    """Read which share of payments could be judged; nothing before the first."""
    share_ppm = view.state.coverage.share_ppm()
    return [] if share_ppm is None else [((), evidence.ratio(share_ppm))]


def routes(sets: Sets) -> tuple[str, ...]:
    """Return the routes of all listeners."""
    return tuple(dict.fromkeys(path for paths in sets.routes.values() for path in paths))
