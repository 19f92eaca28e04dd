"""The detail pages: one payment, one decision, and the list of decisions."""

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from sidecar.core.facts.observations import SkipReason
from sidecar.core.facts.operator_actions import Held, RolledBack
from sidecar.core.facts.policy import Stage
from tests.console.faults import faults, sideways, squeezed
from tests.console.stage import NARROW, looking, shown
from tests.console.states import CASES
from tests.core.world import MINUTE, SECOND, World, on

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop
CASE = next(case for case in CASES if case.name == "climbing")
EVIL = "<img src=x onerror=alert(1)>"


def _reported() -> World:
    """Return a world with payments that were on time, late and missed."""
    world = on(1)
    for name, after_ms in (("pi_good", 400), ("pi_late", 2600)):
        world.pay(name=name, user="u7")
        world.now_ms += 120
        world.ack(name, Stage.PAID)
        world.now_ms += after_ms - 120
        world.ack(name)
        world.wait(MINUTE)
    world.pay(name="pi_lost", waited_s=7)
    world.wait(MINUTE)
    world.pay(name="pi_none")
    world.ack("pi_none", Stage.SKIPPED, SkipReason.NO_BOOKING)
    world.wait(130 * SECOND)
    return world


async def _bars(page: Page) -> list[tuple[str, float, float]]:
    """Return the name of each lane, and the start and end of its bar, in per cent."""
    lanes = []
    for lane in await page.locator(".waterfall li").all():
        bar = lane.locator(".bar-done")
        x, width = [float((await bar.get_attribute(name) or "").rstrip("%")) for name in ("x", "width")]
        lanes.append(((await lane.locator(".lane-name").inner_text()).split("\n")[0].strip(), x, x + width))
    return lanes


async def test_a_payment_is_a_waterfall_in_the_order_of_its_stages(browser: Browser) -> None:
    """Stripe's delay ends at the webhook, each stage begins at the end of the one before, and the objective is later."""
    async with shown(CASE, _reported()) as it, looking(browser, f"{it.url}/payments/pi_good") as page:
        assert await page.locator(".headline").inner_text() == "On time"
        await expect(page.locator(".why")).to_contain_text("400 ms after the webhook; the limit is 2000 ms.")
        (stripe, begins, webhook), (paid, paid_from, paid_at), (delivered, delivered_from, at) = await _bars(page)
        assert (stripe, paid, delivered) == ("Stripe's delay", "Paid", "Delivered")
        assert begins == 0
        assert webhook == pytest.approx(paid_from, abs=0.1)
        assert paid_at == pytest.approx(delivered_from, abs=0.1)
        objective = await page.locator(".lane-objective").first.get_attribute("x1")
        assert objective is not None
        assert at < float(objective.rstrip("%"))
        assert await faults(page) == []


@pytest.mark.parametrize(
    ("name", "headline", "text"),
    [
        ("pi_late", "Late", "only 2600 ms after the webhook"),
        ("pi_lost", "Missed", "no broadcast arrived within 30 s"),
        ("pi_none", "Left out", "no booking belongs to the payment"),
    ],
)
async def test_the_page_of_a_payment_has_its_outcome_and_reason(name: str, headline: str, text: str) -> None:
    """For every outcome."""
    async with shown(CASE, _reported()) as it, aiohttp.ClientSession() as session:
        async with session.get(f"{it.url}/payments/{name}") as answer:
            page = await answer.text()
        assert f"<span>{headline}</span>" in page
        assert text in page


async def test_a_long_delay_of_stripe_is_drawn_as_cut(browser: Browser) -> None:
    """A redelivery hours later must not compress the other bars."""
    world = on(1)
    world.pay(name="pi_slow", waited_s=7200)
    world.now_ms += 400
    world.ack("pi_slow")
    world.wait(MINUTE)
    async with shown(CASE, world) as it, looking(browser, f"{it.url}/payments/pi_slow", size=NARROW) as page:
        bars = await _bars(page)
        assert bars[0][2] == pytest.approx(45, abs=0.1)
        assert await page.locator(".cut").count() == 1
        await expect(page.locator(".waterfall")).to_contain_text("took 2 h")
        assert bars[1][2] - bars[1][1] > 5
        assert await sideways(page) == 0


