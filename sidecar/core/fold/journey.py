"""One payment on its way, from the first record about it until it is forgotten."""

import msgspec

from sidecar.core.facts.observations import IgnoreReason, SkipReason
from sidecar.core.facts.outcomes import Outcome
from sidecar.core.facts.policy import Stage


class Journey(msgspec.Struct, kw_only=True, gc=False):
    """One payment on its way: its webhook and the acks that belong to it, in any order."""

    payment_intent: str
    arrived_ms: int | None = None
    """When the webhook arrived; None: only acks so far."""
    user_ref: str | None = None
    stripe_wait_s: int = 0
    """Between the event and the signature of this delivery, both on Stripe's clock, in whole seconds."""
    ignored: IgnoreReason | None = None
    """Set: outside the filter. Stored for a while, because an ack would prove the filter wrong."""
    acks: dict[Stage, int] = {}
    """When the first ack of each stage arrived that names this payment."""
    skips: dict[SkipReason, int] = {}
    """When the backend first reported, for each reason, that it did not broadcast."""
    is_of_all: bool = False
    """Its deciding ack came from a source that covers every user, not only watched ones."""
    excused_until_ms: int | None = None
    """At its deadline the backend had had nothing to broadcast: until then an ack may prove that it had."""
    is_counted: bool = False
    """It counts against coverage already: its acks were there long before its webhook."""
    inferred_ms: int | None = None
    """When the broadcast arrived that was matched by user and context."""
    broadcasts: int = 0
    """Broadcasts for its user, before its deadline, that name no payment."""
    is_good: bool | None = None
    """How it was judged at its deadline; None: not judged (yet)."""
    outcome: Outcome | None = None
    """Its final name; None: pending, or left out."""
    is_left_out: bool = False
    """The backend had nothing to broadcast: not an outcome."""

    @property
    def is_pending(self) -> bool:
        """Whether its webhook arrived and it was neither judged nor left out."""
        return self.arrived_ms is not None and self.is_good is None and not self.is_settled

    @property
    def is_settled(self) -> bool:
        """Whether nothing can change how it ended."""
        return self.outcome is not None or self.is_left_out
