"""The status as one typed value: what is served, what the next rung needs, and what was measured."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from sidecar import wording
from sidecar.causes import cause_of
from sidecar.console.last_payments import LastPayment
from sidecar.console.payers_status import PayersStatus, payers_status_of
from sidecar.core.decision.decide import Action, decide
from sidecar.core.decision.gate import estimate
from sidecar.core.decision.gates import Gate, duration, gates
from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.observations import IgnoreReason
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Lifecycle, Policy, Rung
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import freezes, overrides
from sidecar.core.fold.lifecycle import why_not_removed
from sidecar.core.fold.serving import Reason, Served
from sidecar.core.fold.standing import Approval, Freeze, Hold, Override
from sidecar.core.fold.state import Move, State
from sidecar.core.release.comparison import Comparison, comparison
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import (
    INDICATORS,
    Indicator,
    IndicatorRow,
    clean_needed,
    proven_ratio,
    worst_case_ratio,
)


class GateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One gate of the next rung, as the core reads it and in words (`sidecar.wording`)."""

    name: str
    label: str
    description: str
    """What closes it."""
    remedy: str
    """What to do while it does not pass; empty: it passes."""
    value: str
    target: str
    passes: bool
    needs: str
    """What is missing, as a sentence without a full stop; empty: it passes."""
    progress_ratio: float | None
    """Progress towards the target, from 0 to 1; None: it passes, or it has no progress."""
    expected_ms: int | None
    """When it will pass at the present rate, in Unix milliseconds; None: unknown, or it passes."""
    expected_between_ms: tuple[int, int] | None = None
    """Of an estimate: the earlier and the later end; None: the time is known, or there is none."""
    estimate: str = ""
    """The estimate for people, with its range and its basis; empty: there is none."""


class IndicatorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One judged indicator."""

    name: str
    label: str
    epoch: int
    epoch_began_ms: int
    """In Unix milliseconds; 0: it has not begun."""
    awaits_epoch: bool
    good: int
    bad: int
    unmeasured: int
    doubtful: int = 0
    """Unmeasured payments that may hide failures."""
    is_latched: bool
    target_ratio: float
    lower_bound_ratio: float
    """The proven reliability."""
    worst_case_ratio: float
    """The same, with every outcome counted as bad that was left out and may have been."""
    clean_needed: int
    """Outcomes without a failure that would prove the target; 0: it is proven."""


class ReverbStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The results of the probes of Reverb."""

    last_auth_probe: AuthProbeOutcome | None
    """The outcome of the last auth probe; None: there was none yet."""
    cause: str
    """Its cause, as a sentence; empty: it succeeded, or there was none."""
    auth_probes: dict[AuthProbeOutcome, int]
    round_trips: dict[RoundTripOutcome, int]
    sockets_up: int
    sockets: int
    isolation: IsolationOutcome | None
    """The outcome of the last isolation probe; None: there was none yet."""
    user_auths: dict[UserAuth, int]
    """Channel auth of all users, as the backend reports."""


class FreezeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A freeze, and its windows."""

    freeze: Freeze
    is_in_force: bool
    until_ms: int | None
    """When the present window ends; None: there is none."""
    begins_ms: int | None
    """When its next window begins; None: there is none."""


class SuspensionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Push is suspended: timers, and the rung is kept."""

    reason: SuspensionReason
    label: str
    description: str
    remedy: str
    began_ms: int
    until_ms: int | None
    """When push resumes if no probe fails before, in Unix milliseconds; None: unknown."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the sidecar. Times are Unix milliseconds on the journal's clock."""

    environment: str
    flag: str
    now_ms: int
    clock_ahead_ms: int = 0
    """How far the journal's clock is ahead of this machine's wall clock; negative: behind."""
    lifecycle: Lifecycle
    """`removed`: the ladder is off, and `push_with_safety_net` is the best that is served."""
    why_not_removed: str | None
    """Why `lifecycle: removed` would be rejected now, as a sentence; None: it would be accepted, or is in force."""
    served: Served
    """The answer of this replica to a user who belongs to every share."""
    lease_remaining_s: float
    rung: int
    ladder: tuple[Rung, ...]
    since_ms: int
    version: int
    suspensions: tuple[SuspensionStatus, ...]
    """Why push is suspended, the reason in force first; empty: it is not."""
    reverb: ReverbStatus | None
    """None: Reverb is not probed."""
    payers: PayersStatus
    silent_sources: tuple[str, ...]
    """Sources that did not answer before the last heartbeat; until they do, no payment is judged."""
    alarms: tuple[str, ...]
    holds: tuple[Hold, ...]
    """Holds, in the order of the actions."""
    freezes: tuple[FreezeStatus, ...]
    """Freezes, in the order of the actions."""
    overrides: tuple[Override, ...] = ()
    """Modes of single users, in the order of the actions; users by the keyed hash of their ids."""
    approval: Approval | None
    cooldown_until_ms: int
    moves: tuple[Move, ...]
    """The last moves of the flag, oldest first."""
    verdict: str
    """The decision of the controller at this moment: `stay: soak`."""
    gates: tuple[GateStatus, ...]
    indicators: tuple[IndicatorStatus, ...]
    judged: int
    succeeded: int
    """Payments in the coverage window; `judged` of them could be judged."""
    chain: str
    """The head of the chain of decisions, actions and policies, in hex; empty: there was none yet."""
    outcomes: dict[Outcome, int]
    unmeasured: dict[Unmeasured, int]
    comparison: Comparison
    other_events: tuple[str, ...]
    """Names of broadcasts on the sidecar's sockets, since its start, that are not `acks.event`; at most 20."""
    warnings: tuple[str, ...]
    last_payments: tuple[LastPayment, ...] = ()
    """The last payments since the start of the process, the newest first."""
    mismatched_acks: dict[str, int] = {}
    """Acks since the start of the process that count for no payment, by reason."""


