"""The keys of `config/sidecar.yaml`: each is a field, whose annotation says how it is written and what is allowed.

A key is its field's name without the unit (`lease_ms` is `lease`). A key that is not here is refused, so that nothing
is accepted and then ignored. Rules between keys are in `rules`.
"""

import enum
from typing import Annotated

import msgspec

from sidecar.config.notifications import Notifications
from sidecar.config.places import Address, AddressText, JournalPlace, JournalText, NetworkText, RedisText, SqlitePlace
from sidecar.config.quantities import Duration, Rate
from sidecar.config.rules import RUNGS_MAX
from sidecar.config.scalars import Boolean, Choice, Text, Whole
from sidecar.config.section import Items, Section
from sidecar.config.urls import UrlText
from sidecar.core.facts.policy import AUTH_PROBES_PPM, PPM, ROUND_TRIPS_PPM, Lifecycle, Mode, Stage

_METADATA_KEY = Text(
    pattern=r"[^\[\]]{1,40}", allowed="a Stripe metadata key: 1 to 40 printable characters without square brackets"
)
"""https://docs.stripe.com/metadata: at most 50 keys, each at most 40 characters and without square brackets."""

_CONTEXT = Text(pattern=r"[A-Za-z0-9._:/-]{1,64}", allowed="1 to 64 of the characters A-Z a-z 0-9 . _ : / -")


class Listen(Section, frozen=True, kw_only=True):
    """Where the sidecar listens."""

    public: Annotated[Address, AddressText()] = Address(host="127.0.0.1", port=8700)
    """Stripe's webhook, the backend's acks and the flag: what others reach, through your proxy."""
    operator: Annotated[Address, AddressText()] = Address(host="127.0.0.1", port=8701)
    """The console, the operator API and `/metrics`: not for the public."""
    metrics: Annotated[Address, AddressText()] | None = None
    """`/metrics` on a listener of its own; None: only on the operator's."""
    proxies: Annotated[int, Whole(at_least=0, at_most=10)] = 0
    """How many proxies before `public` each add an address to X-Forwarded-For; 0: who connects is who asks."""


class Reading(enum.StrEnum):
    """Who may look at the operator listener, where nothing is changed by it."""

    OPEN = "open"
    """Whoever reaches it."""
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """Whoever has a token of SIDECAR_OPERATOR_TOKENS, of any role."""


_HOST = Text(pattern=r"[A-Za-z0-9.-]{1,253}", allowed="a host's name without a port, such as sidecar.example.test")
_HEADER = Text(pattern=r"[A-Za-z0-9-]{1,64}", allowed="a header's name such as X-Forwarded-User")


class Console(Section, frozen=True, kw_only=True):
    """Who may look at the operator listener, and what a proxy before it may say."""

    reading: Annotated[Reading, Choice(words={each.value: each for each in Reading})] = Reading.OPEN
    """Whether reading needs a token too; acting always does. `/metrics` and the health checks never ask for one."""
    hosts: Annotated[
        tuple[Annotated[str, _HOST], ...], Items(at_least=0, at_most=20, of="names of hosts", is_set=True)
    ] = ()
    """Names by which browsers reach the operator listener, beside localhost and addresses; others are refused."""
    user_header: Annotated[str, _HEADER] | None = None
    """The header in which a proxy of `trusted_proxies` names its user, for the record; None: it is not looked at."""
    trusted_proxies: Annotated[
        tuple[Annotated[str, NetworkText()], ...],
        Items(at_least=0, at_most=20, of="addresses or networks", is_set=True),
    ] = ()
    """Whose `user_header` is believed: addresses, or networks such as 10.0.0.0/8."""


class Stripe(Section, frozen=True, kw_only=True):
    """Which of Stripe's payments are ours."""

    livemode: Annotated[bool, Boolean()] = True
    """Whether live payments are judged, or those of test mode. The others are counted apart and never judged."""
    user_key: Annotated[str, _METADATA_KEY] | None = None
    """The metadata key that says whose payment it is; None: it is not known, and acks by user match nothing."""
    required_metadata: Annotated[
        tuple[Annotated[str, _METADATA_KEY], ...],
        Items(at_least=0, at_most=50, of="Stripe metadata keys", is_set=True),
    ] = ()
    """A payment without all of these metadata keys is none of ours; empty: every payment is."""


_STREAM_NAME = Text(pattern=r"[A-Za-z0-9._:{}-]{1,128}", allowed="1 to 128 of the characters A-Z a-z 0-9 . _ : { } -")


