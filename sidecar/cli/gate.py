"""The release check of a pipeline before it removes the timers. Exit code 0: yes. 1: not yet. 2: cannot be known."""

import sys
from typing import Annotated, NoReturn
from urllib.parse import urlencode

import msgspec
import typer

from sidecar.cli.operator_client import Unanswered, Url, address_and_environment, get
from sidecar.cli.program import CANNOT_KNOW, DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, print_json, screen
from sidecar.console import gate_text
from sidecar.core.facts.policy import Mode
from sidecar.core.release.checks import PAYMENTS_MIN, SUSPENSIONS_MAX
from sidecar.core.release.readiness import Answer, Readiness

_PUSH_MODES = tuple(each for each in Mode if each is not Mode.TIMER_POLLING)


def _push(mode: Mode) -> Mode:
    """Return a mode of push; timers need no check."""
    if mode not in _PUSH_MODES:
        raise typer.BadParameter(f"choose from {', '.join(_PUSH_MODES)}")
    return mode


class CannotKnow(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody could be asked."""

    answer: Answer
    message: str


@cli.command()
def gate(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    mode: Annotated[
        Mode,
        typer.Option("--mode", metavar="MODE", callback=_push, help=f"The required mode: {' or '.join(_PUSH_MODES)}."),
    ] = Mode.PUSH_ONLY,
    span: Annotated[str, typer.Option("--for", help="The period that must meet the checks.")] = "14d",
    environment: Annotated[
        str, typer.Option("--environment", help="The environment that must answer; default: that of --config.")
    ] = "",
    max_suspensions: Annotated[
        int, typer.Option("--max-suspensions", min=0, metavar="N", help="The most suspensions in the period.")
    ] = SUSPENSIONS_MAX,
    min_payments: Annotated[
        int, typer.Option("--min-payments", min=0, metavar="N", help="The fewest judged payments in the period.")
    ] = PAYMENTS_MIN,
    on_release: Annotated[
        int | None,
        typer.Option(
            "--on-release",
            min=0,
            metavar="N",
            help="The fewest judged payments since the app's last release; default: their number is information.",
        ),
    ] = None,
    url: Url = "",
    is_all: Annotated[bool, typer.Option("--all", help="Print the passed checks too.")] = False,
    github: Annotated[
        bool, typer.Option("--github", envvar="GITHUB_ACTIONS", help="Print annotations for a GitHub workflow.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check whether the app's timers can be removed: exit code 0 yes, 1 not yet, 2 cannot be known.

    A token with the role `read` is enough.
    """
    address, named = address_and_environment(config, url, environment)
    query = {
        "mode": mode.value,
        "for": span,
        "environment": named,
        "max_suspensions": max_suspensions,
        "min_payments": min_payments,
        **({} if on_release is None else {"on_release": on_release}),
    }
    try:
        body, found = get(address, f"/api/gate?{urlencode(query)}", Readiness)
    except Unanswered as error:
        _cannot_know(error.message, as_json=as_json, github=github)
    if as_json:
        print_json("gate", body)
    else:
        gate_text.print_readiness(screen(), found, is_all=is_all)
    for line in gate_text.annotations(found) if github else ():
        typer.echo(line, err=as_json)
    sys.exit(found.answer.exit_code)


def _cannot_know(message: str, *, as_json: bool, github: bool) -> NoReturn:
    if as_json:
        print_json("gate", CannotKnow(answer=Answer.CANNOT_KNOW, message=message))
    if github:
        typer.echo(gate_text.annotation("error", message), err=as_json)
    fail(f"Cannot know: {message}", CANNOT_KNOW)
