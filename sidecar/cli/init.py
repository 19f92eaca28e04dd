"""The command that writes a first configuration and its secrets."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sidecar import randomness
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, command_line, fail, print_json
from sidecar.config import Config, ConfigInvalid, Credentials, SecretsInvalid, read_config, read_secrets, sample
from sidecar.journal.sqlite.lock import PRIVATE

_TEXT_MODE = 0o644
Ask = Callable[["Question"], str]
_PLAIN = re.compile(r"[A-Za-z0-9_.:,@%+=/-]*")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One value of the file that `init` asks for."""

    path: str
    """Its key, such as `stripe.user_key`."""
    text: str
    default: str = ""
    is_list: bool = False
    is_text: bool = True
    """Whether the answer is one text; False: it is a word of YAML, such as `true`."""

    def value(self, answer: str) -> str:
        """Return the answer as YAML."""
        if self.is_list:
            return sample.written([each.strip() for each in answer.split(",") if each.strip()])
        return sample.written(answer) if self.is_text else answer


QUESTIONS = (
    Question(path="environment", text="Name of the deployment", default="production"),
    Question(path="stripe.livemode", text="Judge live payments (true), or those of test mode (false)", default="true",
             is_text=False),
    Question(path="stripe.user_key", text="Metadata key with the payment's user (empty: none)"),
    Question(path="stripe.required_metadata", text="Metadata keys that a payment must have, with commas (empty: any)",
             is_list=True),
    Question(path="acks.contexts", text="Live-refresh contexts of a payment, with commas", default="bookings",
             is_list=True),
    Question(path="reverb.url", text="Reverb's URL as browsers reach it, such as wss://ws.host (empty: probe later)"),
)  # fmt: skip
REVERB_QUESTIONS = (
    Question(path="reverb.app_id", text="REVERB_APP_ID"),
    Question(path="reverb.app_key", text="REVERB_APP_KEY"),
    Question(path="reverb.origin", text="Origin of the page that connects, such as https://app.host"),
    Question(path="reverb.auth_endpoint", text="Echo's authEndpoint, in full"),
    Question(path="reverb.probe.user_id", text="Id of the probe user, created for this purpose"),
)
"""Asked, and required, where `reverb.url` is given."""
_LISTEN = (
    Question(path="listen.public", text="Address of the public listener"),
    Question(path="listen.operator", text="Address of the operator listener"),
)
"""Never asked: the defaults are good where no other program has them."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What `init` wrote."""

    config: str
    env_file: str
    generated: tuple[str, ...]
    """Secrets that were made."""
    missing: tuple[str, ...]
    """Secrets that only you know; each is an empty line in the file."""
    next_steps: tuple[str, ...]


