"""Live updates: a move is shown within a second, and a page without updates is marked."""

import asyncio
import re

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from sidecar.console.page.live_updates import STREAMS_MAX, LiveUpdates
from sidecar.core.facts.observations import Held
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.http.event_streams import StreamEnd
from tests.console.stage import Shown, looking, shown
from tests.console.states import CASES
from tests.core.world import on
from tests.e2e.processes import until
from tests.shells.running import running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_operator import WHY
from tests.waiting import HANGS_AFTER_S

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop
LOST = "Failed to load resource"
"""What Chromium writes into its console when nobody answers."""
TOP = next(case for case in CASES if case.name == "climbing")


async def test_a_move_is_shown_and_announced_once(browser: Browser) -> None:
    """Without a reload and at once; all other intervals are infinite in this test."""
    async with shown(TOP, on(2), calm_s=1e6, pulse_s=1e6) as it, looking(browser, it.url) as page:
        await expect(page.locator("#updates")).to_have_attribute("data-state", "live")
        await expect(page.locator("#moves")).to_have_text("")
        it.world.roll_back()
        it.live_updates.wake()
        await expect(page.locator("#served .headline")).to_have_text("Timers")
        await expect(page.locator("#moves")).to_contain_text("Served now: Timers, for everybody.")
        reached = re.compile(r"The bottom rung, reached .+: rollback, \w+")
        await expect(page.locator("#served .why")).to_have_text(reached)
        assert (await page.title()).startswith("Timers")


async def test_a_move_of_a_running_sidecar_is_shown(browser: Browser) -> None:
    """Wired as in production: from the action through the journal, the fold and the stream to the page."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        await climb(sidecar)
        await expect(page.locator("#served .headline")).to_have_text("Push with a safety net")
        await expect(page.locator("#updates")).to_have_attribute("data-state", "live")
        assert (await sidecar.act("rollback", WHY))[0] == 200
        await expect(page.locator("#served .headline")).to_have_text("Timers")


async def test_other_changes_are_shown_and_not_announced(browser: Browser) -> None:
    """Announcing every payment would make a screen reader unusable."""
    async with shown(TOP, on(1)) as it, looking(browser, it.url) as page:
        it.world.see(Held(actor="ann", reason="a fair"))
        it.live_updates.wake()
        await expect(page.locator("#action-resume")).to_be_visible()
        await expect(page.locator("#served .facts")).to_contain_text("on hold by ann: a fair")
        await expect(page.locator("#moves")).to_have_text("")


async def test_an_update_keeps_the_focus_and_the_selection(browser: Browser) -> None:
    """A user may be about to press a button or to copy text."""
    async with shown(TOP, on(1)) as it, looking(browser, it.url) as page:
        await page.locator("#action-rollback").focus()
        await page.evaluate("getSelection().selectAllChildren(document.querySelector('#served .why'))")
        it.world.see(Held(actor="ann", reason="a fair"))
        it.live_updates.wake()
        await expect(page.locator("#action-resume")).to_be_visible()
        assert await page.evaluate("document.activeElement.id") == "action-rollback"
        assert await page.evaluate("getSelection().toString()") == "Rung 1 is the current rung, and no alarm is raised."
        await page.evaluate("getSelection().removeAllRanges()")


async def test_a_page_without_updates_is_marked_as_outdated_and_recovers(browser: Browser) -> None:
    """An outdated page must not look current."""
    async with shown(TOP, on(1), retry_ms=50) as it, looking(browser, it.url, forgives=LOST) as page:
        await expect(page.locator("#updates")).to_have_attribute("data-state", "live")
        await it.listener.stop()
        await expect(page.locator("#updates")).to_have_attribute("data-state", "lost")
        await expect(page.locator("#updates")).to_contain_text("this page may be out of date")
        async with shown(TOP, on(2), port=int(it.url.rpartition(":")[2])):
            await expect(page.locator("#updates")).to_contain_text("Live. As of")
            await expect(page.locator("#served .audience")).to_have_text("for everybody")


async def _read(it: Shown, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
    answer = await session.get(f"{it.url}/api/stream")
    assert answer.status == 200
    assert await answer.content.readuntil(b"\n\n")
    return answer


async def test_the_number_of_streams_is_limited() -> None:
    """One more is refused with an error; a closed stream frees its place."""
    async with shown(TOP, on(1)) as it, aiohttp.ClientSession() as session:
        opened = [await _read(it, session) for _ in range(STREAMS_MAX)]
        async with session.get(f"{it.url}/api/stream") as refused:
            assert refused.status == 503
            assert (await refused.json())["code"] == "overloaded"
        assert it.live_updates.refused[StreamEnd.FULL] == 1
        opened.pop().close()

        async def has_permits() -> bool:
            return it.live_updates.open_count()["console"] < STREAMS_MAX

        await until(has_permits, "a permit for one more")
        opened.append(await _read(it, session))
        for answer in opened:
            answer.close()


async def test_a_stream_sends_moves_at_once_and_other_changes_at_intervals() -> None:
    """Each interval is tested while the others are infinite."""
    world = on(1)
    for calm_s, pulse_s in ((1000.0, 1000.0), (0.01, 1000.0), (1000.0, 0.01)):
        async with shown(TOP, world, calm_s=calm_s, pulse_s=pulse_s) as it, aiohttp.ClientSession() as session:
            answer = await _read(it, session)
            if pulse_s == 1000.0:
                if calm_s == 1000.0:
                    world.see(Held(actor="ann", reason="a fair"))
                else:
                    world.beat()
                it.live_updates.wake()
            async with asyncio.timeout(HANGS_AFTER_S):
                reported = await answer.content.readuntil(b"\n\n")
            assert reported == b'data: {"seq":%d}\n\n' % world.state.seq
            answer.close()


async def test_a_record_costs_as_much_with_many_consoles_as_with_one() -> None:
    """Hundreds of records per second may arrive while twenty consoles are open."""
    async with shown(TOP, on(1), calm_s=1e3, pulse_s=1e3) as it, aiohttp.ClientSession() as session:
        opened = [await _read(it, session) for _ in range(10)]
        before = it.asked
        for _ in range(50):
            it.world.beat()
            it.live_updates.wake()
            await asyncio.sleep(0)
        assert it.asked - before <= 60
        for answer in opened:
            answer.close()


async def test_a_lost_lease_changes_the_key() -> None:
    """The change key uses the answer of this replica, not the state alone."""
    state = on(2).state
    with_lease = LiveUpdates(state, lambda: served(state, 0)).change_key()
    assert with_lease == LiveUpdates(state, lambda: served(state, 0)).change_key()
    assert (
        with_lease != LiveUpdates(state, lambda: Served(mode=Mode.TIMER_POLLING, reason=Reason.NO_LEASE)).change_key()
    )


async def test_a_larger_share_is_a_move_although_its_mode_is_the_same() -> None:
    """From 10 % to everybody, the mode for the first bucket stays the same."""
    smaller, larger = on(1).state, on(2).state
    assert served(smaller, 0) == served(larger, 0)
    assert (
        LiveUpdates(smaller, lambda: served(smaller, 0)).change_key()
        != LiveUpdates(larger, lambda: served(larger, 0)).change_key()
    )
