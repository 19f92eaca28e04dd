"""The secrets: from environment variables or the files that `NAME_FILE` names, never from YAML, never in a message.

Every message says which variable, what is wrong with it, what is allowed and where to get a right one; none repeats
a value, not even a part of it.
"""

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from sidecar.config.schema import Config, Credentials
from sidecar.ports import ErrorCode, SidecarError

LENGTH_MIN = 16
BROWSER_LENGTH_MIN = 32
"""Of a key of HMAC-SHA256 (RFC 7518, section 3.2)."""
FILE_BYTES_MAX = 65_536

_MAKE_ONE = "make one with: openssl rand -hex 24"
_ASK_STRIPE = "copy it from Stripe (Workbench, Webhooks, Signing secret) or from: stripe listen --print-secret"

_PLACEHOLDER = re.compile(
    r"change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)|place[-_ ]?holder|your[-_ ]|\.\.\.|…|[<>]", re.IGNORECASE
)
_WORDS_ONLY = re.compile(r"(?:secret|password|passwd|default|token|admin|12345678|[-_. ])*", re.IGNORECASE)
_ONE_LETTER = re.compile(r"(.)\1*")


class Role(enum.StrEnum):
    """What an operator's token may do."""

    READ = "read"
    OPERATE = "operate"
    """Read, and act: hold, resume, approve, roll back."""


class _Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A struct that no log, traceback or console shows the values of."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []


class OperatorToken(_Hidden, frozen=True, kw_only=True):
    """A bearer token of the operator API."""

    name: str
    """Who acts, in the record."""
    role: Role
    token: str


class Secrets(_Hidden, frozen=True, kw_only=True):
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


class ProbeSecrets(_Hidden, frozen=True, kw_only=True):
    """What the probes need to know."""

    app_secret: str | None
    """REVERB_APP_SECRET; None: not set, which only `sidecar doctor` puts up with."""
    token: str | None = None
    """The probe user's bearer token; None: it logs in, or `sidecar doctor` walks as a guest."""
    email: str | None = None
    password: str | None = None


