"""Decide from the state alone: stay, climb, fall, or begin a new epoch. The controller appends the decision."""

import enum
from typing import assert_never

import msgspec

from sidecar.core.decision.gates import first_closed, gates
from sidecar.core.facts.gate_readings import GateReading
from sidecar.core.facts.observations import (
    Climbed,
    Decision,
    EpochRenewed,
    FallCause,
    Fell,
)
from sidecar.core.facts.policy import PPM, Lifecycle, Policy
from sidecar.core.fold import suspension
from sidecar.core.fold.ladder import RETURNED
from sidecar.core.fold.state import State
from sidecar.core.fold.suspension import Answer
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import (
    INDICATORS,
    PAYMENTS,
    Indicator,
    IndicatorRow,
    bar_of,
    can_begin,
    coming_bar_of,
    is_dormant,
    log_capital,
    worst_case_ratio,
)

_RENEW_AFTER_MS = 7 * 24 * 3_600_000


class Action(enum.StrEnum):
    """What to do."""

    STAY = "stay"
    CLIMB = "climb"
    FALL = "fall"
    RENEW = "renew"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `decide`."""

    action: Action
    reason: str
    """`no_policy`, `blind`, `alarm`, `attribution`, `suspension`, `renew`, `top`, `proven`, `returned`, or the
    name of the first gate that does not pass."""
    decision: Decision | None = None
    """What to append to the journal; None: nothing."""


def decide(state: State, replica: str) -> Verdict:
    """Return the next action for the flag, and the decision to append. Safer actions take precedence."""
    policy, flag = state.policy, state.flag
    if policy is None:
        return Verdict(action=Action.STAY, reason="no_policy")
    if state.visibility.is_fall_due:
        return _fall(state, replica, FallCause.BLIND, "a visibility gap of over 24 hours")
    latched = [row.name for row in INDICATORS if state.indicators[row.name].is_latched]
    if latched and flag.rung > 0:
        return _answered(state, policy, replica, f"alarm of {', '.join(latched)}")
    renewed = _renewed(state, policy, replica)
    if renewed is not None:
        return Verdict(action=Action.RENEW, reason="renew", decision=renewed)
    if state.next_rung is None:
        return Verdict(action=Action.STAY, reason="top")
    closed = first_closed(state)
    if closed is not None:
        return Verdict(action=Action.STAY, reason=closed.name)
    readings = tuple(
        GateReading(name=gate.name, value=gate.value, target=gate.target, passes=gate.passes) for gate in gates(state)
    )
    climb = Climbed(
        replica=replica,
        to_rung=flag.rung + 1,
        version=flag.version,
        guard_version=flag.guard_version,
        gates=readings,
    )
    reason = RETURNED if policy.lifecycle is Lifecycle.REMOVED else "proven"
    return Verdict(action=Action.CLIMB, reason=reason, decision=climb)


def _answered(state: State, policy: Policy, replica: str, alarm: str) -> Verdict:
    """Answer an alarm on a push rung."""
    match suspension.answer(state, policy):
        case Answer.FALL:
            return _fall(state, replica, FallCause.ALARM, alarm)
        case Answer.TOO_MANY:
            return _fall(state, replica, FallCause.SUSPENSION, f"the third suspension in 24 hours: {alarm}")
        case Answer.TOO_LONG:
            return _fall(state, replica, FallCause.SUSPENSION, f"a suspension of over 30 minutes: {alarm}")
        case Answer.NONE | Answer.WAIT | Answer.SUSPEND as waiting:
            return Verdict(action=Action.STAY, reason="suspension" if waiting is Answer.SUSPEND else "attribution")
        case never:
            assert_never(never)


def _fall(state: State, replica: str, cause: FallCause, detail: str) -> Verdict:
    fell = Fell(replica=replica, version=state.flag.version, cause=cause, detail=detail)
    return Verdict(action=Action.FALL, reason=cause, decision=fell)


def _renewed(state: State, policy: Policy, replica: str) -> EpochRenewed | None:
    """Return a new epoch for an indicator that would be proven sooner with it; None: there is none."""
    for row in INDICATORS:
        indicator = state.indicators[row.name]
        is_old = indicator.epoch_began_ms and state.now_ms - indicator.epoch_began_ms >= _RENEW_AFTER_MS
        is_running = not indicator.awaits_epoch and not is_dormant(row, policy)
        is_bottom = state.flag.rung == 0
        if (
            is_old
            and is_running
            and can_begin(indicator, row, policy)
            and (
                (is_bottom and _proves_sooner_anew(indicator, row, policy))
                or _is_clearer_anew(state, indicator, row, policy)
            )
        ):
            return EpochRenewed(
                replica=replica,
                indicator=row.name,
                epoch=indicator.epoch + 1,
                guard_version=state.flag.guard_version,
            )
    return None


def _proves_sooner_anew(indicator: Indicator, row: IndicatorRow, policy: Policy) -> bool:
    """Return whether the capital lacks more to its bar than a new epoch's, which begins with 1, to the next bar."""
    lacks = bar_of(indicator, policy) - log_capital(indicator, row, policy)
    return lacks > coming_bar_of(indicator, policy, is_next=True)


def _is_clearer_anew(state: State, indicator: Indicator, row: IndicatorRow, policy: Policy) -> bool:
    """Return whether the worst case would still be too low after the clean payments that prove a new epoch.

    What was doubtful lasts as long as the epoch: a bad week would keep a shop that is well from climbing for months. As
    long as coverage is too low to climb, a new epoch would not help; at the top it would only discard the proof, which
    the release gate asks for.
    """
    judged, total = state.coverage.counts()
    if state.next_rung is None:
        return False
    if row.name != PAYMENTS or not indicator.doubtful or judged * PPM < policy.coverage_ppm * total:
        return False
    more = evidence.clean_needed([], row.p0_ppm(policy), coming_bar_of(indicator, policy, is_next=True))
    later = msgspec.structs.replace(indicator, good=indicator.good + more)
    return worst_case_ratio(later, row, policy) < evidence.ratio(policy.unacceptable_reliability_ppm)
