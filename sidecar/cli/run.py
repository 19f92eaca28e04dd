"""Commands that run until they are stopped: the sidecar, and its demo."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop

from sidecar import app, demo, logs
from sidecar.cli.program import DEFAULT_CONFIG, NO, AsJson, ConfigFile, cli, fail, read_file
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
    page_port: Annotated[
        int, typer.Option("--page-port", "--switch-port", help="Of the page where the world is seen and broken.")
    ] = 8702,
    reverb_port: Annotated[int, typer.Option("--reverb-port", help="Of the stand-in for Reverb.")] = 8703,
    app_port: Annotated[int, typer.Option("--app-port", help="Of the booking app.")] = 8704,
    *,
    story: Annotated[bool, typer.Option("--story", help="Tell the story by itself, and end with a summary.")] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="The story without a page, in memory, in some seconds.")
    ] = False,
    real: Annotated[bool, typer.Option("--real", help="Headless, but over real sockets.")] = False,
    speed: Annotated[int, typer.Option("--speed", min=1, max=20, help="How fast the world's time goes.")] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of the payers; headless and in memory, of everything.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Run the sidecar in a small world of payers, with a page to see it, to break it, and to pay in it."""
    if (as_json or real) and not headless:
        fail("--json and --real go with --headless")
    lines = logs.configure(as_json=headless, descriptor=2 if headless else 1, silent=demo.SILENT)
    command = f"{sys.argv[0]}" if Path(sys.argv[0]).name == "sidecar" else f"{sys.executable} -m sidecar"
    show = demo.Show(
        ports=demo.Ports(public=port, operator=operator_port, page=page_port, reverb=reverb_port, app=app_port),
        seed=seed,
        speed=speed,
        is_story=story or headless,
        is_headless=headless,
        is_real=real,
        command=command,
    )
    pace, told = demo.pace_of(show), None

    async def run_it() -> None:
        nonlocal told
        told = await demo.run(show, pace, lines=lines, say=(lambda _: None) if as_json else typer.echo)

    with demo.installed(show, pace):
        _until_stopped(run_it, lines, demo.loop_of(show, pace))
    if told is not None:
        typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode() if as_json else demo.printed(told))
        sys.exit(0 if told.is_whole else NO)


def _until_stopped(
    start: Callable[[], Coroutine[Any, Any, None]],
    lines: logs.Lines,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
) -> None:
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
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(until_stopped())
    finally:
        lines.close()