@cli.command()
def init(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    env_file: Annotated[Path, typer.Option("--env-file", help="The file for the secrets.")] = Path(".env"),
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: the options and the defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files, and their secrets.")] = False,
    environment: Annotated[str, typer.Option("--environment", help="The deployment's name.")] = "",
    test_mode: Annotated[bool, typer.Option("--test-mode", help="Judge payments of Stripe's test mode.")] = False,
    user_key: Annotated[str, typer.Option("--user-key", help="The metadata key with the payment's user.")] = "",
    metadata: Annotated[str, typer.Option("--metadata", help="Metadata keys that a payment must have: a,b.")] = "",
    contexts: Annotated[str, typer.Option("--contexts", help="Live-refresh contexts of a payment: a,b.")] = "",
    url: Annotated[str, typer.Option("--url", help="Reverb, such as wss://ws.host; with it the next five.")] = "",
    app_id: Annotated[str, typer.Option("--app-id", help="REVERB_APP_ID.")] = "",
    app_key: Annotated[str, typer.Option("--app-key", help="REVERB_APP_KEY.")] = "",
    origin: Annotated[str, typer.Option("--origin", help="The origin of the page, such as https://app.host.")] = "",
    auth_endpoint: Annotated[str, typer.Option("--auth-endpoint", help="Echo's authEndpoint, as a full URL.")] = "",
    user_id: Annotated[str, typer.Option("--user-id", help="The probe user.")] = "",
    public: Annotated[str, typer.Option("--public", help="The address of the public listener.")] = "",
    operator: Annotated[str, typer.Option("--operator", help="The address of the operator listener.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write a first configuration, with a comment for each key, and generate its secrets.

    It asks a few questions on a terminal. Secrets that are set in the environment are taken over.
    """
    given = {
        "environment": environment,
        "stripe.livemode": "false" if test_mode else "",
        "stripe.user_key": user_key,
        "stripe.required_metadata": metadata,
        "acks.contexts": contexts,
        "reverb.url": url,
        "reverb.app_id": app_id,
        "reverb.app_key": app_key,
        "reverb.origin": origin,
        "reverb.auth_endpoint": auth_endpoint,
        "reverb.probe.user_id": user_id,
        "listen.public": public,
        "listen.operator": operator,
    }
    _refuse_existing(config, env_file, is_forced=force)
    is_asking = not (yes or as_json) and sys.stdin.isatty()
    text = _text_of(config, given, _asked if is_asking else None)
    secrets = _secrets_of(read_config(config, text))
    _write(env_file, _lines_of(secrets), PRIVATE)
    _write(config, text, _TEXT_MODE, without=None if force else env_file)
    missing = tuple(name for name, (value, _) in secrets.items() if not value)
    generated = tuple(name for name, (value, _) in secrets.items() if value and not os.environ.get(name))
    steps = tuple(_steps(config, env_file, missing))
    done = Written(
        config=str(config), env_file=str(env_file), generated=generated, missing=missing, next_steps=steps
    )  # fmt: skip
    if as_json:
        print_json("init", done)
        return
    typer.echo(f"{config}: the configuration, with a comment for each key.")
    typer.echo(f"{env_file}: the secrets, readable by you alone; generated: {', '.join(generated) or 'none'}.")
    typer.echo("\nNext:")
    for number, step in enumerate(steps, start=1):
        typer.echo(f"  {number}. {step}")


def _refuse_existing(config: Path, env_file: Path, *, is_forced: bool) -> None:
    existing = [str(path) for path in (config, env_file) if os.path.lexists(path)]
    if existing and not is_forced:
        fail(
            f"{' and '.join(existing)}: exist already, and nothing was written; --force replaces both files, with "
            "other secrets, or name others with --config and --env-file"
        )


def _text_of(config: Path, given: Mapping[str, str], ask: Ask | None) -> str:
    """Return the configuration with the options, and with the answers to what they leave open."""
    values: dict[str, str] = {}
    for question in (*QUESTIONS, *REVERB_QUESTIONS, *_LISTEN):
        option, is_probed = given[question.path], "reverb.url" in values
        if option and question in REVERB_QUESTIONS and not is_probed:
            fail("the options of Reverb need --url")
        if option or question in QUESTIONS or (is_probed and question in REVERB_QUESTIONS):
            values |= _answered(config, values, question, option, ask)
    return sample.filled(values)


def _answered(
    config: Path, values: Mapping[str, str], question: Question, option: str, ask: Ask | None
) -> dict[str, str]:
    """Return the value for a question, by path; empty: the default of the file."""
    while True:
        answer = option or (ask(question) if ask else question.default)
        if not answer and question not in REVERB_QUESTIONS:
            return {}
        found = {question.path: question.value(answer)}
        why_not = _why_not(config, {**values, **found}) if answer else f"{question.path}: a value is required"
        if not why_not:
            return found
        if option or ask is None:
            fail(why_not)
        typer.echo(why_not, err=True)


def _asked(question: Question) -> str:
    return str(typer.prompt(question.text, default=question.default, show_default=bool(question.default))).strip()


def _why_not(config: Path, values: Mapping[str, str]) -> str:
    """Return why a file with these values is not valid; empty: it is."""
    try:
        read_config(config, sample.filled(values))
    except ConfigInvalid as error:
        problem = error.problems[0]
        return f"{problem.path_in_file}: found {problem.found}; allowed: {problem.allowed}"
    return ""


def _secrets_of(config: Config) -> dict[str, tuple[str, str]]:
    """Return each secret with its comment: from the environment, generated, or empty: only you know it."""
    name = re.sub(r"[^A-Za-z0-9._@-]", "", os.environ.get("USER", ""))[:64] or "operator"
    entries = [each.split(":") for each in os.environ.get("SIDECAR_OPERATOR_TOKENS", "").split(",")]
    known = next((entry[2] for entry in entries if entry[1:2] == ["operate"] and entry[2:]), "")
    token = os.environ.get("SIDECAR_TOKEN") or known or randomness.token_hex(24)
    kinds = "for live payments" if config.stripe.livemode else "of test mode"
    wanted = {
        "STRIPE_WEBHOOK_SECRET": ("", f"from Stripe: Workbench, Webhooks, the endpoint {kinds}, Signing secret"),
        "SIDECAR_ACK_TOKEN": (randomness.token_hex(24), "the backend sends it with each ack"),
        "SIDECAR_IDENTITY_KEY": (randomness.token_hex(24), "hashes user ids; with another one all users are new"),
        "SIDECAR_BROWSER_SECRET": (randomness.token_hex(24), "the app signs its users' tokens with it"),
        "SIDECAR_OPERATOR_TOKENS": (f"{name}:operate:{token}", "name:role:token of each operator, with commas"),
        "SIDECAR_TOKEN": (token, "your own of them, for the operator actions of this shell"),
    }
    if config.reverb is not None:
        wanted["REVERB_APP_SECRET"] = ("", "from the .env of the Laravel app")
    if config.reverb is not None and config.reverb.probe.login is Credentials.BEARER:
        wanted["SIDECAR_PROBE_TOKEN"] = ("", "of the probe user: $user->createToken('reverb-sidecar')")
    found = {name: (os.environ.get(name) or value, comment) for name, (value, comment) in wanted.items()}
    try:
        read_secrets({name: value for name, (value, _) in found.items() if value}, config)
    except SecretsInvalid as error:
        wrong = [line for line in error.problems if "found nothing" not in line]
        if wrong:
            fail("\n".join(wrong))
    return found


def _lines_of(secrets: Mapping[str, tuple[str, str]]) -> str:
    lines = [
        "# The secrets of Reverb Sidecar. Keep this file out of version control.",
        "# Load it with: set -a; . ./.env; set +a",
    ]
    for name, (value, comment) in secrets.items():
        lines += [f"# {comment}", f"{name}={value if _PLAIN.fullmatch(value) else shlex.quote(value)}"]
    return "\n".join(lines) + "\n"


def _steps(config: Path, env_file: Path, missing: tuple[str, ...]) -> Iterator[str]:
    """Yield what to do next."""
    shown = shlex.quote(str(env_file) if env_file.is_absolute() else f"./{env_file}")
    fill = f"Fill in {', '.join(missing)} in {env_file}. " if missing else ""
    yield f"{fill}Load the secrets: set -a; . {shown}; set +a"
    yield f"Check the file, the secrets and this machine: {command_line('check --here', config)}"
    run, pay = command_line("run", config), command_line("test-payment", config)
    yield f"Start it: {run}; and from a second terminal: {pay}"


def _write(path: Path, text: str, mode: int, *, without: Path | None = None) -> None:
    """Write a file of this mode, whatever was there; if that fails, exit without the file that was written before."""
    draft = path.with_name(f".{path.name}.{randomness.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        if without is not None:
            without.unlink(missing_ok=True)
        fail(f"{path}: cannot be written ({error.strerror})")
    finally:
        draft.unlink(missing_ok=True)
