"""The outcome of a payment: judged once, at its deadline, and named then or later.

Good and bad alike wait for a heartbeat stamped at or after the deadline, which proves that an ack would have been
received. So a stop or a freeze leaves all payments that it affected unmeasured, whatever was received for them: leaving
out only those without an ack would flatter push. Late and missed payments are failures at the deadline already.
"""

from sidecar.core.facts.observations import SkipReason
from sidecar.core.facts.outcomes import MAY_HIDE, OUR_FAULT, Outcome, Unmeasured
from sidecar.core.facts.policy import SCHEDULES, Mode, Policy, Stage
from sidecar.core.fold import suspension, unaccounted
from sidecar.core.fold.conclusions import Conclusions, PaymentLeftOut, PaymentSettled
from sidecar.core.fold.journey import Journey
from sidecar.core.fold.state import Latency, State
from sidecar.core.statistics.indicators import PAYMENTS, judge, row_of

EDGES_MS = (50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000)
EXCUSED_AFTER_MS = 120_000
"""How long a payment with nothing to broadcast waits for an ack that says otherwise, at least."""
OBJECTIVES = 2
"""Each has an edge of its own: `on_time_within` and `missed_after`."""


def judge_payment(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    """Count a payment that is past its deadline as good or bad, or leave it out; name it if its name is known."""
    verdict = _verdict(state, policy, journey)
    if isinstance(verdict, Unmeasured):
        leave_unmeasured(state, journey, verdict, out)
        return
    if isinstance(verdict, SkipReason):
        _excuse(state, policy, journey, verdict, out)
        return
    journey.is_good = verdict
    state.visibility.streak = 0
    state.coverage.add(is_judged=True, at_ms=state.now_ms)
    if not verdict:
        state.flag.guard_version += 1
    judge(
        state.indicators[PAYMENTS],
        row_of(PAYMENTS),
        policy,
        is_good=verdict,
        at_ms=state.now_ms,
        can_end=state.flag.rung == 0,
        is_suspended=state.flag.suspension is not None,
    )
    suspension.judged(state, policy, journey.arrived_ms or 0, deadline_ms_of(policy, journey), is_good=verdict)
    if verdict or decided_ms_of(state, policy, journey) is not None:
        name_outcome(state, policy, journey, out)


def _excuse(state: State, policy: Policy, journey: Journey, reason: SkipReason, out: Conclusions) -> None:
    """Leave out a payment for which the backend had nothing to broadcast, once no ack has said otherwise.

    A second handler of the same payment says `already_paid` while the first one's broadcast is on its way, for example
    in a slow queue, so that the payment waits for that.
    """
    if journey.excused_until_ms is None:
        assert journey.arrived_ms is not None  # noqa: S101 - only payments that arrived are judged
        journey.excused_until_ms = journey.arrived_ms + max(policy.missed_after_ms, EXCUSED_AFTER_MS)
    if state.now_ms < journey.excused_until_ms:
        return
    state.tally.skipped[reason] = state.tally.skipped.get(reason, 0) + 1
    journey.is_left_out = True
    if reason is SkipReason.NO_BOOKING and not journey.is_counted:
        unaccounted.count(state)
    out.append(PaymentLeftOut(payment_intent=journey.payment_intent, reason=reason))


def _verdict(state: State, policy: Policy, journey: Journey) -> bool | Unmeasured | SkipReason:
    """Return whether a payment past its deadline is good, or why it is no evidence.

    Only records before the deadline count, so that the verdict does not depend on when a heartbeat triggers it. But
    what proves after it that there was something to broadcast takes an excuse away.
    """
    if _is_before_wiring(state, policy, journey):
        return Unmeasured.NOT_WIRED
    if _was_unwatched(state, policy, journey):
        return Unmeasured.NOT_WATCHED
    deadline_ms = deadline_ms_of(policy, journey)
    skips = {reason for reason, at_ms in journey.skips.items() if at_ms < deadline_ms}
    inferred_ms = inferred_ms_of(state, policy, journey)
    if journey.acks.get(policy.stage, deadline_ms) < deadline_ms:
        return True
    if skips and SkipReason.FAILED in journey.skips:  # whatever a retry said beside it
        return False
    if skips and not journey.acks and inferred_ms is None:  # it had nothing to send
        return SkipReason.NO_BOOKING if SkipReason.NO_BOOKING in skips else SkipReason.ALREADY_PAID
    if state.is_exact and inferred_ms is None:
        is_seen = state.probing.tells_of_all or _was_user_watched(state, journey)
        return False if is_seen else Unmeasured.NOT_WATCHED
    if journey.user_ref is None:
        return Unmeasured.NO_USER
    if not state.probing.tells_of_all and not _was_user_watched(state, journey):
        return Unmeasured.NOT_WATCHED
    if journey.broadcasts > 1:
        return Unmeasured.AMBIGUOUS
    return inferred_ms is not None and inferred_ms < deadline_ms


def _is_before_wiring(state: State, policy: Policy, journey: Journey) -> bool:
    """Compare with the deadline and not with the arrival: its own ack may be first, and the order changes nothing."""
    return state.wired_ms is None or state.wired_ms >= deadline_ms_of(policy, journey)


def _was_unwatched(state: State, policy: Policy, journey: Journey) -> bool:
    """Return whether it arrived before the sockets were watched, regardless of its outcome."""
    if policy.reverb is None or not policy.reverb.is_observing or policy.stage is not Stage.DELIVERED:
        return False
    watched_ms = state.probing.watched_ms
    return watched_ms is None or watched_ms > (journey.arrived_ms or 0)


def _was_user_watched(state: State, journey: Journey) -> bool:
    since_ms = state.probing.watched_users.get(journey.user_ref or "")
    return since_ms is not None and since_ms <= (journey.arrived_ms or 0)


def deadline_ms_of(policy: Policy, journey: Journey) -> int:
    """Return from when on an ack is no longer on time."""
    assert journey.arrived_ms is not None  # noqa: S101 - only payments that arrived are asked about
    return journey.arrived_ms + policy.on_time_within_ms


def decided_ms_of(state: State, policy: Policy, journey: Journey) -> int | None:
    """Return when the broadcast reached the deciding stage; None: not yet."""
    return journey.acks.get(policy.stage, inferred_ms_of(state, policy, journey))


def inferred_ms_of(state: State, policy: Policy, journey: Journey) -> int | None:
    """Return when a nameless ack was matched to a payment; None: none was, or acks name their payments by now."""
    exact_from_ms = state.first_named_ack_ms.get(policy.stage)
    is_void = journey.inferred_ms is None or (exact_from_ms is not None and journey.inferred_ms >= exact_from_ms)
    return None if is_void else journey.inferred_ms


def name_outcome(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    """Give a judged payment its final name."""
    decided_ms = decided_ms_of(state, policy, journey)
    if journey.is_good:
        journey.outcome = Outcome.ON_TIME
    else:
        journey.outcome = Outcome.LATE if decided_ms is not None else Outcome.MISSED
    if decided_ms is not None and journey.arrived_ms is not None:
        count_latency(state.tally.latency, policy, max(0, decided_ms - journey.arrived_ms))
    _settled(state, journey, None, out)


def leave_unmeasured(
    state: State, journey: Journey, reason: Unmeasured, out: Conclusions, *, may_hide: bool = False
) -> None:
    """Settle a payment that is no evidence about push; `may_hide`: others were left in, and this may be a failure."""
    if state.policy is not None and _is_before_wiring(state, state.policy, journey):
        reason = Unmeasured.NOT_WIRED
    journey.outcome = Outcome.UNMEASURED
    state.tally.unmeasured[reason] = state.tally.unmeasured.get(reason, 0) + 1
    if reason is not Unmeasured.NOT_WIRED:
        if journey.is_counted:
            state.tally.seen_late += 1
        else:
            state.coverage.add(is_judged=False, at_ms=state.now_ms)
        state.flag.guard_version += 1
        indicator = state.indicators[PAYMENTS]
        if not indicator.awaits_epoch:
            indicator.unmeasured += 1
            indicator.doubtful += may_hide or reason in MAY_HIDE
    if reason in OUR_FAULT:
        state.visibility.streak += 1
    _settled(state, journey, reason, out)


def _settled(state: State, journey: Journey, reason: Unmeasured | None, out: Conclusions) -> None:
    assert journey.outcome is not None  # noqa: S101 - the two callers have just set both
    assert journey.arrived_ms is not None  # noqa: S101
    state.tally.outcomes[journey.outcome] = state.tally.outcomes.get(journey.outcome, 0) + 1
    stages = {stage: at_ms - journey.arrived_ms for stage, at_ms in journey.acks.items()}
    inferred_ms = inferred_ms_of(state, state.policy, journey) if state.policy is not None else None
    if inferred_ms is not None and state.policy is not None:
        stages.setdefault(state.policy.stage, inferred_ms - journey.arrived_ms)
    out.append(
        PaymentSettled(
            payment_intent=journey.payment_intent,
            outcome=journey.outcome,
            unmeasured=reason,
            stripe_wait_s=journey.stripe_wait_s,
            stages_ms=stages,
        )
    )


def ask_the_timers(state: State, policy: Policy, journey: Journey) -> None:
    """Count whether the last timer would have found the booking paid.

    Timers run from the payment, the journey from the webhook. The difference is Stripe's wait before it signed this
    delivery. An ack of any stage proves that the booking was paid. Basis `paid`: the backend reports the commit.
    Basis `push`: it does not, so a later stage is used, which can only be later.
    """
    assert journey.arrived_ms is not None  # noqa: S101 - `close` is planned at arrival
    basis = "paid" if Stage.PAID in state.first_ack_ms else "push"
    inferred_ms = inferred_ms_of(state, policy, journey)
    times = [*journey.acks.values(), *([inferred_ms] if inferred_ms is not None else [])]
    paid_ms = min(times, default=None)
    last_timer_ms = SCHEDULES[Mode.TIMER_POLLING].refetch_after_ms[-1]
    has_worked = paid_ms is not None and journey.stripe_wait_s * 1000 + paid_ms - journey.arrived_ms < last_timer_ms
    key = f"{'true' if has_worked else 'false'}/{basis}"
    state.tally.timers[key] = state.tally.timers.get(key, 0) + 1


def latency_edges_ms(policy: Policy) -> list[int]:
    """Return the upper edges of the latency histogram: the usual ones, and one at every objective."""
    return sorted({*EDGES_MS, policy.on_time_within_ms, policy.missed_after_ms})


def count_latency(latency: Latency, policy: Policy, latency_ms: int) -> None:
    """Count one latency in a histogram; a change of objective moves the edges and restarts the buckets.

    Milliseconds are cut off, not rounded, so "below the edge" is the same as "on time" (and as `le`) at an objective.
    """
    edges = latency_edges_ms(policy)
    if latency.edges_ms != edges:
        latency.edges_ms, latency.counts, latency.sum_ms = edges, [0] * (len(edges) + 1), 0
    latency.counts[bucket_of(edges, latency_ms)] += 1
    latency.sum_ms += latency_ms


def bucket_of(edges_ms: list[int], latency_ms: int) -> int:
    """Return the number of the bucket that a latency falls into; the last one is open."""
    return next((index for index, edge_ms in enumerate(edges_ms) if latency_ms < edge_ms), len(edges_ms))
