"""The demo's page: its texts, its controls, and its state when the world stops."""

from typing import Literal

import aiohttp
import msgspec
import pytest
from playwright.async_api import Browser

from sidecar.config import Address
from sidecar.demo.page import Pages
from sidecar.demo.world.switches import Key
from sidecar.http.server import Listener
from tests.demo.browsing import WIDTHS, opened
from tests.demo.made_up import MadeUpWorld
from tests.demo.states import NOW_MS, STATES, switches

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWERS = {
    #            is push safe yet?   why, or why not?                what happens next?            what if it breaks?
    "empty":     ("Not yet: timers", "No payment was judged yet",    "the rest has no estimate yet: push with a", "No payer relies on push now"),
    "climbing":  ("Not yet: timers", "All 31 payments were on time, which proves at least 81 %, and the target is 90 %",
                  "12 more clean payments", "No payer relies on push now"),
    "push":      ("Yes, with a safety net, for 50 % of payers", "which proves at least 96.1 %", "push with a safety net, for everybody",
                  "Everybody gets timers again within seconds"),
    "suspended": ("Not this minute", "Reverb is unstable",           "In about 27 s: push with a safety net, for everybody again",
                  "“Reverb hangs” is on, for 8 s now. Observed after 6.20 s"),
    "fallen":    ("No: push is failing", "Broadcasts of payments arrive late", "At the earliest in 18 s, the rest has no estimate yet: push with a safety net, for 50 % of payers",
                  "“The queue is slow” is on, for 8 s now. Expected: Payments are late"),
    "killed":    ("No answer: timers", "No action was needed",       "It restarts on the same journal", "“The sidecar is killed” is on"),
    "done":      ("Yes: push alone", "All 412 payments since the last fall were on time, which proves at least 98.3 %",
                  "The hand-written timers may be removed", "Everybody gets timers again"),
}  # fmt: skip


async def test_the_page_answers_the_four_questions(browser: Browser) -> None:
    """Is push safe yet, why not, what happens next, what if it breaks: in sentences, in each state of the world."""
    async with MadeUpWorld().running() as world, opened(browser, world.page_url) as tab:
        for state, answers in ANSWERS.items():
            world.shown = STATES[state]
            for name, words in zip(("safe", "why", "next", "breaks"), answers, strict=True):
                await tab.shows(f"[data-answer='{name}']", words)
        assert (tab.complaints, await tab.violations(), tab.hosts) == ([], [], {"127.0.0.1"})


async def test_the_bar_of_a_gate_shows_its_progress(browser: Browser) -> None:
    """A bar is as long as the gate's progress ratio, and is full only if the gate passes."""
    async with MadeUpWorld().running() as world:
        world.shown = STATES["climbing"]
        async with opened(browser, world.page_url) as tab:
            filled = await tab.page.evaluate(_FILLED)
        closed = {"soak": 7 / 10, "evidence_payments": 31 / (31 + 12), "worst_case": 74.2 / 80}
        assert filled == {
            gate.name: pytest.approx(closed.get(gate.name, 1), abs=0.001) for gate in STATES["climbing"].gates
        }


@pytest.mark.parametrize("width", WIDTHS)
async def test_nothing_is_wider_than_the_screen(browser: Browser, width: int) -> None:
    """On a phone and on a wide screen, no state scrolls sideways or cuts a text off."""
    async with MadeUpWorld().running() as world, opened(browser, world.page_url, width=width, scheme="dark") as tab:
        for state, view in STATES.items():
            world.shown = view
            await tab.shows("[data-answer='safe']", ANSWERS[state][0])
            assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state
            assert await tab.page.evaluate(_CUT_OFF) == [], state


async def test_axe_finds_nothing(browser: Browser) -> None:
    """Contrast, names, roles and order hold, in light and dark, on both pages and on the stand-in for Stripe's page."""
    looks: tuple[tuple[Literal["light", "dark"], tuple[str, ...], str], ...] = (
        ("light", ("climbing", "suspended"), "/payer"),
        ("dark", ("fallen", "done"), "/payer/stripe?payment_intent=pi_1"),
    )
    async with MadeUpWorld().running() as world:
        for scheme, states, path in looks:
            async with opened(browser, world.page_url, width=360, scheme=scheme, bypass_policy=True) as tab:
                for state in states:
                    world.shown = STATES[state]
                    await tab.shows("[data-answer='safe']", ANSWERS[state][0])
                    assert await tab.axe() == [], (scheme, state)
                await tab.page.goto(world.page_url + path)
                await tab.page.wait_for_selector("#pay")
                assert await tab.axe() == [], (scheme, path)


