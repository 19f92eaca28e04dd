"""The time of pages and backend in the scenarios: it advances in steps, and stands still while the machine does not keep up.

A page's timers and clocks advance only when every page has completed the step before. So what a page waits for comes at
the same moment of its clock on a slow machine. Real time is the fastest pace: Reverb and the sidecars run on it.
"""

import asyncio
import contextlib
import datetime as dt

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as PlaywrightError

_STEP_MS = 50


class Pace:
    """One clock for all pages and for the backend."""

    def __init__(self) -> None:
        self.now_s = 0.0
        """Since the start; monotonic."""
        self._pages: list[Page] = []
        self._step = asyncio.Event()

    async def page(self, context: BrowserContext) -> Page:
        """Open a page whose clocks and timers advance with this clock; it leaves with its context."""
        start = dt.datetime.now(dt.UTC)
        await context.clock.install(time=start)
        await context.clock.pause_at(start)
        page = await context.new_page()
        self._pages.append(page)
        return page

    async def sleep(self, duration_s: float) -> None:
        """Return once this clock has advanced by so many seconds."""
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            await self._step.wait()

    async def run(self) -> None:
        """Advance, for ever."""
        while True:
            self._pages = [page for page in self._pages if not page.is_closed()]
            await asyncio.gather(asyncio.sleep(_STEP_MS / 1000), *map(_advance, self._pages))
            self.now_s += _STEP_MS / 1000
            done, self._step = self._step, asyncio.Event()
            done.set()


async def _advance(page: Page) -> None:
    """Advance a page by a step; one that navigates, closes or crashed meanwhile is left out, and delays no other."""
    with contextlib.suppress(PlaywrightError):
        await page.clock.run_for(_STEP_MS)
