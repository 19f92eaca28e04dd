"""Match acks to payments, in any order of arrival, and schedule what is due later.

The first record about a payment opens its journey. Acks that name their payment match exactly; those that name only a
user settle that user's oldest open payment. Later steps are in the agenda. `core.fold.judging` decides the outcome.
"""

import heapq

from sidecar.core.facts.observations import (
    BACKEND,
    USER_CHANNEL,
    AckReceived,
    AcksLost,
    IgnoreReason,
    PaymentIgnored,
    PaymentSucceeded,
)
from sidecar.core.facts.outcomes import Unmeasured
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.fold import overrides, payers, stripe_clock, unaccounted, wiring
from sidecar.core.fold.conclusions import Conclusions, FilterContradicted, PaymentLeftOut
from sidecar.core.fold.journey import Journey
from sidecar.core.fold.judging import (
    ask_the_timers,
    deadline_ms_of,
    decided_ms_of,
    judge_payment,
    leave_unmeasured,
    name_outcome,
)
from sidecar.core.fold.state import State

REDELIVERED_FROM_S = 10
"""A delivery signed this long after its event is not the first attempt: acks before it may be unmatched."""
READ_LATE_SHARE = 8
"""A webhook may be read late by an eighth of `on_time_within`: the payment looks that much faster than it was. An ack
that is read late looks slower, which is safe."""
GIVE_UP_AFTER_MS = 10_000
"""Maximum wait of a payment past its deadline for a proof of liveness."""
WAITING_ACKS_MAX = 50_000
"""Payments of which only acks are known; more are dropped and counted."""


# --- what arrives


def payment_succeeded(state: State, policy: Policy, fact: PaymentSucceeded, out: Conclusions) -> None:
    """Open the journey of a payment, or match the acks that arrived before it."""
    if fact.signed_s is not None:
        state.webhooks.accept(fact.created_s, state.now_ms)
    if overrides.is_left_out(state, fact.user_ref):
        _leave_out(state, policy, fact.payment_intent, IgnoreReason.OVERRIDE, out)
        return
    journey = _journey(state, fact.payment_intent)
    if journey.arrived_ms is not None:
        return
    if journey.ignored is None:
        state.waiting_acks -= 1
    journey.ignored = None
    journey.arrived_ms = state.now_ms
    state.tally.succeeded += 1
    journey.user_ref = fact.user_ref
    journey.stripe_wait_s = max(0, (fact.signed_s or fact.created_s) - fact.created_s)
    journey.is_counted = fact.payment_intent in state.unaccounted
    stripe_clock.delivered(state, fact)
    _drop_early(policy, journey, stripe_clock.made_from_ms(state, fact))
    is_prompt = fact.signed_s is not None and fact.signed_s - fact.created_s < REDELIVERED_FROM_S
    payers.paid(state, policy, fact, is_prompt=is_prompt)
    _plan(state, state.now_ms + policy.on_time_within_ms, "judge", journey)
    _plan(state, state.now_ms + policy.missed_after_ms, "close", journey)
    for stage in journey.acks:
        wiring.matched_by_name(state, policy, journey, stage, out)
    may_hide = not stripe_clock.was_made_in_gap(state, fact)
    if fact.signed_s is None:
        leave_unmeasured(state, journey, Unmeasured.BACKFILLED, out, may_hide=may_hide)
        return
    if fact.signed_s - fact.created_s >= REDELIVERED_FROM_S:
        leave_unmeasured(state, journey, Unmeasured.REDELIVERED, out, may_hide=may_hide)
        return
    if fact.user_ref is not None:
        state.by_user.setdefault(fact.user_ref, []).append(fact.payment_intent)
    if fact.read_late_ms * READ_LATE_SHARE > policy.on_time_within_ms:
        leave_unmeasured(state, journey, Unmeasured.READ_LATE, out)


def _drop_early(policy: Policy, journey: Journey, made_from_ms: int | None) -> None:
    """Forget what was reported of a payment before it can have succeeded: a broadcast too soon, or a guessed name."""
    if made_from_ms is not None:
        journey.acks = {stage: at_ms for stage, at_ms in journey.acks.items() if at_ms >= made_from_ms}
        journey.skips = {reason: at_ms for reason, at_ms in journey.skips.items() if at_ms >= made_from_ms}
        journey.is_of_all = journey.is_of_all and policy.stage in journey.acks


