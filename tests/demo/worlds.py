"""Headless worlds for tests: in memory, in no time, and from a journal in which everybody is served push already."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from sidecar.demo.show import FREE, HEADLESS_STARTS_MS, Show, installed, loop_of, pace_of
from sidecar.demo.world.world import FIRST_PAYER, World, running_world
from sidecar.logs import LineCounts

HEADLESS = Show(is_headless=True)
REAL = Show(is_headless=True, is_real=True, ports=FREE)
LATER_MS = 3_600_000
LATER_PAYER = 5001


def live(
    folder: Path, life: Callable[[World], Awaitable[None]], *, is_later: bool = False, show: Show = HEADLESS
) -> None:
    """Run a scenario in a world with its journal in this folder."""
    pace = pace_of(show, starts_ms=HEADLESS_STARTS_MS + (LATER_MS if is_later else 0))

    async def run() -> None:
        async with running_world(
            ports=show.ports,
            folder=folder,
            pace=pace,
            seed=show.seed,
            lines=LineCounts(),
            first_payer=LATER_PAYER if is_later else FIRST_PAYER,
        ) as world:
            await life(world)

    with installed(show, pace), asyncio.Runner(loop_factory=loop_of(show, pace)) as runner:
        runner.run(run())
