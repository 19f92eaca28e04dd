"""A visitor pays on the payer's page, with the very client that apps copy: what clears "Pay now", and what is told of it."""

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

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and what is to come of it."""

    mode: Mode
    flow: Flow = Flow.IN_PAGE
    breaks: Callable[[MadeUpWorld], None] = lambda _: None
    cleared_by: frozenset[str]
    subscription: str = "confirmed"
    says: str
    channel: str = "joined"


def _refuses(world: MadeUpWorld) -> None:
    world.app.faults.status = 403


def _signs_otherwise(world: MadeUpWorld) -> None:
    world.app.faults.signs_as = OTHER


def _loses_push(world: MadeUpWorld) -> None:
    world.loses_push = True


def _pays_at_once(world: MadeUpWorld) -> None:
    world.paid_after_s = None


SCENARIOS = {
    "timers": Scenario(mode=Mode.TIMER_POLLING, cleared_by=frozenset({"timer"}), says="by a timer"),
    "push, with a safety net": Scenario(mode=Mode.PUSH_WITH_SAFETY_NET, cleared_by=frozenset({"push"}), says="by a push"),
    "push": Scenario(mode=Mode.PUSH_ONLY, cleared_by=frozenset({"push"}), says="by a push"),
    "back from Stripe's page": Scenario(
        mode=Mode.PUSH_ONLY, flow=Flow.REDIRECT, cleared_by=frozenset({"push", "subscribe"}), says="went away after"
    ),
    "back, and paid before": Scenario(
        mode=Mode.PUSH_ONLY,
        flow=Flow.REDIRECT,
        breaks=_pays_at_once,
        cleared_by=frozenset({"first", "subscribe"}),
        says="went away after",
    ),
    "push lost, with a safety net": Scenario(
        mode=Mode.PUSH_WITH_SAFETY_NET, breaks=_loses_push, cleared_by=frozenset({"safety_net"}), says="by the safety net"
    ),
    "403": Scenario(
        mode=Mode.PUSH_ONLY,
        breaks=_refuses,
        cleared_by=frozenset({"timer"}),
        subscription="refused",
        says="by a timer",
        channel="refused: 403",
    ),
    "signed with another secret": Scenario(
        mode=Mode.PUSH_ONLY,
        breaks=_signs_otherwise,
        cleared_by=frozenset({"moved"}),
        subscription="silent",
        says="as the flag moved or the channel was lost",
        channel="connected, and not joined yet",
    ),
}  # fmt: skip


async def _pay(browser: Browser, scenario: Scenario) -> tuple[MadeUpWorld, list[str], int]:
    """Pay as a visitor would, leave the page, and return the world, what the page said, and how often it asked."""
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
            said = [await tab.text("#summary"), await tab.text("#marks")]
            assert await tab.violations() == []
            await tab.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")  # as if it were left
            await tab.shows("#report-box", "What your browser told the sidecar")
            said.append(await tab.text("#summary"))
            await tab.page.goto("about:blank")
            async with asyncio.timeout(10):
                while not world.reports:  # noqa: ASYNC110 - a beacon of another process
                    await asyncio.sleep(0.02)
        return world, said, asked


async def test_pay_now_goes_away_whatever_is_wrong(browser: Browser) -> None:
    """Under each mode and with each fault, by what the design says; and the page's own words agree with its report."""
    played = await asyncio.gather(*(_pay(browser, scenario) for scenario in SCENARIOS.values()))
    for (name, scenario), (world, said, asked) in zip(SCENARIOS.items(), played, strict=True):
        report = world.reports[0]
        assert report["cleared_by"] in scenario.cleared_by, (name, report)
        assert (report["flow"], report["subscription"]) == (scenario.flow, scenario.subscription), name
        assert report["refetches"] == asked, name
        assert scenario.says in said[0], (name, said)  # before the report says so
        assert scenario.says in said[-1], (name, said)
        assert "went away" in said[1], name


async def test_one_booking_after_another_is_paid(browser: Browser) -> None:
    """While a payment is on its way it cannot be paid again; once it is paid another lesson can be booked, and paid."""
    async with MadeUpWorld().running() as world:
        world.mode = Mode.PUSH_ONLY
        async with opened(browser, f"{world.page_url}/payer", width=360, scheme="dark") as tab:
            for number in (1, 2):
                await tab.shows("#channel", "joined")
                world.may_hear.clear()
                await tab.page.focus("#pay")
                await tab.page.keyboard.press("Enter")
                await tab.page.wait_for_selector("#pay[disabled]")
                world.may_hear.set()
                await tab.shows("#alert", "paid. Thank you.")
                assert await tab.page.locator("#bookings [data-paid=true]").count() == number
                paid = {"flow": "in_page"}
                async with aiohttp.ClientSession(world.page_url) as it, it.post("/payer/pay", json=paid) as answer:
                    assert answer.status == 409
                await tab.page.click("#book")
                await tab.page.wait_for_selector("#pay:focus")
            assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert tab.complaints == []


async def test_a_page_that_is_loaded_anew_takes_its_payment_up(browser: Browser) -> None:
    """Who reloads while the payment is on its way is not left with "Pay now", and is told what happened."""
    async with MadeUpWorld().running() as world:
        world.mode = Mode.PUSH_ONLY
        world.may_hear.clear()
        async with opened(browser, f"{world.page_url}/payer") as tab:
            await tab.shows("#channel", "joined")
            await tab.page.click("#pay")
            await tab.shows("#marks", "not paid yet")
            await tab.page.reload()
            await tab.shows("#marks", "This page was loaded anew")
            world.may_hear.set()
            await tab.shows("#alert", "paid. Thank you.")


async def test_what_is_served_is_the_apps_own_client(browser: Browser) -> None:
    """Byte for byte; and nothing else of the package is."""
    async with MadeUpWorld().running() as world, aiohttp.ClientSession(world.page_url) as session:
        async with session.get("/payment-refresh.js") as answer:
            assert await answer.read() == (CLIENT / "payment-refresh.js").read_bytes()
            assert answer.content_type == "text/javascript"
        for path in ("/page/routes.py", "/page/demo.html", "/page/..%2froutes.py"):
            async with session.get(path) as answer:
                assert answer.status == 404, path
    del browser


async def test_without_a_world_the_dashboard_says_so(browser: Browser) -> None:
    """It says what to look for, at every width, instead of a button that does nothing."""
    async with MadeUpWorld().running() as world:
        for width in WIDTHS:
            async with opened(browser, f"{world.page_url}/payer", width=width) as tab:
                await tab.page.route("**/payer/pay", lambda route: route.abort())
                await tab.page.click("#pay")
                await tab.shows("#summary", "Is “sidecar demo” still running?")
                assert await tab.page.is_enabled("#pay")


async def test_no_booking_is_paid_twice() -> None:
    """However often it is asked for: what Stripe took is taken once, and what was given up for another is not taken."""
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
