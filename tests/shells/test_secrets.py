"""Valid secrets, and the messages for invalid ones, which never show a value."""

import io
from pathlib import Path

import pytest
import rich.console

from sidecar.config import Config, OperatorToken, Role, Secrets, SecretsInvalid, Stripe, read_secrets
from sidecar.ports import ErrorCode

WEBHOOK = "whsec_5f3759df0451ae77b1c2"
ACK = "9f86d081884c7d659a2feaa0"
TOKEN = "60303ae22b998861bce3b28f"
OTHER_TOKEN = "fd61a03af4f77d870fc21e05"
KEY = "a4e624d686e03ed2767c0abd"
RIGHT = {"STRIPE_WEBHOOK_SECRET": WEBHOOK, "SIDECAR_ACK_TOKEN": ACK}
WITH_USERS = Config(environment="test", stripe=Stripe(user_key="user_id"))
WITHOUT_USERS = Config(environment="test")

FROM_STRIPE = "allowed: Stripe's signing secrets, comma-separated, each whsec_… and at least 16 characters long; copy it from Stripe (Workbench, Webhooks, Signing secret) or from: stripe listen --print-secret"
ACK_ALLOWED = (
    "allowed: at least 16 printable ASCII characters without spaces and commas; make one with: openssl rand -hex 24"
)
KEY_ALLOWED = "allowed: at least 16 printable ASCII characters without spaces and commas; needed for stripe.user_key and for SIDECAR_BROWSER_SECRET; make one with: openssl rand -hex 24"
OPERATORS_ALLOWED = "allowed: name:role:token, comma-separated, each with a different name of A-Z a-z 0-9 . _ @ -, the role read or operate, and a different token of at least 16 printable ASCII characters; make a token with: openssl rand -hex 24"

