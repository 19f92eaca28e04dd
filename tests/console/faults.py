"""What is wrong with a page: what axe finds, and what does not fit its window."""

from playwright.async_api import Page

from tests.console.stage import AXE


async def faults(page: Page) -> list[str]:
    """Return what axe finds."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]


async def squeezed(page: Page) -> list[str]:
    """Return the labels that have no room for a word, because a grid put them into a column that is not theirs."""
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
