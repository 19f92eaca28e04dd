"""How the demo's sidecar is set up: its policy from `demo.yaml`, its addresses from the world, secrets made up."""

from pathlib import Path

import msgspec

from sidecar import randomness
from sidecar.config import Config, OperatorToken, ProbeSecrets, Role, Secrets, read_config
from sidecar.ports import ErrorCode, SidecarError
from sidecar.pusher.signing import App

PROBE_USER, ISOLATION = "0", "1"
OPERATOR = "visitor"


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where the demo listens on loopback; 0 is any that is free."""

    public: int = 8700
    operator: int = 8701
    page: int = 8702
    reverb: int = 8703
    app: int = 8704
    sidecar_reverb: int = 0
    sidecar_app: int = 0
    """The sidecar reaches Reverb and the app by proxies of its own."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the sidecar finds what it watches: by proxies of its own."""

    reverb: int
    app: int
    reference: int
    page: int


def secrets_of(app: App, probe_token: str) -> Secrets:
    """Make up the sidecar's secrets."""
    return Secrets(
        stripe_webhook=(f"whsec_{randomness.token_hex(16)}",),
        ack_token=randomness.token_hex(16),
        operator_tokens=(OperatorToken(name=OPERATOR, role=Role.OPERATE, token=randomness.token_hex(16)),),
        identity_key=randomness.token_hex(16),
        browser=(randomness.token_hex(24),),
        probe=ProbeSecrets(app_secret=app.secret, token=probe_token),
    )


def written(folder: Path, ports: Ports, where: Addresses, app: App) -> Path:
    """Write the configuration into a folder, and return its path. Raises `SidecarError` where that cannot be."""
    path = folder / "demo.yaml"
    text = f"""journal: sqlite:{folder}/demo.db
listen: {{public: 127.0.0.1:{ports.public}, operator: 127.0.0.1:{ports.operator}}}
reverb:
  url: ws://127.0.0.1:{where.reverb}
  app_id: "{app.app_id}"
  app_key: {app.key}
  origin: http://127.0.0.1:{where.page}
  auth_endpoint: http://127.0.0.1:{where.app}/broadcasting/auth
  observers: 2
  probe:
    user_id: "{PROBE_USER}"
    round_trip_every: 1s
    auth_every: 10s
    isolation_every: 1m
    round_trip_reliability: 95%
    auth_reliability: 80%
  isolation: {{channel_user_id: "{ISOLATION}"}}
  reference: http://127.0.0.1:{where.reference}/up
"""
    try:
        path.write_text(text + Path(__file__).with_name("demo.yaml").read_text())
    except OSError as error:
        message = f"{folder}: cannot be written ({error.strerror}); set TMPDIR to a folder that can"
        raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, message) from error
    return path


def config_of(path: Path) -> Config:
    """Return what was written."""
    return read_config(path)
