"""The command line: parse, call, print, exit code. 0: yes, or done. 1: no. 2: wrong usage, or it cannot be known."""

import asyncio
import codecs
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, NoReturn

import aiohttp
import msgspec
import typer
import uvloop
from rich.console import Console

from sidecar import __version__, app, demo, doctor, logs, metrics, rules
from sidecar.composition import SETS
from sidecar.config import (
    DEFAULT_CHANNEL,
    UNKNOWN_APP,
    Config,
    ConfigInvalid,
    Reverb,
    SqlitePlace,
    policy_of,
    read_config,
    read_probe_secrets,
    read_secrets,
    reverb_of_words,
)
from sidecar.console import screen
from sidecar.console.operator import Act, ActDone, ActRequest
from sidecar.console.status import Status
from sidecar.core.policy import policy_hash
from sidecar.journal.backup import backup as make_backup
from sidecar.journal.backup import restore as restore_backup
from sidecar.journal.inspection import inspect
from sidecar.ports import SidecarError

DEFAULT_CONFIG = Path("config/sidecar.yaml")
_TIMEOUT_S = 10.0
_NO = 1
_CANNOT_KNOW = 2

cli = typer.Typer(
    name="sidecar",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Proves that payment push over Laravel Reverb can be trusted, and moves a feature flag accordingly.",
    epilog="Try it first: `sidecar demo`. Browsers get 403? `sidecar doctor`. Then: `sidecar check`, `sidecar run`, "
    "`sidecar status`.",
)
ConfigFile = Annotated[
    Path,
    typer.Option("--config", envvar="SIDECAR_CONFIG", help="The YAML file.", show_default=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the record for ever.")]


def main() -> None:
    """Run the command line, and turn our errors into a sentence and an exit code."""
    try:
        cli()
    except SidecarError as error:
        _fail(error.message)
    except UnicodeEncodeError:
        _fail("an argument is not text in UTF-8")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str, code: int = _CANNOT_KNOW) -> NoReturn:
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, style="red", markup=False)
    sys.exit(code)


def _read(path: Path) -> Config:
    if not path.exists():
        _fail(f"{path}: there is no such file; name the configuration with --config or SIDECAR_CONFIG")
    return read_config(path)


@cli.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,  # noqa: FBT002
) -> None:
    """Take what goes before a command."""
    if version:
        typer.echo(f"sidecar {__version__}")
        raise typer.Exit


@cli.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    adopt_policy: Annotated[
        bool, typer.Option("--adopt-policy", help="Bring back a policy that was superseded; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why the policy is brought back.")] = "",
) -> None:
    """Run the sidecar until it gets SIGTERM or Ctrl-C."""
    if adopt_policy != bool(reason):
        _fail("--adopt-policy and --reason go together: the reason stands in the record")
    read = _read(config)
    secrets = read_secrets(os.environ, read)
    lines = logs.configure(as_json=not sys.stdout.isatty())
    adoption = app.Adoption(actor=os.environ.get("USER") or "operator", reason=reason) if adopt_policy else None
    _until_stopped(lambda: app.run(read, secrets, adoption=adoption, lines=lines), lines)