async def test_each_switch_is_turned_by_keyboard_and_shows_its_effect(browser: Browser) -> None:
    """Tab reaches each switch in order, Space turns it, and it is labelled with its state and expected effect."""
    async with MadeUpWorld().running() as world, opened(browser, world.page_url) as tab:
        await tab.page.focus("#to-console")
        for key in Key:
            for _ in range(12):
                await tab.page.keyboard.press("Tab")
                if await tab.page.evaluate("document.activeElement.id") == f"switch-{key}":
                    break
            assert await tab.page.get_attribute(f"#switch-{key}", "aria-describedby") == f"about-{key}"
            for pressed in ("true", "false"):
                await tab.page.keyboard.press("Space")
                await tab.page.wait_for_selector(f"#switch-{key}:focus[aria-pressed='{pressed}']")
        assert world.asked == [(key, on) for key in Key for on in (True, False)]
        world.shown = msgspec.structs.replace(STATES["push"], switches=switches(Key.SLOW_QUEUE, came_after_ms=3_400))
        await tab.shows("[data-key='slow_queue'] .came", "After 3.40 s: an alarm, and timers for everybody")
        await tab.shows("#announcement", "The queue is slow: observed after 3.40 s.")
        assert tab.complaints == []


async def test_speed_and_the_story_are_operated_by_keyboard(browser: Browser) -> None:
    """The present speed is pressed, and a running story cannot be started again."""
    async with MadeUpWorld().running() as world, opened(browser, world.page_url) as tab:
        await tab.page.focus("#start")
        await tab.page.keyboard.press("Enter")
        await tab.page.focus("#speed button:nth-child(3)")
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_selector("#speed button:nth-child(3)[aria-pressed='true']")
        assert world.asked == [("story", True), ("speed", 20)]
        world.shown = STATES["suspended"]
        await tab.shows("#story-hint", "3 of 7 steps are done.")
        assert await tab.page.is_disabled("#start")
        assert await tab.text("#steps [aria-current='step'] strong") == "Suspended"
        stopped = "Climb: not within 30 minutes of the world's time"
        world.shown = msgspec.structs.replace(STATES["push"], is_story=False, story_failure=stopped)
        await tab.shows("#story-hint", stopped)
        assert await tab.page.is_enabled("#start")


async def test_only_changes_are_announced(browser: Browser) -> None:
    """Bars, clocks and events move four times a second, and are not announced to screen readers."""
    async with MadeUpWorld().running() as world, opened(browser, world.page_url) as tab:
        await tab.page.evaluate(_RECORD)
        for number in range(1, 9):
            world.shown = msgspec.structs.replace(STATES["climbing"], now_ms=NOW_MS + 1_000 * number)
            await tab.shows("#clock", f":{40 + number}")
        world.shown = STATES["push"]
        await tab.shows("#announcement", "Yes, with a safety net")
        announced = await tab.page.evaluate("window.announced")
        assert announced == ["Done: Watch.", "Yes, with a safety net, for 50 % of payers."][-len(announced) :]
        assert len(announced) in {1, 2}


async def test_reduced_motion_is_respected(browser: Browser) -> None:
    """Events move in the picture unless the browser prefers reduced motion; their texts are always there."""
    async with MadeUpWorld().running() as world:
        motions: tuple[Literal["reduce", "no-preference"], ...] = ("reduce", "no-preference")
        for motion in motions:
            world.shown = STATES["climbing"]
            async with opened(browser, world.page_url, motion=motion) as tab:
                await tab.page.evaluate(_COUNT_MOVES)
                late = msgspec.structs.replace(world.shown.events[-1], at_ms=NOW_MS, kind="stripe", text="the next")
                world.shown = msgspec.structs.replace(world.shown, events=(*world.shown.events[1:], late))
                await tab.shows("#events", "the next")
                assert bool(await tab.page.evaluate("window.moved")) is (motion == "no-preference")


