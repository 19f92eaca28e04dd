"""The state: the result of folding the journal, and the only source of everything that is served.

Only integers, words and booleans, in insertion order, so that `encode` gives the same bytes for the same journal.
"""

import msgspec

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.observations import IgnoreReason, SkipReason
from sidecar.core.facts.outcomes import NoPayer, Outcome, ReportOutcome, Unmeasured
from sidecar.core.facts.policy import Mode, Policy, ReverbPolicy, Rung, Stage
from sidecar.core.facts.reports import Flow, Subscription
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.history import History
from sidecar.core.fold.journey import Journey
from sidecar.core.fold.payer_state import Paid, Payer, Reach
from sidecar.core.fold.standing import Approval, Freeze, Hold, Override
from sidecar.core.fold.webhooks import Webhooks
from sidecar.core.statistics.coverage import Coverage
from sidecar.core.statistics.indicators import INDICATORS, OF_PAYERS, Indicator

FOLD_VERSION = 8
"""Raised whenever the same journal would give another state."""


MOVES_MAX = 50


class Suspension(msgspec.Struct, kw_only=True):
    """A suspension because Reverb is unstable."""

    began_ms: int
    """When the alarm was raised that it answers."""
    until_ms: int
    """When push resumes, if no probe fails before."""


class Flag(msgspec.Struct, kw_only=True):
    """Where the flag stands on the ladder."""

    rung: int = 0
    version: int = 0
    """Incremented by every move, every fall and every policy."""
    guard_version: int = 0
    """Incremented by everything that can close a gate."""
    since_ms: int = 0
    """When this rung was reached."""
    soaked_ms: int = 0
    """How long the flag has been on this rung without suspension or alarm."""
    cooldown_until_ms: int = 0
    strikes: int = 0
    """Falls that have not been forgotten; each doubles the next cool-down."""
    strikes_since_ms: int = 0
    """Since when the number of strikes stands; a week without a fall takes one away."""
    holds: list[Hold] = []
    """In order of creation; at most `core.fold.holds.HOLDS_MAX`, and one more of a rollback."""
    freezes: list[Freeze] = []
    """In order of creation; at most `core.fold.freezes.FREEZES_MAX`."""
    overrides: list[Override] = []
    """Modes of single users, in order of creation; at most `core.fold.overrides.OVERRIDES_MAX`, with the last ended."""
    approval: Approval | None = None
    suspension: Suspension | None = None
    suspensions_ms: list[int] = []
    """When the suspensions of the last 24 hours because of Reverb began, oldest first; a fall clears them."""
    reached_version: int = 0
    """The flag version with which this rung was reached."""
    payers: dict[Flow, int] = {}
    """Payers who were served this rung and whose browsers reported whether push reached them, by flow."""


class Visibility(msgspec.Struct, kw_only=True):
    """Visibility: whether acks and probes can be received, and what is missing until they can."""

    needs_heartbeat: bool = True
    recover_until_ms: int = 0
    """After a long visibility gap: timers until then."""
    is_fall_due: bool = False
    """A visibility gap was so long that the old proof is void."""
    suspension: SuspensionReason | None = SuspensionReason.RECOVERING
    """Why push is suspended because the sidecar cannot measure; None: it can.

    As of the last record (`core.fold.visibility.suspension_reason`).
    """
    streak: int = 0
    """Payments in a row that were unmeasured by a fault of the sidecar."""
    seen_ms: int = 0
    """The last heartbeat before which all own sources had answered."""
    silent_sources: tuple[str, ...] = ()
    """The sources that had not answered by the last heartbeat."""
    is_long: bool = False
    """The visibility gap that is being recovered from was longer than a lease."""
    round_trips_needed: int = 0
    """Clean round trips in a row that are still required."""
    auth_probes_needed: int = 0
    """Clean auth probes in a row that are still required."""
    is_cut_off: bool = False
    is_payer_coverage_low: bool = False
    """Too few payers answered on `push_only`, and not yet enough again (`core.fold.payer_coverage`)."""
    reached_ms: int = 0
    """When a probe last ended that was not cut off."""
    suspended_from_ms: int = 0
    """When the present suspension began, or the last one."""
    is_coverage_low: bool = False
    """Coverage fell below the share that suspends push, and has not reached the share that resumes it."""
    gaps: list[tuple[int, int]] = []
    """(from, until) of the last times in which the sidecar could receive no webhook; at most `GAPS_MAX`."""


