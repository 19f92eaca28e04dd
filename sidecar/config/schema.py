"""The keys of `sidecar.yaml`: each is a field, and its annotation says which values are allowed.

A key is the name of its field without the unit (`lease_ms` is `lease`). An unknown key is refused, so that no key is
accepted and then ignored. `rules` has the rules between keys.
"""

import enum
from typing import Annotated

import msgspec

from sidecar.config.journals import JournalPlace, JournalText, SqlitePlace, journal_place
from sidecar.config.places import HTTP, ORIGIN, Address, AddressText, NetworkText, UrlText
from sidecar.config.quantities import Duration, Rate
from sidecar.config.reverb import Reverb
from sidecar.config.rules import RUNGS_MAX, TARGETS_MAX
from sidecar.config.scalars import Choice, Text, Whole
from sidecar.config.section import Items, Section
from sidecar.core.facts.event_names import DEFAULT_EVENT
from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Stage

RENAMED = {
    "notices": "notifications",
    "rest_after": "suspended_after",
    "shelter": "suspension",
    "stranger": "isolation",
    "stranger_every": "isolation_every",
}
"""Former names of keys. They are refused, with the new name as the suggestion."""


_METADATA_KEY = Text(
    pattern=r"[^\[\]]{1,40}", allowed="a Stripe metadata key: 1 to 40 printable characters without square brackets"
)
"""https://docs.stripe.com/metadata: at most 50 keys, each at most 40 characters and without square brackets."""

_CONTEXT = Text(pattern=r"[A-Za-z0-9._:/-]{1,64}", allowed="1 to 64 of the characters A-Z a-z 0-9 . _ : / -")
_EVENT = Text(
    pattern=r"[A-Za-z0-9_.\\:/-]{1,200}",
    allowed="the name of a broadcast such as LiveRefreshContextsUpdated, in 1 to 200 of the characters "
    "A-Z a-z 0-9 . _ \\ : / -",
)
_PATH = Text(pattern=r"[^\s](?:.{0,1000}[^\s/])?", allowed="the path of a file")
_HOST = Text(
    pattern=r"(?:https?://)?[A-Za-z0-9.-]{1,253}|https?://[A-Za-z0-9.-]{1,253}:[0-9]{1,5}",
    allowed="a host's name, such as sidecar.example.test, which stands for https://sidecar.example.test; or an origin, "
    "such as http://sidecar.example.test:8080",
)
_HEADER = Text(pattern=r"[A-Za-z0-9-]{1,64}", allowed="a header's name such as X-Forwarded-User")
_STREAM_NAME = Text(pattern=r"[A-Za-z0-9._:{}-]{1,128}", allowed="1 to 128 of the characters A-Z a-z 0-9 . _ : { } -")
_TARGET_NAME = Text(
    pattern=r"[a-z][a-z0-9-]{0,31}", allowed="1 to 32 of the characters a-z 0-9 -, of which the first is a letter"
)
_REDIS_URL = UrlText(
    schemes=("redis", "rediss"),
    path=r"(/[0-9]{1,3})?",
    form="a Redis URL without a user or a password (that is SIDECAR_REDIS_PASSWORD)",
    usual="redis://127.0.0.1:6379/0",
)


class Listen(Section, frozen=True, kw_only=True):
    """The addresses of the listeners."""

    public: Annotated[Address, AddressText()] = Address(host="127.0.0.1", port=8700)
    """Stripe's webhook, the backend's acks and the flag: everything that others reach, through your proxy."""
    operator: Annotated[Address, AddressText()] = Address(host="127.0.0.1", port=8701)
    """The console, the operator API and `/metrics`: not for the public."""
    metrics: Annotated[Address, AddressText()] | None = None
    """A separate listener for `/metrics`; None: only the operator listener serves it."""
    proxies: Annotated[int, Whole(at_least=0, at_most=10)] = 0
    """The number of proxies before `public` that each add an address to X-Forwarded-For; 0: the header is ignored."""


class Reading(enum.StrEnum):
    """Who may read from the operator listener."""

    OPEN = "open"
    """Every client that reaches it."""
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """Clients with a token of SIDECAR_OPERATOR_TOKENS: of the role read or operate, for `/metrics` of any."""


