"""The console in a browser: reading with a token, and attacks from pages of other origins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, Route, expect

from sidecar.config import Console, Reading
from tests.console.stage import looking
from tests.e2e.processes import OPERATOR_TOKEN, READ_TOKEN
from tests.shells.running import Running, running
from tests.shells.test_flag import EASY
from tests.shells.test_guard import console
from tests.shells.test_operator import WHY
from tests.waiting import HANGS_AFTER_S

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop


@asynccontextmanager
async def elsewhere(body: str) -> AsyncIterator[str]:
    """Serve a page of another origin; yield its URL."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=f"<!doctype html><title>elsewhere</title>{body}", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port, *_ = runner.addresses[0]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


async def test_a_browser_reads_with_a_token_as_basic_password(browser: Browser) -> None:
    """Page, assets and live updates work with a token that is entered once, and not without."""
    async with running(console(reading=Reading.TOKEN)) as sidecar:
        context = await browser.new_context(http_credentials={"username": "ann", "password": READ_TOKEN})
        context.set_default_timeout(HANGS_AFTER_S * 1000)
        try:
            page = await context.new_page()
            answer = await page.goto(sidecar.urls.operator)
            assert answer is not None
            assert answer.status == 200
            await expect(page.locator("#updates")).to_have_attribute("data-state", "live")
            assert (await sidecar.act("hold", WHY))[0] == 200
            await expect(page.locator("#action-resume")).to_be_visible()
        finally:
            await context.close()
        context = await browser.new_context()
        context.set_default_timeout(HANGS_AFTER_S * 1000)
        try:
            page = await context.new_page()
            answer = await page.goto(sidecar.urls.operator)  # there is nobody to ask
            assert answer is not None
            assert answer.status == 401
            assert await page.locator("#updates").count() == 0
        finally:
            await context.close()


# fmt: off
ATTACKS = {
    "a fetch":                 "await fetch('{url}/api/hold', {{method: 'POST', mode: 'no-cors', body: '{body}'}})",
    "a fetch with a token":    "await fetch('{url}/api/hold', {{method: 'POST', body: '{body}', "
                               "headers: {{Authorization: 'Bearer {token}'}}}})",
    "a beacon":                "navigator.sendBeacon('{url}/api/hold', '{body}')",
    "reading":                 "await (await fetch('{url}/api/status')).text()",
    "reading without a word":  "await fetch('{url}/api/status', {{mode: 'no-cors'}})",
    "a form":                  "await new Promise(done => {{ document.body.innerHTML = `<iframe name=here></iframe><form "
                               "method=post enctype=text/plain target=here action={url}/api/hold><input name='{body}'></form>`;"
                               " document.querySelector('iframe').onload = () => done(true); document.forms[0].submit() }})",
    "a script":                "await new Promise(done => document.head.append(Object.assign(document.createElement('script'), "
                               "{{src: '{url}/api/status', onload: () => done('ran'), onerror: () => done(true)}})))",
    "a picture":               "await new Promise(done => Object.assign(new Image(), {{src: '{url}/assets/icon.svg', "
                               "onload: () => done('shown'), onerror: () => done(true)}}))",
    "live updates":            "await new Promise(done => Object.assign(new EventSource('{url}/api/stream'), "
                               "{{onopen: () => done('open'), onerror() {{ this.close(); done(true) }}}}))",
}
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_page_of_another_origin_can_neither_act_nor_read(browser: Browser, attack: str) -> None:
    """Even with a token: operator actions are accepted from this origin and from programs only."""
    async with running(EASY) as sidecar, elsewhere("") as url, looking(browser, url, forgives="") as page:
        body = '{"reason":"x"}'
        script = ATTACKS[attack].format(url=sidecar.urls.operator, body=body, token=OPERATOR_TOKEN)
        answers = []
        page.on("response", lambda response: answers.append(response.status))
        read = await page.evaluate(f"async () => {{ try {{ return {script} }} catch (error) {{ return 'kept out' }} }}")
        assert read in {"kept out", True} or not read or "no-cors" in script, read
        assert set(answers) <= {403}
        assert (await sidecar.status())["holds"] == []


async def _framed(page: Page, sidecar: Running) -> str:
    frame = page.frame(url=lambda url: url.startswith((sidecar.urls.operator, "chrome-error")))
    return await frame.content() if frame is not None else ""


FRAMES = {
    "a frame": '<iframe src="{url}/" width="800" height="600"></iframe>',
    "a frame that is transparent": '<iframe src="{url}/" style="opacity: 0; position: fixed; inset: 0"></iframe>',
    "a frame without an origin": '<iframe src="{url}/" sandbox="allow-scripts allow-forms"></iframe>',
    "an object": '<object data="{url}/" type="text/html" width="800" height="600"></object>',
    "an embedded page": '<embed src="{url}/" type="text/html" width="800" height="600">',
    "a page of decisions": '<iframe src="{url}/decisions"></iframe>',
    "an address that is nowhere": '<iframe src="{url}/nowhere"></iframe>',
}


@pytest.mark.parametrize("frame", FRAMES)
async def test_the_console_cannot_be_framed(browser: Browser, frame: str) -> None:
    """Framing would allow clickjacking of the roll-back button."""
    async with running(EASY) as sidecar, elsewhere("") as url, looking(browser, url, forgives="") as page:
        async with page.expect_response(f"{sidecar.urls.operator}/**") as answered:
            await page.evaluate(
                "html => document.body.insertAdjacentHTML('beforeend', html)",
                FRAMES[frame].format(url=sidecar.urls.operator),
            )
        answer = await answered.value
        assert "DENY" in (await answer.all_headers())["x-frame-options"]
        await page.wait_for_load_state("networkidle")
        assert "Roll back" not in await _framed(page, sidecar)


async def test_dns_rebinding_reads_nothing(browser: Browser) -> None:
    """After rebinding both pages have one origin, so the host name is checked."""
    async with running(EASY) as sidecar, looking(browser, "about:blank", forgives="") as page:
        answers = []

        async def rebound(route: Route) -> None:
            """Send a request as a browser does after DNS rebinding."""
            headers = await route.request.all_headers() | {"host": "rebound.attacker.test"}
            response = await route.fetch(url=f"{sidecar.urls.operator}/api/status", headers=headers)
            answers.append(response.status)
            await route.fulfill(response=response)

        await page.route("http://rebound.attacker.test/**", rebound)
        await page.goto("http://rebound.attacker.test/api/status")
        assert answers == [403]
        assert "host_refused" in await page.content()


async def test_a_link_from_elsewhere_opens_the_console(browser: Browser) -> None:
    """A notification, a runbook or Grafana links to it."""
    async with running(console(hosts=Console().hosts)) as sidecar:
        link = f'<a href="{sidecar.urls.operator}/">console</a>'
        async with elsewhere(link) as url, looking(browser, url, forgives="") as page:
            await page.get_by_role("link").click()
            await expect(page.locator("#served")).to_be_visible()
