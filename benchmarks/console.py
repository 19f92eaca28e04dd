"""How long does the console's first paint take with ninety days of history, and the display of a move?

And what does its rendering cost the loop?

A page on loopback in headless Chromium, loaded each time into a new window without a cache. Beside it, as the baseline:
the page of a sidecar without a policy, which has nothing on it but a sentence.
"""

import asyncio
import time

from playwright.async_api import Browser

from sidecar.console.decisions import page_of
from sidecar.console.page.over_time import Range, over_time
from sidecar.console.page.pages import Begun
from sidecar.console.page.view import view_of
from sidecar.core.release.checks import Question
from tests.console.quarter import quarter
from tests.console.stage import Shown, looking, shown
from tests.console.states import CASES, Case
from tests.core.world import World
from tests.payers.tabs import chromium

_ROUNDS = 15
_WINDOW_S = 0.4
"""How long the browser is busy with a new window; operators of the console have one open."""
_PAINT = """new Promise((resolve) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) resolve(paint.startTime);
}).observe({type: "paint", buffered: true}))"""
_MOVED = """new Promise((resolve) => new MutationObserver(() => {
  if (document.querySelector("#served .headline").textContent.trim() === "Timers") resolve();
}).observe(document.getElementById("served"), {childList: true, subtree: true}))"""


async def _first_paints_ms(browser: Browser, *urls: str) -> list[float]:
    """Return the medians of the first paints, without fonts and scripts.

    The pages take turns, so that what else the machine does slows all of them.
    """
    took: dict[str, list[float]] = {url: [] for url in urls}
    for _ in range(_ROUNDS):
        for url in urls:
            context = await browser.new_context()
            tab = await context.new_page()
            await asyncio.sleep(_WINDOW_S)
            await tab.goto(url)
            took[url].append(float(await tab.evaluate(_PAINT)))
            await context.close()
    return [sorted(each)[_ROUNDS // 2] for each in took.values()]


async def _print_rendering(it: Shown) -> None:
    """Print the time until the first part of the page can be sent, until all of it can, and its size."""
    took = []
    decided = await page_of(it.journal, it.world.state, before=None, limit=30)
    for _ in range(_ROUNDS):
        started_s = time.perf_counter()
        view = view_of(it.status(), it.world.state, decided=decided, asked=it.readiness(Question()))
        begun = Begun("console.html", view=view)
        begun_s = time.perf_counter()
        plots = over_time(it.world.state, it.world.now_ms, Range.QUARTER)
        drawn_s = time.perf_counter()
        pieces = (begun.first, begun.rest("below.html", view=view, plots=plots))
        took.append((begun_s - started_s, drawn_s - begun_s, time.perf_counter() - started_s))
    begun_ms, drawn_ms, all_ms = (1000 * sorted(each)[_ROUNDS // 2] for each in zip(*took, strict=True))
    print(f"console, 90 days: the two answers can leave after {begun_ms:.1f} ms, all of it after {all_ms:.1f} ms;")
    print(f"    its plots take {drawn_ms:.1f} ms of these, once in 20 s")
    plain, zipped = (sum(map(len, each)) for each in zip(*((it.plain, it.zipped) for it in pieces), strict=True))
    print(f"console, 90 days: {plain / 1024:.0f} KiB, of which {zipped / 1024:.0f} KiB are sent")


async def _moved_ms(browser: Browser, case: Case) -> float:
    """Return the median time from the record of a move to its text on the screen."""
    took = []
    for _ in range(_ROUNDS // 3):
        async with shown(case, quarter()) as it, looking(browser, it.url) as tab:
            await tab.wait_for_selector('#updates[data-state="live"]')
            moved = asyncio.create_task(tab.evaluate(_MOVED))
            await tab.evaluate("0")  # the one before has begun
            started = time.perf_counter()
            it.world.roll_back()
            it.live_updates.wake()
            await moved
            took.append(1000 * (time.perf_counter() - started))
    return sorted(took)[len(took) // 2]


async def main() -> None:
    """Print the results."""
    case = next(case for case in CASES if case.name == "90 days")
    async with shown(case, quarter()) as it, shown(case, World()) as bare, chromium() as browser:
        bare.world.state.policy = None
        await _print_rendering(it)
        paint_ms, bare_ms = await _first_paints_ms(browser, f"{it.url}/?range=90d", f"{bare.url}/")
        moved_ms = await _moved_ms(browser, case)
    print(f"console, 90 days: first paint after {paint_ms:.0f} ms; of a bare page {bare_ms:.0f} ms")
    print(f"console, 90 days: a move is on the screen {moved_ms:.0f} ms after its record")


if __name__ == "__main__":
    asyncio.run(main())
