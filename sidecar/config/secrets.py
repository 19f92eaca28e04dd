"""The secrets of a sidecar: the form of each, and which of them a configuration needs. `variables` reads them."""

import enum
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from sidecar.config.places import is_host
from sidecar.config.reverb import Credentials
from sidecar.config.schema import Config, NotificationTarget, TargetKind
from sidecar.config.variables import LENGTH_MIN, Hidden, Variable, VariableReader, password_fault, token_fault

BROWSER_LENGTH_MIN = 32
"""The shortest key for HMAC-SHA256 (RFC 7518, section 3.2)."""


class Role(enum.StrEnum):
    """The permissions of an operator's token."""

    SCRAPE = "scrape"
    """Read `/metrics`, and nothing else: for Prometheus."""
    READ = "read"
    OPERATE = "operate"
    """Read, and take operator actions: hold, resume, approve, roll back."""


class OperatorToken(Hidden, frozen=True, kw_only=True):
    """A bearer token of the operator API."""

    name: str
    """The name of the operator in the record."""
    role: Role
    token: str


class ProbeSecrets(Hidden, frozen=True, kw_only=True):
    """The secrets of the probes."""

    app_secret: str | None
    """REVERB_APP_SECRET; None: not set, which only `sidecar doctor` accepts."""
    token: str | None = None
    """The probe user's bearer token; None: it logs in, or `sidecar doctor` probes as a guest."""
    email: str | None = None
    password: str | None = None


class NotificationSecrets(Hidden, frozen=True, kw_only=True):
    """The URL and the key of one notification target."""

    url: str
    """A secret by itself: everybody who has it can post to it."""
    key: str = ""
    """The key that signs a webhook's notifications, or Grafana's token; empty for Slack, which needs only the URL."""


class Secrets(Hidden, frozen=True, kw_only=True):
    """All secrets of a sidecar. `repr` and `str` show none."""

    stripe_webhook: tuple[str, ...]
    """Stripe's signing secrets, at least one; several during a rotation."""
    ack_token: str
    """The bearer token of the backends that send acks."""
    operator_tokens: tuple[OperatorToken, ...] = ()
    """Tokens with different names and values; empty: no operator actions."""
    identity_key: str | None = None
    """The key of the HMAC that turns a user id into a user reference; None: not set, and not needed."""
    redis_password: str | None = None
    """The password for `acks.redis_stream`; None: that Redis has none."""
    browser: tuple[str, ...] = ()
    """The keys with which the app signs its users' tokens, several during a rotation; empty: no browser reports."""
    probe: ProbeSecrets | None = None
    """None: no probes."""
    notifications: Mapping[str, NotificationSecrets] = {}
    """By the target's name; empty: no notifications."""


def _browser_fault(value: str) -> str | None:
    return token_fault(value) or (f"{len(value)} characters" if len(value) < BROWSER_LENGTH_MIN else None)


def _spaced_fault(value: str) -> str | None:
    """Return the fault of a password that a person may have chosen."""
    return None if re.fullmatch(r"[ -~]+", value) else "a character that is not printable ASCII"


def _webhook_fault(value: str) -> str | None:
    if value and not value.startswith("whsec_"):
        return "a value that does not begin with whsec_"
    is_placeholder = token_fault(value.removeprefix("whsec_")) == "a placeholder"
    return "a placeholder" if is_placeholder else token_fault(value)


def _operator_fault(entry: str) -> str | None:
    match = re.fullmatch(r"([^:]*):([^:]*):(.*)", entry)
    if match is None:
        return "a value that is not name:role:token"
    name, role, token = match.groups()
    if not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", name):
        return "a name that is not 1 to 64 of the allowed characters"
    if role not in list(Role):
        return "a role that is neither read nor operate"
    fault = token_fault(token)
    return f"a token that is wrong: {fault}" if fault else None


