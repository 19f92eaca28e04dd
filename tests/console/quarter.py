"""A world at the top of the ladder with ninety days of generated history, the same on every machine."""

import random

from sidecar.core.facts.policy import Mode
from sidecar.core.fold.history import HOUR_MS, ByOutcome, Condition, EventKind, Hour, Span, TimelineEvent, by_mode
from sidecar.core.fold.judging import latency_edges_ms
from sidecar.core.fold.state import MOVES_MAX, Move
from tests.core.reporting import top
from tests.core.world import DAY, HOUR, MINUTE, World

_DAYS = 90
_T, _S, _P = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY
_CLIMBS = (
    (0.0, _T, _T, 0),
    (4.0, _S, _T, 1),
    (7.5, _S, _S, 2),
    (21.0, _P, _P, 3),
    (33.2, _T, _T, 0),
    (41.0, _S, _T, 1),
)
_LATER = ((44.0, _S, _S, 2), (52.0, _P, _P, 3))
"""Days, what was served to all shares and to none, and the rung."""


def quarter() -> World:
    """Return a world at `push_only` with ninety days of history: climbs, a fall, deployments and suspensions."""
    world = top()
    world.wait(MINUTE)
    state, randomness = world.state, random.Random(7)
    assert state.policy is not None
    history, now_ms = state.history, state.now_ms
    began_ms = now_ms - _DAYS * DAY
    history.edges_ms = [latency_edges_ms(state.policy)]
    history.hours = [
        _hour(began_ms // HOUR_MS + number, randomness, len(history.edges_ms[0]) + 1) for number in range(_DAYS * 24)
    ]
    history.since_ms = began_ms
    history.events, history.spans, state.moves = [], [], []
    rung = 0
    for number, (day, mode, for_all, to_rung) in enumerate((*_CLIMBS, *_LATER), start=1):
        at_ms = began_ms + int(day * DAY)
        history.spans.append(Span(at_ms=at_ms, mode=mode, for_all=for_all, condition=Condition.SERVING))
        if number == 1:
            continue
        kind, cause = (EventKind.MOVED, "climb") if to_rung else (EventKind.FELL, "alarm")
        detail = "every gate passes" if to_rung else "alarm of payments"
        history.events.append(TimelineEvent(at_ms=at_ms, seq=number, kind=kind, detail=detail))
        move = Move(at_ms=at_ms, seq=number, from_rung=rung, to_rung=to_rung, cause=cause, detail=detail)
        state.moves.append(move)
        rung = to_rung
    for week in range(12):
        _week(world, began_ms + week * 7 * DAY + 9 * HOUR, week)
    history.spans.sort(key=lambda span: span.at_ms)
    history.events.sort(key=lambda mark: mark.at_ms)
    state.moves = state.moves[-MOVES_MAX:]
    state.flag.since_ms = began_ms + 52 * DAY
    return world


def _week(world: World, at_ms: int, week: int) -> None:
    """Add a release, and in every third week an unstable Reverb."""
    history = world.state.history
    history.events.append(TimelineEvent(at_ms=at_ms, seq=100 + week, kind=EventKind.RELEASE, detail=f"2027.{week}"))
    if week % 3:
        return
    before = [span for span in history.spans if span.at_ms <= at_ms and span.condition is Condition.SERVING]
    under = max(before, key=lambda span: span.at_ms)
    history.events.append(
        TimelineEvent(at_ms=at_ms + 90_000, seq=200 + week, kind=EventKind.SUSPENSION_BEGAN, detail="round trips")
    )
    condition = Condition.SUSPENDED if week == 6 else Condition.REVERB_UNSTABLE
    history.spans.append(Span(at_ms=at_ms + 90_000, mode=_T, for_all=_T, condition=condition))
    back = Span(at_ms=at_ms + 13 * MINUTE, mode=under.mode, for_all=under.for_all, condition=Condition.SERVING)
    history.spans.append(back)


def _hour(number: int, randomness: random.Random, buckets: int) -> Hour:
    """Return an hour of a school's bookings: many in the evening, few at night."""
    clock, day = number % 24, number // 24 % _DAYS
    busy = (0, 0, 0, 0, 0, 0, 1, 3, 4, 4, 3, 3, 5, 4, 3, 4, 5, 6, 8, 9, 7, 4, 2, 1)[clock]
    count = sum(randomness.random() < 0.5 for _ in range(2 * busy)) * (2 if day % 7 == 3 else 1)
    missed = count if day == 33 and clock == 4 else sum(randomness.random() < 0.004 for _ in range(count))
    late = sum(randomness.random() < 0.006 for _ in range(count - missed))
    unmeasured = sum(randomness.random() < 0.01 for _ in range(count - missed - late))
    on_time = count - missed - late - unmeasured
    latency = [0] * buckets
    for _ in range(on_time):
        latency[min(buckets - 3, randomness.choice((1, 1, 2, 2, 2, 2, 3, 4)))] += 1
    latency[-2] += late
    return Hour(
        hour=number,
        succeeded=count,
        outcomes=ByOutcome(on_time=on_time, late=late, missed=missed, unmeasured=unmeasured),
        latency=latency if any(latency) else [],
        seen_ms=HOUR_MS,
        reported=by_mode({Mode.PUSH_ONLY: count}),
        served_ms=by_mode({Mode.PUSH_ONLY: HOUR_MS}),
    )
