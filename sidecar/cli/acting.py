"""Commands that ask a running sidecar: what is, and the acts of people."""

import asyncio
from pathlib import Path

import msgspec
import typer
from rich.console import Console

from sidecar.cli.asking import ask, own_token
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, Reason, cli, read_file
from sidecar.console import screen
from sidecar.console.operator import Act, ActDone, ActRequest
from sidecar.console.status import Status


@cli.command()
def status(config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Say what is served now, what the next rung still needs, and what was measured."""
    body = asyncio.run(ask(read_file(config), "GET", "/api/status"))
    if as_json:
        typer.echo(body.decode())
    else:
        screen.print_status(Console(highlight=False), msgspec.json.decode(body, type=Status))


def _act(act: Act, config: Path, reason: str, *, as_json: bool) -> None:
    body = asyncio.run(ask(read_file(config), "POST", f"/api/{act}", ActRequest(reason=reason), token=own_token()))
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