def _url_fault(value: str) -> str | None:
    if not re.fullmatch(r"[!-~]+", value):
        return "a space or another character that is not printable ASCII"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "a value that is not a URL"
    is_whole = parts.scheme in {"https", "http"} and is_host(parts.hostname or "") and port != 0
    return None if is_whole and parts.username is None and not parts.fragment else "a URL that is not allowed"


_PLAIN = "printable ASCII characters without spaces and commas"

_STRIPE = Variable(
    name="STRIPE_WEBHOOK_SECRET",
    allowed=f"Stripe's signing secrets, comma-separated, each whsec_… and at least {LENGTH_MIN} characters long",
    remedy="copy it from Stripe (Workbench, Webhooks, Signing secret) or from: stripe listen --print-secret",
    fault_of=_webhook_fault,
    is_list=True,
)
_ACK = Variable(name="SIDECAR_ACK_TOKEN", allowed=f"at least {LENGTH_MIN} {_PLAIN}")
_OPERATORS = Variable(
    name="SIDECAR_OPERATOR_TOKENS",
    allowed="name:role:token, comma-separated, each with a different name of A-Z a-z 0-9 . _ @ -, the role read or "
    f"operate, and a different token of at least {LENGTH_MIN} printable ASCII characters",
    remedy="make a token with: openssl rand -hex 24",
    fault_of=_operator_fault,
    is_list=True,
)
_IDENTITY = Variable(
    name="SIDECAR_IDENTITY_KEY",
    allowed=f"at least {LENGTH_MIN} {_PLAIN}; needed for stripe.user_key and for SIDECAR_BROWSER_SECRET",
)
_REDIS = Variable(
    name="SIDECAR_REDIS_PASSWORD",
    allowed=f"the password of the Redis of acks.redis_stream, in {_PLAIN}; leave it out if that Redis has none",
    remedy="get it from the operator of that Redis",
    fault_of=password_fault,
)
_BROWSER = Variable(
    name="SIDECAR_BROWSER_SECRET",
    allowed=f"at least {BROWSER_LENGTH_MIN} {_PLAIN}, or several such, comma-separated; "
    "the app signs tokens of its users with it (HS256)",
    fault_of=_browser_fault,
    is_list=True,
)
_APP_SECRET = Variable(
    name="REVERB_APP_SECRET",
    allowed=f"the secret of the Reverb application, in {_PLAIN}",
    remedy="copy it from the .env of the Laravel app",
    fault_of=password_fault,
)
_PROBE_TOKEN = Variable(
    name="SIDECAR_PROBE_TOKEN",
    allowed=f"the bearer token of the probe user, in {_PLAIN}; needed for reverb.probe.login: bearer",
    remedy="make one in the app, such as with: $user->createToken('reverb-sidecar')",
    fault_of=password_fault,
)
_PROBE_EMAIL = Variable(
    name="SIDECAR_PROBE_EMAIL",
    allowed="the e-mail address of the probe user; needed for reverb.probe.login: cookie",
    remedy="register a user for this in the app",
    fault_of=password_fault,
)
_PROBE_PASSWORD = Variable(
    name="SIDECAR_PROBE_PASSWORD",
    allowed="the password of the probe user, in printable ASCII characters; needed for reverb.probe.login: cookie",
    remedy="register a user for this in the app",
    fault_of=_spaced_fault,
)
_URL_REMEDIES = {
    TargetKind.WEBHOOK: "copy it from the receiver of the notifications",
    TargetKind.SLACK: "make an incoming webhook in Slack, and copy its URL",
    TargetKind.GRAFANA: "it is the URL of Grafana in a browser, such as https://grafana.example.test",
}


def _target_url(target: NotificationTarget) -> Variable:
    return Variable(
        name=f"{target.stem}_URL",
        allowed="a URL beginning with https:// or http://, in printable ASCII, without a user and a fragment",
        remedy=_URL_REMEDIES[target.kind],
        fault_of=_url_fault,
    )