class Probing(msgspec.Struct, kw_only=True):
    """The last results of the probes."""

    observers: dict[str, bool] = {}
    """`replica/number` of every socket that has been subscribed or refused since the last start → whether it is up."""
    watched_ms: int | None = None
    """When a socket was first subscribed or refused since the last start; None: none was yet."""
    down_since_ms: int | None = None
    """Since when all sockets have been down; None: one is up, or none was ever."""
    downs_ms: list[tuple[int, int]] = []
    """The last times when all were down, as (from, until), oldest first."""
    failed_round_trips_ms: list[int] = []
    """When the last round trips failed, oldest first."""
    disturbances_ms: list[tuple[int, int]] = []
    """The last disturbances of Reverb, as (began, last sign), oldest first (`core.fold.disturbances`)."""
    round_trip_ms: int = 0
    """When the last round trip ended."""
    auth_probe_ms: int = 0
    """When the last auth probe ended."""
    auth_probe: AuthProbeOutcome | None = None
    """How the last auth probe ended."""
    is_at_app: bool = False
    """Whether it ended at the app, and not on the way to Reverb."""
    isolation: IsolationOutcome | None = None
    """The last isolation outcome that is not `unknown`."""
    watched_users: dict[str, int] = {}
    """Users whose own channel is watched, and since when."""
    tells_of_all: bool = False
    """An ack of the deciding stage was received from a source that covers every user, not only watched ones."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One move of the flag, for display."""

    at_ms: int
    seq: int
    """Its record in the journal."""
    from_rung: int
    to_rung: int
    cause: str
    detail: str


class Latency(msgspec.Struct, kw_only=True):
    """A histogram of webhook to deciding ack."""

    edges_ms: list[int] = []
    """Upper edges; the last bucket is open."""
    counts: list[int] = []
    """Observations per bucket (not cumulated); one more than there are edges."""
    sum_ms: int = 0


class Tally(msgspec.Struct, kw_only=True):
    """Counts since the journal began; what metrics and the comparison are read from."""

    succeeded: int = 0
    """Payments with a webhook."""
    outcomes: dict[Outcome, int] = {}
    unmeasured: dict[Unmeasured, int] = {}
    ignored: dict[IgnoreReason, int] = {}
    skipped: dict[SkipReason, int] = {}
    acks: dict[Stage, int] = {}
    unknown_acks: int = 0
    """Payments of which only acks arrived within their time."""
    unaccounted: int = 0
    """Payments that count against coverage though none was left unmeasured: acks named them and no webhook came, or
    the backend found no booking."""
    seen_late: int = 0
    """Those whose webhook came in the end, and that count as unmeasured instead."""
    dropped_acks: int = 0
    """Acks that were dropped, because too many were waiting for their payments."""
    lost_acks: int = 0
    """Acks that were removed before the sidecar read them; a lower bound."""
    contradicted: int = 0
    """Payments that the filter left out and that got an ack."""
    timers: dict[str, int] = {}
    """Whether timers would have cleared the alert, by `worked/basis`."""
    moves: dict[str, int] = {}
    """Moves of the flag, by `from_mode/to_mode/cause`."""
    stale_climbs: int = 0
    latency: Latency = msgspec.field(default_factory=Latency)
    auth_probes: dict[AuthProbeOutcome, int] = {}
    round_trips: dict[RoundTripOutcome, int] = {}
    round_trip: Latency = msgspec.field(default_factory=Latency)
    """Of clean round trips."""
    isolation_probes: dict[IsolationOutcome, int] = {}
    user_auths: dict[UserAuth, int] = {}
    no_payer: dict[NoPayer, int] = {}
    """Payments for which no payer waits, as Stripe's event shows."""
    dropped_payers: int = 0
    """Channel auths, payments and reports of which nothing was learned, because there were too many users."""
    suspensions: dict[SuspensionReason, int] = {}
    """Suspensions that began, by reason."""
    reports: dict[ReportOutcome, int] = {}
    reported: dict[Mode, int] = {}
    """Payments that a browser reported, by the mode that it followed."""
    refetches: dict[Mode, int] = {}
    """Their refetches."""
    stale_refetches: int = 0
    """Refetches after a push that found the booking not paid."""
    subscriptions: dict[Subscription, int] = {}
    cleared: dict[str, int] = {}
    """What cleared the alert, by `mode/what`; `never`: nothing did."""
    reach: dict[str, int] = {}
    """Verdicts of reports, by `flow/browser/verdict`."""
    rescued: int = 0
    """Payments that a poll cleared and push did not reach."""


