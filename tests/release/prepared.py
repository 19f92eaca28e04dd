"""States with a prepared past, so that no test has to wait for it."""

import random

import msgspec

from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Mode, Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.history import (
    HOUR_MS,
    ByOutcome,
    ByTimers,
    Condition,
    EventKind,
    Hour,
    Span,
    TimelineEvent,
    by_mode,
    spend,
)
from tests.core.golden import folded
from tests.core.probed import PROBED, ProbedWorld
from tests.core.world import DAY, HOUR, SECOND, START_MS, counted

NOW_MS = START_MS - START_MS % DAY + 60 * DAY + 9 * HOUR + 7 * SECOND
T, S, P = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY
EDGES_MS = [50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000]
POLICY = msgspec.structs.replace(PROBED, reliability_ppm=990_000, unacceptable_reliability_ppm=950_000)


class Past:
    """A state with days of history: `push_only` for everybody, except for what the test changes."""

    def __init__(
        self, policy: Policy = POLICY, *, served_ms: int = 14 * DAY, per_hour: int = 40, days: int = 16
    ) -> None:
        world = ProbedWorld(policy)
        world.wire()
        self.state = state = folded(world.records)
        state.now_ms = state.history.counted_ms = NOW_MS
        state.history.lease_until_ms = NOW_MS + policy.lease_ms
        state.visibility.suspension, state.visibility.needs_heartbeat = None, False
        state.visibility.round_trips_needed = state.visibility.auth_probes_needed = 0
        state.probing.round_trip_ms = state.probing.auth_probe_ms = state.visibility.seen_ms = NOW_MS
        state.history.since_ms = NOW_MS - 60 * DAY
        state.history.edges_ms = [EDGES_MS]
        state.flag.rung = len(policy.ladder) - 1
        state.flag.since_ms = NOW_MS - served_ms
        state.history.events = []
        state.history.spans = [
            Span(at_ms=state.history.since_ms, mode=S, for_all=S, condition=Condition.SERVING),
            Span(at_ms=NOW_MS - served_ms, mode=P, for_all=P, condition=Condition.SERVING),
        ]
        for name in ("payments", "round_trips", "channel_auth", "user_auth", "reach"):
            indicator = state.indicators[name]
            counted(indicator, 10_000)
            indicator.good_total = 10_000
            indicator.last_ms, indicator.epoch_began_ms = NOW_MS, state.history.since_ms
        for coverage in state.payer_coverage.values():
            for _ in range(200):
                coverage.add(is_judged=True, at_ms=NOW_MS)
        state.first_named_ack_ms = dict(state.first_ack_ms)
        self.mark(served_ms, EventKind.MOVED, "rung 2 → 3, push_only: proven, every gate passes")
        self.fill(days, per_hour)

    def interrupt(self, ago_ms: int, lasted_ms: int, condition: Condition, mode: Mode = T) -> None:
        """Add a span with another servable mode."""
        spans, at_ms = self.state.history.spans, NOW_MS - ago_ms
        before = next(span for span in reversed(spans) if span.at_ms <= at_ms)
        after = msgspec.structs.replace(before, at_ms=at_ms + lasted_ms)
        place = spans.index(before) + 1
        spans[place:place] = [Span(at_ms=at_ms, mode=mode, for_all=mode, condition=condition), after]
        if condition is Condition.REVERB_UNSTABLE:
            self.mark(ago_ms, EventKind.SUSPENSION_BEGAN, SuspensionReason.REVERB_UNSTABLE)
            self.mark(ago_ms - lasted_ms, EventKind.SUSPENSION_ENDED, SuspensionReason.REVERB_UNSTABLE)

    def fall(self, ago_ms: int, lasted_ms: int = 1) -> None:
        """Add a fall and the return after it."""
        self.interrupt(ago_ms, lasted_ms, Condition.SERVING)
        self.mark(ago_ms, EventKind.FELL, "rung 3 → 0, timer_polling: alarm, alarm of payments")

    def mark(self, ago_ms: int, kind: EventKind, detail: str) -> None:
        """Add an event."""
        events = self.state.history.events
        events.append(TimelineEvent(at_ms=NOW_MS - ago_ms, seq=len(events) + 1, kind=kind, detail=detail))
        events.sort(key=lambda mark: mark.at_ms)

    def release(self, ago_ms: int, name: str, payments_since: int) -> None:
        """Add a release, and payments that were judged since."""
        history = self.state.history
        history.release, history.release_ms = name, NOW_MS - ago_ms
        history.judged_before_release = self.state.indicators["payments"].good_total - payments_since
        self.mark(ago_ms, EventKind.RELEASE, name)

    def fill(self, days: int, per_hour: int, *, uncovered: int = 0, reported: bool = True) -> None:
        """Add payments to each hour of the last days, of which some are unmeasured."""
        randomness, last = random.Random(7), NOW_MS // HOUR_MS
        history = self.state.history
        history.hours = []
        for number in range(last - 24 * days, last + 1):
            hour = Hour(hour=number, succeeded=per_hour + uncovered)
            late = int(randomness.random() < 0.04)
            hour.outcomes = ByOutcome(on_time=per_hour - late, late=late, unmeasured=uncovered)
            hour.unmeasured = {"redelivered": uncovered} if uncovered else {}
            hour.latency = _latency(randomness, per_hour - late, late)
            hour.latency_sum_ms = 320 * per_hour
            hour.timers = ByTimers(worked_paid=per_hour - per_hour // 10, failed_paid=per_hour // 10)
            hour.reported = by_mode({Mode.PUSH_ONLY: per_hour // 2 if reported else 0})
            hour.refetches = by_mode({Mode.PUSH_ONLY: per_hour * 3 // 4 if reported else 0})
            hour.reach_good = per_hour // 2 if reported else 0
            hour.auth_probes_ok, hour.round_trips_ok = 60, 720
            spend(hour, history.spans[-1], HOUR_MS)
            history.hours.append(hour)
        history.present = history.hours.pop()
        history.began, history.counted_ms = Hour(hour=0), NOW_MS
        self._balance()

    def _balance(self) -> None:
        """Adjust the tally so that the present hour has its counts."""
        state, present = self.state, self.state.history.present
        tally = state.tally
        tally.succeeded = present.succeeded
        tally.outcomes = {Outcome(name): getattr(present.outcomes, name) for name in ByOutcome.__struct_fields__}
        tally.unmeasured = {Unmeasured(why): count for why, count in present.unmeasured.items()}
        tally.timers = {"true/paid": present.timers.worked_paid, "false/paid": present.timers.failed_paid}
        tally.latency.edges_ms, tally.latency.counts, tally.latency.sum_ms = EDGES_MS, list(present.latency), 0
        tally.reported = {mode: present.reported[mode.rank] for mode in Mode}
        tally.refetches = {mode: present.refetches[mode.rank] for mode in Mode}
        indicators = state.indicators
        began = state.history.began
        began.reach_good, began.reach_bad = indicators["reach"].good_total - present.reach_good, 0
        began.auth_probes_ok = indicators["channel_auth"].good_total - present.auth_probes_ok
        began.round_trips_ok = indicators["round_trips"].good_total - present.round_trips_ok


def _latency(randomness: random.Random, on_time: int, late: int) -> list[int]:
    counts = [0] * (len(EDGES_MS) + 1)
    for _ in range(on_time):
        took_ms = min(1999.0, randomness.lognormvariate(5.6, 0.5))
        counts[next(index for index, edge in enumerate(EDGES_MS) if took_ms < edge)] += 1
    counts[6] += late
    return counts
