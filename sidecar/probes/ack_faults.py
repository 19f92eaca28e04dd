"""Acks that count for no payment, and why: their sender gets the reason, and so do status and metrics.

An ack is journalled whatever it says, because a payment may become known later. What the present state and the policy
show of it is named at once: a backend that is configured wrongly would otherwise see its acks accepted, and nothing
else.
"""

import collections
import enum
from collections.abc import Callable, Iterator

from sidecar.core.facts.observations import (
    BACKEND,
    AckReceived,
    IgnoreReason,
    PaymentIgnored,
    PaymentSucceeded,
    Record,
)
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.fold.conclusions import Conclusion
from sidecar.core.fold.state import State
from sidecar.parts.metrics import Counter
from sidecar.parts.part import Part

NAMES_MAX = 20
"""Names of contexts that are remembered; the backend chooses them."""
SHOWN_MAX = 3
"""Names of contexts in one sentence."""
UNCONFIRMED_FROM = 20
"""Acks with a fault in a row, after which the configuration is in doubt again."""


class AckFault(enum.StrEnum):
    """Why an ack counts for no payment."""

    OTHER_CONTEXT = "other_context"
    """None of its contexts is in `acks.contexts`."""
    OF_THE_SENDER = "of_the_sender"
    """`delivered`, from the backend, beside the sidecar's sockets: the sender cannot know."""
    OTHER_LIVEMODE = "other_livemode"
    """Its payment is one of test mode where live ones are judged, or the reverse."""
    OUTSIDE_FILTER = "outside_filter"
    """Its payment lacks a key of `stripe.required_metadata`, or came as a thin event."""
    UNKNOWN_USER = "unknown_user"
    """It names a user and no payment, and that user has no open one."""


_BY_REASON = {
    IgnoreReason.OTHER_LIVEMODE: AckFault.OTHER_LIVEMODE,
    IgnoreReason.MISSING_METADATA: AckFault.OUTSIDE_FILTER,
    IgnoreReason.THIN_EVENT: AckFault.OUTSIDE_FILTER,
}


def fault_of(fact: AckReceived, policy: Policy, state: State | None) -> AckFault | None:
    """Return why an ack counts for no payment, by what is known now; None: nothing is wrong with it.

    Without a state only the ack itself is judged.
    """
    if fact.contexts and not any(context in policy.contexts for context in fact.contexts):
        return AckFault.OTHER_CONTEXT
    if fact.source == BACKEND and fact.stage is Stage.DELIVERED and policy.reverb and policy.reverb.is_observing:
        return AckFault.OF_THE_SENDER
    if state is None:
        return None
    if fact.payment_intent is None:
        return None if fact.user_ref in state.by_user else AckFault.UNKNOWN_USER
    journey = state.journeys.get(fact.payment_intent)
    return _BY_REASON.get(journey.ignored) if journey is not None and journey.ignored is not None else None


def sentence(fault: AckFault, policy: Policy, contexts: tuple[str, ...] = (), *, who: str = "it") -> str:
    """Return what is wrong with an ack or with several, what is configured, and what to do. `who` came: `6 acks`."""
    stripe = policy.stripe
    is_live, keys, user_key = (stripe.livemode, stripe.required_metadata, stripe.user_key) if stripe else (True, (), "")
    match fault:
        case AckFault.OTHER_CONTEXT:
            came_for = f"context{'s' if len(contexts) > 1 else ''} {_listed(contexts)}"
            return (
                f"{who} came for {came_for}; configured is {_listed(policy.contexts)} (`acks.contexts`). Set the same "
                "name in both"
            )
        case AckFault.OF_THE_SENDER:
            return (
                f"{who} came from the sender of the broadcast, who cannot know whether it was delivered: the sidecar's "
                "own sockets observe that. Broadcast on `reverb.observer_channel` in the same call, or set "
                "`reverb.observers: 0`"
            )
        case AckFault.OTHER_LIVEMODE:
            mode = "live payments" if is_live else "payments of test mode"
            return f"{who} came for a payment of the other mode; configured is to judge {mode} (`stripe.livemode`)"
        case AckFault.OUTSIDE_FILTER:
            return (
                f"{who} came for a payment outside the filter; configured is {_listed(keys) or 'no key'} "
                "(`stripe.required_metadata`). If the app broadcasts for such payments, the filter is too narrow"
            )
        case AckFault.UNKNOWN_USER:
            return (
                f"{who} named no payment, and a user who has no open one. Compare the user id with the metadata key "
                f"`stripe.user_key` ({user_key or 'not set'}), or send `payment_intent`"
            )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


