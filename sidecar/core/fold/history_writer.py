"""Write the history of each record, once it was folded and its conclusions are known."""

import copy

from sidecar.core.facts.observations import (
    AckReceived,
    FallCause,
    Heartbeat,
    Observation,
    Record,
)
from sidecar.core.facts.operator_actions import (
    Approved,
    EvidenceReset,
    Frozen,
    Held,
    Noted,
    Overridden,
    OverrideCleared,
    Resumed,
    RolledBack,
    Thawed,
)
from sidecar.core.facts.policy import PPM, Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.facts.windows import Replaced
from sidecar.core.fold.conclusions import (
    AlarmEnded,
    AlarmRaised,
    Conclusion,
    Conclusions,
    FlagMoved,
    PaymentSettled,
    PolicyChanged,
    SuspensionBegan,
    SuspensionEnded,
)
from sidecar.core.fold.history import (
    DETAIL_MAX,
    HOUR_MS,
    HOURS_MAX,
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
from sidecar.core.fold.judging import latency_edges_ms
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import CHANNEL_AUTH, PAYMENTS, REACH, ROUND_TRIPS

_CONDITIONS = {
    Reason.ALARM: Condition.ALARM,
    Reason.SUSPENDED: Condition.SUSPENDED,
    Reason.DRY_RUN: Condition.DRY_RUN,
}
_ACTIONS: dict[type[Observation], str] = {
    Held: "hold",
    Resumed: "resume",
    Approved: "approval",
    RolledBack: "rollback",
    EvidenceReset: "reset",
    Frozen: "freeze",
    Thawed: "thaw",
    Noted: "note",
    Overridden: "override",
    OverrideCleared: "clearing of an override",
}
_FALLS = frozenset(FallCause)


def hours(state: State) -> list[Hour]:
    """Return all hours, oldest first, the last of them the present one, up to the last record."""
    history = state.history
    if not history.spans:
        return []
    present = _with_counts(state, copy.deepcopy(history.present))
    span, until_ms = history.spans[-1], min(state.now_ms, history.lease_until_ms)
    if span.condition is not Condition.BLIND and until_ms > history.counted_ms:
        spend(present, span, until_ms - history.counted_ms)
    return [*history.hours, present]


def judged(state: State) -> int:
    """Return how many payments have ever been judged."""
    indicator = state.indicators[PAYMENTS]
    return indicator.good_total + indicator.bad_total


def write(state: State, policy: Policy, record: Record, out: Conclusions) -> None:
    """Note what a record, and what was concluded from it, changed."""
    history, fact = state.history, record.observation
    if not history.spans:
        _begin(state, policy)
    has_changed = False
    if isinstance(fact, Heartbeat):
        if state.now_ms > history.lease_until_ms:
            count(state, state.now_ms)
            history.blind()
        history.lease_until_ms = state.now_ms + policy.lease_ms
        has_changed = history.spans[-1].condition is Condition.BLIND
    elif isinstance(fact, AckReceived):
        if fact.release:
            state.history.add_release(fact.release, at_ms=state.now_ms, seq=state.seq, judged=judged(state))
    elif type(fact) in _ACTIONS:
        _note(state, fact)
    for conclusion in out:
        if not isinstance(conclusion, PaymentSettled):
            has_changed = _conclude(state, conclusion) or has_changed
    if has_changed:
        _change(state)


def count(state: State, until_ms: int) -> None:
    """Count the time under the present span, hour by hour, and close the hours that are over."""
    history = state.history
    if not history.spans:
        return
    span = history.spans[-1]
    while history.counted_ms < until_ms or until_ms >= history.ends_ms:
        to_ms = min(until_ms, history.ends_ms)
        seen_until_ms = min(to_ms, history.lease_until_ms)
        if span.condition is not Condition.BLIND and seen_until_ms > history.counted_ms:
            spend(history.present, span, seen_until_ms - history.counted_ms)
        history.counted_ms = to_ms
        if to_ms == history.ends_ms:
            is_blind = span.condition is Condition.BLIND or to_ms >= history.lease_until_ms
            _close(state, until_ms // HOUR_MS if is_blind else history.present.hour + 1)


def _begin(state: State, policy: Policy) -> None:
    """Begin the history here, blind until the first heartbeat."""
    history = state.history
    history.since_ms = history.counted_ms = history.lease_until_ms = state.now_ms
    history.present = Hour(hour=state.now_ms // HOUR_MS)
    history.ends_ms = (history.present.hour + 1) * HOUR_MS
    _know_edges(state, state.tally.latency.edges_ms)
    _know_edges(state, latency_edges_ms(policy))
    history.began = _totals(state, Hour(hour=0))
    history.blind()


def _close(state: State, next_hour: int) -> None:
    """End the hour and begin another; hours in between had no visibility and are not stored."""
    history = state.history
    closed = _with_counts(state, history.present)
    if closed != Hour(hour=closed.hour, edges=closed.edges):
        history.hours.append(closed)
    while history.hours and history.hours[0].hour <= next_hour - HOURS_MAX:
        del history.hours[0]
    history.began = _totals(state, Hour(hour=0))
    history.present = Hour(hour=next_hour)
    history.counted_ms = next_hour * HOUR_MS
    history.ends_ms = (next_hour + 1) * HOUR_MS


def _with_counts(state: State, hour: Hour) -> Hour:
    """Return an hour with what the tally has gained since the present one began."""
    return _totals(state, hour).gained(state.history.began)


def _totals(state: State, hour: Hour) -> Hour:
    """Copy the tally into an hour."""
    tally, indicators = state.tally, state.indicators
    hour.succeeded = tally.succeeded
    hour.outcomes = ByOutcome(**{outcome.value: number for outcome, number in tally.outcomes.items()})
    hour.unmeasured = {why.value: number for why, number in tally.unmeasured.items()}
    hour.contradicted = tally.contradicted
    hour.unaccounted = tally.unaccounted - tally.seen_late
    hour.edges = _edges(state)
    hour.latency, hour.latency_sum_ms = list(tally.latency.counts), tally.latency.sum_ms
    hour.timers = ByTimers(
        worked_paid=tally.timers.get("true/paid", 0),
        failed_paid=tally.timers.get("false/paid", 0),
        worked_push=tally.timers.get("true/push", 0),
        failed_push=tally.timers.get("false/push", 0),
    )
    hour.reported = by_mode(tally.reported)
    hour.refetches = by_mode(tally.refetches)
    hour.reach_good, hour.reach_bad = indicators[REACH].good_total, indicators[REACH].bad_total
    hour.rescued = tally.rescued
    hour.auth_probes_ok, hour.auth_probes_bad = indicators[CHANNEL_AUTH].good_total, indicators[CHANNEL_AUTH].bad_total
    hour.round_trips_ok, hour.round_trips_bad = indicators[ROUND_TRIPS].good_total, indicators[ROUND_TRIPS].bad_total
    return hour


def _edges(state: State) -> int:
    known, edges_ms = state.history.edges_ms, state.tally.latency.edges_ms
    return known.index(edges_ms) if edges_ms else 0


def _know_edges(state: State, edges_ms: list[int]) -> None:
    if edges_ms and edges_ms not in state.history.edges_ms:
        state.history.edges_ms.append(edges_ms)


def _change(state: State) -> None:
    """Note what is servable from here on."""
    history, now_ms = state.history, state.now_ms
    if history.unstable_since_ms and state.flag.suspension is None:  # it ended, or a fall ended it
        history.unstable_since_ms = 0
        _add_event(state, EventKind.SUSPENSION_ENDED, SuspensionReason.REVERB_UNSTABLE)
    count(state, now_ms)
    if now_ms >= history.lease_until_ms:
        history.blind()
        return
    for_every_share = served(state, 0)
    history.change(
        Span(
            at_ms=now_ms,
            mode=for_every_share.mode,
            for_all=served(state, PPM - 1).mode,
            condition=_condition(for_every_share),
        )
    )


def _note(state: State, fact: Observation) -> None:
    """Note what a person did."""
    match fact:
        case Resumed(hold=int(hold)):
            _add_event(state, EventKind.ACTION, f"resume of hold {hold} by {fact.actor}: {fact.reason}")
        case Overridden():
            detail = f"override of {fact.user_ref[:8]} by {fact.actor}, {fact.mode}: {fact.reason}"
            _add_event(state, EventKind.ACTION, detail)
        case Held() | Resumed() | Approved() | RolledBack() | EvidenceReset() | OverrideCleared():
            _add_event(state, EventKind.ACTION, f"{_ACTIONS[type(fact)]} by {fact.actor}: {fact.reason}")
        case Frozen(replaced=Replaced() as replaced):
            detail = f"freeze {fact.name} by {fact.actor}, in place of that of {replaced.actor}: {fact.reason}"
            _add_event(state, EventKind.ACTION, detail)
        case Frozen() | Thawed():
            _add_event(state, EventKind.ACTION, f"{_ACTIONS[type(fact)]} {fact.name} by {fact.actor}: {fact.reason}")
        case Noted():
            _add_event(state, EventKind.ACTION, f"note by {fact.actor}: {fact.text}")
            if fact.release:
                state.history.note_release(fact.release, at_ms=state.now_ms, seq=state.seq, judged=judged(state))
        case _:
            pass


def _conclude(state: State, conclusion: Conclusion) -> bool:
    """Take what was concluded; return whether something else may be servable now."""
    match conclusion:
        case FlagMoved():
            _moved(state, conclusion)
        case AlarmRaised():
            _add_event(state, EventKind.ALARM_RAISED, conclusion.indicator)
        case AlarmEnded():
            _add_event(state, EventKind.ALARM_ENDED, conclusion.indicator)
        case SuspensionBegan():
            _suspended(state, conclusion)
        case SuspensionEnded(reason=SuspensionReason.REVERB_UNSTABLE):
            pass  # `_change` notes it, as it notes one that a fall ended
        case SuspensionEnded():
            _add_event(state, EventKind.SUSPENSION_ENDED, conclusion.reason)
        case PolicyChanged():
            _adopted(state, conclusion)
        case _:
            return False
    return True


def _suspended(state: State, began: SuspensionBegan) -> None:
    if began.reason is SuspensionReason.REVERB_UNSTABLE and state.flag.suspension is not None:
        count(state, state.now_ms)
        state.history.suspend(state.flag.suspension.began_ms)
    _add_event(state, EventKind.SUSPENSION_BEGAN, began.reason)


def _condition(served: Served) -> Condition:
    if served.suspension is SuspensionReason.REVERB_UNSTABLE:
        return Condition.REVERB_UNSTABLE
    return _CONDITIONS.get(served.reason, Condition.SERVING)


def _adopted(state: State, changed: PolicyChanged) -> None:
    if state.policy is not None:
        _know_edges(state, latency_edges_ms(state.policy))
    detail = f"{changed.policy_hash[:12]} by {changed.actor}: {changed.reason}"
    if changed.changed:
        detail = f"{detail} (an outcome means something else: {', '.join(changed.changed)})"
    _add_event(state, EventKind.POLICY, detail)


def _moved(state: State, moved: FlagMoved) -> None:
    share = "" if moved.share_ppm == PPM else f" for {100 * moved.share_ppm / PPM:g} %"
    detail = f"rung {moved.from_rung} → {moved.to_rung}, {moved.to_mode}{share}: {moved.cause}, {moved.detail}"
    _add_event(state, EventKind.FELL if moved.cause in _FALLS else EventKind.MOVED, detail)


def _add_event(state: State, kind: EventKind, detail: str) -> None:
    state.history.event(TimelineEvent(at_ms=state.now_ms, seq=state.seq, kind=kind, detail=detail[:DETAIL_MAX]))