INVALID_SECRETS = (
    # variable                   value                                         message
    ("STRIPE_WEBHOOK_SECRET", "", f"STRIPE_WEBHOOK_SECRET: found nothing; {FROM_STRIPE}"),
    (
        "STRIPE_WEBHOOK_SECRET",
        "sk_live_5f3759df0451ae77b1c2",
        f"STRIPE_WEBHOOK_SECRET: found a value that does not begin with whsec_; {FROM_STRIPE}",
    ),
    ("STRIPE_WEBHOOK_SECRET", "whsec_123456789", f"STRIPE_WEBHOOK_SECRET: found 15 characters; {FROM_STRIPE}"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_...", f"STRIPE_WEBHOOK_SECRET: found a placeholder; {FROM_STRIPE}"),
    (
        "STRIPE_WEBHOOK_SECRET",
        "whsec_<your signing secret>",
        f"STRIPE_WEBHOOK_SECRET: found a placeholder; {FROM_STRIPE}",
    ),
    (
        "STRIPE_WEBHOOK_SECRET",
        "whsec_xxxxxxxxxxxxxxxxxxxx",
        f"STRIPE_WEBHOOK_SECRET: found a placeholder; {FROM_STRIPE}",
    ),
    (
        "STRIPE_WEBHOOK_SECRET",
        f"{WEBHOOK}, 5f3759df0451ae77b1c2",
        f"STRIPE_WEBHOOK_SECRET: found in entry 2 a value that does not begin with whsec_; {FROM_STRIPE}",
    ),
    ("STRIPE_WEBHOOK_SECRET", f"{WEBHOOK},", f"STRIPE_WEBHOOK_SECRET: found in entry 2 nothing; {FROM_STRIPE}"),
    ("SIDECAR_ACK_TOKEN", "", f"SIDECAR_ACK_TOKEN: found nothing; {ACK_ALLOWED}"),
    ("SIDECAR_ACK_TOKEN", "9f86d081884c7d6", f"SIDECAR_ACK_TOKEN: found 15 characters; {ACK_ALLOWED}"),
    ("SIDECAR_ACK_TOKEN", "changeme", f"SIDECAR_ACK_TOKEN: found a placeholder; {ACK_ALLOWED}"),
    ("SIDECAR_ACK_TOKEN", "change-me-0123456789", f"SIDECAR_ACK_TOKEN: found a placeholder; {ACK_ALLOWED}"),
    ("SIDECAR_ACK_TOKEN", "secret", f"SIDECAR_ACK_TOKEN: found a placeholder; {ACK_ALLOWED}"),
    ("SIDECAR_ACK_TOKEN", "secret-token-password", f"SIDECAR_ACK_TOKEN: found a placeholder; {ACK_ALLOWED}"),
    ("SIDECAR_ACK_TOKEN", "your_token_0123456789", f"SIDECAR_ACK_TOKEN: found a placeholder; {ACK_ALLOWED}"),
    (
        "SIDECAR_ACK_TOKEN",
        f" {ACK}",
        f"SIDECAR_ACK_TOKEN: found a space, a comma or another character that is not allowed; {ACK_ALLOWED}",
    ),
    (
        "SIDECAR_ACK_TOKEN",
        f"{ACK},{TOKEN}",
        f"SIDECAR_ACK_TOKEN: found a space, a comma or another character that is not allowed; {ACK_ALLOWED}",
    ),
    (
        "SIDECAR_ACK_TOKEN",
        f"{ACK}é",
        f"SIDECAR_ACK_TOKEN: found a space, a comma or another character that is not allowed; {ACK_ALLOWED}",
    ),
    (
        "SIDECAR_OPERATOR_TOKENS",
        TOKEN,
        f"SIDECAR_OPERATOR_TOKENS: found a value that is not name:role:token; {OPERATORS_ALLOWED}",
    ),
    (
        "SIDECAR_OPERATOR_TOKENS",
        f":read:{TOKEN}",
        f"SIDECAR_OPERATOR_TOKENS: found a name that is not 1 to 64 of the allowed characters; {OPERATORS_ALLOWED}",
    ),
    (
        "SIDECAR_OPERATOR_TOKENS",
        f"ana:admin:{TOKEN}",
        f"SIDECAR_OPERATOR_TOKENS: found a role that is neither read nor operate; {OPERATORS_ALLOWED}",
    ),
    (
        "SIDECAR_OPERATOR_TOKENS",
        "ana:read:60303ae22b99886",
        f"SIDECAR_OPERATOR_TOKENS: found a token that is wrong: 15 characters; {OPERATORS_ALLOWED}",
    ),
    (
        "SIDECAR_OPERATOR_TOKENS",
        f"ana:read:{TOKEN},ana:operate:{OTHER_TOKEN}",
        f"SIDECAR_OPERATOR_TOKENS: found the name ana more than once; {OPERATORS_ALLOWED}",
    ),
    (
        "SIDECAR_OPERATOR_TOKENS",
        f"ana:read:{TOKEN},ben:operate:{TOKEN}",
        f"SIDECAR_OPERATOR_TOKENS: found the same token more than once; {OPERATORS_ALLOWED}",
    ),
    (
        "SIDECAR_OPERATOR_TOKENS",
        f"ana:operate:{ACK}",
        f"SIDECAR_OPERATOR_TOKENS: found a token that is also SIDECAR_ACK_TOKEN: a backend with it could take operator actions; {OPERATORS_ALLOWED}",
    ),
    ("SIDECAR_IDENTITY_KEY", "", f"SIDECAR_IDENTITY_KEY: found nothing; {KEY_ALLOWED}"),
    ("SIDECAR_IDENTITY_KEY", "a4e624d686e03ed", f"SIDECAR_IDENTITY_KEY: found 15 characters; {KEY_ALLOWED}"),
)


@pytest.mark.parametrize(("variable", "value", "message"), INVALID_SECRETS)
def test_a_wrong_secret_is_described_and_never_shown(variable: str, value: str, message: str) -> None:
    """The message has the variable, the fault, what is allowed and where to get a value, and no part of the value."""
    environment = {**RIGHT, "SIDECAR_IDENTITY_KEY": KEY, variable: value}
    with pytest.raises(SecretsInvalid) as caught:
        read_secrets(environment, WITH_USERS)
    assert caught.value.message == message
    assert caught.value.code is ErrorCode.SECRET_INVALID


def test_all_invalid_secrets_are_reported_at_once() -> None:
    """One run reports everything that a deployment still lacks."""
    with pytest.raises(SecretsInvalid) as caught:
        read_secrets({"SIDECAR_OPERATOR_TOKENS": "ana:read:short,ben:root:short"}, WITH_USERS)
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "STRIPE_WEBHOOK_SECRET: found nothing",
        "SIDECAR_ACK_TOKEN: found nothing",
        "SIDECAR_OPERATOR_TOKENS: found in entry 1 a token that is wrong: 5 characters",
        "SIDECAR_OPERATOR_TOKENS: found in entry 2 a role that is neither read nor operate",
        "SIDECAR_IDENTITY_KEY: found nothing",
    ]


def test_the_secrets_are_read_from_the_environment() -> None:
    """Signing secrets and operators are lists, separated by commas with or without spaces."""
    environment = {
        "STRIPE_WEBHOOK_SECRET": f"{WEBHOOK}, whsec_0451ae77b1c25f3759df",
        "SIDECAR_ACK_TOKEN": ACK,
        "SIDECAR_OPERATOR_TOKENS": f"ana:operate:{TOKEN}, ben@example.test:read:with:colons:{OTHER_TOKEN}",
        "SIDECAR_IDENTITY_KEY": KEY,
    }
    assert read_secrets(environment, WITH_USERS) == Secrets(
        stripe_webhook=(WEBHOOK, "whsec_0451ae77b1c25f3759df"),
        ack_token=ACK,
        operator_tokens=(
            OperatorToken(name="ana", role=Role.OPERATE, token=TOKEN),
            OperatorToken(name="ben@example.test", role=Role.READ, token=f"with:colons:{OTHER_TOKEN}"),
        ),
        identity_key=KEY,
    )


