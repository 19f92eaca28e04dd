"""The facts that a journal holds, as one tagged union: the wire format and the vocabulary in one place.

An observation is immutable and says what was seen, not what follows from it. `core.facts.identities` gives each its
key.
"""

import enum

import msgspec

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, Step, UserAuth
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.facts.reports import Family, Reading
from sidecar.core.facts.windows import Once, Weekly

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for what was not expected: no JSON, or of another shape; not UTF-8; nested too deep."""


class IgnoreReason(enum.StrEnum):
    """Why a succeeded payment is none of ours."""

    OTHER_LIVEMODE = "other_livemode"
    """A test payment where live ones are judged, or the reverse."""
    MISSING_METADATA = "missing_metadata"
    """`stripe.required_metadata` is not all there: outside the filter."""
    THIN_EVENT = "thin_event"
    """A `v2.core.event` notification: it carries no metadata, so the filter cannot be applied."""


class SkipReason(enum.StrEnum):
    """Why the backend did not broadcast."""

    ALREADY_PAID = "already_paid"
    NO_BOOKING = "no_booking"
    FAILED = "failed"


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class _Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=_snake):
    """What all observations share: they are frozen, and tagged with their name in snake case."""


class Started(_Fact, frozen=True, kw_only=True):
    """A sidecar process opened the journal: whatever came between the last record and this one, it did not see."""

    replica: str
    version: str


class Heartbeat(_Fact, frozen=True, kw_only=True):
    """A replica is alive and its journal answers: a tick of the clock, the start of a lease, a proof of liveness."""

    replica: str
    beat: int
    """Counts up within one replica, so that it knows its own beat when it folds it."""
    silent_sources: tuple[str, ...] = msgspec.field(default=(), name="unseen")
    """Own sources that did not answer a liveness check before this beat; empty: every ack that arrived was received.

    The wire name is that of the first version: with a default, a missing field looks like an old name."""


class ClockJumped(_Fact, frozen=True, kw_only=True):
    """The wall clock and the monotonic clock moved apart by more than a second between two looks."""

    replica: str
    by_ms: int
    """Positive: the wall clock was set ahead; negative: it was set back."""


class PaymentSucceeded(_Fact, frozen=True, kw_only=True):
    """Stripe signed that a payment succeeded, and it is ours. Source: the event `payment_intent.succeeded`."""

    payment_intent: str
    event_id: str
    created_s: int
    """Unix seconds at which Stripe made the event (Stripe's clock)."""
    signed_s: int | None
    """Unix seconds at which Stripe signed this delivery (Stripe's clock); None: not delivered but listed later."""
    user_ref: str | None = None
    """Keyed hash of whose payment it is; None: the metadata does not say."""
    account: str | None = None
    """The connected account (`acct_…`) of a Connect event."""


class PaymentIgnored(_Fact, frozen=True, kw_only=True):
    """A payment succeeded that is none of ours; kept because an ack for it would prove the filter wrong."""

    payment_intent: str
    event_id: str
    reason: IgnoreReason


BACKEND, OBSERVER, USER_CHANNEL = "backend", "observer", "user_channel"
"""Sources of acks: the app's own word, and sockets of ours on a channel that tells of every payment, and on those of
some users."""


class AckReceived(_Fact, frozen=True, kw_only=True):
    """Evidence of how far the news of a payment got."""

    source: str
    """Who says so: `backend`, `observer` (our own sockets, all that were subscribed), `user_channel`."""
    stage: Stage
    payment_intent: str | None = None
    """None: the ack does not name its payment and is matched by user and context."""
    user_ref: str | None = None
    contexts: tuple[str, ...] = ()
    reason: SkipReason | None = None
    """Why it was skipped; only with stage `skipped`."""
    release: str | None = None
    """The backend's release marker."""
    ack_id: str | None = None
    """The sender's idempotency key for an ack that names no payment."""


class AcksLost(_Fact, frozen=True, kw_only=True):
    """Acks were given to one of our own sources and removed before we read them: nobody knows what they said."""

    source: str
    count: int | None
    """At least one; None: nobody knows how many."""


class ChannelAuthProbed(_Fact, frozen=True, kw_only=True):
    """The probe user probed a browser's way to its private channel."""

    replica: str
    outcome: AuthProbeOutcome
    step: Step
    """Where it ended; of `ok`, the last."""
    is_at_app: bool = False
    """It ended on the way to the app or in it, and not on the way to Reverb."""
    number: int | None = None
    """The HTTP status or the code of the `pusher:error`, where there was one."""
    took_ms: int
    is_cut_off: bool = False
    """Reverb, the auth endpoint and the reference target could not be reached: it says nothing about push."""


class IsolationProbed(_Fact, frozen=True, kw_only=True):
    """The probe user asked for a channel that is not its own."""

    replica: str
    verdict: IsolationOutcome
    outcome: AuthProbeOutcome
    number: int | None = None


class RoundTripEnded(_Fact, frozen=True, kw_only=True):
    """A canary went through Reverb's HTTP API, and came back over our sockets or did not."""

    replica: str
    outcome: RoundTripOutcome
    took_ms: int
    """Until the last socket received it, or until it was given up."""
    number: int | None = None
    """The HTTP status of Reverb's API, where it is not 200."""
    received: int = 0
    """Sockets that received it in time."""
    subscribed: int = 0
    """Sockets that were subscribed when it was sent."""
    is_cut_off: bool = False
    """Reverb, the auth endpoint and the reference target could not be reached: it says nothing about push."""


class ObserverChanged(_Fact, frozen=True, kw_only=True):
    """One of our sockets was subscribed, or is not any more."""

    replica: str
    observer: int
    """Which of them, from 0."""
    is_up: bool
    outcome: AuthProbeOutcome
    """Why it is down; `ok` when it is up."""
    number: int | None = None


class WatchChanged(_Fact, frozen=True, kw_only=True):
    """A user's own channel is watched, or is not any more."""

    replica: str
    user_ref: str
    is_on: bool


class UserAuthReported(_Fact, frozen=True, kw_only=True):
    """The backend answered somebody's request for a channel."""

    result: UserAuth
    user_ref: str | None = None
    """Whose vote it is; None: nobody's, because the channel is not that user's own, or names none."""


class BrowserReported(_Fact, frozen=True, kw_only=True):
    """A payer's browser told what became of one payment. Anybody who pays can make it say anything."""

    payment_intent: str
    user_ref: str
    """Of the user whose token came with it."""
    browser: Family
    reading: Reading


class PolicyAdopted(_Fact, frozen=True, kw_only=True):
    """These rules hold from here on."""

    policy: Policy
    policy_hash: str
    adoption: int
    """How many policies this journal had adopted before; makes two replicas that start at once adopt it once."""
    actor: str
    reason: str


class Held(_Fact, frozen=True, kw_only=True):
    """A person forbade climbing until `Resumed`."""

    actor: str
    reason: str


class Resumed(_Fact, frozen=True, kw_only=True):
    """A person lifted the hold."""

    actor: str
    reason: str


class Approved(_Fact, frozen=True, kw_only=True):
    """A person approved one climb, onto this rung, in this epoch of the payments indicator."""

    actor: str
    reason: str
    rung: int
    epoch: int


class RolledBack(_Fact, frozen=True, kw_only=True):
    """A person sent the flag to the bottom rung; it holds there until `Resumed`."""

    actor: str
    reason: str


class EvidenceReset(_Fact, frozen=True, kw_only=True):
    """A person began a new epoch in every indicator."""

    actor: str
    reason: str


class Noted(_Fact, frozen=True, kw_only=True):
    """A person noted something for the record: it changes nothing."""

    actor: str
    text: str
    release: str | None = None
    """What was released, such as a version or a commit; None: it is no release."""


class Frozen(_Fact, frozen=True, kw_only=True):
    """A person forbade climbing in certain times; falling stays possible. One of the same name is replaced."""

    actor: str
    """Whose it is."""
    reason: str
    name: str
    window: Once | Weekly
    expires_ms: int
    """When it goes by itself, in Unix milliseconds."""


class Thawed(_Fact, frozen=True, kw_only=True):
    """A person took a freeze away before it went by itself."""

    actor: str
    reason: str
    name: str


class GateReading(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate said when a decision was taken."""

    name: str
    value: str
    target: str
    passes: bool


class FallCause(enum.StrEnum):
    """Why the flag went back to the bottom rung."""

    ALARM = "alarm"
    BLIND = "blind"
    SUSPENSION = "suspension"
    """Reverb was unstable for too long, or too often."""
    ROLLBACK = "rollback"


class Climbed(_Fact, frozen=True, kw_only=True):
    """The controller decided to go one rung up. Ignored by the fold if either version moved meanwhile."""

    replica: str
    to_rung: int
    version: int
    guard_version: int
    gates: tuple[GateReading, ...]


class Fell(_Fact, frozen=True, kw_only=True):
    """The controller decided to go back to the bottom rung. Always applies."""

    replica: str
    version: int
    cause: FallCause
    detail: str


class EpochRenewed(_Fact, frozen=True, kw_only=True):
    """The controller found that on the bottom rung a fresh epoch proves sooner than the old one."""

    replica: str
    indicator: str
    epoch: int
    """The epoch that begins."""
    guard_version: int


class NotificationClaimed(_Fact, frozen=True, kw_only=True):
    """A replica is about to tell one target of one event: nobody else will, and after a restart it will not again."""

    replica: str
    event: str
    """What is told: the same for every replica, because it comes from the record that brought it about."""
    target: str
    """Its name in the configuration."""


class Checkpoint(_Fact, frozen=True, kw_only=True):
    """The complete state as of an earlier record: what a full fold may start from once older records are removed.

    The format is `docs/checkpoint.schema.json`. `core.fold.checkpoints` writes it, and reads that of every fold
    version.
    """

    replica: str
    fold_version: int
    folded_seq: int
    """The last record that is in the state; what came between it and this record is not."""
    day: int
    """Days since the epoch of Unix time, on the journal's clock."""
    state: msgspec.Raw
    """As `core.fold.state.encode` wrote it."""


Observation = (
    Started
    | Heartbeat
    | ClockJumped
    | PaymentSucceeded
    | PaymentIgnored
    | AckReceived
    | AcksLost
    | ChannelAuthProbed
    | IsolationProbed
    | RoundTripEnded
    | ObserverChanged
    | WatchChanged
    | UserAuthReported
    | BrowserReported
    | PolicyAdopted
    | Held
    | Resumed
    | Approved
    | RolledBack
    | EvidenceReset
    | Noted
    | Frozen
    | Thawed
    | Climbed
    | Fell
    | EpochRenewed
    | NotificationClaimed
    | Checkpoint
)

Decision = Climbed | Fell | EpochRenewed
OperatorAction = Held | Resumed | Approved | RolledBack | EvidenceReset | Noted | Frozen | Thawed
Chained = Decision | OperatorAction | PolicyAdopted
"""What somebody may have to account for: kept for ever, and in one chain (`core.facts.chain`)."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An observation in its place in the journal."""

    seq: int
    """Counts up by one; the first is 1."""
    at_ms: int
    """Unix milliseconds on the journal's clock, which never goes back."""
    observation: Observation
    kept: bytes | None = None
    """The observation as the journal keeps it, byte for byte, where it is chained; None: as it would be written now."""
