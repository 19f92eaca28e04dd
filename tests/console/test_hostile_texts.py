"""Texts of other people in the console, in a real Chromium: none becomes an element or a script.

The pages are opened without their Content-Security-Policy, because it would hide a text that is not escaped. The last
test is the other way round: an element that was created all the same runs nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import msgspec
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Route

from sidecar.config import OperatorToken, Role
from sidecar.console.report import Report
from sidecar.console.report import page as report_page
from tests.console.stage import looking
from tests.e2e.processes import OPERATOR_TOKEN, until
from tests.shells.browser_reports import REPORT, SECRET, send, token
from tests.shells.running import SECRETS, Running, event, running
from tests.shells.test_flag import EASY
from tests.waiting import HANGS_AFTER_S

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop

_MARK = "xss-mark"
"""The name of each element that a text tries to create, and a part of each text."""
_RUN = "globalThis.hacked=1"
_ELEMENT = f'"><img/src=x/onerror={_RUN}><{_MARK}></{_MARK}>'
_SCRIPT = f"</title></style></textarea></script><script>{_RUN}</script><{_MARK}></{_MARK}>"
_ATTRIBUTE = f'{_MARK}"/onmouseover="{_RUN}"/autofocus/onfocus=\'{_RUN}\''
_PLAIN = f"{_MARK}`'{{{{7*7}}}}${{7*7}}<svg/onload={_RUN}>&lt;{_MARK}&gt;"
_LINK = f"javascript:{_RUN}//{_MARK}"
TEXTS = {"element": _ELEMENT, "script": _SCRIPT, "attribute": _ATTRIBUTE, "plain": _PLAIN, "link": _LINK}
"""Without blanks, which most names do not allow."""

_CREATED = f"""() => [...document.querySelectorAll(
  '{_MARK}, [onerror], [onmouseover], [onfocus], [onload], [href^="javascript:"], [src^="javascript:"]'
)].map(each => each.outerHTML)"""
_SECRETS = msgspec.structs.replace(
    SECRETS,
    browser=(SECRET,),
    operator_tokens=(OperatorToken(name=_PLAIN, role=Role.OPERATE, token=OPERATOR_TOKEN),),
)
"""The configuration refuses such a name of an operator; the console must not rely on that."""


async def _pay(sidecar: Running, name: str, text: str) -> None:
    """Deliver a payment whose metadata, description, user agent and address are this text, and acks of it."""
    paid = event(name)
    paid["data"]["object"] |= {"metadata": {"user_id": text, "booking_id": text, text: text}, "description": text}
    assert (await sidecar.deliver(paid))[0] == 200
    named = {"payment_intent": name, "contexts": [text], "release": text, "user_ref": text}
    assert (await sidecar.ack({"stage": "paid", **named}, User_Agent=text, X_Forwarded_For=text))[0] == 200
    assert (await sidecar.ack({"stage": "delivered", **named, "payment_intent": text}))[0] == 200
    report = {"auth": "refused", "channel": f"private-live-refresh.{text}", "release": text}
    assert (await sidecar.ack(report))[0] == 200
    beacon = REPORT | {"payment_intent": text, "token": token(f"user_{name}")}
    status, _, _ = await send(sidecar, beacon, User_Agent=f"Chrome/1 {text}", Origin=text, Referer=text)
    assert status == 204


async def _act(sidecar: Running, text: str) -> None:
    """Take every action that has a text of its own."""
    answers = [
        await sidecar.act("note", {"reason": text, "release": text}),
        await sidecar.act("hold", {"reason": text}),
    ]
    hold = answers[-1][1]["seq"]
    window = {"type": "weekly", "days": [0], "from_minute": 0, "lasts_minutes": 60, "utc_offset_minutes": 0}
    now_ms = (await sidecar.status())["now_ms"]
    frozen = {"reason": text, "name": "nights", "window": window, "expires_ms": now_ms + 86_400_000, "replace": True}
    answers += [
        await sidecar.act("freeze", frozen),
        await sidecar.act("resume", {"reason": text, "hold": hold}),
        await sidecar.act("reset", {"reason": text}),
        await sidecar.act("hold", {"reason": text}),
    ]
    assert {status for status, _ in answers} == {200}, answers
    assert (await sidecar.act("freeze", frozen | {"name": text}))[0] == 400
    assert (await sidecar.act("thaw", {"reason": text, "name": text}))[0] == 400


async def _paths(sidecar: Running) -> list[str]:
    """Return the paths of all pages that show or receive a text."""
    async with sidecar.session.get(f"{sidecar.urls.operator}/api/decisions?limit=100") as response:
        records = [entry["seq"] for entry in (await response.json())["entries"]]
    paths = ["/", "/?range=7d", "/decisions", *(f"/decisions/{seq}" for seq in records)]
    for name, text in TEXTS.items():
        given = quote(text, safe="")
        paths += [f"/payments/pi_{name}", f"/payments/{given}", f"/payments?id={given}", f"/decisions?before={given}"]
        paths += [f"/decisions/{given}", f"/?range={given}", f"/assets/{given}", f"/nowhere/{given}", f"/api/{given}"]
    return paths


@asynccontextmanager
async def _without_policy(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(bypass_csp=True)
    context.set_default_timeout(HANGS_AFTER_S * 1000)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def _assert_harmless(page: Page, where: str) -> None:
    assert await page.evaluate(_CREATED) == [], where
    assert await page.evaluate("() => globalThis.hacked") is None, where


async def test_no_stored_or_requested_text_becomes_an_element_or_runs_as_a_script(browser: Browser) -> None:
    """Metadata, releases, contexts, reasons, actors, user agents, channels, payments' names and all of the path."""
    async with running(EASY, _SECRETS) as sidecar, _without_policy(browser) as page:
        for name, text in TEXTS.items():
            await _pay(sidecar, f"pi_{name}", text)
            await _act(sidecar, text)
        seen = ""
        for path in await _paths(sidecar):
            await page.goto(f"{sidecar.urls.operator}{path}")
            await _assert_harmless(page, path)
            seen += await page.inner_text("body")
        for name, text in TEXTS.items():
            assert text in seen, f"the text {name} is shown nowhere, so that its escaping was not tested"


