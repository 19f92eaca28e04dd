"""state = fold(state, record): the only way in which the state changes.

The same journal gives the same state, on every replica and in every replay. The state is advanced in place, because
a copy would cost more than the fold; nothing else is modified, and only the record's stamp defines the time.
"""

from typing import assert_never

from sidecar.core.facts.chain import is_chained, link
from sidecar.core.facts.meaning import carried, changed_keys, why_not_here
from sidecar.core.facts.observations import (
    AckReceived,
    AcksLost,
    BrowserReported,
    ChannelAuthProbed,
    Checkpoint,
    Climbed,
    ClockJumped,
    EpochRenewed,
    Fell,
    Heartbeat,
    IsolationProbed,
    NotificationClaimed,
    ObserverChanged,
    PaymentIgnored,
    PaymentSucceeded,
    PolicyAdopted,
    Record,
    RoundTripEnded,
    Started,
    UserAuthReported,
    WatchChanged,
)
from sidecar.core.facts.operator_actions import (
    Approved,
    EvidenceReset,
    Frozen,
    Held,
    Noted,
    OperatorAction,
    Overridden,
    OverrideCleared,
    Resumed,
    RolledBack,
    Thawed,
)
from sidecar.core.facts.outcomes import Unmeasured
from sidecar.core.facts.policy import Policy
from sidecar.core.fold import (
    freezes,
    history_writer,
    holds,
    journeys,
    ladder,
    lifecycle,
    overrides,
    payer_coverage,
    payers,
    probing,
    stripe_clock,
    suspension,
    visibility,
    votes,
)
from sidecar.core.fold.conclusions import (
    AlarmEnded,
    AlarmRaised,
    Conclusion,
    PolicyChanged,
    PolicyRefused,
    SuspensionBegan,
    SuspensionEnded,
)
from sidecar.core.fold.state import State


def fold(state: State, record: Record) -> list[Conclusion]:
    """Advance the state by one record and return what was concluded. A record that was folded before is ignored."""
    if record.seq <= state.seq:
        return []
    out: list[Conclusion] = []
    if is_chained(record.observation):
        state.chain = link(state.chain, record)
    policy = state.policy
    if policy is None:
        _await_policy(state, record, out)
        return out
    if record.at_ms >= state.history.ends_ms:  # what the record counts belongs to the new hour
        history_writer.count(state, record.at_ms)
    alarmed = _alarmed(state)
    _advance(state, policy, record, out, is_visible=state.visibility.suspension is None and not alarmed)
    _apply(state, policy, record, out)
    suspension.settle(state, state.policy or policy, out)
    _conclude_changes(state, alarmed, out)
    history_writer.write(state, state.policy or policy, record, out)
    return out


def next_deadline(state: State) -> int | None:
    """Return when elapsed time alone next changes something, in Unix milliseconds; None: never.

    A heartbeat at or after it triggers what is due.
    """
    policy, flag = state.policy, state.flag
    if policy is None:
        return None
    times = [state.agenda[0][0]] if state.agenda else []
    if state.awaiting:  # they wait for a heartbeat and nothing else
        times.append(state.now_ms)
    suspension_ms = suspension.next_ms(state, policy)
    times.extend([suspension_ms] if suspension_ms is not None and suspension_ms > state.now_ms else [])
    ends_ms = (freezes.next_ms(state), overrides.next_ms(state))
    times.extend(at_ms for at_ms in ends_ms if at_ms is not None)
    times.extend(at_ms for at_ms in (flag.cooldown_until_ms, state.visibility.recover_until_ms) if at_ms > state.now_ms)
    to_soak_ms = policy.ladder[flag.rung].soak_ms - flag.soaked_ms
    is_soaking = state.visibility.suspension is None and not _alarmed(state)
    if to_soak_ms > 0 and state.next_rung is not None and is_soaking:
        times.append(state.now_ms + to_soak_ms)
    return min(times, default=None)