class RedisStream(Section, frozen=True, kw_only=True):
    """A stream of acks in Redis 7 or later."""

    url: Annotated[str, RedisText()]
    """Where Redis is; the password is a secret."""
    name: Annotated[str, _STREAM_NAME] = "broadcast-acks"
    """The key of the stream that the backend adds its acks to."""
    group: Annotated[str, _STREAM_NAME] = "reverb-sidecar"
    """The consumer group; two environments that share a stream need one each."""


class Acks(Section, frozen=True, kw_only=True):
    """Which acks count."""

    contexts: Annotated[
        tuple[Annotated[str, _CONTEXT], ...], Items(at_least=1, at_most=20, of="contexts such as bookings", is_set=True)
    ] = ("bookings",)
    """The live-refresh contexts of a payment: an ack that names others is not about it."""
    stage: Annotated[
        Stage,
        Choice(
            words={stage.value: stage for stage in (Stage.PAID, Stage.DISPATCHED, Stage.DELIVERED, Stage.REFRESHED)}
        ),
    ] = Stage.DELIVERED
    """The stage whose ack decides a payment's outcome."""
    browser_origins: Annotated[
        tuple[
            Annotated[str, UrlText(schemes=("https", "http"), has_path=False, usual="https://app.example.test")], ...
        ],
        Items(at_least=0, at_most=20, of="origins such as https://app.example.test", is_set=True),
    ] = ()
    """Of the pages whose browsers may report; empty: any. A hint and no lock: only browsers say their origin."""
    redis_stream: RedisStream | None = None
    """Acks from Redis beside those of `POST /acks`; None: there is no stream. Its silence is a visibility gap."""


class Authorizer(enum.StrEnum):
    """What authorises a channel in the browser."""

    DEFAULT = "default"
    """pusher-js itself: a form, `Accept: */*`, and no cookies to another origin whatever Echo's options say."""
    AXIOS = "axios"
    """A custom `authorizer` with axios and `withCredentials`: JSON, cookies, and the CSRF token from its cookie."""


class Credentials(enum.StrEnum):
    """How the app knows who asks."""

    BEARER = "bearer"
    """`Authorization: Bearer`, as Echo sends it with `bearerToken`."""
    COOKIE = "cookie"
    """The session's cookie, where a browser would send it."""


class Echo(Section, frozen=True, kw_only=True):
    """How Laravel Echo is set up in the browser: the auth probe sends only what a browser there would."""

    authorizer: Annotated[Authorizer, Choice(words={each.value: each for each in Authorizer})] = Authorizer.DEFAULT
    """What asks the auth endpoint."""
    credentials: Annotated[Credentials, Choice(words={each.value: each for each in Credentials})] = Credentials.BEARER
    """What it sends to say who asks."""


_USER_ID = Text(pattern=r"[A-Za-z0-9_-]{1,64}", allowed='a user id in quotes such as "0": 1 to 64 of A-Z a-z 0-9 _ -')


class Probe(Section, frozen=True, kw_only=True):
    """The user that the probes are, and their pace."""

    user_id: Annotated[str, _USER_ID]
    """A user of the app made for this: it needs no rights but its own channel."""
    login: Annotated[Credentials, Choice(words={each.value: each for each in Credentials})] = Credentials.BEARER
    """How it is known: by SIDECAR_PROBE_TOKEN, or by a session from SIDECAR_PROBE_EMAIL and SIDECAR_PROBE_PASSWORD."""
    csrf_url: (
        Annotated[str, UrlText(schemes=("https", "http"), usual="https://app.example.test/sanctum/csrf-cookie")] | None
    ) = None
    """Where a session begins; None: `/sanctum/csrf-cookie` beside the auth endpoint."""
    login_url: Annotated[str, UrlText(schemes=("https", "http"), usual="https://app.example.test/login")] | None = None
    """Where it logs in; None: `/login` beside the auth endpoint."""
    round_trip_every_ms: Annotated[int, Duration(at_least="1s", at_most="1m", usual="5s")] = 5_000
    """How often a canary goes through Reverb, in milliseconds."""
    auth_every_ms: Annotated[int, Duration(at_least="10s", at_most="10m", usual="1m")] = 60_000
    """How often the probe user auth probes a browser's way to its channel, in milliseconds."""
    isolation_every_ms: Annotated[int, Duration(at_least="1m", at_most="24h", usual="10m")] = 600_000
    """How often it asks for a channel that is not its own, in milliseconds."""
    round_trip_reliability_ppm: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] = ROUND_TRIPS_PPM
    """p0: the share of canaries that must come back in time, in parts per million."""
    auth_reliability_ppm: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] = AUTH_PROBES_PPM
    """p0: the share of auth probes that must come to their end, in parts per million."""


