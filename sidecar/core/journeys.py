"""How does each payment end? Matching webhooks with acks, whichever comes first, and judging each payment once.

A payment is judged at its *deadline* and not when its ack comes: good and bad alike wait for a heartbeat stamped at or
after the deadline, which proves that an ack would have been seen. So a stop or a freeze leaves out all payments that
it touched, whatever had been seen of them: leaving out only those without an ack would flatter push. What is late or
missed is a failure at the deadline already; the name comes later.
"""

import heapq

from sidecar.core import ladder
from sidecar.core.conclusions import Conclusion, FilterContradicted, PaymentLeftOut, PaymentSettled
from sidecar.core.observations import AckSeen, IgnoreReason, PaymentIgnored, PaymentSucceeded, SkipReason
from sidecar.core.policy import SCHEDULES, Mode, Policy, Stage
from sidecar.core.state import OUR_FAULT, Journey, Latency, Outcome, State, Unmeasured
from sidecar.core.streams import PAYMENTS, bank_of, judge, row_of

REDELIVERED_FROM_S = 10
"""A delivery signed so long after its event is not the first attempt: nobody knows what came before it."""
GIVE_UP_AFTER_MS = 10_000
"""A payment past its deadline waits so long for a proof that we could see."""
WAITING_ACKS_MAX = 50_000
"""Payments of which only acks are known; more are dropped and counted."""
_EDGES_MS = (50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000)

_JUDGE, _GIVE_UP, _CLOSE, _FORGET = "judge", "give_up", "close", "forget"

Conclusions = list[Conclusion]


# --- what arrives


def payment_succeeded(state: State, policy: Policy, fact: PaymentSucceeded, out: Conclusions) -> None:
    """Open the journey of a payment, or give the acks that came first their payment."""
    journey = _journey(state, fact.payment_intent)
    if journey.arrived_ms is not None:
        return
    if journey.ignored is None:
        state.waiting_acks -= 1
    journey.ignored = None
    journey.arrived_ms = state.now_ms
    journey.user_ref = fact.user_ref
    journey.stripe_wait_s = max(0, (fact.signed_s or fact.created_s) - fact.created_s)
    _plan(state, state.now_ms + policy.on_time_within_ms, _JUDGE, journey)
    _plan(state, state.now_ms + policy.missed_after_ms, _CLOSE, journey)
    if fact.signed_s is None:
        _leave_unmeasured(state, journey, Unmeasured.BACKFILLED, out)
    elif fact.signed_s - fact.created_s >= REDELIVERED_FROM_S:
        _leave_unmeasured(state, journey, Unmeasured.REDELIVERED, out)
    elif fact.user_ref is not None:
        state.by_user.setdefault(fact.user_ref, []).append(fact.payment_intent)


def payment_ignored(state: State, policy: Policy, fact: PaymentIgnored, out: Conclusions) -> None:
    """Remember for a while that a payment is none of ours."""
    journey = _journey(state, fact.payment_intent)
    if journey.arrived_ms is not None or journey.ignored is not None:
        return
    state.waiting_acks -= 1
    journey.ignored = fact.reason
    state.tally.ignored[fact.reason] = state.tally.ignored.get(fact.reason, 0) + 1
    _plan(state, state.now_ms + policy.missed_after_ms + GIVE_UP_AFTER_MS, _FORGET, journey)
    out.append(PaymentLeftOut(payment_intent=fact.payment_intent, reason=fact.reason))
    if journey.acks:
        _contradict_filter(state, journey, out)


def ack_seen(state: State, policy: Policy, fact: AckSeen, out: Conclusions) -> None:
    """Give an ack to its payment: by name, or by user and context."""
    state.tally.acks[fact.stage] = state.tally.acks.get(fact.stage, 0) + 1
    if fact.contexts and not any(context in policy.contexts for context in fact.contexts):
        return
    state.first_ack_ms.setdefault(fact.stage, state.now_ms)
    if fact.payment_intent is not None:
        _ack_by_name(state, policy, fact, fact.payment_intent, out)
    elif fact.stage == policy.stage and not state.is_exact:
        _ack_by_user(state, policy, fact.user_ref or "", out)


def _ack_by_name(state: State, policy: Policy, fact: AckSeen, payment_intent: str, out: Conclusions) -> None:
    is_unknown = payment_intent not in state.journeys
    if is_unknown and state.waiting_acks >= WAITING_ACKS_MAX:
        state.tally.dropped_acks += 1
        return
    if fact.stage not in state.first_named_ack_ms:
        state.first_named_ack_ms[fact.stage] = state.now_ms
        if fact.stage == policy.stage:
            ladder.outgrow(state, PAYMENTS, out)
    journey = _journey(state, payment_intent)
    if is_unknown:
        _plan(state, state.now_ms + policy.missed_after_ms + GIVE_UP_AFTER_MS, _FORGET, journey)
    if fact.stage is Stage.SKIPPED:
        if fact.reason is not None:
            journey.skips.setdefault(fact.reason, state.now_ms)
        return
    is_first = not journey.acks
    journey.acks.setdefault(fact.stage, state.now_ms)
    if journey.ignored is not None and is_first:
        _contradict_filter(state, journey, out)
    elif fact.stage == policy.stage and journey.is_good is False and not journey.is_settled:
        _name(state, policy, journey, out)


