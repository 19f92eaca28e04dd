"""The command that a pipeline asks before the timers go. 0: yes. 1: not yet. 2: it cannot be known."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlencode, urlsplit

import msgspec
import typer
from rich.console import Console

from sidecar.cli.operator_client import Unanswered, address_of, ask_at, known_token
from sidecar.cli.program import CANNOT_KNOW, DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, read_file
from sidecar.console import gate_text as verdicts
from sidecar.core.facts.policy import Mode
from sidecar.core.release.checks import PAYMENTS_MIN, SINCE_RELEASE_MIN, SUSPENSIONS_MAX
from sidecar.core.release.readiness import Answer, Readiness

Url = Annotated[
    str,
    typer.Option("--url", help="The operator listener, such as http://sidecar.internal:8701; else that of --config."),
]


def _push(mode: Mode) -> Mode:
    """Return a mode of push; timers need no check."""
    if mode is Mode.TIMER_POLLING:
        raise typer.BadParameter(f"choose from {', '.join(each for each in Mode if each is not mode)}")
    return mode


@cli.command()
def gate(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    mode: Annotated[
        Mode, typer.Option("--mode", callback=_push, help="Which must have been servable to everybody.")
    ] = Mode.PUSH_ONLY,
    span: Annotated[str, typer.Option("--for", help="For how long.")] = "14d",
    environment: Annotated[
        str, typer.Option("--environment", help="Whose sidecar is meant; else that of --config.")
    ] = "",
    max_suspensions: Annotated[int, typer.Option("--max-suspensions", min=0, help="In this time.")] = SUSPENSIONS_MAX,
    min_payments: Annotated[int, typer.Option("--min-payments", min=0, help="Judged in this time.")] = PAYMENTS_MIN,
    min_since_release: Annotated[
        int, typer.Option("--min-since-release", min=0, help="Judged since the app's last release.")
    ] = SINCE_RELEASE_MIN,
    url: Url = "",
    is_all: Annotated[bool, typer.Option("--all", help="Print also what holds.")] = False,
    github: Annotated[
        bool, typer.Option("--github", envvar="GITHUB_ACTIONS", help="Print annotations for a GitHub workflow.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether the timers may go: exit code 0 yes, 1 not yet, 2 it cannot be known. A read token suffices."""
    address, named = where(config, url, environment)
    asked = {
        "mode": mode.value,
        "for": span,
        "environment": named,
        "max_suspensions": max_suspensions,
        "min_payments": min_payments,
        "min_since_release": min_since_release,
    }
    try:
        body = asyncio.run(ask_at(address, "GET", f"/api/gate?{urlencode(asked)}", token=known_token()))
        found = msgspec.json.decode(body, type=Readiness)
    except Unanswered as error:
        _cannot_know(error.message, as_json=as_json, github=github)
    except msgspec.DecodeError:
        _cannot_know(
            f"what answers at {address} is no sidecar, or one of another version", as_json=as_json, github=github
        )
    if as_json:
        typer.echo(body.decode())
    else:
        verdicts.print_readiness(Console(highlight=False), found, is_all=is_all)
    for line in verdicts.annotations(found) if github else ():
        typer.echo(line, err=as_json)
    sys.exit(found.answer.exit_code)


def where(config: Path, url: str, environment: str) -> tuple[str, str]:
    """Return the address to ask, and the environment that must answer: from the options, or from the file."""
    if not url:
        read = read_file(config)
        return address_of(read), environment or read.environment
    if "@" in urlsplit(url).netloc:
        fail("--url has a name or a password in it, which would stand in logs: set SIDECAR_TOKEN instead")
    if not environment:
        fail("with --url name the --environment that is meant: an address does not say whose sidecar it is")
    return url.rstrip("/"), environment


def _cannot_know(message: str, *, as_json: bool, github: bool) -> NoReturn:
    if as_json:
        typer.echo(msgspec.json.encode({"answer": Answer.CANNOT_KNOW, "message": message}).decode())
    if github:
        typer.echo(verdicts.annotation("error", message), err=as_json)
    fail(f"Cannot know: {message}", CANNOT_KNOW)
