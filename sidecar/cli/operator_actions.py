"""Commands that ask a running sidecar: what is, and the actions of people."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from sidecar.cli.freeze import WeeklyWords, once_request, weekly_request
from sidecar.cli.operator_client import ask, known_token, own_token
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, Reason, cli, fail, read_file
from sidecar.console import status_text as screen
from sidecar.console.operator_actions import (
    ActionDone,
    ActionRequest,
    NoteRequest,
    OperatorAction,
    Request,
    ThawRequest,
)
from sidecar.console.status import Status


@cli.command()
def status(config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Say what is served now, what the next rung still needs, and what was measured."""
    body = asyncio.run(ask(read_file(config), "GET", "/api/status", token=known_token()))
    if as_json:
        typer.echo(body.decode())
    else:
        screen.print_status(Console(highlight=False), msgspec.json.decode(body, type=Status))


def _action(action: OperatorAction, config: Path, request: str | Request, *, as_json: bool) -> None:
    asked = ActionRequest(reason=request) if isinstance(request, str) else request
    body = asyncio.run(ask(read_file(config), "POST", f"/api/{action}", asked, token=own_token()))
    if as_json:
        typer.echo(body.decode())
    else:
        done = msgspec.json.decode(body, type=ActionDone)
        typer.echo(f"{done.actor}: {done.action}: {done.message} (record {done.seq})")


@cli.command()
def hold(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Forbid climbing until `resume`. Falling stays possible."""
    _action(OperatorAction.HOLD, config, reason, as_json=as_json)


@cli.command()
def resume(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Lift a hold, also that of a rollback."""
    _action(OperatorAction.RESUME, config, reason, as_json=as_json)


@cli.command()
def approve(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Approve the climb onto the next rung, where it needs that. Used once; dies with a fall or after 7 days."""
    _action(OperatorAction.APPROVE, config, reason, as_json=as_json)


@cli.command()
def rollback(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Go back to timers for everybody, and hold there until `resume`."""
    _action(OperatorAction.ROLLBACK, config, reason, as_json=as_json)


@cli.command()
def reset(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Begin a new epoch in every stream: what was proven must be proven again, with less risk left to spend."""
    _action(OperatorAction.RESET, config, reason, as_json=as_json)


@cli.command()
def note(
    reason: Annotated[str, typer.Option("--reason", help="What is noted; it stands in the record for ever.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    release: Annotated[str, typer.Option("--release", help="What was released, such as a version or a commit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Note something for the record, such as a release. It changes nothing."""
    _action(OperatorAction.NOTE, config, NoteRequest(reason=reason, release=release or None), as_json=as_json)


@cli.command()
def freeze(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as term-start; one of the same name is replaced.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    begins: Annotated[str, typer.Option("--from", help="Once: 2027-01-04 or 2027-01-04T08:00+01:00; now.")] = "",
    until: Annotated[str, typer.Option("--until", help="Once: the end, written in the same way.")] = "",
    weekly: Annotated[str, typer.Option("--weekly", help="Weekly: on which days it begins: fri, or sat,sun.")] = "",
    at: Annotated[str, typer.Option("--at", help="Weekly: the time of day, such as 17:00.")] = "00:00",
    lasts: Annotated[str, typer.Option("--for", help="Weekly: how long each lasts, such as 63h or 1d.")] = "1d",
    utc_offset: Annotated[str, typer.Option("--utc-offset", help="Weekly: of that clock, such as +01:00.")] = "+00:00",
    expires: Annotated[str, typer.Option("--expires", help="Weekly: when it goes by itself, such as 2027-07-31.")] = "",
    as_json: AsJson = False,
) -> None:
    """Forbid climbing in a window of time, once or every week. Falling stays possible; it goes by itself.

    Of a term: sidecar freeze term-start --from 2027-01-04 --until 2027-01-11 --reason 'pupils return'. Of weekends:
    sidecar freeze weekends --weekly fri --at 17:00 --for 63h --utc-offset +01:00 --expires 2027-07-31 --reason '...'.
    """
    if bool(weekly) == bool(until):
        fail("say either when it ends (--until), or on which days of the week it begins (--weekly)")
    if weekly:
        words = WeeklyWords(days=weekly, at=at, lasts=lasts, utc_offset=utc_offset, expires=expires)
        request = weekly_request(words, name=name, reason=reason)
    else:
        request = once_request(begins, until, name=name, reason=reason)
    _action(OperatorAction.FREEZE, config, request, as_json=as_json)


@cli.command()
def thaw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the freeze.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Take a freeze away before it goes by itself."""
    _action(OperatorAction.THAW, config, ThawRequest(reason=reason, name=name), as_json=as_json)
