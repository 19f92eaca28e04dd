"""Commands to a running sidecar: its status, and the operator actions."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sidecar.cli.freeze import WeeklyOptions, once_request, weekly_request
from sidecar.cli.operator_client import get_or_fail, post_or_fail
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, Reason, cli, fail, print_json, screen
from sidecar.cli.reason import checked
from sidecar.cli.watch import watch_status
from sidecar.config.quantities import milliseconds
from sidecar.console.operator_actions import (
    ActionDone,
    ActionRequest,
    NoteRequest,
    OperatorAction,
    Request,
    ResumeRequest,
    ThawRequest,
)
from sidecar.console.overrides import ClearRequest, OverrideRequest
from sidecar.console.status import Status
from sidecar.console.status_text import print_status
from sidecar.core.facts.policy import Mode


@cli.command()
def status(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Draw it again every second, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the served mode, the gates of the next rung, and the measurements."""
    if watch:
        if as_json:
            fail("--watch is for a person; a program reads --json again and again")
        watch_status(config)
        return
    body, found = get_or_fail(config, "/api/status", Status)
    if as_json:
        print_json("status", body)
    else:
        print_status(screen(), found)


def _act(action: OperatorAction, config: Path, request: Request, *, as_json: bool) -> None:
    checked(request.reason)
    body = post_or_fail(config, f"/api/{action}", request)
    if as_json:
        print_json(action.value.removeprefix("clear_"), body)
    else:
        done = msgspec.json.decode(body, type=ActionDone)
        typer.echo(f"{done.actor}: {done.action}: {done.message} (record {done.seq})")


_PLAIN = {
    OperatorAction.HOLD: "Forbid climbs until `resume`, beside the holds of others. Falls remain possible.",
    OperatorAction.APPROVE: "Approve the climb onto the next rung, if it needs approval. An approval is used once, "
    "and ends with a fall or after 7 days.",
    OperatorAction.ROLLBACK: "Serve timers to everybody, and hold until `resume`.",
    OperatorAction.RESET: "Begin a new epoch of every indicator: collect all evidence again, with less risk left to "
    "spend.",
}
"""The actions that need only a reason, with their help."""


def _plain(action: OperatorAction) -> Callable[..., None]:
    def command(reason: Reason, config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
        _act(action, config, ActionRequest(reason=reason), as_json=as_json)

    return command


for _action, _help in _PLAIN.items():
    cli.command(name=_action.value, help=_help)(_plain(_action))


@cli.command()
def resume(
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    hold: Annotated[
        int | None,
        typer.Option(
            "--hold",
            metavar="ID",
            help="The hold, by its id in `status`. Required if there are several, and for that of a rollback.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End one hold. The flag climbs when none is left and every other gate passes."""
    _act(OperatorAction.RESUME, config, ResumeRequest(reason=reason, hold=hold), as_json=as_json)


@cli.command()
def override(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id, as the targeting key has it.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    mode: Annotated[Mode, typer.Option("--mode", help="What this user is served.")] = Mode.PUSH_ONLY,
    lasts: Annotated[
        str, typer.Option("--for", help="The duration, such as 30m, 1h or 1d, which is the maximum.")
    ] = "1h",
    is_clearing: Annotated[bool, typer.Option("--clear", help="End the override of this user.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stays in the record.")] = "a test",
    as_json: AsJson = False,
) -> None:
    """Serve one user a mode for a test. What stops push for everybody stops it too; it is never evidence.

    `sidecar status` lists the overrides. For a tester: sidecar override 7 --mode push_only --for 1h.
    """
    if is_clearing:
        _act(OperatorAction.CLEAR_OVERRIDE, config, ClearRequest(reason=reason, user=user), as_json=as_json)
        return
    try:
        lasts_ms = milliseconds(lasts)
    except ValueError:
        fail("--for is a duration such as 30m, 1h or 1d")
    request = OverrideRequest(reason=reason, user=user, mode=mode, lasts_ms=lasts_ms)
    _act(OperatorAction.OVERRIDE, config, request, as_json=as_json)


@cli.command()
def note(
    reason: Annotated[str, typer.Option("--reason", help="The text of the note; it stays in the record.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    release: Annotated[str, typer.Option("--release", help="The release, such as a version or a commit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add a note to the record, such as a release. It changes nothing else."""
    _act(OperatorAction.NOTE, config, NoteRequest(reason=reason, release=release or None), as_json=as_json)


@cli.command()
def freeze(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as term-start.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    begins: Annotated[
        str, typer.Option("--from", help="Once: the start, 2027-01-04 or 2027-01-04T08:00+01:00; default: now.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Once: the end, in the same form.")] = "",
    weekly: Annotated[str, typer.Option("--weekly", help="Weekly: the days on which it begins: fri, or sat,sun.")] = "",
    at: Annotated[str, typer.Option("--at", help="Weekly: the time of day, such as 17:00.")] = "00:00",
    lasts: Annotated[str, typer.Option("--for", help="Weekly: the duration, such as 63h or 1d.")] = "1d",
    utc_offset: Annotated[
        str, typer.Option("--utc-offset", help="Weekly: the offset of --at from UTC, such as +01:00.")
    ] = "+00:00",
    expires: Annotated[
        str, typer.Option("--expires", help="Weekly: the date on which the freeze ends, such as 2027-07-31.")
    ] = "",
    is_replacing: Annotated[bool, typer.Option("--replace", help="Replace the freeze of the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forbid climbs during a window of time, once or every week. Falls remain possible; the freeze ends by itself.

    A term: sidecar freeze term-start --from 2027-01-04 --until 2027-01-11 --reason 'pupils return'. Weekends:
    sidecar freeze weekends --weekly fri --at 17:00 --for 63h --utc-offset +01:00 --expires 2027-07-31 --reason '...'.
    """
    if bool(weekly) == bool(until):
        fail("give either --until, for a freeze that occurs once, or --weekly")
    if weekly:
        weekly_options = WeeklyOptions(days=weekly, at=at, lasts=lasts, utc_offset=utc_offset, expires=expires)
        request = weekly_request(weekly_options, name=name, reason=reason)
    else:
        request = once_request(begins, until, name=name, reason=reason)
    _act(OperatorAction.FREEZE, config, msgspec.structs.replace(request, replace=is_replacing), as_json=as_json)


@cli.command()
def thaw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the freeze.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Remove a freeze before it ends by itself."""
    _act(OperatorAction.THAW, config, ThawRequest(reason=reason, name=name), as_json=as_json)
