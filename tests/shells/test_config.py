"""What the configuration and the secrets may be, and what is said of those that may not."""

import ast
import inspect
import re
from pathlib import Path

import msgspec
import pytest

from sidecar.config import (
    Acks,
    Address,
    Config,
    ConfigInvalid,
    LadderRung,
    Listen,
    MemoryPlace,
    Notifications,
    NotificationTarget,
    Objective,
    PolicyKeys,
    ReachWaived,
    RedisStream,
    SqlitePlace,
    Stripe,
    TargetKind,
    policy_of,
    read_config,
    schema,
)
from sidecar.config.section import Section
from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Policy, Rung, Stage, policy_hash
from sidecar.ports import ErrorCode
from tests.shells.config_messages import INVALID

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "sidecar.yaml"
FOLDER = ROOT / "tests" / "config_files"


@pytest.mark.parametrize("name", INVALID)
def test_what_is_wrong_is_said_with_its_place_what_is_allowed_and_what_was_meant(name: str) -> None:
    """A file that is wrong in one way gets one line: where, what was found, what is allowed, and a likely correction."""
    with pytest.raises(ConfigInvalid) as caught:
        read_config(FOLDER / name)
    assert caught.value.message == f"{FOLDER / name}:{INVALID[name]}"
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert len(caught.value.problems) == 1


def test_every_invalid_file_has_its_row_and_every_row_its_file() -> None:
    """A file without a row would be tested by nobody."""
    assert {path.name for path in FOLDER.glob("invalid-*")} == set(INVALID)


def config_of(folder: Path, text: str) -> Config:
    """Return the configuration in the text."""
    file = folder / "sidecar.yaml"
    file.write_bytes(text.encode())
    return read_config(file)


def refusal_of(folder: Path, text: str) -> list[str]:
    """Return what is said of the text, without the name of the file."""
    with pytest.raises(ConfigInvalid) as caught:
        config_of(folder, text)
    return [line.removeprefix(f"{folder / 'sidecar.yaml'}:") for line in caught.value.message.splitlines()]


def test_all_problems_are_reported_at_once_and_in_the_files_order(tmp_path: Path) -> None:
    """Whoever repairs a file sees in one run what is left to repair, whatever kinds of mistakes there are."""
    text = """\
polcy: {}
objective: {on_time_within: 30s, reliability: 0.99}
policy:
  lease: 30
  lease: 31s
  coverage_floor: 95%
ladder:
  - {mode: timer_polling, share: 99%}
  - {mode: push, soak: 3}
"""
    assert [line.split(";", 1)[0] for line in refusal_of(tmp_path, text)] == [
        "1:1: polcy: found an unknown key",
        "1:1: environment: found no such key",
        '2:29: objective.on_time_within: found "30s"',
        "2:47: objective.reliability: found the number 0.99",
        "4:10: policy.lease: found the number 30",
        "5:3: policy.lease: found the key a second time (the first is on line 4)",
        '6:19: policy.coverage_floor: found "95%"',
        '8:34: ladder[0].share: found "99%"',
        '9:12: ladder[1].mode: found "push"',
        "9:24: ladder[1].soak: found the number 3",
    ]


def test_a_rule_between_keys_says_nothing_of_a_key_that_is_wrong_by_itself(tmp_path: Path) -> None:
    """One mistake is one message: a value that could not be read is compared with nothing."""
    assert len(refusal_of(tmp_path, "environment: test\nobjective: {missed_after: 5, on_time_within: 60s}\n")) == 1


def test_a_rung_that_cannot_be_read_hides_no_problem_of_those_above_it(tmp_path: Path) -> None:
    """Rungs are compared wherever two neighbours are right by themselves."""
    rungs = "[timer_polling, {mode: push_only, share: 50%}, {mode: push_only, share: 10%}]"
    found = [line.split(";", 1)[0] for line in refusal_of(tmp_path, f"environment: test\nladder: {rungs}\n")]
    assert found == ['2:10: ladder[0]: found "timer_polling"', '2:81: ladder[2].share: found "10%"']


def test_credentials_in_the_file_are_not_repeated(tmp_path: Path) -> None:
    """A message ends up in a log, so that secrets which do not belong into the file must not get there either."""
    lines = refusal_of(
        tmp_path,
        "environment: whsec_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
        "journal: postgres://admin:hunter2@db/payments\n"
        "stripe: {webhook_secret: whsec_0123456789abcdef}\n",
    )
    assert lines[0].startswith('1:14: environment: found "whsec_***"')
    assert '2:10: journal: found "postgres://***@db/payments"' in lines[1]
    assert not re.search("hunter2|0123456789", "\n".join(lines))


