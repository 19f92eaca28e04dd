"""URLs and keys of notification targets: named after the target, and never shown."""

from pathlib import Path

import pytest

from sidecar.config import (
    Config,
    Notifications,
    NotificationTarget,
    SecretsInvalid,
    TargetKind,
    read_notification_secrets,
    read_secrets,
)

CONFIG = Config(
    environment="test",
    notifications=Notifications(
        targets=(
            NotificationTarget(name="ops-team", kind=TargetKind.SLACK),
            NotificationTarget(name="ci", kind=TargetKind.WEBHOOK),
            NotificationTarget(name="plots", kind=TargetKind.GRAFANA),
        )
    ),
)
RIGHT = {
    "SIDECAR_NOTIFICATION_OPS_TEAM_URL": "https://hooks.example.test/services/T0/B0/very-secret",
    "SIDECAR_NOTIFICATION_CI_URL": "http://[::1]:8080/in?token=very-secret",
    "SIDECAR_NOTIFICATION_CI_KEY": "9f86d081884c7d659a2feaa0",
    "SIDECAR_NOTIFICATION_PLOTS_URL": "https://grafana.example.test",
    "SIDECAR_NOTIFICATION_PLOTS_KEY": "glsa_x",
}
OTHERS = {"STRIPE_WEBHOOK_SECRET": "whsec_5f3759df0451ae77b1c2", "SIDECAR_ACK_TOKEN": "9f86d081884c7d659a2feaa0"}

# fmt: off
WRONG = [
    # variable,                       value,                                     message
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   None,                                      "found nothing"),
    ("SIDECAR_NOTIFICATION_CI_KEY",         None,                                      "found nothing"),
    ("SIDECAR_NOTIFICATION_PLOTS_KEY",      None,                                      "found nothing"),
    ("SIDECAR_NOTIFICATION_CI_KEY",         "very-secret",                             "found 11 characters"),
    ("SIDECAR_NOTIFICATION_CI_KEY",         "change-me-0123456789",                    "found a placeholder"),
    ("SIDECAR_NOTIFICATION_PLOTS_KEY",      "very secret",                             "found a space"),
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   "hooks.example.test/very-secret",          "found a URL that is not allowed"),
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   "ftp://hooks.example.test/very-secret",    "found a URL that is not allowed"),
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   "https:///very-secret",                    "found a URL that is not allowed"),
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   "https://u:very-secret@hooks.example.test", "found a URL that is not allowed"),
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   "https://hooks.example.test:0/very-secret", "found a URL that is not allowed"),
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   "https://hooks.example.test:x/very-secret", "found a value that is not a URL"),
    ("SIDECAR_NOTIFICATION_OPS_TEAM_URL",   "https://hooks.example.test/very secret",  "found a space"),
]
# fmt: on


@pytest.mark.parametrize(("variable", "value", "found"), WRONG)
def test_an_invalid_variable_is_named_and_its_value_is_not_shown(variable: str, value: str | None, found: str) -> None:
    """One problem gives one line, which is safe to log."""
    environment = {**RIGHT, variable: value} if value is not None else {k: v for k, v in RIGHT.items() if k != variable}
    with pytest.raises(SecretsInvalid) as caught:
        read_notification_secrets({name: text for name, text in environment.items() if text}, CONFIG)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{variable}: {found}")
    assert "very" not in problem


def test_notification_secrets_are_read_with_the_others_and_from_files(tmp_path: Path) -> None:
    """A Slack target needs no key, and `repr` shows no value."""
    (tmp_path / "url").write_text(f"{RIGHT['SIDECAR_NOTIFICATION_OPS_TEAM_URL']}\n")
    environment = {**OTHERS, **RIGHT, "SIDECAR_NOTIFICATION_OPS_TEAM_URL_FILE": str(tmp_path / "url")}
    del environment["SIDECAR_NOTIFICATION_OPS_TEAM_URL"]
    secrets = read_secrets(environment, CONFIG)
    assert secrets.notifications["ops-team"].url == RIGHT["SIDECAR_NOTIFICATION_OPS_TEAM_URL"]
    assert (secrets.notifications["ops-team"].key, secrets.notifications["plots"].key) == ("", "glsa_x")
    assert secrets.notifications["ci"].url == RIGHT["SIDECAR_NOTIFICATION_CI_URL"]
    assert "very-secret" not in repr(secrets) + repr(secrets.notifications)
    assert read_secrets(OTHERS, Config(environment="test")).notifications == {}
