"""The keys of a configuration file: their defaults, limits and documentation."""

import ast
import inspect
import re
from pathlib import Path

import msgspec
import pytest

from sidecar.config import (
    Acks,
    Address,
    Authorizer,
    Config,
    Console,
    Credentials,
    Echo,
    Isolation,
    LadderRung,
    Listen,
    MemoryPlace,
    Notifications,
    NotificationTarget,
    Objective,
    PolicyKeys,
    Probe,
    ReachWaived,
    Reading,
    RedisStream,
    Reverb,
    SqlitePlace,
    Stripe,
    TargetKind,
    read_config,
)
from sidecar.config.section import Section
from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Stage
from tests.shells.config_files import SHIPPED, config_of


def test_the_shipped_file_has_the_defaults() -> None:
    """A key that is removed from the shipped file keeps its value."""
    assert read_config(SHIPPED) == Config(environment="production")


SECTIONS: tuple[type[Section], ...] = (
    Config,
    Listen,
    Console,
    Stripe,
    RedisStream,
    Acks,
    Echo,
    Probe,
    Isolation,
    Reverb,
    Objective,
    PolicyKeys,
    ReachWaived,
    LadderRung,
    NotificationTarget,
    Notifications,
)


def test_every_key_is_in_the_shipped_file_with_a_comment() -> None:
    """The shipped file documents every key; optional keys stand in comments."""
    lines = SHIPPED.read_text().splitlines()
    keys = [field.encode_name for section in SECTIONS for field in msgspec.structs.fields(section)]
    shown = [key for key in keys if any(re.search(rf"\b{key}: *[^#]*#|#.*\b{key}: ", line) for line in lines)]
    assert shown == keys


def test_every_key_is_documented_under_its_field() -> None:
    """The documentation of a key stands under its field, so that both change together."""
    assert set(SECTIONS) == set(Section.__subclasses__())
    for section in SECTIONS:
        (defined,) = ast.parse(inspect.getsource(section)).body
        assert isinstance(defined, ast.ClassDef)
        body = defined.body
        undocumented = [
            ast.unparse(field)
            for field, below in zip(body, [*body[1:], ast.Pass()], strict=True)
            if isinstance(field, ast.AnnAssign)
            and not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant))
        ]
        assert undocumented == []


EVERY_KEY = """\
environment: Staging.eu-1
flag: my_flag
journal: sqlite:/var/lib/sidecar/journal.db
journal_must_exist: true
journal_mark: /mnt/other disk/journal.mark
listen: {public: "[::1]:8700", operator: "localhost:0", metrics: 0.0.0.0:9000}
console:
  reading: token
  hosts: [sidecar.example.test]
  user_header: X-Forwarded-User
  trusted_proxies: [10.0.0.0/8, "::1", 127.0.0.1]
stripe: {livemode: false, user_key: user id, required_metadata: [booking_id, tenant]}
acks: {contexts: [bookings, App.Models:Trip/2], stage: refreshed}
reverb:
  url: ws://127.0.0.1:8080/reverb/
  app_id: "501"
  app_key: liverefresh-key
  origin: https://app.example.test:8443
  auth_endpoint: http://127.0.0.1:8000/api/broadcasting/auth
  api_url: http://reverb:8080
  channel: private-user.{user_id}.refresh
  observer_channel: private-watch
  observers: 0
  echo: {authorizer: axios, credentials: cookie}
  probe:
    user_id: probe
    login: cookie
    csrf_url: http://127.0.0.1:8000/csrf
    login_url: http://127.0.0.1:8000/api/login
    round_trip_every: 1s
    auth_every: 10s
    isolation_every: 1m
    round_trip_reliability: 98%
    auth_reliability: 90%
  isolation: {channel_user_id: "1"}
  reference: https://www.example.test/up
objective: {on_time_within: 250ms, missed_after: 1m, reliability: 99.9999%}
policy:
  suspension: 5m
  false_promotion_risk: 0.5%
  unacceptable_reliability: 90%
  false_alarm_once_in: 200000
  coverage: 100%
  coverage_floor: 0%
  reach: {not_required: no browser reports yet}
  lease: "1m"
  cooldown: 0s
  resume_after: 90s
  dry_run: true
ladder:
  - {mode: timer_polling, soak: 14d}
  - {mode: push_only, share: 0.0001%, soak: 1h, approval: required}
lifecycle: migrating
notifications:
  targets: [{name: ops-team, kind: slack}, {name: pipeline, kind: webhook}, {name: grafana, kind: grafana}]
  console_url: https://sidecar.example.test/console/
  stuck_after: 7d
  suspended_after: 5m
"""

