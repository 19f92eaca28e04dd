"""The immutable facts that a journal stores, as one tagged union. `core.facts.identities` gives each its key."""

import enum

import msgspec

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, Step, UserAuth
from sidecar.core.facts.fact import Fact
from sidecar.core.facts.gate_readings import GateReading
from sidecar.core.facts.operator_actions import OperatorAction
from sidecar.core.facts.outcomes import NoPayer
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.facts.reports import Family, Reading

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for what was not expected: no JSON, or of another shape; not UTF-8; nested too deep."""


class IgnoreReason(enum.StrEnum):
    """Why a succeeded payment is outside the filter."""

    OTHER_LIVEMODE = "other_livemode"
    """A test payment where live ones are judged, or the reverse."""
    MISSING_METADATA = "missing_metadata"
    """`stripe.required_metadata` is not all there: outside the filter."""
    THIN_EVENT = "thin_event"
    """A `v2.core.event` notification: it carries no metadata, so the filter cannot be applied."""
    OVERRIDE = "override"
    """Its payer had an override (`core.fold.overrides`). Only the fold gives this reason; no record contains it."""


class SkipReason(enum.StrEnum):
    """Why the backend did not broadcast."""

    ALREADY_PAID = "already_paid"
    NO_BOOKING = "no_booking"
    FAILED = "failed"


class Started(Fact, frozen=True, kw_only=True):
    """A sidecar process opened the journal; events between the last record and this one are not recorded."""

    replica: str
    version: str
    clock_ahead_ms: int = 0
    """How far the journal's clock was ahead of the wall clock; negative: behind; 0: under a minute, or not recorded."""


class Heartbeat(Fact, frozen=True, kw_only=True):
    """A replica is alive and its journal answers: a tick of the clock, the start of a lease, a proof of liveness."""

    replica: str
    beat: int
    """Counts up within one replica, so that the replica recognises its own heartbeat when it folds it."""
    silent_sources: tuple[str, ...] = msgspec.field(default=(), name="unseen")
    """Own sources that did not answer before this beat; empty: every ack that arrived was received. The wire name is
    that of the first version: with a default, a missing field looks like an old name."""


class ClockJumped(Fact, frozen=True, kw_only=True):
    """The wall clock and the monotonic clock moved apart by more than a second between two looks."""

    replica: str
    by_ms: int
    """Positive: the wall clock was set ahead; negative: it was set back."""


class PaymentSucceeded(Fact, frozen=True, kw_only=True):
    """A signed webhook of a succeeded payment inside the filter. Source: the event `payment_intent.succeeded`."""

    payment_intent: str
    event_id: str
    created_s: int
    """Unix seconds at which Stripe made the event (Stripe's clock)."""
    signed_s: int | None
    """Unix seconds at which Stripe signed this delivery (Stripe's clock); None: not delivered but listed later."""
    user_ref: str | None = None
    """Keyed hash of the payer's id; None: the metadata does not name a user."""
    account: str | None = None
    """The connected account (`acct_…`) of a Connect event."""
    read_late_ms: int = 0
    """For how long, at most, a stalled event loop left the webhook unread, in milliseconds; 0: too short to matter."""
    no_payer: NoPayer | None = None
    """Why no payer waits for it; None: one does, as far as the event shows."""


class PaymentIgnored(Fact, frozen=True, kw_only=True):
    """A payment outside the filter succeeded; recorded because an ack for it would prove the filter wrong."""

    payment_intent: str
    event_id: str
    reason: IgnoreReason


BACKEND, OBSERVER, USER_CHANNEL = "backend", "observer", "user_channel"
"""Sources of acks: the backend, and the sidecar's sockets on the channel of all payments or on those of some users."""


class AckReceived(Fact, frozen=True, kw_only=True):
    """Evidence of how far the broadcast of a payment got."""

    source: str
    """`backend`, `observer` (the sidecar's own sockets, all that were subscribed) or `user_channel`."""
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


class AcksLost(Fact, frozen=True, kw_only=True):
    """Acks were added to a source and removed before the sidecar read them; their content is unknown."""

    source: str
    count: int | None
    """A lower bound; None: the number is unknown."""


class ChannelAuthProbed(Fact, frozen=True, kw_only=True):
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
    """Reverb, the auth endpoint and the reference target were all unreachable: no evidence about push."""


