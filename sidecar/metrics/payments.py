"""The folded rows about payments, their acks and the flag."""

from sidecar.core.facts.observations import FallCause, IgnoreReason, SkipReason
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.fold.ladder import RETURNED
from sidecar.core.fold.state import State
from sidecar.metrics.rows import Histogram, counter, gauge

SKIPPED = (SkipReason.ALREADY_PAID, SkipReason.NO_BOOKING)
CAUSES = ("proven", RETURNED, "policy", *(cause.value for cause in FallCause))


def can_move(before: Mode, after: Mode, cause: str) -> bool:
    """Return whether the flag can move so: only proof climbs, one rung at a time, and a fall ends at timers.

    After the ladder was switched off, the flag returns to push with its safety net.
    """
    if cause == "proven":
        return before.rank <= after.rank <= before.rank + 1 and after is not Mode.TIMER_POLLING
    if cause == RETURNED:
        return (before, after) == (Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET)
    if cause == "policy":
        return after.rank <= before.rank and before is not Mode.TIMER_POLLING
    return after is Mode.TIMER_POLLING and before is not Mode.TIMER_POLLING


MOVES = tuple(
    (before.value, after.value, cause)
    for before in Mode
    for after in Mode
    for cause in CAUSES
    if can_move(before, after, cause)
)
"""Every possible move: (from, to, cause)."""


def oldest_unmatched_s(state: State) -> float:
    """Return when the oldest payment arrived that has no deciding ack yet, in Unix seconds; 0: there is none.

    Journeys are in the order of their first record. A payment without any record before its arrival therefore arrived
    before all that follow it.
    """
    oldest_ms = 0
    for journey in state.journeys.values():
        arrived_ms = journey.arrived_ms
        if journey.outcome is None and arrived_ms is not None and journey.excused_until_ms is None:
            oldest_ms = min(oldest_ms or arrived_ms, arrived_ms)
            if all(received_ms >= arrived_ms for received_ms in (*journey.acks.values(), *journey.skips.values())):
                break
    return oldest_ms / 1000


ROWS = (
    counter(
        "payment_outcomes",
        "Payments by outcome, counted when the outcome was decided.",
        lambda state: state.tally.outcomes,
        {"outcome": Outcome},
    ),
    counter(
        "unmeasured_payments",
        "Payments that are no evidence about push, by reason.",
        lambda state: state.tally.unmeasured,
        {"reason": Unmeasured},
    ),
    counter(
        "ignored_payments",
        "Succeeded payments that this sidecar does not judge, by reason.",
        lambda state: state.tally.ignored,
        {"reason": IgnoreReason},
    ),
    counter(
        "skipped_payments",
        "Payments that the backend was right not to broadcast, by reason.",
        lambda state: state.tally.skipped,
        {"reason": SKIPPED},
    ),
    counter(
        "filter_contradictions",
        "Payments that the metadata filter excluded and that got an ack: the filter is wrong.",
        lambda state: state.tally.contradicted,
    ),
    counter("acks", "Acks by stage.", lambda state: state.tally.acks, {"stage": Stage}),
    counter("unknown_acks", "Acks without a payment.", lambda state: state.tally.unknown_acks),
    counter(
        "unaccounted_payments",
        "Payments that count against coverage: acks named them and no webhook came, or the backend found no booking.",
        lambda state: state.tally.unaccounted,
    ),
    counter(
        "dropped_acks",
        "Acks that were dropped because too many waited for their payments.",
        lambda state: state.tally.dropped_acks,
    ),
    counter(
        "timers_would_have_worked",
        "Judged payments by whether the last timer would have cleared the alert, and by the basis of that judgement.",
        lambda state: state.tally.timers,
        {"worked": ("true", "false"), "basis": ("paid", "push")},
    ),
    gauge(
        "oldest_unmatched_payment_timestamp_seconds",
        "Arrival of the oldest payment that has no deciding ack yet; 0: there is none.",
        oldest_unmatched_s,
    ),
    Histogram(
        name="webhook_to_broadcast_seconds",
        help="Time from the webhook's arrival to the deciding ack, of judged payments.",
        read=lambda state: state.tally.latency,
        has_exemplars=True,
    ),
    gauge("flag_rung", "The current rung of the ladder, from 0.", lambda state: state.flag.rung),
    counter(
        "flag_transitions",
        "Moves of the flag.",
        lambda state: state.tally.moves,
        {"from_mode": Mode, "to_mode": Mode, "cause": CAUSES},
        series=MOVES,
    ),
    counter(
        "acks_lost",
        "Acks that were removed from an ack source before they were read; a lower bound.",
        lambda state: state.tally.lost_acks,
    ),
    counter(
        "stale_climbs",
        "Climbs that were ignored because the state had changed since they were decided.",
        lambda state: state.tally.stale_climbs,
    ),
    gauge(
        "kept_payments",
        "Payments, and acks without a payment, that are kept because more records may refer to them.",
        lambda state: len(state.journeys),
    ),
    gauge("waiting_acks", "Acks that wait for their payments.", lambda state: state.waiting_acks),
    gauge(
        "last_record_timestamp_seconds",
        "Timestamp of the last record that was folded, on the journal's clock; 0 before the first.",
        lambda state: state.now_ms / 1000,
        is_progress=True,
    ),
    counter("journal_records", "Records that were folded.", lambda state: state.seq, is_progress=True),
)
"""Payments, acks, the flag, and how far the journal was read."""