async def test_no_text_becomes_an_element_or_runs_as_a_script_in_the_report(browser: Browser) -> None:
    """It is opened from a file or a release record, without any policy."""
    async with running(EASY, _SECRETS) as sidecar, _without_policy(browser) as page:
        for name, text in TEXTS.items():
            await _pay(sidecar, f"pi_{name}", text)
            await _act(sidecar, text)
        async with sidecar.session.get(f"{sidecar.urls.operator}/api/report") as response:
            report = msgspec.json.decode(await response.read(), type=Report)
        await page.set_content(report_page(report))
        await _assert_harmless(page, "report")
        text = await page.inner_text("body")
        assert _MARK in text, "no text is shown, so that their escaping was not tested"


UNESCAPED = {
    "an attribute": f"<img src=/assets/icon.svg onload='{_RUN}'>",
    "a script": f"<script>{_RUN}</script>",
    "a script of another place": f"<script src='data:text/javascript,{_RUN}'></script>",
    "a frame": "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "an object": "<object data='data:text/html,x'></object>",
    "the base of links": "<base href='http://attacker.test/'>",
}


@pytest.mark.parametrize("unescaped", UNESCAPED)
async def test_the_policy_stops_what_was_not_escaped(browser: Browser, unescaped: str) -> None:
    """If one text were not escaped, the page would still run its own scripts alone."""
    refused = False

    async def alter(route: Route) -> None:
        """Answer as the console does, with an element more."""
        response = await route.fetch()
        body = (await response.text()).replace("</head>", f"</head><body>{UNESCAPED[unescaped]}", 1)
        await route.fulfill(response=response, body=body)

    def read(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            nonlocal refused
            refused = True

    async def ended() -> bool:
        return refused or await page.evaluate("() => globalThis.hacked") is not None

    async with running(EASY, _SECRETS) as sidecar, looking(browser, "about:blank", forgives="Content Security") as page:
        page.on("console", read)
        await page.route(f"{sidecar.urls.operator}/", alter, times=1)
        await page.goto(f"{sidecar.urls.operator}/", wait_until="commit")  # what is refused may never load
        await until(ended, "the element was refused, or it ran")
        assert await page.evaluate("() => globalThis.hacked") is None
