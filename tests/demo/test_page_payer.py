"""A visitor pays on the payer's page with the client that apps copy: what clears "Pay now", and what is reported."""

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec
import pytest
from playwright.async_api import Browser

from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import Flow
from tests.demo.browsing import WIDTHS, opened
from tests.demo.made_up import MadeUpWorld
from tests.payers.backend import CLIENT
from tests.payers.reverb import OTHER
from tests.waiting import HANGS_AFTER_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, and the expected result."""

    mode: Mode
    flow: Flow = Flow.IN_PAGE
    breaks: Callable[[MadeUpWorld], None] = lambda _: None
    cleared_by: frozenset[str]
    subscription: str = "confirmed"
    summary: str
    channel: str = "subscribed"


def _refuses(world: MadeUpWorld) -> None:
    world.app.faults.status = 403


def _signs_otherwise(world: MadeUpWorld) -> None:
    world.app.faults.signs_as = OTHER


def _loses_push(world: MadeUpWorld) -> None:
    world.loses_push = True


def _pays_at_once(world: MadeUpWorld) -> None:
    world.paid_after_s = None


SCENARIOS = {
    "timers": Scenario(mode=Mode.TIMER_POLLING, cleared_by=frozenset({"timer"}), summary="by a timer"),
    "push, with a safety net": Scenario(mode=Mode.PUSH_WITH_SAFETY_NET, cleared_by=frozenset({"push"}), summary="by a push"),
    "push": Scenario(mode=Mode.PUSH_ONLY, cleared_by=frozenset({"push"}), summary="by a push"),
    "back from Stripe's page": Scenario(
        mode=Mode.PUSH_ONLY, flow=Flow.REDIRECT, cleared_by=frozenset({"push", "subscribe"}), summary="was cleared after"
    ),
    "back, and paid before": Scenario(
        mode=Mode.PUSH_ONLY,
        flow=Flow.REDIRECT,
        breaks=_pays_at_once,
        cleared_by=frozenset({"first", "subscribe"}),
        summary="was cleared after",
    ),
    "push lost, with a safety net": Scenario(
        mode=Mode.PUSH_WITH_SAFETY_NET, breaks=_loses_push, cleared_by=frozenset({"safety_net"}), summary="by the safety net"
    ),
    "403": Scenario(
        mode=Mode.PUSH_ONLY,
        breaks=_refuses,
        cleared_by=frozenset({"timer"}),
        subscription="refused",
        summary="by a timer",
        channel="refused: 403",
    ),
    "signed with another secret": Scenario(
        mode=Mode.PUSH_ONLY,
        breaks=_signs_otherwise,
        cleared_by=frozenset({"moved"}),
        subscription="silent",
        summary="when the flag moved or the channel was lost",
        channel="connected, not subscribed yet",
    ),
}  # fmt: skip


async def _pay(browser: Browser, scenario: Scenario) -> tuple[MadeUpWorld, list[str], int]:
    """Pay like a visitor, leave the page, and return the world, the page's texts and the number of its refetches."""
    async with MadeUpWorld().running() as world:
        world.mode = scenario.mode
        scenario.breaks(world)
        async with opened(browser, f"{world.page_url}/payer") as tab:
            await tab.shows("#channel", scenario.channel)
            await tab.page.wait_for_function("() => document.querySelector('#flag').innerText !== '…'")
            await tab.page.check(f"input[value={scenario.flow}]")
            await tab.page.click("#pay")
            if scenario.flow is Flow.REDIRECT:
                await tab.page.wait_for_selector("body.stripe")
                await tab.page.click("#pay")
                await tab.ready()
            await tab.shows("#alert", "paid. Thank you.")
            assert await tab.page.is_hidden("#pay")
            asked = int(await tab.page.evaluate("document.querySelectorAll('#marks [data-kind=ask]').length"))
            texts = [await tab.text("#summary"), await tab.text("#marks")]
            assert await tab.violations() == []
            await tab.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")  # as on leaving the page
            await tab.shows("#report-box", "report to the sidecar")
            texts.append(await tab.text("#summary"))
            await tab.page.goto("about:blank")
            async with asyncio.timeout(HANGS_AFTER_S):
                while not world.reports:  # noqa: ASYNC110 - a beacon of another process
                    await asyncio.sleep(0.02)
        return world, texts, asked