FILES = (
    # what is there              what is said
    ("nothing", ": found no such file; allowed: a YAML file"),
    ("a folder", ": found a directory; allowed: a YAML file"),
    ("a file too large", ": found more than 65536 bytes; allowed: at most 65536 bytes"),
    ("a file in the way", "/sidecar.yaml: found a file that cannot be read (Not a directory); allowed: a YAML file"),
    ("two thousand keys", ":500:6: found too many keys and values; allowed: at most 1000"),
)


@pytest.mark.parametrize(("there", "said"), FILES)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, there: str, said: str) -> None:
    """What is no configuration file at all gets a message as well, and never a traceback."""
    path = tmp_path / "sidecar.yaml"
    asked = path
    if there == "a folder":
        path.mkdir()
    elif there == "a file too large":
        path.write_text("environment: test\n" + "#" * 65_536)
    elif there == "a file in the way":
        path.write_text("environment: test\n")
        asked = path / "sidecar.yaml"
    elif there == "two thousand keys":
        path.write_text("environment: test\n" + "key: 1\n" * 2000)
    with pytest.raises(ConfigInvalid) as caught:
        read_config(asked)
    assert caught.value.message == f"{path}{said}"


def test_a_file_of_65536_bytes_is_read(tmp_path: Path) -> None:
    """The limit is inclusive."""
    assert config_of(tmp_path, "environment: test\n#".ljust(65_536, "#")) == Config(environment="test")


def test_a_missing_file_with_a_twin_is_told_of_it(tmp_path: Path) -> None:
    """`sidecar.yml` and `sidecar.yaml` are easily taken for each other."""
    (tmp_path / "sidecar.yaml").write_text("environment: test\n")
    with pytest.raises(ConfigInvalid) as caught:
        read_config(tmp_path / "sidecar.yml")
    assert caught.value.message.endswith(
        f"found no such file; allowed: a YAML file; did you mean {tmp_path / 'sidecar.yaml'}?"
    )


def test_the_shipped_file_says_what_the_defaults_are() -> None:
    """A key that is taken out of the shipped file keeps its meaning."""
    assert read_config(SHIPPED) == Config(environment="production")


SECTIONS: tuple[type[Section], ...] = (
    Config,
    Listen,
    schema.Console,
    Stripe,
    RedisStream,
    Acks,
    schema.Echo,
    schema.Probe,
    schema.Isolation,
    schema.Reverb,
    Objective,
    PolicyKeys,
    ReachWaived,
    LadderRung,
    NotificationTarget,
    Notifications,
)


def test_every_key_is_in_the_shipped_file_with_a_comment() -> None:
    """Whoever configures the sidecar finds all that there is in one file; optional keys stand in comments."""
    lines = SHIPPED.read_text().splitlines()
    keys = [field.encode_name for section in SECTIONS for field in msgspec.structs.fields(section)]
    shown = [key for key in keys if any(re.search(rf"\b{key}: *[^#]*#|#.*\b{key}: ", line) for line in lines)]
    assert shown == keys


def test_every_key_is_documented_under_its_field() -> None:
    """The documentation of a key sits where the key is defined, so that neither changes without the other."""
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


