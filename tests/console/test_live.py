"""Live updates: a move is shown within a second, and a page without updates is marked."""

import asyncio
import re

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from sidecar.console.page.live_updates import STREAMS_MAX, LiveUpdates
from sidecar.core.facts.operator_actions import Frozen, Held, Resumed
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.windows import Once
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.http.event_streams import StreamEnd
from tests.console.stage import NARROW, Shown, looking, shown
from tests.console.states import CASES
from tests.core.world import DAY, on
from tests.e2e.processes import until
from tests.shells.running import running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_operator import WHY
from tests.waiting import HANGS_AFTER_S

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop
LOST = "Failed to load resource"
"""What Chromium writes into its console when nobody answers."""
_ANNOUNCED = """() => {
    const region = document.getElementById('moves');
    window.announced = [];
    new MutationObserver(() => window.announced.push(region.textContent))
        .observe(region, { childList: true, characterData: true, subtree: true, attributes: true });
}"""
"""Writes down what a screen reader announces."""
_FOCUSED = """() => {
    const { id, parentElement, localName, textContent } = document.activeElement;
    return id || parentElement.id || `${localName}: ${textContent.trim().slice(0, 40)}`;
}"""
_TOP = "document.getElementById('action-rollback').getBoundingClientRect().top"
_SCROLLED = """() => {
    const scrolling = [...document.querySelectorAll('.scroll')];
    for (const each of scrolling) each.scrollLeft = 40;
    return Math.max(...scrolling.map((each) => each.scrollLeft));
}"""
TOP = next(case for case in CASES if case.name == "climbing")


async def test_a_move_is_shown_and_announced_once(browser: Browser) -> None:
    """Without a reload and at once; all other intervals are infinite in this test."""
    async with shown(TOP, on(2), calm_s=1e6, pulse_s=1e6) as it, looking(browser, it.url) as page:
        await expect(page.locator("#updates")).to_have_attribute("data-state", "live")
        await page.evaluate(_ANNOUNCED)
        it.world.roll_back()
        it.live_updates.wake()
        await expect(page.locator("#served .headline")).to_have_text("Timers")
        assert await page.evaluate("window.announced") == [
            "Served now: Timers, for everybody. Timers may be removed: Cannot know."
        ]
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
        await page.evaluate(_ANNOUNCED)
        it.world.see(Held(actor="ann", reason="a fair"))
        it.live_updates.wake()
        await expect(page.locator("#action-resume")).to_be_visible()
        await expect(page.locator("#served .facts")).to_contain_text("on hold by ann: a fair")
        assert await page.evaluate("window.announced") == []


async def test_one_region_is_announced_and_it_is_in_the_verdict(browser: Browser) -> None:
    """A second one would have everything said twice."""
    async with shown(TOP, on(1)) as it, looking(browser, it.url) as page:
        regions = "[...document.querySelectorAll('[aria-live], [role=status], [role=log], [role=alert]')]"
        placed = await page.evaluate(f"{regions}.map((each) => [each.id, each.closest('section, dialog').id])")
        assert placed == [["moves", "verdict"], ["dialog-error", "dialog"]]


async def _shows(it: Shown, page: Page, text: str) -> None:
    """Freeze with a reason, and wait until the page shows it: the whole page is another rendering then."""
    window = Once(from_ms=it.world.now_ms, until_ms=it.world.now_ms + DAY)
    it.world.see(Frozen(actor="ann", reason=text, name="fair", window=window, expires_ms=window.until_ms))
    it.live_updates.wake()
    await expect(page.locator("#served .facts")).to_contain_text(text)


async def test_tab_reaches_everything_although_the_page_changes_after_each_press(browser: Browser) -> None:
    """Sixty presses visit what they visit on a page that stands still, and no update moves the focus."""
    async with shown(TOP, on(1)) as it, looking(browser, it.url) as page:
        await _shows(it, page, "at first")
        expected, visited = [], []
        for _ in range(60):
            await page.keyboard.press("Tab")
            expected.append(await page.evaluate(_FOCUSED))
        await page.reload()
        await expect(page.locator("#updates")).to_have_attribute("data-state", "live")
        for number in range(60):
            await page.keyboard.press("Tab")
            await page.evaluate("window.focused = document.activeElement")
            await _shows(it, page, f"update {number};")
            assert await page.evaluate("window.focused === document.activeElement")
            visited.append(await page.evaluate(_FOCUSED))
        assert visited == expected
        assert {"action-hold", "action-rollback", "verdict-checks", "lookup"} <= set(visited)


async def test_an_update_keeps_what_a_user_opened_scrolled_and_entered(browser: Browser) -> None:
    """Open details, the place in a wide table, an id that is being entered, and the dialog."""
    async with shown(TOP, on(1)) as it, looking(browser, it.url, size=NARROW) as page:
        await page.locator("#verdict-checks summary").click()
        await page.locator("#lookup").fill("pi_3")
        wide = await page.evaluate(_SCROLLED)
        assert wide > 0
        await page.locator("#action-rollback").click()
        await page.locator("#reason").fill("a feeling")
        await page.evaluate("document.getElementById('reason').setSelectionRange(2, 4)")
        top = await page.evaluate(_TOP)
        await _shows(it, page, "another")
        assert await page.evaluate("[...document.querySelectorAll('details')].filter((each) => each.open).length") == 1
        assert await page.locator("#lookup").input_value() == "pi_3"
        assert await page.evaluate("Math.max(...[...document.querySelectorAll('.scroll')].map((e) => e.scrollLeft))")
        reason = "(({id, value, selectionStart, selectionEnd}) => [id, value, selectionStart, selectionEnd])"
        assert await page.evaluate(f"{reason}(document.activeElement)") == ["reason", "a feeling", 2, 4]
        assert abs(await page.evaluate(_TOP) - top) <= 1
        await page.keyboard.press("Escape")
        await expect(page.locator(":focus")).to_have_id("action-rollback")


async def test_the_focus_goes_on_where_its_element_was(browser: Browser) -> None:
    """A button that is no longer possible leaves the focus to its neighbour."""
    world = on(1)
    world.see(Held(actor="ann", reason="a fair"))
    async with shown(TOP, world) as it, looking(browser, it.url) as page:
        await expect(page.locator("#updates")).to_have_attribute("data-state", "live")
        await page.locator("#action-resume").focus()
        (hold,) = world.state.flag.holds
        world.see(Resumed(actor="ann", reason="over", hold=hold.id))
        it.live_updates.wake()
        await expect(page.locator("#action-resume")).to_have_count(0)
        await expect(page.locator(":focus")).to_have_id("action-note")


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
