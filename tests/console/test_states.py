"""Each state of the console: its answers, its accessibility, with and without scripts."""

import base64
import hashlib
import re

import aiohttp
import msgspec
import pytest
from playwright.async_api import Browser, expect

from sidecar.core.facts.observations import Heartbeat
from sidecar.core.facts.operator_actions import RolledBack
from tests.console.faults import faults, sideways, squeezed
from tests.console.stage import NARROW, WIDEST, looking, shown
from tests.console.states import CASES, Case
from tests.core.world import World, on

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_state_has_its_answers_and_no_accessibility_violation(browser: Browser, case: Case) -> None:
    """In light and dark, on a phone and on a wall screen."""
    async with shown(case) as it, looking(browser, it.url) as page:
        for is_dark, (width, height) in ((False, NARROW), (True, WIDEST)):
            await page.emulate_media(color_scheme="dark" if is_dark else "light")
            await page.set_viewport_size({"width": width, "height": height})
            served, verdict = page.locator("#served"), page.locator("#verdict")
            assert await served.locator(".headline").inner_text() == case.headline
            assert case.why in await served.locator(".why").inner_text()
            assert await verdict.locator(".headline").inner_text() == case.answer
            assert await sideways(page) == 0
            assert await squeezed(page) == []
            assert await faults(page, *(("color-contrast",) if is_dark else ())) == []


async def test_the_page_is_complete_without_scripts(browser: Browser) -> None:
    """Operator actions refer to the command line."""
    case = next(case for case in CASES if case.name == "climbing")
    async with shown(case) as it, looking(browser, it.url, scripts=False) as page:
        assert await page.locator("#served .headline").inner_text() == case.headline
        headings = await page.locator("h2").all_text_contents()
        assert headings[:2] == ["Served now", "May the timers be removed?"]
        assert {"The ladder", "Over time", "Reverb", "Payers", "Decisions and actions"} <= set(headings)
        assert not await page.locator("#action-hold").is_visible()
        assert "sidecar hold" in await page.locator("noscript").inner_text()
        assert "As of 15 Jan 2027" in await page.locator("#updates").inner_text()


async def test_each_gate_that_does_not_pass_has_its_need_time_and_remedy(browser: Browser) -> None:
    """Gates that do not pass come first, with their progress."""
    case = next(case for case in CASES if case.name == "at first")
    async with shown(case) as it, looking(browser, it.url) as page:
        gates = page.locator("#ladder .gate")
        is_open = [not gate.passes for gate in it.status().gates]
        assert await gates.count() == len(is_open)
        assert await page.locator("#ladder .gate-needs").count() == sum(is_open)
        first = gates.first
        await expect(first).to_contain_text("Soak complete soak")
        await expect(first).to_contain_text("target: 3 d")
        await expect(first).to_contain_text("more on this rung; expected 18 Jan 2027, 08:00 UTC (in 2 d")
        await expect(first).to_contain_text("To do: Nothing: it passes by itself.")
        width = float(await first.locator(".bar-done").get_attribute("width") or 0)
        assert 0 < width < 1


async def test_texts_of_others_are_escaped(browser: Browser) -> None:
    """Reasons, names and sources are text, and none of it runs."""
    evil = """"><script>document.title='x'</script><img src=x onerror="document.title='x'"> {{ 7 * 7 }} `<b>` '"""
    world = on(1)
    assert world.state.policy is not None
    world.state.policy = msgspec.structs.replace(world.state.policy, environment=evil, reach_not_required=evil)
    world.see(Heartbeat(replica="a", beat=1, silent_sources=(evil,)))
    world.see(RolledBack(actor=evil, reason=evil))
    case = msgspec.structs.replace(CASES[0], world=lambda: world)
    async with shown(case) as it, looking(browser, it.url) as page:
        assert await page.locator("main img, main script, main b").count() == 0
        assert await page.title() == f"Timers · payment-refresh in {evil.strip()}"
        assert evil.strip() in await page.locator("h1").inner_text()
        posture = await page.locator("#served .facts").inner_text()
        assert posture.count(evil.strip()) == 3
        assert await page.locator("#action-resume").get_attribute("data-explanation") == (
            f"Lifts the hold of the rollback of {evil}: {evil}"
        )


async def test_a_sidecar_without_a_policy_answers_503_with_a_page() -> None:
    """It has just started, or cannot read its journal."""
    case = msgspec.structs.replace(CASES[0], world=World)
    async with shown(case) as it, aiohttp.ClientSession() as session:
        it.world.state.policy = None
        async with session.get(it.url) as answer:
            assert answer.status == 503
            assert "No policy is in force yet" in await answer.text()


async def test_security_and_cache_headers() -> None:
    """Only known inline styles, no foreign content, no framing; assets are immutable, pages are not stored."""
    async with shown(CASES[0]) as it, aiohttp.ClientSession() as session:
        async with session.get(it.url) as answer:
            page, headers = await answer.text(), answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        (styles,) = re.findall(r"<style>(.+?)</style>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}';" in policy
        assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
        assert " style=" not in page
        assert not re.search(r"<script(?! (?:type=\"module\"|defer) src=)|\son\w+=", page)
        for address in re.findall(r'(?:href|src)="(/assets/[^"]+)"', page):
            async with session.get(it.url + address) as asset:
                assert asset.status == 200
                assert "immutable" in asset.headers["Cache-Control"]
                assert asset.headers["X-Content-Type-Options"] == "nosniff"
            async with session.get(it.url + address.partition("?")[0]) as asset:
                assert asset.headers["Cache-Control"] == "no-cache"
        async with session.get(f"{it.url}/assets/..%2fpages.py") as missing:
            assert missing.status == 404