async def test_the_form_opens_a_payment_and_an_unknown_id_is_a_404_page(browser: Browser) -> None:
    """Also without scripts; an unknown id is not echoed."""
    async with shown(CASE, _reported()) as it, looking(browser, it.url, scripts=False, forgives="404") as page:
        await page.get_by_label("Payment timeline").fill("pi_good")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("h1")).to_have_text("Payment pi_good")
        answer = await page.goto(f"{it.url}/payments?id={EVIL}")
        assert answer is not None
        assert answer.status == 404
        await expect(page.locator("h1")).to_have_text("Not found")
        assert "img" not in await page.content()


async def test_the_page_of_a_climb_shows_its_gates_and_policy(browser: Browser) -> None:
    """It is linked from the log, and has the head of the chain."""
    async with shown(CASE, on(1)) as it, looking(browser, it.url) as page:
        await page.locator("#log").get_by_role("link", name="the sidecar climbed to rung 1").click()
        await expect(page.locator("h1")).to_contain_text("climbed to rung 1")
        assert await page.locator(".gate").count() == len(await page.locator(".gate-passes").all()) > 5
        await expect(page.locator(".gates")).to_contain_text("evidence_payments")
        keys = page.locator(".keys")
        for key, value in (("reliability_ppm", "900000"), ("environment", "test"), ("stage", "delivered")):
            await expect(keys.locator("div", has_text=key).first).to_contain_text(value)
        await expect(page.locator("main")).to_contain_text("head of the chain after it")
        assert await squeezed(page) == []
        assert await faults(page) == []


async def test_all_decisions_are_listed_in_pages_and_escaped(browser: Browser) -> None:
    """Newest first, each with a link; a number without a decision is a 404."""
    world = on(1)
    for number in range(60):
        world.see(Held(actor=EVIL, reason=f"{EVIL} {number}"))
    world.see(RolledBack(actor="ann", reason="a feeling"))
    async with shown(CASE, world) as it, looking(browser, f"{it.url}/decisions", forgives="404") as page:
        first = page.locator(".log li").first
        await expect(first).to_contain_text("rolled back")
        assert await page.locator(".log li").count() == 50
        assert await page.locator("main img").count() == 0
        await page.get_by_role("link", name="Older entries").click()
        await expect(page.locator(".log li").first).to_contain_text(f"{EVIL} 10")
        await page.get_by_role("link", name=EVIL).first.click()
        await expect(page.locator("main")).to_contain_text(f"The reason in the record: {EVIL} 10")
        assert await page.locator("main img").count() == 0
        for path in ("/decisions/1", "/decisions/x", "/decisions/99999"):
            answer = await page.goto(it.url + path)
            assert answer is not None
            assert answer.status == 404


async def test_versions_are_listed_with_what_changed(browser: Browser) -> None:
    """Linked from the log; on a phone the table scrolls, and the page does not."""
    world = on(2)
    world.change(payers_on_rung=7)
    world.roll_back()
    async with shown(CASE, world) as it, looking(browser, it.url, size=NARROW) as page:
        await page.get_by_role("link", name="what changed between versions").click()
        await expect(page.locator("tbody tr")).to_have_count(world.state.flag.version)
        await expect(page.locator("tbody tr").first).to_contain_text("rung: 2 → 0")
        for is_dark in (False, True):
            await page.emulate_media(color_scheme="dark" if is_dark else "light")
            assert await faults(page) == []
        assert await sideways(page) == 0


async def test_the_log_has_the_events_between_decisions(browser: Browser) -> None:
    """Alarms and suspensions are not decisions, and explain many."""
    case = next(case for case in CASES if case.name == "Reverb unstable")
    async with shown(case) as it, looking(browser, it.url) as page:
        log = await page.locator("#log").text_content() or ""
        assert log.index("push suspended") < log.index("climbed to rung 2")
        assert "alarm" in log
