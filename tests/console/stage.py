"""Serve the console of a world on a real listener, and open it in a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from sidecar.config import Address
from sidecar.console.page.live_updates import LiveUpdates
from sidecar.console.page.routes import Console
from sidecar.console.payment_timelines import PaymentTimelines
from sidecar.console.status import Status, status_of
from sidecar.core.fold.serving import Served
from sidecar.core.release.checks import Process, Question
from sidecar.core.release.readiness import Readiness, readiness
from sidecar.http.server import Listener
from sidecar.ports import Journal
from tests.console.states import Case
from tests.core.world import World
from tests.shells.test_lifecycle import journal_of
from tests.waiting import HANGS_AFTER_S

AXE = Path(__file__).parents[1] / "browser" / "node_modules" / "axe-core" / "axe.min.js"
NARROW, WIDE, WIDEST = (360, 740), (1440, 900), (2560, 1440)


class Shown:
    """A served console, and its world."""

    def __init__(self, case: Case, world: World, journal: Journal, port: int, **paces: Any) -> None:
        self.world = world
        self.journal = journal
        self.asked = 0
        """How often somebody asked what is served."""
        self._case = case
        self.live_updates = LiveUpdates(world.state, self.served, **paces)
        console = Console(
            journal,
            world.state,
            PaymentTimelines(journal, world.state),
            status=self.status,
            readiness=self.readiness,
            live_updates=self.live_updates,
        )
        self.listener = Listener(
            "operator",
            Address(host="127.0.0.1", port=port),
            [*console.routes(), *self.live_updates.routes()],
            before_stop=self.live_updates.stop,
        )
        self.url = ""

    def served(self) -> Served:
        """Return the answer of this replica."""
        self.asked += 1
        return self._case.serves(self.world.state)

    def readiness(self, question: Question) -> Readiness:
        """Return the verdict of the release check."""
        process = Process(is_livemode=True, reason=self.served().reason)
        return readiness(self.world.state, question, process)

    def status(self) -> Status:
        """Return the status at the moment of the last record."""
        return status_of(self.world.state, serve=self.served, lease_remaining_s=24.0, now_ms=self.world.now_ms)


@asynccontextmanager
async def shown(case: Case, world: World | None = None, *, port: int = 0, **paces: Any) -> AsyncIterator[Shown]:
    """Serve the console of a state."""
    world = world or case.world()
    it = Shown(case, world, await journal_of(world), port, **paces)
    it.url = it.listener.bind()
    await it.listener.start()
    try:
        yield it
    finally:
        await it.listener.stop()


@asynccontextmanager
async def looking(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = WIDE,
    dark: bool = False,
    scripts: bool = True,
    forgives: str = "nothing",
) -> AsyncIterator[Page]:
    """Open a page in its own context. Fails on violations of its policy and on script errors."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(HANGS_AFTER_S * 1000)
    troubles: list[str] = []
    try:
        page = await context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(error.message))
        await page.goto(url)
        yield page
        assert not [trouble for trouble in troubles if forgives not in trouble], troubles
    finally:
        await context.close()