EXPECTED = Config(
    environment="Staging.eu-1",
    flag="my_flag",
    journal=SqlitePlace(path="/var/lib/sidecar/journal.db"),
    journal_must_exist=True,
    journal_mark="/mnt/other disk/journal.mark",
    listen=Listen(
        public=Address(host="::1", port=8700),
        operator=Address(host="localhost", port=0),
        metrics=Address(host="0.0.0.0", port=9000),  # noqa: S104 - read, not bound
    ),
    console=Console(
        reading=Reading.TOKEN,
        hosts=("sidecar.example.test",),
        user_header="X-Forwarded-User",
        trusted_proxies=("10.0.0.0/8", "::1/128", "127.0.0.1/32"),
    ),
    stripe=Stripe(livemode=False, user_key="user id", required_metadata=("booking_id", "tenant")),
    acks=Acks(contexts=("bookings", "App.Models:Trip/2"), stage=Stage.REFRESHED),
    reverb=Reverb(
        url="ws://127.0.0.1:8080/reverb",
        app_id="501",
        app_key="liverefresh-key",
        origin="https://app.example.test:8443",
        auth_endpoint="http://127.0.0.1:8000/api/broadcasting/auth",
        api_url="http://reverb:8080",
        channel="private-user.{user_id}.refresh",
        observer_channel="private-watch",
        observers=0,
        echo=Echo(authorizer=Authorizer.AXIOS, credentials=Credentials.COOKIE),
        probe=Probe(
            user_id="probe",
            login=Credentials.COOKIE,
            csrf_url="http://127.0.0.1:8000/csrf",
            login_url="http://127.0.0.1:8000/api/login",
            round_trip_every_ms=1_000,
            auth_every_ms=10_000,
            isolation_every_ms=60_000,
            round_trip_reliability_ppm=980_000,
            auth_reliability_ppm=900_000,
        ),
        isolation=Isolation(channel_user_id="1"),
        reference="https://www.example.test/up",
    ),
    objective=Objective(on_time_within_ms=250, missed_after_ms=60_000, reliability_ppm=999_999),
    policy=PolicyKeys(
        suspension_ms=300_000,
        false_promotion_risk_ppm=5_000,
        unacceptable_reliability_ppm=900_000,
        false_alarm_once_in=200_000,
        coverage_ppm=PPM,
        coverage_floor_ppm=0,
        reach=ReachWaived(not_required="no browser reports yet"),
        lease_ms=60_000,
        cooldown_ms=0,
        resume_after_ms=90_000,
        dry_run=True,
    ),
    ladder=(
        LadderRung(mode=Mode.TIMER_POLLING, soak_ms=14 * 86_400_000),
        LadderRung(mode=Mode.PUSH_ONLY, share_ppm=1, soak_ms=3_600_000, approval_required=True),
    ),
    lifecycle=Lifecycle.MIGRATING,
    notifications=Notifications(
        targets=(
            NotificationTarget(name="ops-team", kind=TargetKind.SLACK),
            NotificationTarget(name="pipeline", kind=TargetKind.WEBHOOK),
            NotificationTarget(name="grafana", kind=TargetKind.GRAFANA),
        ),
        console_url="https://sidecar.example.test/console",
        stuck_after_ms=7 * 86_400_000,
        suspended_after_ms=300_000,
    ),
)


def test_every_key_can_be_set(tmp_path: Path) -> None:
    """Each key sets its own field, in the unit of the field's name."""
    assert config_of(tmp_path, EVERY_KEY) == EXPECTED


ACCEPTED = (
    "objective: {on_time_within: 100ms}",
    "objective: {on_time_within: 60s, missed_after: 10m}",
    "objective: {on_time_within: 999ms, missed_after: 1s}",
    "objective: {reliability: 95.0001%}",
    "objective: {reliability: 50%}\npolicy: {unacceptable_reliability: 49.9999%}",
    "policy: {unacceptable_reliability: 0.0001%}",
    "policy: {false_promotion_risk: 20%}",
    "policy: {false_promotion_risk: 0.0001%}",
    "policy: {false_alarm_once_in: 100}",
    "policy: {false_alarm_once_in: 10000000}",
    "policy: {coverage_floor: 94.9999%}",
    "policy: {lease: 2s}",
    "policy: {lease: 10m}",
    "policy: {cooldown: 7d, resume_after: 24h}",
    "policy: {cooldown: 0s, resume_after: 0s}",
    "policy: {reach: 50%}",
    "acks: {redis_stream: {url: redis://db}}",
    "acks: {redis_stream: {url: 'redis://127.0.0.1:6379/15', name: 'a{b}:c', group: g}}",
    "acks: {redis_stream: {url: 'rediss://[::1]:65535'}}",
    'journal: "memory:"',
    "journal: sqlite:C/journal.db",
    "listen: {public: 127.0.0.1:65535, operator: sidecar.internal:65535}",
    "listen: {public: 127.0.0.1:0, operator: 127.0.0.1:0, metrics: 0.0.0.0:0}",
    "stripe: {user_key: " + "k" * 40 + "}",
    "flag: " + "f" * 64,
    "ladder: [{mode: timer_polling, soak: 90d}, {mode: push_only, soak: 1h}]",
    "ladder: [{mode: timer_polling}, {mode: push_with_safety_net}]",
)
"""The last values inside the limits; `INVALID` has the first values outside."""


@pytest.mark.parametrize("text", ACCEPTED)
def test_limits_are_inclusive(tmp_path: Path, text: str) -> None:
    """The first and the last value of a range in a message are allowed."""
    config_of(tmp_path, f"environment: test\n{text}\n")


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """Some editors write one, and it is invisible."""
    assert config_of(tmp_path, "\ufeffenvironment: test\n") == Config(environment="test")


def test_a_journal_in_memory_has_its_own_type(tmp_path: Path) -> None:
    """Each scheme of a journal is its own type."""
    assert config_of(tmp_path, 'environment: test\njournal: "memory:"\n').journal == MemoryPlace()


def test_an_address_is_written_in_the_form_of_the_file() -> None:
    """An IPv6 address gets its brackets back."""
    assert str(Address(host="::1", port=8700)) == "[::1]:8700"
    assert str(Address(host="localhost", port=0)) == "localhost:0"