async def test_pay_now_is_cleared_with_each_fault(browser: Browser) -> None:
    """In each mode and with each fault the designed refetch clears it, and the page's text agrees with its report."""
    played = await asyncio.gather(*(_pay(browser, scenario) for scenario in SCENARIOS.values()))
    for (name, scenario), (world, texts, asked) in zip(SCENARIOS.items(), played, strict=True):
        report = world.reports[0]
        assert report["cleared_by"] in scenario.cleared_by, (name, report)
        assert (report["flow"], report["subscription"]) == (scenario.flow, scenario.subscription), name
        assert report["refetches"] == asked, name
        assert scenario.summary in texts[0], (name, texts)  # before the report
        assert scenario.summary in texts[-1], (name, texts)
        assert "cleared" in texts[1], name


async def test_one_booking_after_another_is_paid(browser: Browser) -> None:
    """A payment in flight cannot be paid again; once it is paid, another lesson can be booked and paid."""
    async with MadeUpWorld().running() as world:
        world.mode = Mode.PUSH_ONLY
        async with opened(browser, f"{world.page_url}/payer", width=360, scheme="dark") as tab:
            for number in (1, 2):
                await tab.shows("#channel", "subscribed")
                world.has_webhooks.clear()
                await tab.page.focus("#pay")
                await tab.page.keyboard.press("Enter")
                await tab.page.wait_for_selector("#pay[disabled]")
                world.has_webhooks.set()
                await tab.shows("#alert", "paid. Thank you.")
                assert await tab.page.locator("#bookings [data-paid=true]").count() == number
                paid = {"flow": "in_page"}
                async with aiohttp.ClientSession(world.page_url) as it, it.post("/payer/pay", json=paid) as answer:
                    assert answer.status == 409
                await tab.page.click("#book")
                await tab.page.wait_for_selector("#pay:focus")
            assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert tab.complaints == []


async def test_a_reloaded_page_resumes_its_payment(browser: Browser) -> None:
    """After a reload during a payment, "Pay now" is cleared, and the timeline mentions the reload."""
    async with MadeUpWorld().running() as world:
        world.mode = Mode.PUSH_ONLY
        world.has_webhooks.clear()
        async with opened(browser, f"{world.page_url}/payer") as tab:
            await tab.shows("#channel", "subscribed")
            await tab.page.click("#pay")
            await tab.shows("#marks", "not paid yet")
            await tab.page.reload()
            await tab.shows("#marks", "This page was loaded anew")
            world.has_webhooks.set()
            await tab.shows("#alert", "paid. Thank you.")


async def test_the_served_client_is_the_one_that_apps_copy(browser: Browser) -> None:
    """The client is served byte for byte, and no source file of the package is."""
    async with MadeUpWorld().running() as world, aiohttp.ClientSession(world.page_url) as session:
        async with session.get("/payment-refresh.js") as answer:
            assert await answer.read() == (CLIENT / "payment-refresh.js").read_bytes()
            assert answer.content_type == "text/javascript"
        for path in ("/page/routes.py", "/page/demo.html", "/page/..%2froutes.py"):
            async with session.get(path) as answer:
                assert answer.status == 404, path
    del browser


async def test_the_dashboard_reports_an_unreachable_world(browser: Browser) -> None:
    """A failed payment shows what to check, at every width, and can be tried again."""
    async with MadeUpWorld().running() as world:
        for width in WIDTHS:
            async with opened(browser, f"{world.page_url}/payer", width=width) as tab:
                await tab.page.route("**/payer/pay", lambda route: route.abort())
                await tab.page.click("#pay")
                await tab.shows("#summary", "Is “sidecar demo” still running?")
                assert await tab.page.is_enabled("#pay")


async def test_no_booking_is_paid_twice() -> None:
    """Stripe takes a payment once, and rejects one that was replaced by another."""
    async with MadeUpWorld().running() as world, aiohttp.ClientSession(world.page_url) as session:

        async def begin(flow: Flow) -> tuple[int, str]:
            async with session.post("/payer/pay", json={"flow": flow}) as answer:
                return answer.status, (await answer.json()).get("payment_intent", "")

        async def pay(payment: str) -> int:
            path = f"/payer/stripe?payment_intent={payment}"
            async with session.post(path, allow_redirects=False) as answer:
                return answer.status

        (_, given_up), (_, payment) = await begin(Flow.REDIRECT), await begin(Flow.REDIRECT)
        assert [await pay(given_up), await pay(payment), await pay(payment)] == [409, 303, 303]
        assert (await begin(Flow.IN_PAGE))[0] == 409
        async with session.post("/payer/book"):
            assert [(await begin(Flow.IN_PAGE))[0] for _ in range(50)] == [200] + 49 * [409]
        assert world.paid == [payment, "pi_madeup_3_in_page"]
