"""A world for a visitor in a separate process, started from a journal: `python -m tests.demo.visited FOLDER PORT`.

Time runs as for a visitor. The page listens on the port, everything else on free ports.
"""

import asyncio
import sys
from pathlib import Path

from sidecar.demo.page import Pages
from sidecar.demo.show import HEADLESS_STARTS_MS, Show, installed, loop_of
from sidecar.demo.world.pace import Pace
from sidecar.demo.world.setup import Ports
from sidecar.demo.world.world import running_world
from sidecar.logs import LineCounts
from tests.demo.worlds import LATER_MS, LATER_PAYER


async def _live(folder: Path, show: Show) -> None:
    async with running_world(
        ports=show.ports,
        folder=folder,
        pace=pace,
        seed=show.seed,
        lines=LineCounts(),
        pages=Pages,
        first_payer=LATER_PAYER,
    ):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    show = Show(ports=Ports(public=0, operator=0, page=int(sys.argv[2]), reverb=0, app=0))
    pace = Pace(starts_ms=HEADLESS_STARTS_MS + LATER_MS, speed=show.speed)
    with installed(show, pace), asyncio.Runner(loop_factory=loop_of(show, pace)) as runner:
        runner.run(_live(Path(sys.argv[1]), show))
