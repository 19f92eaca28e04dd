"""The published OpenFeature SDKs and OFREP providers, unmodified, against a sidecar of its own process."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from playwright.async_api import Page, async_playwright

from tests.browser import CHROMIUM as ARGUMENTS
from tests.e2e.processes import OPERATOR_TOKEN, SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.shells.running import event, sign
from tests.waiting import HANGS_AFTER_S

FOLDER = Path(__file__).parent
CHROMIUM = Path(__file__).parents[2] / ".tools" / "chromium"
LEASE_S = 4.0
VALID_S = LEASE_S / 2
CONFIG = LAX.replace("lease: 6s", f"lease: {LEASE_S:g}s")
PUSH, TIMERS = "push_with_safety_net", "timer_polling"
_PAGE = b'<!doctype html><meta charset="utf-8"><title>A dashboard</title><div id="root"></div><script src="/app.js"></script>'


class World:
    """A sidecar of its own process, a relay before it that can be cut, and who pays."""

    def __init__(self, sidecar: SidecarProcess, session: aiohttp.ClientSession, relay: "Relay") -> None:
        self.sidecar, self.session, self.relay = sidecar, session, relay

    async def climb(self) -> None:
        """Make clean payments come until twelve are judged, and wait until push is served.

        On a busy machine one may be read late, and is then unmeasured. Five that were still pending when a sidecar is
        killed would make it rest until another one comes.
        """
        for number in itertools.count(1):
            name = f"pi_{number}"
            await self.sidecar.ack(self.session, stage="delivered", payment_intent=name)
            body = msgspec.json.encode(event(name, livemode=False))
            headers = {"Stripe-Signature": sign(body)}
            await self.session.post(f"{self.sidecar.public}/stripe/webhook", data=body, headers=headers)
            if number >= 12:
                await until(lambda number=number: self._have_ended(number), "all payments have ended")  # type: ignore[misc]
                if await self._judged() >= 12:
                    break
        await self.serves(PUSH)

    async def _have_ended(self, count: int) -> bool:
        return len(self.sidecar.lines("payment.settled")) >= count

    async def _judged(self) -> int:
        async with self.session.get(f"{self.sidecar.operator}/api/status") as answer:
            return int((await answer.json())["judged"])

    async def serves(self, mode: str) -> None:
        """Wait until this mode is answered."""

        async def is_it() -> bool:
            return bool((await self.sidecar.flag(self.session))["mode"] == mode)

        await until(is_it, f"{mode} is served")

    async def roll_back(self) -> None:
        """Make a person roll back."""
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        url = f"{self.sidecar.operator}/api/rollback"
        async with self.session.post(url, json={"reason": "a test"}, headers=headers) as response:
            assert response.status == 200, await response.text()


class Relay:
    """Passes bytes on to a port; connections can be cut, as a proxy or a phone's network does."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> int:
        """Cut every connection; return how many there were."""
        cut = [writer for writer in self._writers if not writer.is_closing()]
        for writer in cut:
            writer.transport.abort()
        return len(cut)

    async def stop(self) -> None:
        """Cut all, and listen no more."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_writer}
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))
        self._writers -= {writer, to_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Run a sidecar that can be killed, behind a relay that can be cut."""
    sidecar = SidecarProcess(folder, CONFIG)
    relay = Relay(sidecar.public_port)
    await relay.start()
    try:
        async with aiohttp.ClientSession() as session:
            with sidecar:
                await sidecar.ready(session)
                yield World(sidecar, session, relay)
    finally:
        await relay.stop()


class Tab:
    """A page with the SDKs in it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def begin(self, url: str, context: dict[str, Any], **options: Any) -> str | None:
        """Set the provider and the context; return why it could not be."""
        asked = {"baseUrl": url, "context": context, "options": options}
        why_not: str | None = await self.page.evaluate("asked => window.begin(asked)", asked)
        return why_not

    async def ask(self) -> dict[str, Any]:
        """Evaluate both flags."""
        got: dict[str, Any] = await self.page.evaluate("() => window.ask()")
        return got

    async def reported(self, event: str) -> list[dict[str, Any]]:
        """Return what the provider reported of this kind, in order."""
        everything: list[dict[str, Any]] = await self.page.evaluate("() => window.reported")
        return [each for each in everything if each["event"] == event]

    async def until(
        self, is_it: Callable[[dict[str, Any]], bool], what: str, within_s: float = HANGS_AFTER_S
    ) -> dict[str, Any]:
        """Evaluate until this is true of it, and return it."""

        async def asked() -> dict[str, Any] | None:
            got = await self.ask()
            return got if is_it(got) else None

        got: dict[str, Any] = await until(asked, what, within_s=within_s)
        return got


def mode(got: dict[str, Any]) -> str:
    """Return the object flag's mode, as somebody reads it who does not look at its lease."""
    return str(got["whole"]["value"]["mode"])


def leased(got: dict[str, Any]) -> str:
    """Return the mode as our client reads it (`modeOf`): what was not renewed in time, or is from a cache, is timers."""
    return str(got["leased"])


@asynccontextmanager
async def tab(folder: Path) -> AsyncIterator[Tab]:
    """Open the page in headless Chromium, from an origin of its own."""
    served = folder / "page"
    served.mkdir()
    (served / "index.html").write_bytes(_PAGE)
    options = ("--bundle", f"--outfile={served}/app.js", "--jsx=automatic", "--log-level=warning")
    bundling = await asyncio.create_subprocess_exec(
        FOLDER / "node_modules/.bin/esbuild",
        FOLDER / "scenario.jsx",
        *options,
        '--define:process.env.NODE_ENV="production"',
    )
    assert await bundling.wait() == 0, "the page could not be bundled"
    site = web.Application()
    site.router.add_static("/", served)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        page = await browser.new_page()
        page.set_default_timeout(HANGS_AFTER_S * 1000)
        await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/index.html")
        try:
            yield Tab(page)
        finally:
            await browser.close()
            await runner.cleanup()