def _ack_by_user(state: State, policy: Policy, user_ref: str, out: Conclusions) -> None:
    """Settle the user's oldest payment that has no broadcast; every other open one has seen one more in its window."""
    is_taken = False
    for payment_intent in state.by_user.get(user_ref, ()):
        journey = state.journeys[payment_intent]
        if state.now_ms < _deadline_ms(policy, journey):
            journey.broadcasts += 1
        if not is_taken and journey.inferred_ms is None:
            is_taken = True
            journey.inferred_ms = state.now_ms
            if journey.is_good is False:
                _name(state, policy, journey, out)


def _contradict_filter(state: State, journey: Journey, out: Conclusions) -> None:
    """Count an ignored payment that got an ack against coverage; in the other livemode acks are natural."""
    if journey.ignored is None or journey.ignored is IgnoreReason.OTHER_LIVEMODE:
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
                _plan(state, due_ms + GIVE_UP_AFTER_MS, _GIVE_UP, journey)
            case "give_up" if journey.is_pending and payment_intent in state.awaiting:
                _give_up(state, journey, out)
            case "close":
                _close(state, policy, journey, out)
            case "forget" if journey.arrived_ms is None:
                _forget(state, journey)
            case _:
                pass


def judge_awaiting(state: State, policy: Policy, out: Conclusions) -> None:
    """Judge every payment past its deadline: a heartbeat has just proven that we could see."""
    awaiting, state.awaiting = state.awaiting, {}
    for payment_intent in awaiting:
        journey = state.journeys[payment_intent]
        deadline_ms = _deadline_ms(policy, journey)
        if deadline_ms <= state.now_ms:
            _judge(state, policy, journey, out)
        else:  # the objective was changed while it was on its way
            _plan(state, deadline_ms, _JUDGE, journey)


def blinded(state: State, reason: Unmeasured, out: Conclusions) -> None:
    """Leave out every payment whose time we may not have seen all of."""
    for journey in list(state.journeys.values()):
        if journey.is_pending:
            _leave_unmeasured(state, journey, reason, out)
    state.awaiting.clear()


# --- judging