class Console(Section, frozen=True, kw_only=True):
    """Access to the operator listener, and the proxies in front of it."""

    reading: Reading = Reading.OPEN
    """Whether reading needs a token; operator actions always need one, the health checks never."""
    hosts: Annotated[
        tuple[Annotated[str, _HOST], ...], Items(at_least=0, at_most=20, of="names or origins of hosts", is_set=True)
    ] = ()
    """Origins by which browsers reach the console, beside localhost and addresses; a name alone is its https origin.

    Requests for other names, and of pages of other origins, are refused.
    """
    user_header: Annotated[str, _HEADER] | None = None
    """The header in which a proxy of `trusted_proxies` names its user, for the record; None: no header is read."""
    trusted_proxies: Annotated[
        tuple[Annotated[str, NetworkText()], ...],
        Items(at_least=0, at_most=20, of="addresses or networks", is_set=True),
    ] = ()
    """Addresses, or networks such as 10.0.0.0/8, from which `user_header` is accepted."""


class Stripe(Section, frozen=True, kw_only=True):
    """The Stripe payments to judge."""

    livemode: bool = True
    """Judge live payments, or those of test mode. The others are counted separately and never judged."""
    user_key: Annotated[str, _METADATA_KEY] | None = None
    """The metadata key with the user id of the payer; None: the payer is unknown, and no ack matches by user."""
    required_metadata: Annotated[
        tuple[Annotated[str, _METADATA_KEY], ...],
        Items(at_least=0, at_most=50, of="Stripe metadata keys", is_set=True),
    ] = ()
    """Metadata keys that a payment must have to be judged; empty: every payment is judged."""


class RedisStream(Section, frozen=True, kw_only=True):
    """A stream of acks in Redis 7 or later."""

    url: Annotated[str, _REDIS_URL]
    """The Redis server; its password is a secret."""
    name: Annotated[str, _STREAM_NAME] = "broadcast-acks"
    """The key of the stream to which the backend adds its acks."""
    group: Annotated[str, _STREAM_NAME] = "reverb-sidecar"
    """The consumer group; two environments that share a stream need one each."""


class Acks(Section, frozen=True, kw_only=True):
    """The acks that count."""

    contexts: Annotated[
        tuple[Annotated[str, _CONTEXT], ...], Items(at_least=1, at_most=20, of="contexts such as bookings", is_set=True)
    ] = ("bookings",)
    """The live-refresh contexts of a payment: an ack with other contexts is not about a payment."""
    stage: Annotated[
        Stage,
        Choice(
            words={stage.value: stage for stage in (Stage.PAID, Stage.DISPATCHED, Stage.DELIVERED, Stage.REFRESHED)}
        ),
    ] = Stage.DELIVERED
    """The stage whose ack decides the outcome of a payment."""
    event: Annotated[str, _EVENT] = DEFAULT_EVENT
    """The name of the broadcast after a payment: at the sidecar's sockets only it is an ack. Whole or last segment."""
    browser_origins: Annotated[
        tuple[Annotated[str, ORIGIN], ...],
        Items(at_least=0, at_most=20, of="origins such as https://app.example.test", is_set=True),
    ] = ()
    """Origins of the pages that may send reports; empty: any. No access control: only browsers send the header."""
    redis_stream: RedisStream | None = None
    """Acks from Redis beside those of `POST /acks`; None: no stream is read. Its silence is a visibility gap."""


class Objective(Section, frozen=True, kw_only=True):
    """The objective for push."""

    on_time_within_ms: Annotated[int, Duration(at_least="100ms", at_most="60s", usual="2s")] = 2_000
    """An ack that arrives sooner than this after the webhook is on time, in milliseconds."""
    missed_after_ms: Annotated[int, Duration(at_least="1s", at_most="10m", usual="30s")] = 30_000
    """A payment without an ack for this long is missed instead of late, in milliseconds."""
    reliability_ppm: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] = 990_000
    """p0: the share of payments whose broadcast must be on time, in parts per million."""


DEFAULT_REACH_PPM = 970_000
"""Also the value in a policy whose reach is waived; it has no effect there."""