def _target_key(target: NotificationTarget) -> Variable:
    if target.kind is TargetKind.GRAFANA:
        return Variable(
            name=f"{target.stem}_KEY",
            allowed="the token of a Grafana service account that may create annotations",
            remedy="make one in Grafana: Administration, Service accounts",
            fault_of=password_fault,
        )
    return Variable(name=f"{target.stem}_KEY", allowed=f"at least {LENGTH_MIN} {_PLAIN}: the signing key")


def read_probe_secrets(environment: Mapping[str, str], config: Config, *, all_required: bool = True) -> ProbeSecrets:
    """Return the secrets of the probes; None for those not set and not required. Raises `SecretsInvalid`."""
    reader = VariableReader(environment)
    secrets = _probe(reader, config, all_required=all_required)
    reader.raise_problems()
    return secrets


def read_notification_secrets(environment: Mapping[str, str], config: Config) -> Mapping[str, NotificationSecrets]:
    """Return the secrets of the notification targets, by their names. Raises `SecretsInvalid`."""
    reader = VariableReader(environment)
    secrets = _notifications(reader, config)
    reader.raise_problems()
    return secrets


def read_secrets(environment: Mapping[str, str], config: Config) -> Secrets:
    """Return the secrets in `environment`, such as `os.environ`. Raises `SecretsInvalid` with all their problems."""
    reader = VariableReader(environment)
    stripe_webhook = reader.entries(_STRIPE, required=True)
    ack_token = reader.entry(_ACK, required=True)
    operators = tuple(_operator(entry) for entry in reader.entries(_OPERATORS, required=False))
    browser = reader.entries(_BROWSER, required=False)
    identity_key = reader.entry(_IDENTITY, required=config.stripe.user_key is not None or bool(browser))
    redis_password = reader.entry(_REDIS, required=False)
    probe = _probe(reader, config, all_required=True) if config.reverb is not None else None
    notifications = _notifications(reader, config)
    for fault in _shared(operators, ack_token):
        reader.refuse(_OPERATORS, fault)
    reader.raise_problems()
    return Secrets(
        stripe_webhook=stripe_webhook,
        ack_token=ack_token or "",
        operator_tokens=operators,
        identity_key=identity_key,
        redis_password=redis_password,
        browser=browser,
        probe=probe,
        notifications=notifications,
    )


def _probe(reader: VariableReader, config: Config, *, all_required: bool) -> ProbeSecrets:
    if config.reverb is None or config.reverb.probe.login is Credentials.BEARER:
        return ProbeSecrets(
            app_secret=reader.entry(_APP_SECRET, required=all_required),
            token=reader.entry(_PROBE_TOKEN, required=all_required),
        )
    return ProbeSecrets(
        app_secret=reader.entry(_APP_SECRET, required=all_required),
        email=reader.entry(_PROBE_EMAIL, required=all_required),
        password=reader.entry(_PROBE_PASSWORD, required=all_required),
    )


def _notifications(reader: VariableReader, config: Config) -> Mapping[str, NotificationSecrets]:
    """Return the valid secrets of each target; the reader collects the problems of the others."""
    found = {}
    for target in config.notifications.targets if config.notifications is not None else ():
        url = reader.entry(_target_url(target), required=True)
        key = reader.entry(_target_key(target), required=True) if target.needs_key else ""
        if url is not None and key is not None:
            found[target.name] = NotificationSecrets(url=url, key=key)
    return found


def _operator(entry: str) -> OperatorToken:
    name, role, token = entry.split(":", 2)
    return OperatorToken(name=name, role=Role(role), token=token)


def _shared(operators: tuple[OperatorToken, ...], ack_token: str | None) -> Iterator[str]:
    """Yield each name or token with several owners: the record could not name the operator."""
    names, tokens = [operator.name for operator in operators], [operator.token for operator in operators]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"found the name {name} more than once"
    if len(set(tokens)) < len(tokens):
        yield "found the same token more than once"
    if ack_token in tokens:
        yield "found a token that is also SIDECAR_ACK_TOKEN: a backend with it could take operator actions"