def _suspensions(state: State) -> Iterator[SuspensionStatus]:
    suspension, reason = state.flag.suspension, state.visibility.suspension
    if suspension is not None:
        yield _suspension(SuspensionReason.REVERB_UNSTABLE, suspension.began_ms, suspension.until_ms)
    if reason is not None:
        until_ms = state.visibility.recover_until_ms
        yield _suspension(reason, state.visibility.suspended_from_ms, until_ms if until_ms > state.now_ms else None)


def _suspension(reason: SuspensionReason, began_ms: int, until_ms: int | None) -> SuspensionStatus:
    words = wording.SUSPENSIONS[reason]
    return SuspensionStatus(
        reason=reason,
        label=words.label,
        description=words.description,
        remedy=words.remedy,
        began_ms=began_ms,
        until_ms=until_ms,
    )


def gate_status(gate: Gate, now_ms: int = 0) -> GateStatus:
    """Return a gate in words."""
    words = wording.GATES[gate.name]
    return GateStatus(
        name=gate.name,
        label=words.label,
        description=words.description,
        remedy="" if gate.passes else words.remedy,
        value=gate.value,
        target=gate.target,
        passes=gate.passes,
        needs=gate.needs,
        progress_ratio=gate.progress_ratio,
        expected_ms=gate.expected_ms,
        expected_between_ms=gate.expected_between_ms,
        estimate=estimate(gate.expected_between_ms, now_ms),
    )


def status_of(
    state: State,
    *,
    serve: Callable[[], Served],
    lease_remaining_s: float,
    now_ms: int,
    policy_refused: str = "",
    other_events: tuple[str, ...] = (),
    clock_ahead_ms: int = 0,
    process_warnings: Iterable[str] = (),
    last_payments: tuple[LastPayment, ...] = (),
    mismatched_acks: dict[str, int] | None = None,
) -> Status:
    """Return the status. The state must have a policy.

    `policy_refused`: why this process's own policy cannot be adopted; empty: it can, or is in force.
    `other_events`: names of broadcasts that are no acks. `process_warnings`: what this process alone knows.
    """
    policy = state.policy
    assert policy is not None  # noqa: S101 - listeners start after the policy was adopted
    verdict, answer, (judged, succeeded) = decide(state, "status"), serve(), state.coverage.counts()
    return Status(
        environment=policy.environment,
        flag=policy.flag,
        now_ms=now_ms,
        clock_ahead_ms=clock_ahead_ms,
        lifecycle=policy.lifecycle,
        why_not_removed=why_not_removed(state),
        served=answer,
        lease_remaining_s=max(0.0, lease_remaining_s),
        rung=state.flag.rung,
        ladder=policy.ladder,
        since_ms=state.flag.since_ms,
        version=state.flag.version,
        suspensions=tuple(_suspensions(state)),
        reverb=_reverb(state),
        payers=payers_status_of(state, policy),
        silent_sources=state.visibility.silent_sources,
        alarms=tuple(name for name, indicator in state.indicators.items() if indicator.is_latched),
        holds=tuple(state.flag.holds),
        freezes=tuple(_freezes(state)),
        overrides=overrides.standing(state),
        approval=state.flag.approval,
        cooldown_until_ms=state.flag.cooldown_until_ms,
        moves=tuple(state.moves),
        verdict=f"{verdict.action}: {verdict.reason}" if verdict.action is Action.STAY else verdict.action,
        gates=tuple(gate_status(gate, state.now_ms) for gate in gates(state)),
        indicators=indicators_of(state, policy),
        judged=judged,
        succeeded=succeeded,
        chain=state.chain,
        outcomes=state.tally.outcomes,
        unmeasured=state.tally.unmeasured,
        comparison=comparison(state),
        other_events=other_events,
        warnings=(*_warnings(state, answer, now_ms, policy_refused), *filter(None, process_warnings)),
        last_payments=last_payments,
        mismatched_acks=mismatched_acks or {},
    )


def _freezes(state: State) -> Iterator[FreezeStatus]:
    for each in state.flag.freezes:
        until = freezes.until_ms(each, state.now_ms)
        yield FreezeStatus(
            freeze=each,
            is_in_force=until is not None,
            until_ms=until,
            begins_ms=freezes.begins_ms(each, state.now_ms),
        )


