"""Payments that the sidecar did not see: acks named them, and no webhook came. They count against coverage.

A source of acks that are stray, or forged with its token, can lower coverage so, and nothing else: the answer is then
timers, never push.
"""

from sidecar.core.facts.observations import SkipReason
from sidecar.core.fold.journey import Journey
from sidecar.core.fold.state import State

CLOSED_MAX = 5000
REMEMBERED_MS = 24 * 3_600_000


def count(state: State) -> None:
    """Count one payment against coverage."""
    state.tally.unaccounted += 1
    state.coverage.add(is_judged=False, at_ms=state.now_ms)
    state.flag.guard_version += 1


def forgotten(state: State, journey: Journey) -> None:
    """Count a payment of which only acks were known, if they speak of a payment that succeeded.

    `skipped: already_paid` alone does not: Stripe delivers an event to the backend again for days. Nor does an ack
    of a payment whose journey has ended, or one from before the first payment that could be judged.
    """
    times = [*journey.acks.values(), *(at_ms for reason, at_ms in journey.skips.items() if _speaks(reason))]
    is_wired = state.wired_ms is not None and bool(times) and state.wired_ms <= min(times)
    if is_wired and journey.payment_intent not in state.closed and journey.payment_intent not in state.unaccounted:
        remember(state, state.unaccounted, journey.payment_intent)
        count(state)


def remember(state: State, payments: dict[str, int], payment_intent: str) -> None:
    """Remember a payment for a day, or until too many followed."""
    payments.pop(payment_intent, None)
    payments[payment_intent] = state.now_ms
    while len(payments) > CLOSED_MAX or state.now_ms - next(iter(payments.values())) >= REMEMBERED_MS:
        del payments[next(iter(payments))]


def _speaks(reason: SkipReason) -> bool:
    return reason is not SkipReason.ALREADY_PAID
