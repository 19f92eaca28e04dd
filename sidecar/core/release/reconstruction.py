"""The reconstruction of a payment that the state has forgotten: its minutes are folded once more.

The problem: a payment is forgotten half a minute after its webhook. A full fold up to it would show how it ended, and
take seconds.

What we do: only the records around it are folded, under the policy of that time. What lasts longer than minutes, such
as when the first ack arrived, is taken from the present state.
"""

from collections.abc import Iterable

import msgspec

from sidecar.core.facts.observations import PaymentSucceeded, Record
from sidecar.core.facts.operator_actions import Overridden, OverrideCleared
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Policy
from sidecar.core.fold import overrides
from sidecar.core.fold.conclusions import PaymentLeftOut, PaymentSettled
from sidecar.core.fold.fold import fold
from sidecar.core.fold.journey import Journey
from sidecar.core.fold.journeys import GIVE_UP_AFTER_MS
from sidecar.core.fold.judging import EXCUSED_AFTER_MS
from sidecar.core.fold.state import State

MARGIN_MS = 60_000


class Reconstruction(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as the fold saw it."""

    journey: Journey | None
    """None: no record named it."""
    outcome: Outcome | None
    """None: it has none yet, or was left out."""
    unmeasured: Unmeasured | None
    left_out: str | None
    """Why it is no outcome at all; None: it is one."""


def window_of(policy: Policy, arrived_ms: int) -> tuple[int, int]:
    """Return (from, until) of a payment's own records, in Unix milliseconds."""
    lasts_ms = max(policy.missed_after_ms, EXCUSED_AFTER_MS) + GIVE_UP_AFTER_MS
    return arrived_ms - lasts_ms, arrived_ms + lasts_ms + MARGIN_MS


def reconstruct(
    now: State, policy: Policy, records: Iterable[Record], payment_intent: str, earlier: Iterable[Record] = ()
) -> Reconstruction:
    """Fold the records around a payment, which follow each other without a gap, and return what became of it.

    `earlier`: the actions before them that may have stood then, overrides of users.
    """
    past, journey = State(), now.journeys.get(payment_intent)
    outcome = unmeasured = left_out = None
    around = list(records)
    if around:
        _begin(past, now, policy, around[0], _arrived_ms(around, payment_intent))
        _overridden(past, earlier)
    for record in around:
        conclusions = fold(past, record)
        journey = past.journeys.get(payment_intent, journey)
        for each in conclusions:
            if isinstance(each, PaymentSettled) and each.payment_intent == payment_intent:
                outcome, unmeasured, left_out = each.outcome, each.unmeasured, None
            elif isinstance(each, PaymentLeftOut) and each.payment_intent == payment_intent:
                left_out = each.reason
    return Reconstruction(journey=journey, outcome=outcome, unmeasured=unmeasured, left_out=left_out)


def _overridden(past: State, earlier: Iterable[Record]) -> None:
    """Apply the overrides that may have stood."""
    begins = past.seq, past.now_ms
    for record in earlier:
        past.seq, past.now_ms = record.seq, record.at_ms
        if isinstance(record.observation, Overridden):
            overrides.override(past, record.observation)
        elif isinstance(record.observation, OverrideCleared):
            overrides.clear(past, record.observation)
    past.seq, past.now_ms = begins


def _arrived_ms(records: list[Record], payment_intent: str) -> int:
    """Return when the webhook of the payment arrived; without one, when the first record was made."""
    for record in records:
        if isinstance(record.observation, PaymentSucceeded) and record.observation.payment_intent == payment_intent:
            return record.at_ms
    return records[0].at_ms


def _begin(past: State, now: State, policy: Policy, first: Record, arrived_ms: int) -> None:
    """Copy into the past what lasts longer than the reconstructed minutes: first acks and watched channels.

    A first ack that matched after the payment arrived matches in these minutes again.
    """
    past.policy = policy
    past.seq, past.now_ms = first.seq - 1, first.at_ms
    past.visibility.seen_ms = past.checkpointed_ms = first.at_ms
    past.first_ack_ms = {stage: ms for stage, ms in now.first_ack_ms.items() if ms < arrived_ms}
    past.first_named_ack_ms = {stage: ms for stage, ms in now.first_named_ack_ms.items() if ms < arrived_ms}
    past.stripe_ahead_ms = list(now.stripe_ahead_ms)
    past.probing.watched_ms = 0
    past.probing.tells_of_all = now.probing.tells_of_all
    past.probing.watched_users = dict(now.probing.watched_users)