def payment_ignored(state: State, policy: Policy, fact: PaymentIgnored, out: Conclusions) -> None:
    """Remember for a while that a payment is outside the filter."""
    state.webhooks.accept(state.now_ms // 1000, state.now_ms)
    _leave_out(state, policy, fact.payment_intent, fact.reason, out)


def _leave_out(state: State, policy: Policy, payment_intent: str, reason: IgnoreReason, out: Conclusions) -> None:
    journey = _journey(state, payment_intent)
    if journey.arrived_ms is not None or journey.ignored is not None:
        return
    state.waiting_acks -= 1
    journey.ignored = reason
    state.tally.ignored[reason] = state.tally.ignored.get(reason, 0) + 1
    _plan(state, state.now_ms + policy.missed_after_ms + GIVE_UP_AFTER_MS, "forget", journey)
    out.append(PaymentLeftOut(payment_intent=payment_intent, reason=reason))
    if journey.acks:
        _contradict_filter(state, journey, out)


def ack_received(state: State, policy: Policy, fact: AckReceived, out: Conclusions) -> None:
    """Give an ack to its payment: by name, or by user and context."""
    state.tally.acks[fact.stage] = state.tally.acks.get(fact.stage, 0) + 1
    if fact.contexts and not any(context in policy.contexts for context in fact.contexts):
        return
    if fact.source == BACKEND and fact.stage is Stage.DELIVERED and policy.reverb and policy.reverb.is_observing:
        return  # who broadcasts cannot know: beside our sockets its word would hide a deaf node
    if fact.payment_intent is not None:
        _ack_by_name(state, policy, fact, fact.payment_intent, out)
    elif fact.user_ref is not None and fact.user_ref in state.by_user:
        wiring.matched_by_user(state, policy, fact)
        if fact.stage == policy.stage:
            _ack_by_user(state, policy, fact.user_ref, out)


def _ack_by_name(state: State, policy: Policy, fact: AckReceived, payment_intent: str, out: Conclusions) -> None:
    is_unknown = payment_intent not in state.journeys
    if is_unknown and state.waiting_acks >= WAITING_ACKS_MAX:
        state.tally.dropped_acks += 1
        return
    journey = _journey(state, payment_intent)
    if is_unknown:
        _plan(state, state.now_ms + policy.missed_after_ms + GIVE_UP_AFTER_MS, "forget", journey)
    if fact.stage is Stage.SKIPPED:
        if fact.reason is not None:
            journey.skips.setdefault(fact.reason, state.now_ms)
        return
    is_first = not journey.acks
    journey.acks.setdefault(fact.stage, state.now_ms)
    if fact.stage == policy.stage and fact.source != USER_CHANNEL:
        journey.is_of_all = True
    if journey.ignored is not None and is_first:
        _contradict_filter(state, journey, out)
    elif journey.arrived_ms is not None:
        wiring.matched_by_name(state, policy, journey, fact.stage, out)
        _acked(state, policy, journey, out)


def _ack_by_user(state: State, policy: Policy, user_ref: str, out: Conclusions) -> None:
    """Settle the user's oldest payment without a broadcast; count one more broadcast for every other open one.

    One that the backend had nothing to broadcast for comes last.
    """
    payments = [state.journeys[payment_intent] for payment_intent in state.by_user[user_ref]]
    for journey in payments:
        if state.now_ms < deadline_ms_of(policy, journey):
            journey.broadcasts += 1
    free = [journey for journey in payments if journey.inferred_ms is None]
    if free:
        taken = min(free, key=lambda journey: bool(journey.skips))
        taken.inferred_ms = state.now_ms
        _acked(state, policy, taken, out)


def _acked(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    """Name a failed payment whose deciding ack has just come, and judge one that was excused until now."""
    if journey.is_pending and journey.excused_until_ms is not None:
        state.awaiting.pop(journey.payment_intent, None)  # its time was up, and a heartbeat would judge it again
        judge_payment(state, policy, journey, out)
    elif journey.is_good is False and not journey.is_settled and decided_ms_of(state, policy, journey) is not None:
        name_outcome(state, policy, journey, out)


def _contradict_filter(state: State, journey: Journey, out: Conclusions) -> None:
    """Count an ignored payment that got an ack against coverage, unless acks of such payments are natural."""
    if journey.ignored in {None, IgnoreReason.OTHER_LIVEMODE, IgnoreReason.OVERRIDE}:
        return
    state.tally.contradicted += 1
    state.coverage.add(is_judged=False, at_ms=state.now_ms)
    state.flag.guard_version += 1
    out.append(FilterContradicted(payment_intent=journey.payment_intent, reason=journey.ignored))


# --- what time brings


def due(state: State, policy: Policy, out: Conclusions) -> None:
    """Do what is due by now."""
    while state.agenda and state.agenda[0][0] <= state.now_ms:
        due_ms, _, what, payment_intent = heapq.heappop(state.agenda)
        journey = state.journeys.get(payment_intent)
        if journey is None:
            continue
        match what:
            case "judge" if journey.is_pending:
                state.awaiting[payment_intent] = None
                _plan(state, due_ms + GIVE_UP_AFTER_MS, "give_up", journey)
            case "give_up" if journey.is_pending and payment_intent in state.awaiting:
                _give_up(state, journey, out)
            case "close":
                _close(state, policy, journey, out)
            case "forget" if journey.arrived_ms is None:
                _forget(state, journey)
            case _:
                pass


def judge_awaiting(state: State, policy: Policy, out: Conclusions) -> None:
    """Judge every payment past its deadline: a heartbeat has just proven liveness."""
    awaiting, state.awaiting = state.awaiting, {}
    for payment_intent in awaiting:
        journey = state.journeys[payment_intent]
        deadline_ms = deadline_ms_of(policy, journey)
        if deadline_ms <= state.now_ms:
            judge_payment(state, policy, journey, out)
            if journey.is_pending and journey.excused_until_ms is not None:
                _plan(state, journey.excused_until_ms, "judge", journey)
        else:  # the objective was changed while it was on its way
            _plan(state, deadline_ms, "judge", journey)


def acks_lost(state: State, fact: AcksLost, out: Conclusions) -> None:
    """Leave every payment unmeasured whose ack may be among the lost ones: all that are not judged yet.

    A payment is judged only after a heartbeat before which every source was read to its end, so no other can be.
    """
    state.tally.lost_acks += 1 if fact.count is None else fact.count
    blinded(state, Unmeasured.ACKS_LOST, out)


def blinded(state: State, reason: Unmeasured, out: Conclusions) -> None:
    """Leave every pending payment unmeasured: part of its time was not visible."""
    for journey in list(state.journeys.values()):
        if journey.is_pending:
            leave_unmeasured(state, journey, reason, out)
    state.awaiting.clear()


def _give_up(state: State, journey: Journey, out: Conclusions) -> None:
    """Stop waiting for a proof of liveness."""
    state.awaiting.pop(journey.payment_intent, None)
    leave_unmeasured(state, journey, Unmeasured.CUT_OFF, out)


def _close(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    """End a journey: name its outcome if it has none, evaluate the timers, and remove it."""
    given_up_ms = (journey.excused_until_ms or 0) + GIVE_UP_AFTER_MS
    if journey.is_pending and state.now_ms < given_up_ms:  # excused: a heartbeat judges it by then
        _plan(state, given_up_ms, "close", journey)
        return
    if journey.is_pending:
        _give_up(state, journey, out)
    elif not journey.is_settled:
        name_outcome(state, policy, journey, out)
    if journey.is_good is not None:
        ask_the_timers(state, policy, journey)
    wiring.closed(state, policy, journey, out)
    _forget(state, journey)


# --- keeping and forgetting


def _journey(state: State, payment_intent: str) -> Journey:
    """Return the payment's journey; a new one is one of which only acks are known."""
    journey = state.journeys.get(payment_intent)
    if journey is None:
        journey = state.journeys[payment_intent] = Journey(payment_intent=payment_intent)
        state.waiting_acks += 1
    return journey


def _plan(state: State, due_ms: int, what: str, journey: Journey) -> None:
    heapq.heappush(state.agenda, (due_ms, state.seq, what, journey.payment_intent))


def _forget(state: State, journey: Journey) -> None:
    if journey.arrived_ms is None and journey.ignored is None:
        state.waiting_acks -= 1
        state.tally.unknown_acks += 1
        unaccounted.forgotten(state, journey)
    else:
        unaccounted.remember(state, state.closed, journey.payment_intent)
    del state.journeys[journey.payment_intent]
    open_payments = state.by_user.get(journey.user_ref or "")
    if open_payments is not None and journey.payment_intent in open_payments:
        open_payments.remove(journey.payment_intent)
        if not open_payments:
            del state.by_user[journey.user_ref or ""]
