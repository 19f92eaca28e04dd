"""Faults of a page: accessibility violations, and content that does not fit its window."""

from playwright.async_api import Page

from tests.console.stage import AXE


async def faults(page: Page, *rules: str) -> list[str]:
    """Return the violations that axe finds, for these rules or for all."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    only = {"runOnly": list(rules)} if rules else {}
    found = await page.evaluate("(only) => axe.run(document, {...only, resultTypes: ['violations']})", only)
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]


async def squeezed(page: Page) -> list[str]:
    """Return the labels that are narrower than a word."""
    labels = await page.evaluate(
        "[...document.querySelectorAll('.gate-label, .rung-name, .log-what, .lane-name, dt, dd')]"
        ".filter((label) => label.getClientRects().length && label.getBoundingClientRect().width < 60)"
        ".map((label) => label.textContent)"
    )
    return [str(label) for label in labels]


async def sideways(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width
