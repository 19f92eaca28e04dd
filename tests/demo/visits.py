"""Payments of a visitor in the demo, in each mode and with each fault: `python -m tests.demo.visits` prints a table."""

import asyncio

import msgspec
from playwright.async_api import Browser

from sidecar.console.status import Status
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import Flow
from sidecar.demo.show import folder_for
from sidecar.demo.world.operator_view import is_push
from sidecar.demo.world.switches import Key
from tests.demo.browsing import opened
from tests.demo.visiting import VisitedWorld, climbed, visited
from tests.demo.worlds import HEADLESS
from tests.payers.tabs import chromium

_JOINED = "() => !['…', 'not connected yet'].includes(document.querySelector('#channel').innerText)"
_ANSWERED = "() => document.querySelector('#flag').innerText !== '…'"


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One payment of a visitor."""

    mode: Mode
    """The mode that everybody is served before the fault."""
    flow: Flow = Flow.IN_PAGE
    breaks: Key | None = None
    by: frozenset[str]
    """The refetches that may clear "Pay now"."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The observed result."""

    flag: str
    channel: str
    cleared_by: str
    cleared_ms: int
    refetches: int


TIMERS, NET, ONLY = Mode
VISITS = (
    Visit(mode=TIMERS, by=frozenset({"timer"})),
    Visit(mode=TIMERS, flow=Flow.REDIRECT, by=frozenset({"timer"})),
    Visit(mode=NET, by=frozenset({"push"})),
    Visit(mode=NET, flow=Flow.REDIRECT, by=frozenset({"push", "subscribe"})),
    Visit(mode=ONLY, by=frozenset({"push"})),
    Visit(mode=ONLY, flow=Flow.REDIRECT, by=frozenset({"push", "subscribe"})),
    Visit(mode=ONLY, breaks=Key.AUTH_REFUSED, by=frozenset({"timer"})),
    Visit(mode=ONLY, breaks=Key.WRONG_SECRET, by=frozenset({"moved", "timer"})),
    Visit(mode=ONLY, breaks=Key.REVERB_GONE, by=frozenset({"moved", "timer"})),
    Visit(mode=ONLY, breaks=Key.SIDECAR_KILLED, by=frozenset({"timer"})),
    Visit(mode=ONLY, breaks=Key.AUTH_REFUSED_FIFTH, by=frozenset({"push"})),  # the visitor is not among them
    Visit(mode=ONLY, breaks=Key.SLOW_QUEUE, by=frozenset({"push", "moved"})),
    Visit(mode=ONLY, breaks=Key.BROADCASTS_LOST, by=frozenset({"push"})),  # unless it is one in fifty
    Visit(mode=ONLY, breaks=Key.WEBHOOKS_LATE, by=frozenset({"push"})),
    Visit(
        mode=ONLY, breaks=Key.SIDECAR_BLIND, by=frozenset({"timer", "push"})
    ),  # depends on whether push is suspended already
    Visit(mode=ONLY, breaks=Key.REVERB_FROZEN, by=frozenset({"moved", "timer"})),
    Visit(mode=ONLY, breaks=Key.NODE_DEAF, by=frozenset({"push", "moved"})),  # depends on the browser's node
)
"""In this order, each mode in one world: the webhooks of the visitor's tenth and eleventh payments there are slow, as one in
twelve is. The fault begins just before the visit, and is recovered after it."""


async def pay(browser: Browser, world: VisitedWorld, visit: Visit) -> Seen:
    """Turn the switch on, pay like a visitor, and return what the page shows."""
    if visit.breaks is not None:
        await world.turn(visit.breaks, on=True)
    async with opened(browser, f"{world.page_url}/payer") as tab:
        page = tab.page
        if await page.is_visible("#book"):
            await page.click("#book")
        await page.wait_for_function(_ANSWERED)
        if visit.breaks not in {Key.REVERB_GONE, Key.REVERB_FROZEN}:  # then the channel has no state to wait for
            await page.wait_for_function(_JOINED)
        flag, channel = (await tab.text("#flag")).partition(", valid")[0], await tab.text("#channel")
        await page.check(f"input[value={visit.flow}]")
        await page.click("#pay")
        if visit.flow is Flow.REDIRECT:
            await page.wait_for_selector("body.stripe")
            await page.click("#pay")
            await tab.ready()
        await tab.shows("#alert", "paid. Thank you.")
        await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")  # leaving the page sends the report
        await tab.shows("#report-box", "report to the sidecar")
        report = msgspec.json.decode((await page.text_content("#report") or "").encode(), type=dict[str, object])
        assert await tab.violations() == []
    if visit.breaks is not None:
        await world.turn(visit.breaks, on=False)
    return Seen(
        flag=flag,
        channel=channel,
        cleared_by=str(report["cleared_by"]),
        cleared_ms=int(str(report["cleared_after_ms"])),
        refetches=int(str(report["refetches"])),
    )


class _Serves:
    """The condition that everybody is served a mode."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode

    def __call__(self, status: Status) -> bool:
        return status.judged > 0 if self._mode is TIMERS else is_push(status, self._mode)


async def play(browser: Browser, visits: tuple[Visit, ...]) -> list[tuple[Visit, Seen]]:
    """Play the visits, and return their results."""
    played = []
    with folder_for(HEADLESS) as folder:
        journals = await asyncio.to_thread(climbed, folder)
        for mode in dict.fromkeys(visit.mode for visit in visits):
            async with visited(journals.get(mode)) as world:
                for visit in (each for each in visits if each.mode is mode):
                    await world.jumps(_Serves(mode))
                    played.append((visit, await pay(browser, world, visit)))
    return played


async def _main() -> None:
    async with chromium() as browser:
        played = await play(browser, VISITS)
    for visit, seen in played:
        cells = (visit.mode, visit.flow, visit.breaks or "nothing", seen.flag, seen.channel)
        row = (*cells, str(seen.refetches), f"{seen.cleared_ms / 1000:.1f} s", seen.cleared_by)
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    asyncio.run(_main())