class State(msgspec.Struct, kw_only=True):
    """The whole state. Advanced in place by `core.fold.fold.fold`, and by nothing else."""

    fold_version: int = FOLD_VERSION
    seq: int = 0
    """The last record that was folded."""
    now_ms: int = 0
    """Its stamp."""
    policy: Policy | None = None
    reverb: ReverbPolicy | None = None
    """The last Reverb that was configured: what the evidence was measured on, also while none is."""
    policy_hash: str = ""
    policies: list[str] = []
    """The hashes of all policies that were ever adopted, in order."""
    journeys: dict[str, Journey] = {}
    by_user: dict[str, list[str]] = {}
    """Open payments per user, oldest first; for acks that name no payment."""
    agenda: list[tuple[int, int, str, str]] = []
    """A heap of (due_ms, seq, what, payment_intent)."""
    unattributed: list[tuple[int, int, bool]] = []
    """Judged payments whose failure may still be explained, as (webhook, deadline, good), oldest first."""
    awaiting: dict[str, None] = {}
    """Payments past their deadline that wait for a proof of liveness."""
    waiting_acks: int = 0
    """Journeys of which only acks are known."""
    closed: dict[str, int] = {}
    """Payments whose webhook came and whose journey ended, and when; the last ones, so that a very late ack is not
    taken for a payment that was not seen (`core.fold.unaccounted`)."""
    unaccounted: dict[str, int] = {}
    """Payments of which only acks came, and when they were counted; the last ones."""
    stripe_ahead_ms: list[int] = []
    """Of the last deliveries: the journal's clock less Stripe's signature (`core.fold.stripe_clock`)."""
    first_ack_ms: dict[Stage, int] = {}
    """When the first ack of each stage matched a payment whose webhook had come, or the webhook an ack."""
    first_named_ack_ms: dict[Stage, int] = {}
    """The same of acks that name their payment; of the deciding stage, since when matching is exact."""
    nameless_count: int = 0
    """While matching is exact: payments in a row that got acks of the deciding stage only without a name."""
    indicators: dict[str, Indicator] = msgspec.field(
        default_factory=lambda: {row.name: Indicator() for row in INDICATORS}
    )
    coverage: Coverage = msgspec.field(default_factory=Coverage)
    flag: Flag = msgspec.field(default_factory=Flag)
    moves: list[Move] = []
    """The last moves of the flag, oldest first; at most `MOVES_MAX`. All of them are in the journal."""
    visibility: Visibility = msgspec.field(default_factory=Visibility)
    probing: Probing = msgspec.field(default_factory=Probing)
    payers: dict[str, Payer] = {}
    """By user reference (`core.fold.payers` says how long)."""
    paid: dict[str, Paid] = {}
    """Payments of known users in the ten minutes in which their payers may answer, oldest first."""
    payer_agenda: list[tuple[int, str, str]] = []
    """A heap of (due_ms, `decide`, payment_intent) and (due_ms, `payer`, user reference)."""
    payer_coverage: dict[str, Coverage] = msgspec.field(
        default_factory=lambda: {name: Coverage() for name in OF_PAYERS}
    )
    """Of the payments with a payer present: how many of those payers answered, by indicator."""
    reach: Reach = msgspec.field(default_factory=Reach)
    tally: Tally = msgspec.field(default_factory=Tally)
    upgraded_from: int = 0
    """The older fold version that this state was converted from; 0: none, or a checkpoint has recorded it since."""
    checkpointed_ms: int = 0
    """When the last checkpoint was appended; before the first, when the first policy was adopted."""
    chain: str = ""
    """Head of the chain of decisions, operator actions and policies (`core.facts.chain`), in hex; empty: none yet."""
    history: History = msgspec.field(default_factory=History)
    """What was, by the hour and by the change."""

    webhooks: Webhooks = msgspec.field(default_factory=Webhooks)
    clock_ahead_ms: int = 0
    """How far the journal's clock was last known to be ahead of the wall clock; negative: behind."""
    refused_policies: int = 0
    """Adoptions that were not accepted (`core.fold.lifecycle`), and changed nothing."""

    @property
    def adoptions(self) -> int:
        """How often a policy was put before this journal: what numbers the next adoption."""
        return len(self.policies) + self.refused_policies

    @property
    def rung(self) -> Rung | None:
        """The current rung; None before the first policy."""
        return self.policy.ladder[self.flag.rung] if self.policy else None

    @property
    def suspension(self) -> SuspensionReason | None:
        """Why push is suspended; None: it is not."""
        return SuspensionReason.REVERB_UNSTABLE if self.flag.suspension is not None else self.visibility.suspension

    @property
    def next_rung(self) -> Rung | None:
        """The rung above; None at the top and before the first policy."""
        if self.policy is None or self.flag.rung + 1 >= len(self.policy.ladder):
            return None
        return self.policy.ladder[self.flag.rung + 1]

    @property
    def measured(self) -> Policy | None:
        """Return the policy in force, with the Reverb that the evidence was measured on where it has none."""
        if self.policy is None or self.policy.reverb is not None or self.reverb is None:
            return self.policy
        return msgspec.structs.replace(self.policy, reverb=msgspec.structs.replace(self.reverb, is_observing=False))

    @property
    def is_exact(self) -> bool:
        """Whether acks of the deciding stage name their payments: then a payment without one has missed it."""
        return self.policy is not None and self.policy.stage in self.first_named_ack_ms

    @property
    def wired_ms(self) -> int | None:
        """When an ack of the deciding stage first matched a payment; None: never."""
        return self.first_ack_ms.get(self.policy.stage) if self.policy else None


def assign(state: State, other: State) -> None:
    """Copy `other` into a state that listeners hold a reference to."""
    for field in State.__struct_fields__:
        setattr(state, field, getattr(other, field))


def encode(state: State) -> bytes:
    """Return the state as canonical JSON: the same journal gives the same bytes."""
    return msgspec.json.encode(state)


def decode(body: bytes) -> State:
    """Return the state that `encode` wrote. Raises `msgspec.ValidationError` for anything else."""
    state = msgspec.json.decode(body, type=State)
    state.history.order_modes()
    return state
