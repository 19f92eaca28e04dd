"""How rows are read: from the state and from this process, at the moment when Prometheus asks."""

from collections.abc import Callable, Iterable

from sidecar.core import evidence
from sidecar.core import gates as core_gates
from sidecar.core.observations import FallCause
from sidecar.core.policy import Mode
from sidecar.core.state import State
from sidecar.core.streams import STREAMS, Stream, StreamRow, bank_of, clean_needed, proven_ratio
from sidecar.metrics.view import Samples, View


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
    causes = ("proven", "policy", *FallCause)
    known = {
        (before, after, cause) for before in Mode for after in Mode for cause in causes if may(before, after, cause)
    }
    moved = {tuple(key.split("/")): count for key, count in view.state.tally.moves.items()}
    return [(labels, moved.get(labels, 0)) for labels in sorted(known | set(moved))]


def may(before: Mode, after: Mode, cause: str) -> bool:
    """Say whether the flag can move so: only proof climbs, one rung; falls end at timers."""
    if cause == "proven":
        return before.rank <= after.rank <= before.rank + 1 and after is not Mode.TIMER_POLLING
    if cause == "policy":
        return after.rank <= before.rank and before is not Mode.TIMER_POLLING
    return after is Mode.TIMER_POLLING and before is not Mode.TIMER_POLLING


def timers(view: View) -> Samples:
    """Read whether timers would have worked."""
    counted = view.state.tally.timers
    return [
        ((worked, basis), counted.get(f"{worked}/{basis}", 0))
        for worked in ("true", "false")
        for basis in ("paid", "push")
    ]


def gates(view: View) -> Samples:
    """Read which gates of the next rung hold, or do not apply to it."""
    applying = {gate.name: gate.holds for gate in core_gates.gates(view.state)}
    return [((row.name,), float(applying.get(row.name, True))) for row in core_gates.GATES]


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
