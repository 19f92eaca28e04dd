"""The policy: what a payment's outcome means, and what must be proven before a climb.

A policy is journalled (`PolicyAdopted`), so a journal always contains the rules of its decisions. Every value is an
integer or a word, so that its hash and the fold are the same on every machine. Rates are parts per million (`_ppm`),
times are milliseconds (`_ms`).
"""

import enum
import hashlib

import msgspec

PPM = 1_000_000
"""One whole, in parts per million."""


class Mode(enum.StrEnum):
    """What the frontend does after a payment. Listed from the safest to the best."""

    TIMER_POLLING = "timer_polling"
    PUSH_WITH_SAFETY_NET = "push_with_safety_net"
    PUSH_ONLY = "push_only"

    @property
    def rank(self) -> int:
        """0 for the safest mode; a higher rank relies more on push."""
        return list(Mode).index(self)


class Stage(enum.StrEnum):
    """How far the broadcast of a payment got, in the order in which it travels."""

    PAID = "paid"
    """The booking is committed as paid."""
    DISPATCHED = "dispatched"
    """Reverb's HTTP API took the broadcast."""
    DELIVERED = "delivered"
    """A subscribed socket received it."""
    REFRESHED = "refreshed"
    """A browser refetched and saw the booking paid."""
    SKIPPED = "skipped"
    """The backend did not broadcast, with a reason."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When the frontend refetches after a payment."""

    refetch_after_ms: tuple[int, ...]
    """Refetch this long after the payment, whatever else happens."""
    safety_net_ms: int | None
    """Refetch once at this time, but only if nothing cleared the alert by then; None: never."""
    requests_per_payment: int
    """Maximum refetches of one payment without faults: those of the schedule, and one for the push."""


SCHEDULES = {
    Mode.TIMER_POLLING: Schedule(refetch_after_ms=(0, 2000, 5000), safety_net_ms=None, requests_per_payment=3),
    Mode.PUSH_WITH_SAFETY_NET: Schedule(refetch_after_ms=(0,), safety_net_ms=5000, requests_per_payment=2),
    Mode.PUSH_ONLY: Schedule(refetch_after_ms=(0,), safety_net_ms=None, requests_per_payment=2),
}
"""The design's table of modes. With timers a push is not acted upon, so three requests are three."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the ladder: a mode for a share of the users."""

    mode: Mode
    share_ppm: int = PPM
    soak_ms: int = 0
    """Minimum time on this rung, without suspension, before the next."""
    approval_required: bool = False
    """A person must approve the climb onto this rung."""


ROUND_TRIPS_PPM = 999_000
AUTH_PROBES_PPM = 995_000


class Lifecycle(enum.StrEnum):
    """The state of the removal of the hand-written timers."""

    MIGRATING = "migrating"
    """They are there, or may be: the flag climbs the ladder on proof."""
    REMOVED = "removed"
    """They are gone. The ladder is off, and push with its safety net is the best that is served."""


LADDER_OFF = (Rung(mode=Mode.TIMER_POLLING), Rung(mode=Mode.PUSH_WITH_SAFETY_NET))
"""What is climbed and fallen from where the ladder is off: after a fall the flag returns without a new proof."""


class StripePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Which Stripe payments are judged."""

    livemode: bool
    required_metadata: tuple[str, ...] = ()
    user_key: str | None = None
    """The metadata key with the payer's id; None: the payer is unknown."""


class ReverbTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The Reverb that is judged, by its public identifiers: never a secret."""

    url: str
    """In canonical form: a host in lower case, and no default port."""
    app_id: str
    app_key: str
    """The key that browsers use."""
    auth_endpoint: str
    """In canonical form."""
    channel: str
    observer_channel: str


class ReverbPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The probe settings that the fold uses. Defaults are left out, so that a policy without them has the same hash."""

    round_trip_every_ms: int
    auth_every_ms: int
    is_observing: bool
    """Sockets wait for the broadcasts; before they do, a payment without one is no evidence."""
    round_trip_reliability_ppm: int = ROUND_TRIPS_PPM
    """p0 of the round trips."""
    auth_reliability_ppm: int = AUTH_PROBES_PPM
    """p0 of the probe user's auth probes."""
    event: str | None = None
    """The name of the broadcast that is an ack, in canonical form; None: not recorded (`core.facts.meaning`)."""
    target: ReverbTarget | None = None
    """None: the version that wrote the policy did not record it (`core.facts.meaning`)."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the fold uses. Field names follow `config/sidecar.yaml`."""

    environment: str
    flag: str
    stage: Stage
    """The stage whose ack decides a payment's outcome."""
    contexts: tuple[str, ...]
    """An ack that names contexts counts only if it names one of these."""
    on_time_within_ms: int
    missed_after_ms: int
    reliability_ppm: int
    """p0: the reliability that push must be proven to have."""
    false_promotion_risk_ppm: int
    """Alpha: the probability, over the whole life of a journal, of a climb that the truth does not deserve."""
    unacceptable_reliability_ppm: int
    """p1 of the mildest alarm."""
    false_alarm_once_in: int
    """While reliability is at least p0: at most one false alarm in so many payments."""
    coverage_ppm: int
    """Below this share of judgeable payments nothing climbs."""
    coverage_floor_ppm: int
    """Below this share push is suspended."""
    reach_ppm: int
    """p0 of the payers' own reports."""
    reach_not_required: str | None
    """Why payers' reports are waived; None: they are required for `push_only`."""
    lease_ms: int
    cooldown_ms: int
    """Time on the bottom rung after a first fall; doubles with every further fall."""
    resume_after_ms: int
    """Timers after a visibility gap longer than a lease, until there was no gap for this long.

    Where Reverb is probed, clean probes are required instead (`core.fold.visibility`).
    """
    dry_run: bool
    ladder: tuple[Rung, ...]
    suspension_ms: int = msgspec.field(default=600_000, name="shelter_ms")
    """After an alarm that Reverb's own trouble explains: push resumes after so long without a failed probe.

    The name on the wire is that of the first version: the policy's hash is made of it."""
    reverb: ReverbPolicy | None = None
    """None: nothing is probed."""
    payers_on_rung: int = 50
    """Payers who must have been served a push rung, and have reported, before the next; 0: none."""
    lifecycle: Lifecycle = Lifecycle.MIGRATING
    """Where `removed`, the ladder is `LADDER_OFF`."""
    payer_coverage_ppm: int = 600_000
    """Below this share of payers who answered, nothing climbs to `push_only`; 0: none must."""
    payer_day_ms: int = 24 * 3_600_000
    """A payer has one vote in each indicator of payers in this time."""
    stripe: StripePolicy | None = None
    """None: the version that wrote the policy did not record it (`core.facts.meaning`)."""

    @property
    def proof(self) -> tuple[int, ...]:
        """The numbers that a proof must meet: when one changes, old evidence proves nothing, and the rung is kept.

        What alters the meaning of an outcome is in `core.facts.meaning`.
        """
        return (
            self.reliability_ppm,
            self.false_promotion_risk_ppm,
            self.reach_ppm,
            self.reverb.round_trip_reliability_ppm if self.reverb else ROUND_TRIPS_PPM,
            self.reverb.auth_reliability_ppm if self.reverb else AUTH_PROBES_PPM,
        )


_LATER = ("lifecycle", "payer_coverage_ppm", "payer_day_ms", "stripe")
"""Keys that are hashed only where they differ from their default."""


def policy_hash(policy: Policy) -> str:
    """Return the SHA-256 of the policy's canonical JSON, as 64 hex digits.

    A policy from before a key existed keeps its hash: such keys are left out while they have their default.
    """
    content: dict[str, object] = msgspec.to_builtins(policy)
    defaults = dict(zip(reversed(Policy.__struct_encode_fields__), reversed(Policy.__struct_defaults__), strict=False))
    body = {key: value for key, value in content.items() if key not in _LATER or value != defaults[key]}
    return hashlib.sha256(msgspec.json.encode(body)).hexdigest()