class Isolation(Section, frozen=True, kw_only=True):
    """Whose channel the probe user must be refused."""

    channel_user_id: Annotated[str, _USER_ID]
    """Any other user."""


DEFAULT_CHANNEL = "private-live-refresh.{user_id}"
OBSERVERS_MAX = 20

_CHANNEL = r"[A-Za-z0-9_=@,.;-]"


class Reverb(Section, frozen=True, kw_only=True):
    """The Reverb that browsers connect to, and how it is watched."""

    url: Annotated[str, UrlText(schemes=("wss", "ws"), usual="wss://ws.example.test")]
    """As browsers see it, through the public load balancer; with the server's path prefix if it has one."""
    app_id: Annotated[str, Text(pattern=r"[A-Za-z0-9_-]{1,64}", allowed='REVERB_APP_ID in quotes, such as "501"')]
    """Of the application in `config/reverb.php`."""
    app_key: Annotated[str, Text(pattern=r"[\x21-\x7e]{1,128}", allowed="REVERB_APP_KEY: printable, without spaces")]
    """The same key that browsers have; the secret is REVERB_APP_SECRET."""
    origin: Annotated[str, UrlText(schemes=("https", "http"), has_path=False, usual="https://app.example.test")]
    """Of the page that connects: Reverb and CORS look at it."""
    auth_endpoint: Annotated[
        str, UrlText(schemes=("https", "http"), usual="https://app.example.test/broadcasting/auth")
    ]
    """Echo's `authEndpoint`, in full."""
    api_url: Annotated[str, UrlText(schemes=("https", "http"), usual="http://reverb:8080")] | None = None
    """Where Laravel reaches Reverb's HTTP API (REVERB_HOST, REVERB_PORT); None: where browsers reach Reverb."""
    channel: Annotated[
        str,
        Text(
            pattern=rf"private-{_CHANNEL}{{0,100}}\{{user_id\}}{_CHANNEL}{{0,40}}",
            allowed="a private channel with {user_id} in its name, such as private-live-refresh.{user_id}",
        ),
    ] = DEFAULT_CHANNEL
    """A user's own channel."""
    observer_channel: Annotated[
        str,
        Text(pattern=rf"private-{_CHANNEL}{{1,140}}", allowed="the full name of a private channel"),
    ] = "private-reverb-sidecar"
    """Where the backend broadcasts the same event for us, in the same call."""
    observers: Annotated[int, Whole(at_least=0, at_most=OBSERVERS_MAX)] = 3
    """Sockets that wait for broadcasts; 0: none, and nothing is known of delivery."""
    echo: Echo = Echo()
    """What a browser sends."""
    probe: Probe
    """Who probes, and how often."""
    isolation: Isolation | None = None
    """None: it is not asked."""
    reference: Annotated[str, UrlText(schemes=("https", "http"), usual="https://www.example.test")] | None = None
    """Something else that can be reached whenever we are not cut off; None: being cut off counts against push."""


class Objective(Section, frozen=True, kw_only=True):
    """What push must achieve."""

    on_time_within_ms: Annotated[int, Duration(at_least="100ms", at_most="60s", usual="2s")] = 2_000
    """An ack is on time that comes sooner than this after the webhook, in milliseconds."""
    missed_after_ms: Annotated[int, Duration(at_least="1s", at_most="10m", usual="30s")] = 30_000
    """A payment without an ack for this long is missed, no longer late, in milliseconds."""
    reliability_ppm: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] = 990_000
    """p0: the share of payments whose news must be on time, in parts per million."""


DEFAULT_REACH_PPM = 970_000
"""Also what a policy says whose reach is waived, where nothing reads it."""


class ReachWaived(Section, frozen=True, kw_only=True):
    """Payers' own reports are not asked for."""

    not_required: Annotated[str, Text(pattern=r".{1,200}", allowed="the reason, in 1 to 200 printable characters")]
    """Why not; every report repeats it."""


