"""Commands that run until they are stopped: the sidecar and its demo."""

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
import uvloop

from sidecar import app, demo, logs
from sidecar.cli.program import DEFAULT_CONFIG, NO, AsJson, ConfigFile, cli, command_line, fail, print_json, read_file
from sidecar.config import Config, read_secrets
from sidecar.http.connections import raise_descriptors
from sidecar.ports import SidecarError


@cli.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    adopt_policy: Annotated[
        bool, typer.Option("--adopt-policy", help="Adopt a policy that was superseded; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="The reason for --adopt-policy.")] = "",
) -> None:
    """Run the sidecar until SIGTERM or Ctrl-C."""
    if adopt_policy != bool(reason):
        fail("--adopt-policy and --reason need each other: the reason stays in the record")
    read = read_file(config)
    with _pointing_to_check(config):
        secrets = read_secrets(os.environ, read)
    lines = logs.configure(as_json=not sys.stdout.isatty())
    raise_descriptors()
    faulthandler.enable(file=2)  # SIGBUS, such as from a cut `-shm` that is mapped, never ends the process in silence
    adoption = app.Adoption(actor=os.environ.get("USER") or "operator", reason=reason) if adopt_policy else None
    with _pointing_to_check(config):
        _until_stopped(lambda: app.run(read, secrets, adoption=adoption, lines=lines), lines, _log_stopped(read))


@contextlib.contextmanager
def _pointing_to_check(config: Path) -> Iterator[None]:
    """Exit with the reason why the sidecar cannot run, and the command that finds all of them."""
    try:
        yield
    except SidecarError as error:
        fail(f"{error.message}\nTo find all that keeps it from running: {command_line('check --here', config)}")


@cli.command(name="demo")
def run_demo(
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="The public listener: flag, webhook and acks.")
    ] = 8700,
    operator_port: Annotated[
        int, typer.Option("--operator-port", metavar="PORT", help="The operator listener: console and metrics.")
    ] = 8701,
    page_port: Annotated[
        int, typer.Option("--page-port", metavar="PORT", help="The page that shows the world and breaks it.")
    ] = 8702,
    reverb_port: Annotated[int, typer.Option("--reverb-port", metavar="PORT", help="The stand-in for Reverb.")] = 8703,
    app_port: Annotated[int, typer.Option("--app-port", metavar="PORT", help="The booking app.")] = 8704,
    *,
    story: Annotated[bool, typer.Option("--story", help="Run the scripted story, and print a summary.")] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="Run the story without a page, in memory, in seconds.")
    ] = False,
    real: Annotated[bool, typer.Option("--real", help="With --headless: use real sockets.")] = False,
    speed: Annotated[int, typer.Option("--speed", min=1, max=20, metavar="N", help="The speed of time.")] = 20,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="The seed of the payers; in memory, of everything.")
    ] = 7,
    as_json: AsJson = False,
) -> None:
    """Run the sidecar in a simulated world of payers, with a page to watch it, break it and pay."""
    if (as_json or real) and not headless:
        fail("--json and --real need --headless")
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
    pace, summary = demo.pace_of(show), None

    async def run_it() -> None:
        nonlocal summary
        summary = await demo.run(show, pace, lines=lines, say=(lambda _: None) if as_json else typer.echo)

    with demo.installed(show, pace):
        _until_stopped(run_it, lines, loop_factory=demo.loop_of(show, pace))
    if summary is None:
        typer.echo("Stopped. Nothing is left: no process runs, and the demo's folder is removed.", err=as_json)
        return
    if as_json:
        print_json("demo", summary, is_indented=True)
    else:
        typer.echo(demo.printed(summary))
    sys.exit(0 if summary.is_whole else NO)


def _log_stopped(config: Config) -> Callable[[str], None]:
    """Return what logs the last line of a run: why it ended, and what is kept."""
    place = config.journal_place
    kept = f"everything that was acknowledged is in {place.write()}; `sidecar run` continues from it"
    if not place.survives_restart:
        kept = "its journal was in memory, and is gone"

    def log(name: str) -> None:
        structlog.get_logger().info("sidecar.stopped", why=f"{name} was received", message=kept)

    return log


def _until_stopped(
    start: Callable[[], Coroutine[Any, Any, None]],
    lines: logs.Lines,
    stopped: Callable[[str], None] = lambda _: None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
) -> None:
    """Run until it ends by itself, or until SIGTERM, SIGINT or SIGHUP cancels it; `stopped` gets the signal's name."""
    names: list[str] = []

    async def until_stopped() -> None:
        task = asyncio.ensure_future(start())
        loop = asyncio.get_running_loop()

        def stop(name: str) -> None:
            names.append(name)
            task.cancel()

        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(each, stop, each.name)
        try:
            await task
        except asyncio.CancelledError:
            return

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(until_stopped())
        if names:
            stopped(names[0])
    finally:
        lines.close()
