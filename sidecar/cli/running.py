"""Commands that run until they are stopped: the sidecar, and its demo."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from sidecar import app, demo, logs
from sidecar.cli.program import DEFAULT_CONFIG, ConfigFile, cli, fail, read_file
from sidecar.config import read_secrets


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
        fail("--adopt-policy and --reason go together: the reason stands in the record")
    read = read_file(config)
    secrets = read_secrets(os.environ, read)
    lines = logs.configure(as_json=not sys.stdout.isatty())
    adoption = app.Adoption(actor=os.environ.get("USER") or "operator", reason=reason) if adopt_policy else None
    _until_stopped(lambda: app.run(read, secrets, adoption=adoption, lines=lines), lines)


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
