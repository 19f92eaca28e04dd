"""Open the demo's pages in headless Chromium, and record their errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page

from tests.waiting import HANGS_AFTER_S

AXE = Path(__file__).parents[1] / "browser" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = {360: 780, 1440: 900, 2560: 1440}
"""Viewport widths of the tests, with their heights."""
_NOTES = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));
"""


class Opened:
    """An open page, and its errors."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        """Errors and warnings of its console, and uncaught exceptions."""
        self.hosts: set[str] = set()
        """Hosts that it sent requests to."""
        page.on("console", lambda entry: self.complaints.append(entry.text) if entry.type != "log" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2].split(":")[0]))

    async def ready(self) -> None:
        """Wait until it has rendered."""
        await self.page.wait_for_selector("body[data-ready]")

    async def text(self, selector: str) -> str:
        """Return an element's text."""
        return await self.page.inner_text(selector)

    async def shows(self, selector: str, words: str, *, within_s: float = HANGS_AFTER_S) -> None:
        """Wait until an element's text contains words."""
        await self.page.wait_for_function(
            "([selector, words]) => document.querySelector(selector)?.innerText.includes(words)",
            arg=[selector, words],
            timeout=within_s * 1000,
        )

    async def axe(self) -> list[str]:
        """Return the violations that axe-core finds."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert found["passes"], "axe did not run"
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]

    async def violations(self) -> Any:
        """Return the violations of the page's Content Security Policy."""
        return await self.page.evaluate("window.violations")


@asynccontextmanager
async def opened(
    browser: Browser,
    url: str,
    *,
    width: int = 1440,
    scheme: Literal["light", "dark"] = "light",
    motion: Literal["reduce", "no-preference"] = "reduce",
    bypass_policy: bool = False,
) -> AsyncIterator[Opened]:
    """Open a page in a new context."""
    context = await browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]},
        color_scheme=scheme,
        reduced_motion=motion,
        bypass_csp=bypass_policy,
    )
    context.set_default_timeout(HANGS_AFTER_S * 1000)
    await context.add_init_script(_NOTES)
    tab = Opened(await context.new_page())
    await tab.page.goto(url)
    await tab.ready()
    yield tab
    await context.close()