def _reverb(state: State) -> ReverbStatus | None:
    if state.policy is None or state.policy.reverb is None:
        return None
    probing, tally = state.probing, state.tally
    is_failed = probing.auth_probe not in {None, AuthProbeOutcome.OK}
    cause = cause_of(probing.auth_probe, is_at_app=probing.is_at_app) if probing.auth_probe and is_failed else None
    return ReverbStatus(
        last_auth_probe=probing.auth_probe,
        cause=cause.sentence if cause else "",
        auth_probes=tally.auth_probes,
        round_trips=tally.round_trips,
        sockets_up=sum(probing.observers.values()),
        sockets=len(probing.observers),
        isolation=probing.isolation,
        user_auths=tally.user_auths,
    )


def indicators_of(state: State, policy: Policy) -> tuple[IndicatorStatus, ...]:
    """Return the evidence of each indicator in its present epoch."""
    return tuple(_indicator(state.indicators[row.name], row, policy) for row in INDICATORS)


def _indicator(indicator: Indicator, row: IndicatorRow, policy: Policy) -> IndicatorStatus:
    return IndicatorStatus(
        name=row.name,
        label=wording.INDICATORS[row.name].label,
        epoch=indicator.epoch,
        epoch_began_ms=indicator.epoch_began_ms,
        awaits_epoch=indicator.awaits_epoch,
        good=indicator.good,
        bad=indicator.bad,
        unmeasured=indicator.unmeasured,
        doubtful=indicator.doubtful,
        is_latched=indicator.is_latched,
        target_ratio=evidence.ratio(row.p0_ppm(policy)),
        lower_bound_ratio=proven_ratio(indicator, policy),
        worst_case_ratio=worst_case_ratio(indicator, row, policy),
        clean_needed=clean_needed(indicator, row, policy),
    )


def _warnings(state: State, answer: Served, now_ms: int, policy_refused: str) -> list[str]:
    """Return the problems that need an operator, as sentences."""
    warnings = []
    if policy_refused:
        warnings.append(f"{policy_refused} Until then this process serves timers and makes no decisions.")
    elif answer.reason is Reason.POLICY_DIFFERS:
        warnings.append(
            "The policy in force is not that of this process's file: it serves timers and makes no decisions. Update "
            "the file, or adopt its policy: sidecar run --adopt-policy --reason '...'"
        )
    if state.visibility.silent_sources:
        warnings.append(
            f"No answer from {', '.join(state.visibility.silent_sources)} "
            f"for {duration(max(0, now_ms - state.visibility.seen_ms))}: no "
            "payment is judged meanwhile. The log has the cause and the remedy."
        )
    if state.probing.isolation is IsolationOutcome.ALLOWED:
        warnings.append(
            "SECURITY: the probe user may subscribe to a channel that is not its own, so users can listen to each "
            "other's payments. In routes/channels.php, the callback must compare the user's id with the channel's."
        )
    warnings += _payment_warnings(state)
    if state.policy is not None and state.policy.lifecycle is Lifecycle.REMOVED and state.flag.rung == 0:
        warnings.append(
            "Push has fallen, and the hand-written timers are removed: the browser's client refetches by the flag's "
            "schedule (0, 2 and 5 s). Push returns when the cool-down is over and no alarm is latched."
        )
    if state.policy is not None and state.policy.dry_run:
        warnings.append("Dry run: decisions are recorded, and the answer is always timer_polling.")
    return warnings


def _payment_warnings(state: State) -> list[str]:
    """Return the problems of payments and acks that need an operator, as sentences."""
    warnings = []
    if state.wired_ms is None and state.policy is not None:
        is_observed = state.policy.reverb is not None and state.policy.reverb.is_observing
        fixes = ["configure the backend to broadcast on `reverb.observer_channel` too, in the same call"]
        fixes = [*(fixes if is_observed else []), "configure it to post to /acks, or to add to `acks.redis_stream`"]
        warnings.append(
            f"No ack of stage `{state.policy.stage}` has matched a payment yet, so none is judged: "
            f"{'; or '.join(fixes)}. `sidecar test-payment` tries the sidecar's half of the way, and "
            "`sidecar check --here` finds what is set up wrongly."
        )
    thin = state.tally.ignored.get(IgnoreReason.THIN_EVENT, 0)
    if thin:
        warnings.append(
            f"Payments arrive as thin events, which carry no metadata: {thin} so far. In Stripe, add a snapshot "
            "destination for payment_intent.succeeded."
        )
    if state.tally.contradicted:
        warnings.append(
            "Payments outside `stripe.required_metadata` got an ack, so the filter is wrong: "
            f"{state.tally.contradicted} so far. They count against coverage."
        )
    if state.tally.unaccounted:
        warnings.append(
            "Acks named payments whose webhook never came, or the backend found no booking for a payment: "
            f"{state.tally.unaccounted} so far. They count against coverage: see the failed deliveries in Stripe's "
            "dashboard, and set `stripe.required_metadata` if other payments share the account."
        )
    return warnings