class SecretsInvalid(SidecarError):  # noqa: N818 - named like its code, secret_invalid
    """The secrets cannot be used; the message has one line for every problem, without a value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(ErrorCode.SECRET_INVALID, "\n".join(problems))
        self.problems = problems


class _Variable(msgspec.Struct, frozen=True, kw_only=True):
    """What a variable holds, for its messages."""

    name: str
    allowed: str
    remedy: str = _MAKE_ONE


_STRIPE = _Variable(
    name="STRIPE_WEBHOOK_SECRET",
    allowed=f"Stripe's signing secrets, comma-separated, each whsec_… and at least {LENGTH_MIN} characters long",
    remedy=_ASK_STRIPE,
)
_ACK = _Variable(
    name="SIDECAR_ACK_TOKEN", allowed=f"at least {LENGTH_MIN} printable ASCII characters without spaces and commas"
)
_OPERATORS = _Variable(
    name="SIDECAR_OPERATOR_TOKENS",
    allowed=f"name:role:token, comma-separated, each with a name of A-Z a-z 0-9 . _ @ - that no other has, the role "
    f"read or operate, and a token of its own of at least {LENGTH_MIN} printable ASCII characters",
    remedy="make a token with: openssl rand -hex 24",
)
_IDENTITY = _Variable(
    name="SIDECAR_IDENTITY_KEY",
    allowed=f"at least {LENGTH_MIN} printable ASCII characters without spaces and commas; needed for stripe.user_key "
    "and for SIDECAR_BROWSER_SECRET",
)

_REDIS = _Variable(
    name="SIDECAR_REDIS_PASSWORD",
    allowed="the password of the Redis of acks.redis_stream, in printable ASCII characters without spaces and commas; "
    "nothing where it wants none",
    remedy="ask whoever runs that Redis",
)
_BROWSER = _Variable(
    name="SIDECAR_BROWSER_SECRET",
    allowed=f"at least {BROWSER_LENGTH_MIN} printable ASCII characters without spaces and commas, or several such, "
    "comma-separated; the app signs tokens of its users with it (HS256)",
)
_APP_SECRET = _Variable(
    name="REVERB_APP_SECRET",
    allowed="the secret of the Reverb application, in printable ASCII characters without spaces and commas",
    remedy="copy it from the .env of the Laravel app",
)
_PROBE_TOKEN = _Variable(
    name="SIDECAR_PROBE_TOKEN",
    allowed="the bearer token of the probe user, in printable ASCII characters without spaces and commas; needed for "
    "reverb.probe.login: bearer",
    remedy="make one in the app, such as with: $user->createToken('reverb-sidecar')",
)
_PROBE_EMAIL = _Variable(
    name="SIDECAR_PROBE_EMAIL",
    allowed="the e-mail address of the probe user; needed for reverb.probe.login: cookie",
    remedy="register a user for this in the app",
)
_PROBE_PASSWORD = _Variable(
    name="SIDECAR_PROBE_PASSWORD",
    allowed="the password of the probe user, in printable ASCII characters; needed for reverb.probe.login: cookie",
    remedy="register a user for this in the app",
)


def read_probe_secrets(environment: Mapping[str, str], config: Config, *, all_required: bool = True) -> ProbeSecrets:
    """Return what the probes need; of what is not required, None where it is not set. Raises `SecretsInvalid`."""
    reader = _Reader(environment)
    secrets = _probe_secrets(reader, config, all_required=all_required)
    if reader.problems:
        raise SecretsInvalid(tuple(reader.problems))
    return secrets


def _probe_secrets(reader: "_Reader", config: Config, *, all_required: bool) -> ProbeSecrets:
    def entry(variable: _Variable, *, is_needed: bool) -> str | None:
        if not is_needed:
            return None
        fault = _spoken_fault if variable is _PROBE_PASSWORD else _password_fault
        return next(iter(reader.entries(variable, fault, required=all_required, several=False)), None)

    by_token = config.reverb is None or config.reverb.probe.login is Credentials.BEARER
    return ProbeSecrets(
        app_secret=entry(_APP_SECRET, is_needed=True),
        token=entry(_PROBE_TOKEN, is_needed=by_token),
        email=entry(_PROBE_EMAIL, is_needed=not by_token),
        password=entry(_PROBE_PASSWORD, is_needed=not by_token),
    )


def read_secrets(environment: Mapping[str, str], config: Config) -> Secrets:
    """Return the secrets in the environment, `os.environ`. Raises `SecretsInvalid` with all that is wrong with them."""
    reader = _Reader(environment)
    stripe_webhook = reader.entries(_STRIPE, _webhook_fault, required=True)
    ack_tokens = reader.entries(_ACK, _fault, required=True, several=False)
    operator_tokens = reader.entries(_OPERATORS, _operator_fault, required=False)
    browser = reader.entries(_BROWSER, _browser_fault, required=False)
    needs_identity = config.stripe.user_key is not None or bool(browser)
    identity_keys = reader.entries(_IDENTITY, _fault, required=needs_identity, several=False)
    redis_passwords = reader.entries(_REDIS, _password_fault, required=False, several=False)
    probe = _probe_secrets(reader, config, all_required=True) if config.reverb is not None else None
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
    )


class _Reader:
    """Reads variables or their files, and collects what is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environment = environment

    def entries(
        self, variable: _Variable, fault_of: Callable[[str], str | None], *, required: bool, several: bool = True
    ) -> tuple[str, ...]:
        """Return the variable's entries that have no fault; none if it is not set. An empty one counts as not set."""
        direct, path = self._environment.get(variable.name), self._environment.get(f"{variable.name}_FILE")
        if direct and path:
            self.refuse(variable, f"found it and {variable.name}_FILE as well, so that it is not clear which counts")
            return ()
        where = variable.name
        if path:
            where = f"{variable.name} (from the file {path})"
            direct = self._file(variable, path)
            if direct is None:
                return ()
        if not direct:
            if required or path:
                self.refuse(variable, "found nothing", where)
            return ()
        texts = [text.strip() for text in direct.split(",")] if several else [direct]
        faults = [fault_of(text) for text in texts]
        for number, fault in enumerate(faults, start=1):
            if fault is not None:
                self.refuse(variable, f"found {f'in entry {number} ' if len(texts) > 1 else ''}{fault}", where)
        return tuple(text for text, fault in zip(texts, faults, strict=True) if fault is None)

    def refuse(self, variable: _Variable, fault: str, where: str = "") -> None:
        """Note a problem."""
        self.problems.append(f"{where or variable.name}: {fault}; allowed: {variable.allowed}; {variable.remedy}")

    def _file(self, variable: _Variable, path: str) -> str | None:
        try:
            with Path(path).open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            reason = "it is not UTF-8"
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = getattr(error, "strerror", None) or str(error)
        else:
            if len(content) <= FILE_BYTES_MAX:
                return text.removesuffix("\n").removesuffix("\r")
            reason = f"it has more than {FILE_BYTES_MAX} bytes"
        self.refuse(variable, f"found the file {path}, which cannot be read ({reason})", f"{variable.name}_FILE")
        return None


def _fault(value: str) -> str | None:
    """Return what is wrong with a token or key, without saying any of it; None: nothing."""
    if not value:
        return "nothing"
    if _PLACEHOLDER.search(value) or _WORDS_ONLY.fullmatch(value) or _ONE_LETTER.fullmatch(value):
        return "a placeholder"
    if not re.fullmatch(r"[!-+\--~]+", value):
        return "a space, a comma or another character that is not allowed"
    if len(value) < LENGTH_MIN:
        return f"{len(value)} characters"
    return None


def _browser_fault(value: str) -> str | None:
    return _fault(value) or (f"{len(value)} characters" if len(value) < BROWSER_LENGTH_MIN else None)


def _password_fault(value: str) -> str | None:
    """Return what is wrong with a password that others chose: its length is not for us to judge."""
    return None if re.fullmatch(r"[!-+\--~]+", value) else "a space, a comma or another character that is not allowed"


def _spoken_fault(value: str) -> str | None:
    """Return what is wrong with a password that a person may have chosen."""
    return None if re.fullmatch(r"[ -~]+", value) else "a character that is not printable ASCII"


def _webhook_fault(value: str) -> str | None:
    if value and not value.startswith("whsec_"):
        return "a value that does not begin with whsec_"
    is_placeholder = _fault(value.removeprefix("whsec_")) == "a placeholder"
    return "a placeholder" if is_placeholder else _fault(value)


def _operator_fault(entry: str) -> str | None:
    match = re.fullmatch(r"([^:]*):([^:]*):(.*)", entry)
    if match is None:
        return "a value that is not name:role:token"
    name, role, token = match.groups()
    if not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", name):
        return "a name that is not 1 to 64 of the allowed characters"
    if role not in list(Role):
        return "a role that is neither read nor operate"
    fault = _fault(token)
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
