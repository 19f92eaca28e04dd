"""The secrets of probes and browsers, and the messages for missing ones."""

import msgspec
import pytest

from sidecar.config import Config, Credentials, Echo, Probe, Reverb, SecretsInvalid, read_probe_secrets, read_secrets

BEARER = Reverb(
    url="wss://ws.example.test",
    app_id="501",
    app_key="key",
    origin="https://app.example.test",
    auth_endpoint="https://app.example.test/broadcasting/auth",
    probe=Probe(user_id="0"),
)
COOKIE = msgspec.structs.replace(
    BEARER, probe=Probe(user_id="0", login=Credentials.COOKIE), echo=Echo(credentials=Credentials.COOKIE)
)
OTHERS = {"STRIPE_WEBHOOK_SECRET": "whsec_5f3759df0451ae77b1c2", "SIDECAR_ACK_TOKEN": "9f86d081884c7d659a2feaa0"}
APP, TOKEN = {"REVERB_APP_SECRET": "s3cret-of-reverb"}, {"SIDECAR_PROBE_TOKEN": "1|tokentokentoken"}
LOGIN = {"SIDECAR_PROBE_EMAIL": "probe@example.test", "SIDECAR_PROBE_PASSWORD": "correct horse battery"}

# fmt: off
MISSING = [
    # login, what is set,                  what is reported as missing
    (BEARER, {},                           ["REVERB_APP_SECRET", "SIDECAR_PROBE_TOKEN"]),
    (BEARER, APP,                          ["SIDECAR_PROBE_TOKEN"]),
    (BEARER, {**APP, **TOKEN},             []),
    (COOKIE, {**APP, **TOKEN},             ["SIDECAR_PROBE_EMAIL", "SIDECAR_PROBE_PASSWORD"]),
    (COOKIE, {**APP, **LOGIN},             []),
    (BEARER, {"REVERB_APP_SECRET": "a b", **TOKEN}, ["REVERB_APP_SECRET"]),
    (COOKIE, {**APP, **LOGIN, "SIDECAR_PROBE_PASSWORD": "tab\there"}, ["SIDECAR_PROBE_PASSWORD"]),
]
# fmt: on


@pytest.mark.parametrize(("reverb", "environment", "missing"), MISSING)
def test_missing_probe_secrets_are_reported(reverb: Reverb, environment: dict[str, str], missing: list[str]) -> None:
    """Only the secrets of the configured login are required, and only if Reverb is probed."""
    config = Config(environment="test", reverb=reverb)
    if not missing:
        secrets = read_secrets({**OTHERS, **environment}, config)
        assert secrets.probe is not None
        assert secrets.probe.app_secret == "s3cret-of-reverb"
        return
    with pytest.raises(SecretsInvalid) as caught:
        read_secrets({**OTHERS, **environment}, config)
    assert [line.partition(":")[0] for line in caught.value.problems] == missing
    assert not any(value in caught.value.message for value in environment.values())


def test_the_doctor_accepts_missing_secrets() -> None:
    """`sidecar doctor` works before anything is set up."""
    secrets = read_probe_secrets({}, Config(environment="test", reverb=BEARER), all_required=False)
    assert (secrets.app_secret, secrets.token) == (None, None)
    assert "***" in repr(secrets)


@pytest.mark.parametrize(("length", "is_right"), [(31, False), (32, True)])
def test_the_browser_secret_has_the_length_that_its_algorithm_requires(length: int, *, is_right: bool) -> None:
    """RFC 7518: a key of HMAC-SHA256 has at least 256 bits."""
    secret = "0123456789abcdef0123456789abcdefx7"[:length]
    environment = {**OTHERS, "SIDECAR_BROWSER_SECRET": secret, "SIDECAR_IDENTITY_KEY": "identity-key-0123456789"}
    if is_right:
        assert read_secrets(environment, Config(environment="test")).browser == (secret,)
        return
    with pytest.raises(SecretsInvalid, match="31 characters"):
        read_secrets(environment, Config(environment="test"))


def test_several_browser_secrets_are_allowed_and_need_the_identity_key() -> None:
    """Several secrets allow a rotation; without the identity key no report has a user."""
    one, other = "first-browser-secret-0123456789abcdef", "other-browser-secret-0123456789abcdef"
    environment = {**OTHERS, "SIDECAR_BROWSER_SECRET": f"{one}, {other}"}
    with pytest.raises(SecretsInvalid, match="SIDECAR_IDENTITY_KEY: found nothing"):
        read_secrets(environment, Config(environment="test"))
    environment["SIDECAR_IDENTITY_KEY"] = "identity-key-0123456789"
    assert read_secrets(environment, Config(environment="test")).browser == (one, other)