def test_the_minimum_length_is_inclusive_and_a_repeated_character_is_refused() -> None:
    """Sixteen characters are enough, but twenty equal ones are a placeholder."""
    environment = {"STRIPE_WEBHOOK_SECRET": "whsec_5f3759df04", "SIDECAR_ACK_TOKEN": "9f86d081884c7d65"}
    secrets = Secrets(stripe_webhook=("whsec_5f3759df04",), ack_token="9f86d081884c7d65")
    assert read_secrets(environment, WITHOUT_USERS) == secrets
    with pytest.raises(SecretsInvalid, match="found a placeholder"):
        read_secrets({**environment, "SIDECAR_ACK_TOKEN": "0" * 20}, WITHOUT_USERS)


def test_an_optional_secret_may_be_missing_or_empty() -> None:
    """Container tools pass unset variables as empty ones."""
    environment = {**RIGHT, "SIDECAR_OPERATOR_TOKENS": "", "SIDECAR_IDENTITY_KEY": ""}
    assert read_secrets(environment, WITHOUT_USERS) == Secrets(stripe_webhook=(WEBHOOK,), ack_token=ACK)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_may_come_from_a_file(tmp_path: Path, ending: str) -> None:
    """The line break with which editors end a file is not part of the secret."""
    file = tmp_path / "ack"
    file.write_bytes(f"{ACK}{ending}".encode())
    environment = {"STRIPE_WEBHOOK_SECRET": WEBHOOK, "SIDECAR_ACK_TOKEN": "", "SIDECAR_ACK_TOKEN_FILE": str(file)}
    assert read_secrets(environment, WITHOUT_USERS).ack_token == ACK


INVALID_SECRET_FILES = (
    # content                    message, with FILE for its path
    (
        None,
        f"SIDECAR_ACK_TOKEN_FILE: found the file FILE, which cannot be read (No such file or directory); {ACK_ALLOWED}",
    ),
    (
        b"\xff" * 20,
        f"SIDECAR_ACK_TOKEN_FILE: found the file FILE, which cannot be read (it is not UTF-8); {ACK_ALLOWED}",
    ),
    (
        b"a" * 65_537,
        f"SIDECAR_ACK_TOKEN_FILE: found the file FILE, which cannot be read (it has more than 65536 bytes); {ACK_ALLOWED}",
    ),
    (b"\n", f"SIDECAR_ACK_TOKEN (from the file FILE): found nothing; {ACK_ALLOWED}"),
    (b"9f86d081884c7d6\n", f"SIDECAR_ACK_TOKEN (from the file FILE): found 15 characters; {ACK_ALLOWED}"),
    (
        f"{ACK}\n{TOKEN}\n".encode(),
        f"SIDECAR_ACK_TOKEN (from the file FILE): found a space, a comma or another character that is not allowed; {ACK_ALLOWED}",
    ),
)


@pytest.mark.parametrize(("content", "message"), INVALID_SECRET_FILES)
def test_an_unusable_secret_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    """The message has the path of the file, so that a wrong mount is found."""
    file = tmp_path / "ack"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SecretsInvalid) as caught:
        read_secrets({"STRIPE_WEBHOOK_SECRET": WEBHOOK, "SIDECAR_ACK_TOKEN_FILE": str(file)}, WITHOUT_USERS)
    assert caught.value.message == message.replace("FILE,", f"{file},").replace("FILE)", f"{file})")


def test_a_variable_and_its_file_together_are_refused() -> None:
    """A variable and its file may differ, so only one of them may be set."""
    with pytest.raises(SecretsInvalid) as caught:
        read_secrets({**RIGHT, "SIDECAR_ACK_TOKEN_FILE": "/run/secrets/ack"}, WITHOUT_USERS)
    assert caught.value.message == (
        f"SIDECAR_ACK_TOKEN: found it and SIDECAR_ACK_TOKEN_FILE as well; set only one of them; {ACK_ALLOWED}"
    )


def test_secrets_are_never_shown() -> None:
    """`repr`, `str` and pretty printers, and so logs and tracebacks, get no value."""
    environment = {**RIGHT, "SIDECAR_OPERATOR_TOKENS": f"ana:operate:{TOKEN}", "SIDECAR_IDENTITY_KEY": KEY}
    secrets = read_secrets(environment, WITH_USERS)
    printed = io.StringIO()
    rich.console.Console(file=printed, width=200).print(secrets, [secrets.operator_tokens])
    shown = f"{secrets} {secrets!r} {secrets.operator_tokens} {printed.getvalue()}"
    assert not any(value in shown for value in (WEBHOOK, ACK, TOKEN, KEY))
    assert repr(secrets) == "Secrets(***)"
    assert "Secrets" in printed.getvalue()