def _await_policy(state: State, record: Record, out: list[Conclusion]) -> None:
    """Before the first policy nothing means anything but the first policy."""
    state.seq, state.now_ms = record.seq, max(state.now_ms, record.at_ms)
    if isinstance(record.observation, PolicyAdopted) and _adopt(state, record.observation, out):
        state.flag.since_ms = state.visibility.seen_ms = state.checkpointed_ms = state.now_ms
        state.visibility.suspended_from_ms = state.now_ms
        history_writer.write(state, record.observation.policy, record, out)


def _alarmed(state: State) -> list[str]:
    return [name for name, indicator in state.indicators.items() if indicator.is_latched]


def _advance(state: State, policy: Policy, record: Record, out: list[Conclusion], *, is_visible: bool) -> None:
    before_ms = state.now_ms
    state.seq, state.now_ms = record.seq, max(before_ms, record.at_ms)
    elapsed_ms = state.now_ms - before_ms
    is_start = isinstance(record.observation, Started)
    if is_start or elapsed_ms > policy.lease_ms:
        journeys.blinded(state, Unmeasured.STOPPED if is_start else Unmeasured.CUT_OFF, out)
        visibility.lose(state, policy, elapsed_ms + _hidden_ms(state, record))
        visibility.away(state, before_ms)
    journeys.due(state, policy, out)
    suspension.attribute(state, policy)
    payers.due(state, policy)
    if state.coverage.forget(state.now_ms):
        state.flag.guard_version += 1
    payer_coverage.forget(state)
    freezes.advance(state, before_ms)
    overrides.advance(state)
    was_visible = is_visible and not isinstance(record.observation, Started | ClockJumped)
    ladder.advance(state, policy, elapsed_ms, out, was_visible=was_visible)


def _hidden_ms(state: State, record: Record) -> int:
    """Return how much of a stop the stamps do not show.

    While the journal's clock is ahead, it stands still during a stop, and the wall clock gains on it.
    """
    fact = record.observation
    return max(0, state.clock_ahead_ms - fact.clock_ahead_ms) if isinstance(fact, Started) else 0


def _apply(state: State, policy: Policy, record: Record, out: list[Conclusion]) -> None:  # noqa: C901, PLR0912 - a table
    match record.observation:
        case Heartbeat() as fact:
            if visibility.beat(state, policy, fact.silent_sources):
                journeys.judge_awaiting(state, policy, out)
        case PaymentSucceeded() as fact:
            journeys.payment_succeeded(state, policy, fact, out)
        case AckReceived() as fact:
            journeys.ack_received(state, policy, fact, out)
        case AcksLost() as fact:
            journeys.acks_lost(state, fact, out)
        case PaymentIgnored() as fact:
            journeys.payment_ignored(state, policy, fact, out)
        case Climbed() as decision:
            ladder.climb(state, policy, decision, out)
        case Fell() as decision:
            ladder.fall(state, policy, decision, out)
        case EpochRenewed() as decision:
            ladder.renew(state, decision, out)
        case (
            Held() | Resumed() | Approved() | RolledBack() | EvidenceReset() | Noted()
            | Frozen() | Thawed() | Overridden() | OverrideCleared()
        ) as action:  # fmt: skip
            _action(state, policy, action, out)
        case ClockJumped() as fact:
            state.clock_ahead_ms -= fact.by_ms
            journeys.blinded(state, Unmeasured.CLOCK_JUMPED, out)
            visibility.lose(state, policy, abs(fact.by_ms))
            visibility.away(state, state.now_ms - abs(fact.by_ms))
            stripe_clock.jumped(state)
        case ChannelAuthProbed() | RoundTripEnded() | IsolationProbed() | ObserverChanged() | WatchChanged() as fact:
            probing.take(state, policy, fact, out)
        case UserAuthReported() as fact:
            payers.answered(state, fact)
        case BrowserReported() as fact:
            payers.reported(state, policy, fact)
        case PolicyAdopted() as fact:
            _adopt(state, fact, out)
        case Checkpoint():
            state.checkpointed_ms, state.upgraded_from = state.now_ms, 0
        case Started() as fact:
            state.clock_ahead_ms = fact.clock_ahead_ms
            probing.restarted(state)
        case NotificationClaimed():
            pass  # read by the notifier only
        case _:
            assert_never(record.observation)


