"""All secrets of a sidecar, what each must be, and which of them this configuration needs (`variables` reads them)."""

import enum
import re
from collections.abc import Iterator, Mapping

from sidecar.config.notification_secrets import NotificationSecrets, notification_secrets
from sidecar.config.schema import Config, Credentials
from sidecar.config.variables import (
    LENGTH_MIN,
    Hidden,
    SecretsInvalid,
    Variable,
    VariableReader,
    password_fault,
    token_fault,
)

BROWSER_LENGTH_MIN = 32
"""Of a key of HMAC-SHA256 (RFC 7518, section 3.2)."""
_ASK_STRIPE = "copy it from Stripe (Workbench, Webhooks, Signing secret) or from: stripe listen --print-secret"


class Role(enum.StrEnum):
    """What an operator's token may do."""

    READ = "read"
    OPERATE = "operate"
    """Read, and act: hold, resume, approve, roll back."""


class OperatorToken(Hidden, frozen=True, kw_only=True):
    """A bearer token of the operator API."""

    name: str
    """Who actions, in the record."""
    role: Role
    token: str


class Secrets(Hidden, frozen=True, kw_only=True):
    """All secrets of a sidecar. `repr` and `str` show none."""

    stripe_webhook: tuple[str, ...]
    """Stripe's signing secrets, at least one; several while one is rolled."""
    ack_token: str
    """The bearer token of those who send acks."""
    operator_tokens: tuple[OperatorToken, ...] = ()
    """With different names and tokens; empty: nobody may act."""
    identity_key: str | None = None
    """The key of the HMAC that makes a user reference of a user id; None: not configured, and not needed."""
    redis_password: str | None = None
    """Of the Redis of `acks.redis_stream`; None: it wants none."""
    browser: tuple[str, ...] = ()
    """What the app signs its users' tokens with, several while one is rolled; empty: browsers tell nothing."""
    probe: "ProbeSecrets | None" = None
    """None: Reverb is not probed."""
    notifications: Mapping[str, NotificationSecrets] = {}
    """By the target's name; empty: nobody is told."""


class ProbeSecrets(Hidden, frozen=True, kw_only=True):
    """What the probes need to know."""

    app_secret: str | None
    """REVERB_APP_SECRET; None: not set, which only `sidecar doctor` puts up with."""
    token: str | None = None
    """The probe user's bearer token; None: it logs in, or `sidecar doctor` auth probes as a guest."""
    email: str | None = None
    password: str | None = None


_STRIPE = Variable(
    name="STRIPE_WEBHOOK_SECRET",
    allowed=f"Stripe's signing secrets, comma-separated, each whsec_… and at least {LENGTH_MIN} characters long",
    remedy=_ASK_STRIPE,
)
_ACK = Variable(
    name="SIDECAR_ACK_TOKEN", allowed=f"at least {LENGTH_MIN} printable ASCII characters without spaces and commas"
)
_OPERATORS = Variable(
    name="SIDECAR_OPERATOR_TOKENS",
    allowed=f"name:role:token, comma-separated, each with a name of A-Z a-z 0-9 . _ @ - that no other has, the role "
    f"read or operate, and a token of its own of at least {LENGTH_MIN} printable ASCII characters",
    remedy="make a token with: openssl rand -hex 24",
)
_IDENTITY = Variable(
    name="SIDECAR_IDENTITY_KEY",
    allowed=f"at least {LENGTH_MIN} printable ASCII characters without spaces and commas; needed for stripe.user_key "
    "and for SIDECAR_BROWSER_SECRET",
)

_REDIS = Variable(
    name="SIDECAR_REDIS_PASSWORD",
    allowed="the password of the Redis of acks.redis_stream, in printable ASCII characters without spaces and commas; "
    "nothing where it wants none",
    remedy="ask whoever runs that Redis",
)
_BROWSER = Variable(
    name="SIDECAR_BROWSER_SECRET",
    allowed=f"at least {BROWSER_LENGTH_MIN} printable ASCII characters without spaces and commas, or several such, "
    "comma-separated; the app signs tokens of its users with it (HS256)",
)
_APP_SECRET = Variable(
    name="REVERB_APP_SECRET",
    allowed="the secret of the Reverb application, in printable ASCII characters without spaces and commas",
    remedy="copy it from the .env of the Laravel app",
)
_PROBE_TOKEN = Variable(
    name="SIDECAR_PROBE_TOKEN",
    allowed="the bearer token of the probe user, in printable ASCII characters without spaces and commas; needed for "
    "reverb.probe.login: bearer",
    remedy="make one in the app, such as with: $user->createToken('reverb-sidecar')",
)
_PROBE_EMAIL = Variable(
    name="SIDECAR_PROBE_EMAIL",
    allowed="the e-mail address of the probe user; needed for reverb.probe.login: cookie",
    remedy="register a user for this in the app",
)
_PROBE_PASSWORD = Variable(
    name="SIDECAR_PROBE_PASSWORD",
    allowed="the password of the probe user, in printable ASCII characters; needed for reverb.probe.login: cookie",
    remedy="register a user for this in the app",
)


