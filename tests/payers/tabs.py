"""Tabs of headless Chromium: many at once by Playwright, and one that is hidden and frozen as Chromium does it itself.

Playwright tells every page that it has the focus, so that none is ever hidden. The tab that freezes is therefore driven
by Chromium's own protocol (CDP): a second tab comes to the front, the first is hidden and frozen
(`Page.setWebLifecycleState`) and its timers stop, and later it is resumed and shown.
"""

import asyncio
import itertools
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from tests.browser import CHROMIUM as ARGUMENTS
from tests.payers.leaps import Leap
from tests.waiting import HANGS_AFTER_S

CHROMIUM = Path(__file__).parents[2] / ".tools" / "chromium"
"""Debian's; `make .tools/chromium` puts it there."""
SHELL = CHROMIUM.with_name("chromium-headless-shell")
"""Debian's too: the same engine without the windows of a browser, which cost as much as our pages do."""


class Tab(Protocol):
    """A page in a browser."""

    async def open(self, url: str) -> None:
        """Open a URL."""

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""

    async def leaps(self, leap: Leap) -> None:
        """Install clocks in each new page that leap when it calls `leapIn`."""


class PlaywrightTab:
    """A page in a separate context."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, url: str) -> None:
        """Open a URL."""
        await self.page.goto(url)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page; None: it was navigating."""
        try:
            return await self.page.evaluate(expression)
        except PlaywrightError as error:
            if "Execution context was destroyed" not in error.message:
                raise
            return None

    async def leaps(self, leap: Leap) -> None:
        """Install clocks in each new page that leap when it calls `leapIn`."""
        await self.page.add_init_script(leap.script)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run one headless Chromium for many contexts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=SHELL, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


class FreezableTab:
    """The only page of a Chromium of its own, driven by CDP."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._lock = asyncio.Lock()

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        async with self._lock:
            number = next(self._numbers)
            await self._socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
            async with asyncio.timeout(HANGS_AFTER_S):
                while True:
                    said = json.loads(await self._socket.receive_str())
                    if said.get("id") == number:
                        assert "error" not in said, said
                        result: dict[str, Any] = said["result"]
                        return result

    async def open(self, url: str) -> None:
        """Open a URL."""
        await self.send("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        said = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def leaps(self, leap: Leap) -> None:
        """Install clocks in each new page that leap when it calls `leapIn`."""
        await self.send("Page.addScriptToEvaluateOnNewDocument", source=leap.script)

    async def freeze(self) -> None:
        """Put another tab in front, and freeze this one: it runs nothing more."""
        await self.send("Target.createTarget", url="about:blank")
        await self.send("Page.setWebLifecycleState", state="frozen")

    async def thaw(self) -> None:
        """Put it in front, and resume it: between the two no timer of a hidden page may run."""
        await self.send("Page.bringToFront")
        await self.send("Page.setWebLifecycleState", state="active")


@asynccontextmanager
async def freezable_tab() -> AsyncIterator[FreezableTab]:
    """Run a headless Chromium with one page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        child = await asyncio.create_subprocess_exec(
            CHROMIUM,
            "--headless=new",
            *ARGUMENTS,
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession() as session:
                async with asyncio.timeout(HANGS_AFTER_S):
                    url = await _page_of(session, Path(profile) / "DevToolsActivePort")
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    tab = FreezableTab(socket)
                    await tab.send("Page.enable")
                    yield tab
        finally:
            child.terminate()
            await child.wait()


async def _page_of(session: aiohttp.ClientSession, port_file: Path) -> str:
    """Return the address of the page's protocol, once Chromium has written its port."""
    while not port_file.exists() or not port_file.read_text():  # noqa: ASYNC110, ASYNC240 - a file of another process
        await asyncio.sleep(0.05)
    port = port_file.read_text().splitlines()[0]  # noqa: ASYNC240
    while True:
        async with session.get(f"http://127.0.0.1:{port}/json") as response:
            targets = await response.json(content_type=None)
        pages = [each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page"]
        if pages:
            return str(pages[0])
        await asyncio.sleep(0.05)