def test_a_file_may_say_everything(tmp_path: Path) -> None:
    """Each key reaches its own field, in the unit that the field's name says."""
    text = """\
environment: Staging.eu-1
flag: my_flag
journal: sqlite:/var/lib/sidecar/journal.db
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
  shelter: 5m
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
  rest_after: 5m
"""
    assert config_of(tmp_path, text) == Config(
        environment="Staging.eu-1",
        flag="my_flag",
        journal=SqlitePlace(path="/var/lib/sidecar/journal.db"),
        listen=Listen(
            public=Address(host="::1", port=8700),
            operator=Address(host="localhost", port=0),
            metrics=Address(host="0.0.0.0", port=9000),  # noqa: S104 - read, not bound
        ),
        console=schema.Console(
            reading=schema.Reading.TOKEN,
            hosts=("sidecar.example.test",),
            user_header="X-Forwarded-User",
            trusted_proxies=("10.0.0.0/8", "::1/128", "127.0.0.1/32"),
        ),
        stripe=Stripe(livemode=False, user_key="user id", required_metadata=("booking_id", "tenant")),
        acks=Acks(contexts=("bookings", "App.Models:Trip/2"), stage=Stage.REFRESHED),
        reverb=schema.Reverb(
            url="ws://127.0.0.1:8080/reverb",
            app_id="501",
            app_key="liverefresh-key",
            origin="https://app.example.test:8443",
            auth_endpoint="http://127.0.0.1:8000/api/broadcasting/auth",
            api_url="http://reverb:8080",
            channel="private-user.{user_id}.refresh",
            observer_channel="private-watch",
            observers=0,
            echo=schema.Echo(authorizer=schema.Authorizer.AXIOS, credentials=schema.Credentials.COOKIE),
            probe=schema.Probe(
                user_id="probe",
                login=schema.Credentials.COOKIE,
                csrf_url="http://127.0.0.1:8000/csrf",
                login_url="http://127.0.0.1:8000/api/login",
                round_trip_every_ms=1_000,
                auth_every_ms=10_000,
                isolation_every_ms=60_000,
                round_trip_reliability_ppm=980_000,
                auth_reliability_ppm=900_000,
            ),
            isolation=schema.Isolation(channel_user_id="1"),
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
"""The last values inside the limits; `INVALID` has the first ones outside."""


@pytest.mark.parametrize("text", ACCEPTED)
def test_limits_are_inclusive(tmp_path: Path, text: str) -> None:
    """What a message names as allowed is allowed, up to the last value."""
    config_of(tmp_path, f"environment: test\n{text}\n")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors write one, and nobody sees it."""
    assert config_of(tmp_path, "\ufeffenvironment: test\n") == Config(environment="test")


def test_a_journal_in_memory_is_told_from_a_file(tmp_path: Path) -> None:
    """The two places of a journal are two types, so that whoever opens one cannot forget the other."""
    assert config_of(tmp_path, 'environment: test\njournal: "memory:"\n').journal == MemoryPlace()


def test_an_address_is_written_as_it_is_read() -> None:
    """An IPv6 address gets its brackets back."""
    assert str(Address(host="::1", port=8700)) == "[::1]:8700"
    assert str(Address(host="localhost", port=0)) == "localhost:0"


def test_the_policy_says_what_the_file_says() -> None:
    """The fold judges by exactly the keys of the file; its hash is the same on every machine."""
    expected = Policy(
        environment="production",
        flag="payment-refresh",
        stage=Stage.DELIVERED,
        contexts=("bookings",),
        on_time_within_ms=2_000,
        missed_after_ms=30_000,
        reliability_ppm=990_000,
        false_promotion_risk_ppm=10_000,
        unacceptable_reliability_ppm=950_000,
        false_alarm_once_in=100_000,
        coverage_ppm=950_000,
        coverage_floor_ppm=800_000,
        reach_ppm=970_000,
        reach_not_required=None,
        lease_ms=30_000,
        cooldown_ms=3_600_000,
        resume_after_ms=180_000,
        dry_run=False,
        ladder=(
            Rung(mode=Mode.TIMER_POLLING, soak_ms=72 * 3_600_000),
            Rung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=100_000, soak_ms=24 * 3_600_000),
            Rung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=48 * 3_600_000),
            Rung(mode=Mode.PUSH_ONLY, approval_required=True),
        ),
    )
    assert policy_of(read_config(SHIPPED)) == expected
    assert policy_hash(policy_of(read_config(SHIPPED))) == policy_hash(expected)


def test_a_default_that_is_written_out_is_the_same_policy_as_one_that_is_left_out(tmp_path: Path) -> None:
    """The hash tells policies apart, not ways of writing one, and a policy keeps its hash in the journal."""
    written_out = policy_of(read_config(SHIPPED))
    left_out = policy_of(config_of(tmp_path, "environment: production\n"))
    journalled = msgspec.json.decode(msgspec.json.encode(written_out), type=Policy)
    assert policy_hash(written_out) == policy_hash(left_out) == policy_hash(journalled)


def test_what_round_trips_and_auth_probes_must_prove_alters_the_policy_only_where_it_is_not_the_default(
    tmp_path: Path,
) -> None:
    """A journal from before these keys keeps its policy; and a default that is written out is none."""
    where = "url: ws://a, app_id: '1', app_key: k, origin: http://a, auth_endpoint: http://a/auth"

    def policy(keys: str) -> Policy:
        text = f"environment: test\nreverb: {{{where}, probe: {{user_id: '0'{keys}}}}}\n"
        return policy_of(config_of(tmp_path, text))

    left_out, written_out = policy(""), policy(", round_trip_reliability: 99.9%, auth_reliability: 99.5%")
    assert policy_hash(left_out) == policy_hash(written_out)
    assert b"reliability_ppm" not in msgspec.json.encode(left_out.reverb)
    other = policy(", round_trip_reliability: 98%, auth_reliability: 90%").reverb
    assert other is not None
    assert (other.round_trip_reliability_ppm, other.auth_reliability_ppm) == (980_000, 900_000)


def test_a_waived_reach_carries_its_reason_into_the_policy() -> None:
    """What nobody asks for has a reason, which every report repeats."""
    waived = PolicyKeys(reach=ReachWaived(not_required="no browser reports yet"))
    assert policy_of(Config(environment="test", policy=waived)).reach_not_required == "no browser reports yet"
    asked = PolicyKeys(reach=980_000)
    assert policy_of(Config(environment="test", policy=asked)).reach_ppm == 980_000