def _judge(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    verdict = _verdict(state, policy, journey)
    if isinstance(verdict, Unmeasured):
        _leave_unmeasured(state, journey, verdict, out)
        return
    if isinstance(verdict, SkipReason):
        state.tally.skipped[verdict] = state.tally.skipped.get(verdict, 0) + 1
        journey.is_left_out = True
        out.append(PaymentLeftOut(payment_intent=journey.payment_intent, reason=verdict))
        return
    journey.is_good = verdict
    state.sight.streak = 0
    state.coverage.add(is_judged=True, at_ms=state.now_ms)
    if not verdict:
        state.flag.guard_version += 1
    judge(
        state.streams[PAYMENTS],
        bank_of(row_of(PAYMENTS), policy),
        is_good=verdict,
        at_ms=state.now_ms,
        can_end=state.flag.rung == 0,
    )
    if verdict or _decided_ms(policy, journey) is not None:
        _name(state, policy, journey, out)


def _verdict(state: State, policy: Policy, journey: Journey) -> bool | Unmeasured | SkipReason:
    """Say how a payment that is past its deadline did: good or bad, or why it says nothing.

    Only what came before the deadline counts, so that the verdict does not depend on when a heartbeat asks for it.
    """
    if _is_before_wiring(state, policy, journey):
        return Unmeasured.NOT_WIRED
    deadline_ms = _deadline_ms(policy, journey)
    acked = {stage for stage, at_ms in journey.acks.items() if at_ms < deadline_ms}
    skips = {reason for reason, at_ms in journey.skips.items() if at_ms < deadline_ms}
    if policy.stage in acked:
        return True
    if SkipReason.FAILED in skips:  # whatever a retry said beside it
        return False
    if skips and not acked & {Stage.PAID, Stage.DISPATCHED}:  # it had nothing to send
        return SkipReason.NO_BOOKING if SkipReason.NO_BOOKING in skips else SkipReason.ALREADY_PAID
    if state.is_exact and not journey.broadcasts:
        return False
    if journey.user_ref is None:
        return Unmeasured.NO_USER
    if journey.broadcasts > 1:
        return Unmeasured.AMBIGUOUS
    return journey.inferred_ms is not None and journey.inferred_ms < deadline_ms


def _is_before_wiring(state: State, policy: Policy, journey: Journey) -> bool:
    """Ask by the deadline and not by the arrival: then its own ack may come first, and the order changes nothing."""
    return state.wired_ms is None or state.wired_ms >= _deadline_ms(policy, journey)


def _deadline_ms(policy: Policy, journey: Journey) -> int:
    """Return from when on an ack is no longer on time."""
    assert journey.arrived_ms is not None  # noqa: S101 - only payments that arrived are asked about
    return journey.arrived_ms + policy.on_time_within_ms


def _decided_ms(policy: Policy, journey: Journey) -> int | None:
    """Return when the news reached the deciding stage; None: not yet."""
    return journey.acks.get(policy.stage, journey.inferred_ms)


def _name(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    """Give a judged payment its final name."""
    decided_ms = _decided_ms(policy, journey)
    if journey.is_good:
        journey.outcome = Outcome.ON_TIME
    else:
        journey.outcome = Outcome.LATE if decided_ms is not None else Outcome.MISSED
    if decided_ms is not None and journey.arrived_ms is not None:
        _observe(state.tally.latency, policy, max(0, decided_ms - journey.arrived_ms))
    _settled(state, journey, None, out)


def _leave_unmeasured(state: State, journey: Journey, reason: Unmeasured, out: Conclusions) -> None:
    """Settle a payment that says nothing about push."""
    if state.policy is not None and _is_before_wiring(state, state.policy, journey):
        reason = Unmeasured.NOT_WIRED
    journey.outcome = Outcome.UNMEASURED
    state.tally.unmeasured[reason] = state.tally.unmeasured.get(reason, 0) + 1
    if reason is not Unmeasured.NOT_WIRED:
        state.coverage.add(is_judged=False, at_ms=state.now_ms)
        state.flag.guard_version += 1
        stream = state.streams[PAYMENTS]
        if not stream.awaits_epoch:
            stream.unmeasured += 1
    if reason in OUR_FAULT:
        state.sight.streak += 1
    _settled(state, journey, reason, out)


def _give_up(state: State, journey: Journey, out: Conclusions) -> None:
    """Stop waiting for a proof that we could see how it ended."""
    state.awaiting.pop(journey.payment_intent, None)
    _leave_unmeasured(state, journey, Unmeasured.CUT_OFF, out)


def _settled(state: State, journey: Journey, reason: Unmeasured | None, out: Conclusions) -> None:
    assert journey.outcome is not None  # noqa: S101 - the two callers have just set both
    assert journey.arrived_ms is not None  # noqa: S101
    state.tally.outcomes[journey.outcome] = state.tally.outcomes.get(journey.outcome, 0) + 1
    stages = {stage: at_ms - journey.arrived_ms for stage, at_ms in journey.acks.items()}
    if journey.inferred_ms is not None and state.policy is not None:
        stages.setdefault(state.policy.stage, journey.inferred_ms - journey.arrived_ms)
    out.append(
        PaymentSettled(
            payment_intent=journey.payment_intent,
            outcome=journey.outcome,
            unmeasured=reason,
            stripe_wait_s=journey.stripe_wait_s,
            stages_ms=stages,
        )
    )


def _close(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    """End a journey: name it if it has no name, ask what timers would have done, and forget it."""
    if journey.is_pending:
        _give_up(state, journey, out)
    elif not journey.is_settled:
        _name(state, policy, journey, out)
    if journey.is_good is not None:
        _ask_the_timers(state, journey)
    _forget(state, journey)


def _ask_the_timers(state: State, journey: Journey) -> None:
    """Count whether the last timer would have found the booking paid.

    Timers run from the payment; we know the webhook. What lies between is Stripe's wait before it signed this
    delivery. An ack of any stage proves that the booking was paid by then. Basis `paid`: the backend says when it was
    committed. Basis `push`: it does not, so a later stage stands for it, which can only be later.
    """
    assert journey.arrived_ms is not None  # noqa: S101 - `close` is planned at arrival
    basis = "paid" if Stage.PAID in state.first_ack_ms else "push"
    times = [*journey.acks.values(), *([journey.inferred_ms] if journey.inferred_ms is not None else [])]
    paid_ms = min(times, default=None)
    last_timer_ms = SCHEDULES[Mode.TIMER_POLLING].refetch_after_ms[-1]
    has_worked = paid_ms is not None and journey.stripe_wait_s * 1000 + paid_ms - journey.arrived_ms < last_timer_ms
    key = f"{'true' if has_worked else 'false'}/{basis}"
    state.tally.timers[key] = state.tally.timers.get(key, 0) + 1


def latency_edges_ms(policy: Policy) -> list[int]:
    """Return the upper edges of the latency histogram: the usual ones, and one at every objective."""
    return sorted({*_EDGES_MS, policy.on_time_within_ms, policy.missed_after_ms})


def _observe(latency: Latency, policy: Policy, latency_ms: int) -> None:
    """Count one latency; the buckets begin anew when a change of objective moves their edges.

    Milliseconds are cut off, not rounded, so "below the edge" is the same as "on time" (and as `le`) at an objective.
    """
    edges = latency_edges_ms(policy)
    if latency.edges_ms != edges:
        latency.edges_ms, latency.counts, latency.sum_ms = edges, [0] * (len(edges) + 1), 0
    bucket = next((index for index, edge in enumerate(edges) if latency_ms < edge), len(edges))
    latency.counts[bucket] += 1
    latency.sum_ms += latency_ms


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
    del state.journeys[journey.payment_intent]
    open_payments = state.by_user.get(journey.user_ref or "")
    if open_payments is not None and journey.payment_intent in open_payments:
        open_payments.remove(journey.payment_intent)
        if not open_payments:
            del state.by_user[journey.user_ref or ""]