@cli.command(name="doctor")
def run_doctor(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
    curl: Annotated[
        Path | None, typer.Option("--curl", help='A file with the failing request, from the browser\'s "Copy as cURL".')
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Send the request of --curl again.")] = False,
    outcomes: Annotated[bool, typer.Option("--outcomes", help="Print all that it can say, and end.")] = False,
    url: Annotated[str, typer.Option("--url", help="Without a configuration: Reverb, such as wss://ws.host.")] = "",
    app_key: Annotated[str, typer.Option("--app-key", help="REVERB_APP_KEY.")] = "",
    app_id: Annotated[
        str, typer.Option("--app-id", help="REVERB_APP_ID; optional, to send an event too.")
    ] = UNKNOWN_APP,
    origin: Annotated[str, typer.Option("--origin", help="Of the page, such as https://app.host.")] = "",
    auth_endpoint: Annotated[str, typer.Option("--auth-endpoint", help="Echo's authEndpoint, in full.")] = "",
    user_id: Annotated[str, typer.Option("--user-id", help="Whose channel; the token is SIDECAR_PROBE_TOKEN.")] = "",
    channel: Annotated[str, typer.Option("--channel", help="How such a channel is named.")] = DEFAULT_CHANNEL,
) -> None:
    """Say why a browser cannot listen: walk its way once, or look at a request that it made.

    The exit code is the outcome's own; 0: all is well, 2: wrong usage.
    """
    if outcomes:
        typer.echo(doctor.catalogue(), nl=False)
        return
    if replay and curl is None:
        _fail("--replay sends the request of --curl again: name its file")
    words = {"url": url, "app_key": app_key, "origin": origin, "auth_endpoint": auth_endpoint, "user_id": user_id}
    reverb = _reverb_of(config, words, channel, app_id, is_needed=curl is None or replay)
    secrets = read_probe_secrets(os.environ, Config(environment="doctor", reverb=reverb), all_required=False)
    if curl is not None:
        request = doctor.read_curl(_pasted(curl))
        told = asyncio.run(doctor.examine_curl(request, reverb, secrets, is_replayed=replay))
    elif reverb is None:
        raise AssertionError  # `_reverb_of` has failed
    else:
        told = asyncio.run(doctor.examine(reverb, secrets))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        doctor.print_diagnosis(Console(highlight=False), told)
    sys.exit(told.exit_code)


def _pasted(path: Path) -> str:
    """Return what a person pasted into a file, whatever wrote it."""
    try:
        with path.open("rb") as file:
            content = file.read(doctor.BYTES_MAX + 1)
    except OSError as error:
        _fail(f"{path}: cannot be read ({error.strerror}); paste the browser's Copy as cURL into a file and name it")
    if len(content) > doctor.BYTES_MAX:
        _fail(f"{path}: is more than 64 KiB; paste the one request that fails")
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")


def _reverb_of(path: Path, words: dict[str, str], channel: str, app_id: str, *, is_needed: bool) -> Reverb | None:
    """Return what is to be examined: by the options alone, or by the file."""
    if not any(words.values()):
        if channel != DEFAULT_CHANNEL or app_id != UNKNOWN_APP:
            _fail("--app-id and --channel go with --url and the others; in a configuration they stand in `reverb`")
        reverb = read_config(path).reverb if path.exists() else None
        if reverb is None and is_needed:
            _fail(
                f"{path} does not say what to examine: add `reverb` to it, or say it here: sidecar doctor "
                "--url wss://ws.host --app-key KEY --origin https://app.host "
                "--auth-endpoint https://app.host/broadcasting/auth --user-id 1"
            )
        return reverb
    missing = [f"--{name.replace('_', '-')}" for name, value in words.items() if not value]
    if missing:
        _fail(f"without a configuration these are needed too: {', '.join(missing)}")
    return reverb_of_words(channel=channel, app_id=app_id, **words)


@cli.command(name="demo")
def run_demo(
    port: Annotated[int, typer.Option("--port", help="Of the flag, the webhook and the acks.")] = 8700,
    operator_port: Annotated[int, typer.Option("--operator-port", help="Of the status and the metrics.")] = 8701,
    switch_port: Annotated[int, typer.Option("--switch-port", help="Of the switch that breaks the acks.")] = 8702,
) -> None:
    """Run the sidecar with sample payments, a policy for impatient people, and a switch to break the acks."""
    lines = logs.configure(as_json=False)
    command = f"{sys.argv[0]}" if Path(sys.argv[0]).name == "sidecar" else f"{sys.executable} -m sidecar"
    ports = demo.Ports(public=port, operator=operator_port, switch=switch_port)
    _until_stopped(lambda: demo.run(ports, command=command, lines=lines), lines)


def _until_stopped(start: Callable[[], Coroutine[Any, Any, None]], lines: logs.Lines) -> None:
    """Run until it ends by itself, or until SIGTERM, SIGINT or SIGHUP asks it to end in good order."""

    async def until_stopped() -> None:
        task = asyncio.ensure_future(start())
        loop = asyncio.get_running_loop()
        for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(stop, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_stopped())
    finally:
        lines.close()


@cli.command()
def check(config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Check the configuration and the secrets, and say each mistake with its place."""
    try:
        read = _read(config)
    except ConfigInvalid as error:
        if as_json:
            typer.echo(msgspec.json.encode({"ok": False, "problems": error.problems}).decode())
        else:
            typer.echo(error.message)
        raise typer.Exit(1) from None
    found = policy_hash(policy_of(read))
    try:
        read_secrets(os.environ, read)
        missing: list[str] = []
    except SidecarError as error:
        missing = error.message.splitlines()
    if as_json:
        answer = {"ok": not missing, "policy_hash": found, "problems": [], "secrets": missing}
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        typer.echo(f"{config}: good. Policy {found[:12]}, {len(read.ladder)} rungs, environment {read.environment}.")
        for line in missing:
            typer.echo(line)
    if missing:
        raise typer.Exit(1)


@cli.command(name="rules")
def print_rules(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    form: Annotated[rules.Format, typer.Option("--format", help="Who reads them.")] = rules.Format.PROMETHEUS,
    job: Annotated[str, typer.Option("--job", help="Prometheus' name of the scrape job.")] = rules.DEFAULT_JOB,
    runbooks: Annotated[
        str,
        typer.Option("--runbooks", help="Where people find the runbooks, such as https://wiki.example.test/runbooks/."),
    ] = rules.DEFAULT_RUNBOOKS,
) -> None:
    """Print Prometheus' recording and alert rules for this configuration."""
    if re.fullmatch(r"[A-Za-z0-9_./:-]{1,100}", job) is None:
        _fail("--job has characters that no job has: use A-Z a-z 0-9 _ . / : -")
    typer.echo(rules.printed(rules.terms_of(_read(config), job=job, runbooks=runbooks), form), nl=False)


@cli.command()
def verify(config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Check the journal, also of a running sidecar: every page, every record, and what they give."""
    found = inspect(_journal_path(config))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        for finding in found.findings:
            typer.echo(finding)
        snapshot = "no snapshot" if found.snapshot_seq is None else f"the snapshot of record {found.snapshot_seq}"
        verdict = "NOT SOUND: restore it from a backup, with `sidecar restore FILE`" if found.findings else "sound"
        typer.echo(
            f"{found.path}: {found.records} records up to {found.last_seq}, {found.bytes} bytes, "
            f"compared with {snapshot}: {verdict}."
        )
    if found.findings:
        raise typer.Exit(_NO)


@cli.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="TO", help="The file to write.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the journal, also of a running sidecar, into one file, and check the copy."""
    found = make_backup(_journal_path(config), to, is_forced=force)
    if as_json:
        typer.echo(msgspec.json.encode(msgspec.structs.replace(found, path=str(to))).decode())
    else:
        typer.echo(f"{to}: {found.records} records up to {found.last_seq}, {found.bytes} bytes, sound.")


@cli.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A file that `backup` wrote.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Set a journal that is there aside.")] = False,
) -> None:
    """Put a backup in the journal's place. The flag begins on the bottom rung, and holds until `resume`."""
    path = _journal_path(config)
    aside = restore_backup(source, path, reason=reason, is_replacing=replace)
    if aside is not None:
        typer.echo(f"{aside}: the journal that was there")
    typer.echo(
        f"{path}: restored. Start the sidecar; when you have seen that all is well: sidecar resume --reason '...'"
    )


def _journal_path(config: Path) -> Path:
    place = _read(config).journal
    if not isinstance(place, SqlitePlace):
        _fail(f"{config}: `journal` is no file, so there is nothing to look at: it ends with the process")
    return Path(place.path)


@cli.command(name="metrics")
def describe_metrics(*, as_json: AsJson = False) -> None:
    """Print every metric with its type, labels, scope and highest number of series, as Markdown."""
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(metrics.catalogue(SETS))).decode())
    else:
        typer.echo(metrics.page(SETS), nl=False)


