"""Run the demo: with its page for a visitor, as a story in the terminal, or headless for tests."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sidecar import clock, randomness
from sidecar.demo.page import Pages
from sidecar.demo.summary import Summary, summary_of
from sidecar.demo.world.loop import WorldLoop
from sidecar.demo.world.network import Network
from sidecar.demo.world.pace import Pace
from sidecar.demo.world.setup import Ports
from sidecar.demo.world.world import FLAG, World, running_world
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, SidecarError

HEADLESS_STARTS_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC: a life that is to be the same each time begins at the same moment."""
_SETTLES_S = 0.0005
"""Grace period in which data written to a local socket arrives."""
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder with a unique name
"""The folder of files in memory on Linux, for the temporary journal of a headless world."""
SILENT = frozenset({"payment.settled"})
"""Events of the log that are not shown: at this speed there are too many of them to read, and the page shows them."""
FREE = Ports(public=0, operator=0, page=0, reverb=0, app=0)


class Show(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a run."""

    ports: Ports = Ports()
    seed: int = 7
    speed: int = 20
    is_story: bool = False
    """Start the story at once, and end the demo with it."""
    is_headless: bool = False
    """No page, and time jumps."""
    is_real: bool = False
    """Headless, but over real sockets and with threads."""
    command: str = "sidecar"
    """The sidecar's command, as a visitor calls it."""


def pace_of(show: Show, *, starts_ms: int = HEADLESS_STARTS_MS) -> Pace:
    """Return the clock of this run."""
    if not show.is_headless:
        return Pace(speed=show.speed)
    return Pace(starts_ms=starts_ms, settles_s=_SETTLES_S if show.is_real else 0.0)


def loop_of(show: Show, pace: Pace) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the factory of this run's event loop."""
    is_in_memory = show.is_headless and not show.is_real
    return lambda: WorldLoop(pace, Network() if is_in_memory else None)


@contextmanager
def installed(show: Show, pace: Pace) -> Iterator[None]:
    """Install the world's clock in this process, and for a headless run also its randomness."""
    time_before = clock.install(pace)
    randomness_before = randomness.install(randomness.Seeded(show.seed)) if show.is_headless else None
    try:
        yield
    finally:
        clock.install(time_before)
        if randomness_before is not None:
            randomness.install(randomness_before)


async def run(
    show: Show,
    pace: Pace,
    *,
    lines: LineCounts,
    say: Callable[[str], None],
    live: Callable[[World], Coroutine[Any, Any, str]] | None = None,
) -> Summary:
    """Run the demo until it is cancelled or the story ends; return the summary. Raises `SidecarError`.

    `live`: a scenario in place of the story; it returns why it failed, or nothing.
    """
    failure = ""
    with folder_for(show) as folder:
        try:
            async with running_world(
                ports=show.ports, folder=folder, pace=pace, seed=show.seed, lines=lines, pages=_pages(show)
            ) as world:
                if live is not None:
                    failure = await live(world)
                else:
                    if not show.is_headless:
                        say(_welcome(world, show))
                    if not show.is_story:
                        await asyncio.get_running_loop().create_future()
                    failure = await world.story.run(lambda step: say(f"  ✓ {step.title}: {step.expect}"))
        except* SidecarError as errors:
            raise _with_a_way_out(errors) from None
        return summary_of(folder / "demo.db", seed=show.seed, failure=failure, completed=world.story.completed)


def lived(show: Show, lines: LineCounts, live: Callable[[World], Coroutine[Any, Any, str]] | None = None) -> Summary:
    """Run it in a new event loop, and return the summary."""
    pace = pace_of(show)
    with installed(show, pace), asyncio.Runner(loop_factory=loop_of(show, pace)) as runner:
        return runner.run(run(show, pace, lines=lines, say=lambda _: None, live=live))


def _pages(show: Show) -> Callable[[World], Pages] | None:
    return None if show.is_headless else Pages


@contextmanager
def folder_for(show: Show) -> Iterator[Path]:
    """Create a folder for the journal, and delete it afterwards. Raises `SidecarError` if it cannot be created."""
    where = IN_MEMORY if show.is_headless and os.access(IN_MEMORY, os.W_OK) else None
    try:
        made = tempfile.TemporaryDirectory(prefix="reverb-sidecar-demo-", dir=where)
    except OSError as error:
        message = f"there is no folder for the demo's journal ({error.strerror}); set TMPDIR to one that can be written"
        raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, message) from error
    with made as folder:
        yield Path(folder)


def _with_a_way_out(errors: BaseExceptionGroup[SidecarError]) -> SidecarError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    code = error.code if isinstance(error, SidecarError) else ErrorCode.INTERNAL
    message = str(error)
    if code is ErrorCode.ADDRESS_IN_USE and "--" not in message:
        message += "; here: --port, --operator-port and --page-port, or make run DEMO='--port 0 --page-port 0'"
    return SidecarError(code, message)


def _welcome(world: World, show: Show) -> str:
    command = f"{show.command} {{}} --config {world.config_path}"
    return f"""
  A small world is running: payers, Stripe, a booking app, two Reverb nodes, and the sidecar. Open

    {world.urls.page}

  and see it, break it, and pay in it ({world.urls.payer}). The sidecar's own console: {world.urls.operator}

  In another terminal:
    curl '{world.urls.public}/flags/{FLAG}?targeting_key=me'
    {command.format("status")}
    curl {world.metrics_url}
  Act as an operator, for instance where the last rung needs an approval:
    SIDECAR_TOKEN={world.secrets.operator_tokens[0].token} {command.format("approve --reason 'the proof is there'")}

  No browser here? The story in this terminal, in half a minute: {show.command} demo --story --headless

  Time goes {show.speed} times as fast as real time, and at real speed while you pay. Ctrl-C ends it.
"""


__all__ = [
    "FREE",
    "SILENT",
    "Ports",
    "Show",
    "Summary",
    "folder_for",
    "installed",
    "lived",
    "loop_of",
    "pace_of",
    "run",
]