def read_probe_secrets(environment: Mapping[str, str], config: Config, *, all_required: bool = True) -> ProbeSecrets:
    """Return what the probes need; of what is not required, None where it is not set. Raises `SecretsInvalid`."""
    reader = VariableReader(environment)
    secrets = _probe_secrets(reader, config, all_required=all_required)
    if reader.problems:
        raise SecretsInvalid(tuple(reader.problems))
    return secrets


def _probe_secrets(reader: VariableReader, config: Config, *, all_required: bool) -> ProbeSecrets:
    def entry(variable: Variable, *, is_needed: bool) -> str | None:
        if not is_needed:
            return None
        fault = _spoken_fault if variable is _PROBE_PASSWORD else password_fault
        return next(iter(reader.entries(variable, fault, required=all_required, several=False)), None)

    by_token = config.reverb is None or config.reverb.probe.login is Credentials.BEARER
    return ProbeSecrets(
        app_secret=entry(_APP_SECRET, is_needed=True),
        token=entry(_PROBE_TOKEN, is_needed=by_token),
        email=entry(_PROBE_EMAIL, is_needed=not by_token),
        password=entry(_PROBE_PASSWORD, is_needed=not by_token),
    )


def read_notification_secrets(environment: Mapping[str, str], config: Config) -> Mapping[str, NotificationSecrets]:
    """Return what the targets of notifications need, by their names. Raises `SecretsInvalid`."""
    reader = VariableReader(environment)
    found = notification_secrets(reader, config)
    if reader.problems:
        raise SecretsInvalid(tuple(reader.problems))
    return found


def read_secrets(environment: Mapping[str, str], config: Config) -> Secrets:
    """Return the secrets in the environment, `os.environ`. Raises `SecretsInvalid` with all that is wrong with them."""
    reader = VariableReader(environment)
    stripe_webhook = reader.entries(_STRIPE, _webhook_fault, required=True)
    ack_tokens = reader.entries(_ACK, token_fault, required=True, several=False)
    operator_tokens = reader.entries(_OPERATORS, _operator_fault, required=False)
    browser = reader.entries(_BROWSER, _browser_fault, required=False)
    needs_identity = config.stripe.user_key is not None or bool(browser)
    identity_keys = reader.entries(_IDENTITY, token_fault, required=needs_identity, several=False)
    redis_passwords = reader.entries(_REDIS, password_fault, required=False, several=False)
    probe = _probe_secrets(reader, config, all_required=True) if config.reverb is not None else None
    notifications = notification_secrets(reader, config)
    operators = tuple(_operator(entry) for entry in operator_tokens)
    for fault in _shared(operators, ack_tokens):
        reader.refuse(_OPERATORS, fault)
    if reader.problems:
        raise SecretsInvalid(tuple(reader.problems))
    return Secrets(
        stripe_webhook=stripe_webhook,
        ack_token=ack_tokens[0],
        operator_tokens=operators,
        identity_key=next(iter(identity_keys), None),
        redis_password=next(iter(redis_passwords), None),
        browser=browser,
        probe=probe,
        notifications=notifications,
    )


def _browser_fault(value: str) -> str | None:
    return token_fault(value) or (f"{len(value)} characters" if len(value) < BROWSER_LENGTH_MIN else None)


def _spoken_fault(value: str) -> str | None:
    """Return what is wrong with a password that a person may have chosen."""
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


def _operator(entry: str) -> OperatorToken:
    name, role, token = entry.split(":", 2)
    return OperatorToken(name=name, role=Role(role), token=token)


def _shared(operators: tuple[OperatorToken, ...], ack_tokens: tuple[str, ...]) -> Iterator[str]:
    """Return where a name or a token is not one operator's own: the record could not say who acted."""
    names, tokens = [operator.name for operator in operators], [operator.token for operator in operators]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"found the name {name} more than once"
    if len(set(tokens)) < len(tokens):
        yield "found the same token more than once"
    if set(tokens) & set(ack_tokens):
        yield "found a token that is also SIDECAR_ACK_TOKEN, so that whoever sends acks could act as an operator"