def _action(  # noqa: C901 - a table
    state: State, policy: Policy, action: OperatorAction, out: list[Conclusion]
) -> None:
    """Apply what a person did."""
    match action:
        case Held():
            holds.hold(state, action)
        case Resumed():
            holds.resume(state, action)
        case Approved():
            ladder.approve(state, action)
        case RolledBack():
            ladder.roll_back(state, policy, action, out)
        case EvidenceReset():
            votes.release_silent(state)
            ladder.begin_epochs(state, out, tuple(state.indicators))
        case Frozen():
            freezes.freeze(state, action)
        case Thawed():
            freezes.thaw(state, action)
        case Overridden():
            overrides.override(state, action)
        case OverrideCleared():
            overrides.clear(state, action)
        case Noted():
            pass
        case _:
            assert_never(action)


def _adopt(state: State, fact: PolicyAdopted, out: list[Conclusion]) -> bool:
    """Put a policy in force, and return whether it was accepted (`core.facts.meaning`, `core.fold.lifecycle`)."""
    before, measured = state.policy, state.measured
    policy = fact.policy if before is None else carried(fact.policy, before)
    why_not = why_not_here(before, policy) or lifecycle.why_not(state, policy)
    if why_not is not None:
        state.refused_policies += 1
        out.append(PolicyRefused(policy_hash=fact.policy_hash, why=why_not))
        return False
    state.policy, state.policy_hash = policy, fact.policy_hash
    state.reverb = policy.reverb or state.reverb or (before.reverb if before is not None else None)
    state.policies.append(fact.policy_hash)
    state.flag.version += 1
    state.flag.guard_version += 1
    if policy.reverb is not None and (before is None or before.reverb is None):
        probing.begun(state)
    elif policy.reverb is None:
        visibility.unprobed(state, policy)
    changed: tuple[str, ...] = ()
    if before is not None and measured is not None:
        changed = changed_keys(measured, policy)
        ladder.change_ladder(state, before, policy, changed, out)
        woken = ladder.change_indicators(state, before, policy)
        is_other_proof = bool(changed) or before.proof != policy.proof
        ladder.begin_epochs(state, out, tuple(state.indicators) if is_other_proof else woken)
    out.append(PolicyChanged(policy_hash=fact.policy_hash, actor=fact.actor, reason=fact.reason, changed=changed))
    return True


def _conclude_changes(state: State, alarmed: list[str], out: list[Conclusion]) -> None:
    if state.policy is None:
        return
    for name, indicator in state.indicators.items():
        if indicator.is_latched and name not in alarmed:  # the failure that raised it has raised the guard version
            out.append(AlarmRaised(indicator=name))
        elif not indicator.is_latched and name in alarmed:
            out.append(AlarmEnded(indicator=name))
    visibility.weigh_coverage(state, state.policy)
    payer_coverage.update(state, state.policy)
    before, reason = state.visibility.suspension, visibility.suspension_reason(state, state.policy)
    state.visibility.suspension = reason
    if reason is not None and before is None:
        state.flag.guard_version += 1
        state.visibility.suspended_from_ms = state.now_ms
        out.append(SuspensionBegan(reason=reason))
    elif reason is None and before is not None:
        out.append(SuspensionEnded(reason=before))
    for conclusion in out:
        if isinstance(conclusion, SuspensionBegan):
            counts = state.tally.suspensions
            counts[conclusion.reason] = counts.get(conclusion.reason, 0) + 1
