"""The policy that follows from a configuration, and its hash."""

from pathlib import Path

import msgspec

from sidecar.config import Config, PolicyKeys, ReachWaived, policy_of, read_config
from sidecar.core.facts.policy import Mode, Policy, ReverbTarget, Rung, Stage, StripePolicy, policy_hash
from tests.shells.config_files import SHIPPED, config_of


def test_the_policy_has_the_values_of_the_file() -> None:
    """The fold uses exactly the keys of the file; the hash is the same on every machine."""
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
        stripe=StripePolicy(livemode=True),
    )
    assert policy_of(read_config(SHIPPED)) == expected
    assert policy_hash(policy_of(read_config(SHIPPED))) == policy_hash(expected)


def test_an_explicit_default_is_the_same_policy_as_an_omitted_one(tmp_path: Path) -> None:
    """The hash depends on the values, not on how they are written, and it survives the journal."""
    written_out = policy_of(read_config(SHIPPED))
    left_out = policy_of(config_of(tmp_path, "environment: production\n"))
    journalled = msgspec.json.decode(msgspec.json.encode(written_out), type=Policy)
    assert policy_hash(written_out) == policy_hash(left_out) == policy_hash(journalled)


def test_probe_reliabilities_change_the_policy_only_if_they_differ_from_the_default(
    tmp_path: Path,
) -> None:
    """A journal from before these keys keeps its policy hash."""
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


def test_the_reason_of_a_waived_reach_is_in_the_policy() -> None:
    """Reports repeat the reason of a waiver."""
    waived = PolicyKeys(reach=ReachWaived(not_required="no browser reports yet"))
    assert policy_of(Config(environment="test", policy=waived)).reach_not_required == "no browser reports yet"
    asked = PolicyKeys(reach=980_000)
    assert policy_of(Config(environment="test", policy=asked)).reach_ppm == 980_000


def test_the_policy_says_what_is_judged_by_public_identifiers_and_in_one_spelling(tmp_path: Path) -> None:
    """Another spelling of the same address must not cost the evidence; a secret must not be in the journal."""

    def target(url: str, auth_endpoint: str) -> ReverbTarget | None:
        keys = f"url: '{url}', app_id: '1', app_key: k, origin: http://a, auth_endpoint: '{auth_endpoint}'"
        text = f"environment: test\nreverb: {{{keys}, probe: {{user_id: '0'}}}}\n"
        reverb = policy_of(config_of(tmp_path, text)).reverb
        return reverb.target if reverb else None

    found = target("wss://ws.example.test", "https://app.example.test/broadcasting/auth")
    assert found == ReverbTarget(
        url="wss://ws.example.test",
        app_id="1",
        app_key="k",
        auth_endpoint="https://app.example.test/broadcasting/auth",
        channel="private-live-refresh.{user_id}",
        observer_channel="private-reverb-sidecar",
    )
    assert found == target("wss://WS.Example.Test:443/", "https://App.example.test:443/broadcasting/auth")
    assert found != target("ws://ws.example.test", "https://app.example.test/broadcasting/auth")
    assert found != target("wss://ws.example.test:8443", "https://app.example.test/broadcasting/auth")
    assert found != target("wss://ws.example.test/shop", "https://app.example.test/broadcasting/auth")
    other = target("wss://[::1]:443", "http://[::1]:80/auth")
    assert other is not None
    assert (other.url, other.auth_endpoint) == ("wss://[::1]", "http://[::1]/auth")
