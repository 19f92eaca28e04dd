"""How long until the console's first paint, with ninety days of history, and until a move is on it?

And what does its rendering cost the loop?

A page on loopback in headless Chromium, loaded anew each time without a cache. Beside it, as the baseline: the page of
a sidecar without a policy, which has nothing on it but a sentence.
"""

import asyncio
import time

from playwright.async_api import Browser

from sidecar.console.decisions import page_of
from sidecar.console.page.over_time import Range, over_time
from sidecar.console.page.pages import page
from sidecar.console.page.view import view_of
from sidecar.core.findings import Question
from tests.console.quarter import quarter
from tests.console.stage import Shown, looking, shown
from tests.console.states import CASES, Case
from tests.core.world import World
from tests.payers.tabs import chromium

_ROUNDS = 15
_PAINT = """new Promise((tell) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) tell(paint.startTime);
}).observe({type: "paint", buffered: true}))"""
_MOVED = """new Promise((tell) => new MutationObserver(() => {
  if (document.querySelector("#served .headline").textContent.trim() === "Timers") tell();
}).observe(document.getElementById("served"), {childList: true, subtree: true}))"""


async def _first_paint_ms(browser: Browser, it: Shown, path: str) -> float:
    """Return the median of the first paints of what is there at once: not of a font, nor of a script."""
    took = []
    for _ in range(_ROUNDS):
        context = await browser.new_context()
        tab = await context.new_page()
        await tab.goto(it.url + path)
        took.append(float(await tab.evaluate(_PAINT)))
        await context.close()
    return sorted(took)[_ROUNDS // 2]


async def _rendered_ms(it: Shown) -> tuple[float, float, int, int]:
    """Return the medians of drawing the plots and of a rendering with them, and the page's bytes, as is and sent."""
    drawn, took = [], []
    decided = await page_of(it.journal, it.world.state, before=None, limit=30)
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        plots = over_time(it.world.state, it.world.now_ms, Range.QUARTER)
        drawn.append(1000 * (time.perf_counter() - started))
        asked = it.readiness(Question())
        view = view_of(it.status(), it.world.state, decided=decided, asked=asked, plots=plots)
        made = page("console.html", view=view)
        took.append(1000 * (time.perf_counter() - started))
    return sorted(drawn)[_ROUNDS // 2], sorted(took)[_ROUNDS // 2], len(made.plain), len(made.zipped)


async def _moved_ms(browser: Browser, case: Case) -> float:
    """Return the median of the time from a move's record to its word on the screen."""
    took = []
    for _ in range(_ROUNDS // 3):
        async with shown(case, quarter()) as it, looking(browser, it.url) as tab:
            await tab.wait_for_selector('#news[data-state="live"]')
            moved = asyncio.create_task(tab.evaluate(_MOVED))
            await tab.evaluate("0")  # the one before has begun
            started = time.perf_counter()
            it.world.roll_back()
            it.news.wake()
            await moved
            took.append(1000 * (time.perf_counter() - started))
    return sorted(took)[len(took) // 2]


async def main() -> None:
    """Print it."""
    case = next(case for case in CASES if case.name == "90 days")
    async with shown(case, quarter()) as it, shown(case, World()) as bare, chromium() as browser:
        bare.world.state.policy = None
        drawn_ms, rendered_ms, plain, zipped = await _rendered_ms(it)
        paint_ms = await _first_paint_ms(browser, it, "/?range=90d")
        moved_ms = await _moved_ms(browser, case)
        bare_ms = await _first_paint_ms(browser, bare, "/")
    print(f"console, 90 days: rendered in {rendered_ms:.1f} ms, of which its plots take {drawn_ms:.1f} ms once in 20 s")
    print(f"console, 90 days: {plain / 1024:.0f} KiB, of which {zipped / 1024:.0f} KiB are sent")
    print(f"console, 90 days: first paint after {paint_ms:.0f} ms; of a bare page {bare_ms:.0f} ms")
    print(f"console, 90 days: a move is on the screen {moved_ms:.0f} ms after its record")


if __name__ == "__main__":
    asyncio.run(main())