class ReachWaived(Section, frozen=True, kw_only=True):
    """The waiver of payers' own reports."""

    not_required: Annotated[str, Text(pattern=r".{1,200}", allowed="the reason, in 1 to 200 printable characters")]
    """The reason; every report repeats it."""


class PolicyKeys(Section, frozen=True, kw_only=True):
    """The conditions of a climb, and of a fall or a suspension."""

    false_promotion_risk_ppm: Annotated[int, Rate(at_least="0.0001%", at_most="20%")] = 10_000
    """Alpha: the probability of an undeserved climb over the whole life of a journal, in parts per million."""
    unacceptable_reliability_ppm: Annotated[int, Rate(at_least="0.0001%", at_most="99.9999%")] = 950_000
    """p1 of the mildest alarm: the reliability that must be detected as damage, in parts per million."""
    false_alarm_once_in: Annotated[int, Whole(at_least=100, at_most=10_000_000)] = 100_000
    """The number of payments with at most one false alarm while push meets the objective."""
    coverage_ppm: Annotated[int, Rate(at_least="1%", at_most="100%")] = 950_000
    """The share of payments that must be judgeable for a climb, in parts per million."""
    coverage_floor_ppm: Annotated[int, Rate(at_least="0%", at_most="99.9999%")] = 800_000
    """The share of judgeable payments below which push is suspended, in parts per million; 0: never."""
    reach: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] | ReachWaived = DEFAULT_REACH_PPM
    """p0 of the payers' own reports in parts per million, required for `push_only`; or the reason for a waiver."""
    payers_on_rung: Annotated[int, Whole(at_least=0, at_most=100_000)] = 50
    """Where browsers send reports: payers to serve on a push rung before the next climb; 0: none."""
    payer_coverage_ppm: Annotated[int, Rate(at_least="0%", at_most="100%")] = 600_000
    """The share of payers that must answer before `push_only`, in parts per million; 0: none must."""
    payer_day_ms: Annotated[int, Duration(at_least="1m", at_most="7d", usual="24h")] = 24 * 3_600_000
    """The time in which a payer has one vote in `reach` and `user_auth`, in milliseconds."""
    lease_ms: Annotated[int, Duration(at_least="2s", at_most="10m", usual="30s")] = 30_000
    """How long an answer other than `timer_polling` is valid, in milliseconds."""
    suspension_ms: Annotated[int, Duration(at_least="1s", at_most="25m", usual="10m")] = 600_000
    """With Reverb unstable: push stays suspended until no probe failed for this long, in milliseconds."""
    cooldown_ms: Annotated[int, Duration(at_least="0s", at_most="7d", usual="1h")] = 3_600_000
    """How long a first fall keeps the flag on the bottom rung, in milliseconds; it doubles with every further fall."""
    resume_after_ms: Annotated[int, Duration(at_least="0s", at_most="24h", usual="3m")] = 180_000
    """After a visibility gap longer than a lease: push stays suspended for this long, in milliseconds."""
    dry_run: bool = False
    """Decide and record everything, and always answer `timer_polling`."""


class LadderRung(Section, frozen=True, kw_only=True):
    """One step of the ladder: a mode for a share of the users."""

    mode: Mode
    """What the frontend does after a payment."""
    share_ppm: Annotated[int, Rate(at_least="0.0001%", at_most="100%")] = PPM
    """The share of the users, in parts per million; the others stay on `timer_polling`."""
    soak_ms: Annotated[int, Duration(at_least="0s", at_most="90d", usual="48h")] = 0
    """The time that this rung must have been served before the next climb, in milliseconds."""
    approval_required: Annotated[bool, Choice(words={"required": True})] = msgspec.field(default=False, name="approval")
    """Whether a person must approve the climb onto this rung."""


_HOUR_MS = 3_600_000

DEFAULT_LADDER = (
    LadderRung(mode=Mode.TIMER_POLLING, soak_ms=72 * _HOUR_MS),
    LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=PPM // 10, soak_ms=24 * _HOUR_MS),
    LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=48 * _HOUR_MS),
    LadderRung(mode=Mode.PUSH_ONLY, approval_required=True),
)