class IsolationProbed(Fact, frozen=True, kw_only=True):
    """The probe user requested a channel of another user."""

    replica: str
    verdict: IsolationOutcome
    outcome: AuthProbeOutcome
    number: int | None = None


class RoundTripEnded(Fact, frozen=True, kw_only=True):
    """A canary was sent through Reverb's HTTP API; it returned over the sidecar's sockets or it did not."""

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
    """Reverb, the auth endpoint and the reference target were all unreachable: no evidence about push."""


class ObserverChanged(Fact, frozen=True, kw_only=True):
    """One of the sidecar's sockets was subscribed, or lost its subscription."""

    replica: str
    observer: int
    """Which of them, from 0."""
    is_up: bool
    outcome: AuthProbeOutcome
    """Why it is down; `ok` when it is up."""
    number: int | None = None


class WatchChanged(Fact, frozen=True, kw_only=True):
    """A user's own channel is watched, or is not any more."""

    replica: str
    user_ref: str
    is_on: bool


class UserAuthReported(Fact, frozen=True, kw_only=True):
    """The backend answered a channel authorisation."""

    result: UserAuth
    user_ref: str | None = None
    """The user whose vote it is; None: the channel belongs to another user, or names none."""


class BrowserReported(Fact, frozen=True, kw_only=True):
    """The report of a payer's browser about one payment. Any payer can forge its content."""

    payment_intent: str
    user_ref: str
    """The user of the token that was sent with it."""
    browser: Family
    reading: Reading


class PolicyAdopted(Fact, frozen=True, kw_only=True):
    """A policy is in force from here on."""

    policy: Policy
    policy_hash: str
    adoption: int
    """How many policies this journal had adopted before; makes two replicas that start at once adopt it once."""
    actor: str
    reason: str


class FallCause(enum.StrEnum):
    """Why the flag went back to the bottom rung."""

    ALARM = "alarm"
    BLIND = "blind"
    SUSPENSION = "suspension"
    """Reverb was unstable for too long, or too often."""
    ROLLBACK = "rollback"


class Climbed(Fact, frozen=True, kw_only=True):
    """The controller decided to go one rung up. Ignored by the fold if either version moved meanwhile."""

    replica: str
    to_rung: int
    version: int
    guard_version: int
    gates: tuple[GateReading, ...]


class Fell(Fact, frozen=True, kw_only=True):
    """The controller decided to go back to the bottom rung. Always applies."""

    replica: str
    version: int
    cause: FallCause
    detail: str


class EpochRenewed(Fact, frozen=True, kw_only=True):
    """The controller found that on the bottom rung a fresh epoch proves sooner than the old one."""

    replica: str
    indicator: str
    epoch: int
    """The epoch that begins."""
    guard_version: int


class NotificationClaimed(Fact, frozen=True, kw_only=True):
    """A replica is about to send one event to one target: no replica sends it again, not even after a restart."""

    replica: str
    event: str
    """The event's key: the same on every replica, because it is derived from the record that caused it."""
    target: str
    """Its name in the configuration."""


class Checkpoint(Fact, frozen=True, kw_only=True):
    """The complete state as of an earlier record: what a full fold may start from once older records are removed.

    The format is `docs/checkpoint.schema.json`. `core.fold.checkpoints` writes it, and reads all versions.
    """

    replica: str
    fold_version: int
    folded_seq: int
    """The last record that is in the state; records between it and this one are not."""
    day: int
    """Days since the epoch of Unix time, on the journal's clock."""
    upgraded_from: int | None = None
    """The fold version of the state that this process continued from, where it was an older one: the records before
    this one were folded by other rules, and a full fold starts here. None: it was of the same version."""
    state: msgspec.Raw
    """As `core.fold.state.encode` wrote it."""


Decision = Climbed | Fell | EpochRenewed
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
    | OperatorAction
    | Decision
    | NotificationClaimed
    | Checkpoint
)
Chained = Decision | OperatorAction | PolicyAdopted
"""Decisions, operator actions and policies: never removed, and linked in one chain (`core.facts.chain`)."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An observation in its place in the journal."""

    seq: int
    """Counts up by one; the first is 1."""
    at_ms: int
    """Unix milliseconds on the journal's clock, which never runs backwards."""
    observation: Observation
    kept: bytes | None = None
    """The observation's stored bytes, where it is chained; None: as it would be encoded now."""