async def test_the_page_shows_that_the_world_stopped_and_reconnects(browser: Browser) -> None:
    """The stale view is marked, and the page recovers without a reload."""
    async with MadeUpWorld().running() as world:
        pages = Pages(world, pace_s=0.05)
        loopback = Address(host="127.0.0.1", port=0)
        listener = Listener("page", loopback, pages.routes(), before_stop=pages.stop)
        url = listener.bind()
        await listener.start()
        async with opened(browser, url) as tab:
            await listener.stop()
            await tab.shows("#stopped", "The world has stopped, or this page cannot reach it")
            assert await tab.page.evaluate("document.body.classList.contains('is-stopped')")
            pages = Pages(world, pace_s=0.05)
            again = Listener(
                "page",
                Address(host="127.0.0.1", port=int(url.rpartition(":")[2])),
                pages.routes(),
                before_stop=pages.stop,
            )
            again.bind()
            await again.start()
            world.shown = STATES["done"]
            await tab.shows("[data-answer='safe']", "Yes: push alone")
            assert await tab.page.is_hidden("#stopped")
            await again.stop()


async def test_requests_of_other_origins_are_refused(browser: Browser) -> None:
    """Requests of other origins get 403, and invalid bodies 400."""
    async with MadeUpWorld().running() as world, aiohttp.ClientSession(world.page_url) as session:
        rebound = f"http://elsewhere.test:{world.page_url.rpartition(':')[2]}"
        for path, body, origin, status in (
            ("/switches/slow_queue", {"on": True}, rebound, 403),
            ("/switches/slow_queue", {"on": True}, "https://elsewhere.test", 403),
            ("/speed", {"speed": 20}, "null", 403),
            ("/payer/pay", {"flow": "in_page"}, "https://elsewhere.test", 403),
            ("/switches/nothing", {"on": True}, None, 404),
            ("/switches/slow_queue", {"on": 1}, None, 400),
            ("/speed", {"speed": 1000}, None, 400),
            ("/story", {"on": False}, None, 400),
            ("/speed", {"speed": 5}, world.page_url, 204),
        ):
            headers = {"Origin": origin} if origin else {}
            if origin == rebound:  # their name, resolved to this address
                headers["Host"] = rebound.removeprefix("http://")
            async with session.post(path, json=body, headers=headers) as answer:
                assert answer.status == status, path
        assert world.asked == [("speed", 5)]
    del browser


async def test_the_content_security_policy_blocks_inline_scripts(browser: Browser) -> None:
    """An injected inline script does not run, and source files are not served."""
    async with MadeUpWorld().running() as world, opened(browser, world.page_url) as tab:
        await tab.page.evaluate(_SLIP_IN)
        await tab.page.wait_for_function("() => window.violations.length > 0")
        assert await tab.page.evaluate("window.slipped") is None
        async with aiohttp.ClientSession(world.page_url) as session, session.get("/page/../routes.py") as answer:
            assert answer.status == 404


_FILLED = """
Object.fromEntries([...document.querySelectorAll('.gate')]
  .map((each) => [each.dataset.key, Number(each.querySelector('i').style.getPropertyValue('--filled'))]))
"""
_CUT_OFF = """
[...document.querySelectorAll('main *')]
  .filter((each) => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== 'visible')
  .filter((each) => each.clientWidth > 1)
  .map((each) => each.className || each.tagName)
"""
_RECORD = """
window.announced = [];
new MutationObserver(() => window.announced.push(document.getElementById('announcement').textContent))
  .observe(document.getElementById('announcement'), { childList: true, characterData: true, subtree: true });
"""
_COUNT_MOVES = """
window.moved = 0;
document.addEventListener('animationstart', () => (window.moved += 1), true);
new MutationObserver((all) => { if (all.some(({ target }) => target.classList.contains('moves'))) window.moved += 1; })
  .observe(document.getElementById('map'), { attributes: true, subtree: true, attributeFilter: ['class'] });
"""
_SLIP_IN = """
(() => {
  const script = document.createElement('script');
  script.textContent = 'window.slipped = true';
  document.body.append(script);
})()
"""