class TargetKind(enum.StrEnum):
    """The protocol of a notification target."""

    WEBHOOK = "webhook"
    """JSON, signed (`docs/notifications.md`)."""
    SLACK = "slack"
    """An incoming webhook of Slack, or of a compatible service."""
    GRAFANA = "grafana"
    """Annotations through Grafana's HTTP API: moves, suspensions and releases in its plots."""


class NotificationTarget(Section, frozen=True, kw_only=True):
    """One receiver of notifications."""

    name: Annotated[str, _TARGET_NAME]
    """The name in its secrets: `SIDECAR_NOTIFICATION_<NAME>_URL`, and `…_KEY` except for Slack."""
    kind: TargetKind
    """Its protocol."""

    @property
    def needs_key(self) -> bool:
        """Whether it has a key beside its URL."""
        return self.kind is not TargetKind.SLACK

    @property
    def stem(self) -> str:
        """The common prefix of its environment variables."""
        return f"SIDECAR_NOTIFICATION_{self.name.upper().replace('-', '_')}"


class Notifications(Section, frozen=True, kw_only=True):
    """Receivers of moves, suspensions and alarms."""

    targets: Annotated[
        tuple[NotificationTarget, ...],
        Items(at_least=1, at_most=TARGETS_MAX, of="targets, each with a name and a kind"),
    ]
    """Each gets every event once."""
    console_url: Annotated[str, UrlText(schemes=HTTP, usual="https://sidecar.example.test")] | None = None
    """The URL of the operator listener, for a link in each notification; None: no link."""
    stuck_after_ms: Annotated[int, Duration(at_least="1h", at_most="90d", usual="14d")] = 14 * 24 * _HOUR_MS
    """The interval of notifications about a rung that is neither the last nor held by a person, in milliseconds."""
    suspended_after_ms: Annotated[int, Duration(at_least="1m", at_most="24h", usual="10m")] = 600_000
    """The duration after which a suspension is notified, in milliseconds."""


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    environment: Annotated[
        str, Text(pattern=r"[A-Za-z0-9._-]{1,64}", allowed="1 to 64 of the characters A-Z a-z 0-9 . _ -", is_free=True)
    ]
    """The name of this deployment, for people: on the page, in answers, reports and metrics."""
    flag: Annotated[
        str, Text(pattern=r"[a-z0-9._-]{1,64}", allowed="1 to 64 of the characters a-z 0-9 . _ -", is_free=True)
    ] = "payment-refresh"
    """The key of the flag in requests of frontends."""
    journal: Annotated[JournalPlace, JournalText()] = SqlitePlace(path="reverb-sidecar.db")
    """Where the observations are kept."""
    journal_must_exist: bool = False
    """Whether a missing or empty journal is refused; a new one then begins with `sidecar journal init` only."""
    journal_mark: Annotated[str, _PATH] | None = None
    """A file for a second copy of the high-water mark, best on another disk; None: there is only that beside it."""
    listen: Listen = Listen()
    """The addresses of the listeners."""
    console: Console = Console()
    """Access to the operator listener."""
    stripe: Stripe = Stripe()
    """The payments to judge."""
    acks: Acks = Acks()
    """The acks that decide an outcome."""
    reverb: Reverb | None = None
    """The Reverb to probe; None: no probes."""
    objective: Objective = Objective()
    """When a payment is on time, and the share that must be."""
    policy: PolicyKeys = PolicyKeys()
    """The conditions of a climb, and of a fall or a suspension."""
    ladder: Annotated[
        tuple[LadderRung, ...], Items(at_least=2, at_most=RUNGS_MAX, of="rungs, from the safest to the best")
    ] = DEFAULT_LADDER
    """The rungs that the flag climbs one by one; it falls to the first."""
    lifecycle: Lifecycle = Lifecycle.MIGRATING
    """Whether the app still has its timers. `removed` is accepted only while the last rung is the current one."""
    notifications: Notifications | None = None
    """Receivers of moves, suspensions and alarms; None: none."""

    @property
    def journal_place(self) -> JournalPlace:
        """Where the journal is, with all that the other keys say about it."""
        return journal_place(self.journal, mark=self.journal_mark, must_exist=self.journal_must_exist)