class AckFaults(Part):
    """The acks since the start of this process that count for no payment."""

    mismatched = Counter(
        "mismatched_acks", "Acks that count for no payment, by reason, since the start of the process.",
        {"reason": AckFault},
    )  # fmt: skip

    def __init__(self, policy: Policy, state: State) -> None:
        self._policy, self._state = policy, state
        self._contexts: collections.Counter[str] = collections.Counter()
        self._in_a_row: collections.Counter[AckFault] = collections.Counter()
        """Since the last ack that met its payment."""
        self._is_confirmed = False

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Count an ack, or acks whose payment turns out to be outside the filter."""
        del conclusions
        fact = record.observation
        if not isinstance(fact, AckReceived | PaymentIgnored | PaymentSucceeded):
            return
        journey = self._state.journeys.get(fact.payment_intent or "")
        has_both = journey is not None and journey.arrived_ms is not None and bool(journey.acks)
        if isinstance(fact, PaymentIgnored) and journey is not None and (journey.acks or journey.skips):
            self._count(_BY_REASON[fact.reason])
        if not isinstance(fact, AckReceived):
            self._confirm(is_match=has_both)
            return
        fault = fault_of(fact, self._state.policy or self._policy, self._state)
        if fault is None:
            self._confirm(is_match=has_both or fact.payment_intent is None)
            return
        if fault is AckFault.OTHER_CONTEXT and (
            fact.contexts[0] in self._contexts or len(self._contexts) < NAMES_MAX
        ):  # fmt: skip
            self._contexts[fact.contexts[0]] += 1
        self._count(fault)

    def _confirm(self, *, is_match: bool) -> None:
        """Note that an ack has met its payment."""
        if is_match:
            self._is_confirmed = True
            self._in_a_row.clear()

    def _count(self, fault: AckFault) -> None:
        self.mismatched.inc(fault)
        self._in_a_row[fault] += 1

    def counts(self) -> dict[str, int]:
        """Return how many acks counted for no payment, by reason, without reasons that none has."""
        return {reason: count for (reason,), count in self.mismatched.items() if count}

    def warnings(self) -> Iterator[str]:
        """Yield what is wrong with the acks that come, as sentences, while none without a fault has come."""
        if self._is_confirmed and self._in_a_row.total() < UNCONFIRMED_FROM:
            return
        policy = self._state.policy or self._policy
        for fault, count in self._in_a_row.items():
            names = (
                tuple(name for name, _ in self._contexts.most_common(SHOWN_MAX))
                if fault is AckFault.OTHER_CONTEXT
                else ()
            )
            who = "One ack" if count == 1 else f"{count} acks"
            yield f"{sentence(fault, policy, names, who=who)}. Such acks count for no payment."


AckNote = Callable[[AckReceived, int], tuple[AckFault, str] | None]
"""Returns what is wrong with an ack that was just appended as this record, and the sentence; None: nothing."""


def note_of(policy: Policy, state: State) -> AckNote:
    """Return what names the fault of an ack for its sender."""

    def note(fact: AckReceived, seq: int) -> tuple[AckFault, str] | None:
        in_force = state.policy or policy
        is_behind = state.seq < seq - 1  # its payment may be in a record that is not folded yet
        fault = fault_of(fact, in_force, None if is_behind else state)
        return None if fault is None else (fault, sentence(fault, in_force, fact.contexts[:SHOWN_MAX]))

    return note