class PolicyKeys(Section, frozen=True, kw_only=True):
    """What must be proven before the flag climbs, and what makes it fall or rest."""

    false_promotion_risk_ppm: Annotated[int, Rate(at_least="0.0001%", at_most="20%")] = 10_000
    """Alpha: the chance, over the whole life of a journal, of an undeserved climb, in parts per million."""
    unacceptable_reliability_ppm: Annotated[int, Rate(at_least="0.0001%", at_most="99.9999%")] = 950_000
    """p1 of the mildest alarm, in parts per million: the damage that must be noticed."""
    false_alarm_once_in: Annotated[int, Whole(at_least=100, at_most=10_000_000)] = 100_000
    """While push is as reliable as it should be, at most one false alarm in so many payments."""
    coverage_ppm: Annotated[int, Rate(at_least="1%", at_most="100%")] = 950_000
    """The share of payments that must be judgeable for a climb, in parts per million."""
    coverage_floor_ppm: Annotated[int, Rate(at_least="0%", at_most="99.9999%")] = 800_000
    """Below this share of judgeable payments the flag rests at timers, in parts per million; 0: it never does."""
    reach: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] | ReachWaived = DEFAULT_REACH_PPM
    """p0 of the payers' own reports in parts per million, required for `push_only`; or why they are waived."""
    payers_on_rung: Annotated[int, Whole(at_least=0, at_most=100_000)] = 50
    """Where browsers report: payers of each flow who must have been served a push rung before the next; 0: none."""
    lease_ms: Annotated[int, Duration(at_least="2s", at_most="10m", usual="30s")] = 30_000
    """How long an answer other than `timer_polling` may be believed, in milliseconds."""
    suspension_ms: Annotated[int, Duration(at_least="1s", at_most="25m", usual="10m")] = 600_000
    """After an alarm that Reverb's trouble explains: timers until so long without a failed probe, in milliseconds."""
    cooldown_ms: Annotated[int, Duration(at_least="0s", at_most="7d", usual="1h")] = 3_600_000
    """How long a first fall keeps the flag on the bottom rung, in milliseconds; it doubles with every further fall."""
    resume_after_ms: Annotated[int, Duration(at_least="0s", at_most="24h", usual="3m")] = 180_000
    """After a visibility gap longer than a lease: timers until there was no gap for this long, in milliseconds."""
    dry_run: Annotated[bool, Boolean()] = False
    """Decide and record everything, and always answer `timer_polling`."""


class LadderRung(Section, frozen=True, kw_only=True):
    """One step of the ladder: a mode for a share of the users."""

    mode: Annotated[Mode, Choice(words={mode.value: mode for mode in Mode})]
    """What the frontend does after a payment."""
    share_ppm: Annotated[int, Rate(at_least="0.0001%", at_most="100%")] = PPM
    """Of the users, in parts per million; the others stay on `timer_polling`."""
    soak_ms: Annotated[int, Duration(at_least="0s", at_most="90d", usual="48h")] = 0
    """Held at least this long before the next rung, in milliseconds; nothing waits for that of the last rung."""
    approval_required: Annotated[bool, Choice(words={"required": True})] = msgspec.field(default=False, name="approval")
    """Whether a person must approve the climb onto this rung."""


_HOUR_MS = 3_600_000

DEFAULT_LADDER = (
    LadderRung(mode=Mode.TIMER_POLLING, soak_ms=72 * _HOUR_MS),
    LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=PPM // 10, soak_ms=24 * _HOUR_MS),
    LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=48 * _HOUR_MS),
    LadderRung(mode=Mode.PUSH_ONLY, approval_required=True),
)


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    environment: Annotated[
        str, Text(pattern=r"[A-Za-z0-9._-]{1,64}", allowed="1 to 64 of the characters A-Z a-z 0-9 . _ -", is_free=True)
    ]
    """Which deployment this is, for people: on the page, in answers, reports and metrics."""
    flag: Annotated[
        str, Text(pattern=r"[a-z0-9._-]{1,64}", allowed="1 to 64 of the characters a-z 0-9 . _ -", is_free=True)
    ] = "payment-refresh"
    """The key by which frontends ask for the flag."""
    journal: Annotated[JournalPlace, JournalText()] = SqlitePlace(path="reverb-sidecar.db")
    """Where the observations are kept."""
    listen: Listen = Listen()
    """Where others reach the sidecar."""
    console: Console = Console()
    """Who may look at the operator listener."""
    stripe: Stripe = Stripe()
    """Which payments are judged."""
    acks: Acks = Acks()
    """Which news of a payment decides its outcome."""
    reverb: Reverb | None = None
    """The Reverb that is watched; None: nothing is probed."""
    objective: Objective = Objective()
    """When a payment is on time, and how many must be."""
    policy: PolicyKeys = PolicyKeys()
    """How sure we must be before we trust push, and how fast we stop."""
    ladder: Annotated[
        tuple[LadderRung, ...], Items(at_least=2, at_most=RUNGS_MAX, of="rungs, from the safest to the best")
    ] = DEFAULT_LADDER
    """The rungs that the flag climbs one by one; it falls to the first."""
    lifecycle: Annotated[Lifecycle, Choice(words={each.value: each for each in Lifecycle})] = Lifecycle.MIGRATING
    """Whether the hand-written timers are still there. `removed` is accepted only while the last rung is held."""
    notifications: Notifications | None = None
    """Who is told of moves, shelters and alarms; None: nobody."""