@cli.command()
def status(config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Say what is served now, what the next rung still needs, and what was measured."""
    body = asyncio.run(_ask(_read(config), "GET", "/api/status"))
    if as_json:
        typer.echo(body.decode())
    else:
        screen.print_status(Console(highlight=False), msgspec.json.decode(body, type=Status))


def _act(act: Act, config: Path, reason: str, *, as_json: bool) -> None:
    body = asyncio.run(_ask(_read(config), "POST", f"/api/{act}", ActRequest(reason=reason), token=_token()))
    if as_json:
        typer.echo(body.decode())
    else:
        done = msgspec.json.decode(body, type=ActDone)
        typer.echo(f"{done.actor}: {done.act}: {done.message} (record {done.seq})")


@cli.command()
def hold(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Forbid climbing until `resume`. Falling stays possible."""
    _act(Act.HOLD, config, reason, as_json=as_json)


@cli.command()
def resume(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Lift a hold, also that of a rollback."""
    _act(Act.RESUME, config, reason, as_json=as_json)


@cli.command()
def approve(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Approve the climb onto the next rung, where it needs that. Used once; dies with a fall or after 7 days."""
    _act(Act.APPROVE, config, reason, as_json=as_json)


@cli.command()
def rollback(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Go back to timers for everybody, and hold there until `resume`."""
    _act(Act.ROLLBACK, config, reason, as_json=as_json)


@cli.command()
def reset(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Begin a new epoch in every stream: what was proven must be proven again, with less risk left to spend."""
    _act(Act.RESET, config, reason, as_json=as_json)


def _token() -> str:
    """Return the caller's own token, so that an act stands in the record under the right name."""
    token = os.environ.get("SIDECAR_TOKEN", "")
    path = os.environ.get("SIDECAR_TOKEN_FILE", "")
    if path and not token:
        try:
            token = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            _fail(f"SIDECAR_TOKEN_FILE: {path} cannot be read ({type(error).__name__})")
    if not token.isascii() or not token.isprintable():
        _fail("SIDECAR_TOKEN has characters that no token has")
    if not token:
        _fail("acting needs your token: set SIDECAR_TOKEN, or SIDECAR_TOKEN_FILE, to one with the role `operate`")
    return token


async def _ask(config: Config, method: str, path: str, body: object = None, *, token: str = "") -> bytes:
    """Ask the operator listener of the running sidecar. Exits with a sentence where it says no or is not there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.listen.operator.host, config.listen.operator.host)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{config.listen.operator.port}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.request(
                method, url + path, data=None if body is None else msgspec.json.encode(body), allow_redirects=False
            ) as response,
        ):
            answer = await response.read()
            if response.status != HTTPStatus.OK:
                is_no = response.status == HTTPStatus.CONFLICT
                _fail(_message(answer, response.status), _NO if is_no else _CANNOT_KNOW)
            return answer
    except (aiohttp.ClientError, TimeoutError) as error:
        _fail(
            f"no sidecar answers at {url} ({type(error).__name__}); start it with `sidecar run`, or see listen.operator"
        )


def _message(answer: bytes, status_code: int) -> str:
    try:
        return str(msgspec.json.decode(answer)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the operator listener answered {status_code}; is something else listening there?"
