"""A shift with the keyboard alone, and one at 200 % zoom: hold, approve, freeze, thaw and roll back."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.faults import faults, sideways
from tests.console.stage import looking
from tests.e2e.processes import OPERATOR_TOKEN
from tests.shells.running import Running, running
from tests.shells.test_flag import EASY, climb

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop
ZOOMED = (640, 400)
"""What a window of 1280 by 800 has at 200 %: CSS pixels are twice as large."""
TABS_MAX = 60


async def _tab_to(page: Page, element: str) -> None:
    """Press Tab until this element has the focus, and check that it is seen and outlined."""
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == element:
            break
    focused = page.locator(":focus")
    await expect(focused).to_have_id(element)
    box = await focused.bounding_box()
    size = page.viewport_size
    assert box is not None
    assert size is not None
    assert 0 <= box["y"] <= size["height"], f"{element} is outside the window"
    assert await focused.evaluate("(element) => getComputedStyle(element).outlineStyle") != "none", element


async def _is_sound(page: Page) -> None:
    assert await faults(page) == []
    assert await sideways(page) == 0


async def _press_through(page: Page, element: str, *, fields: tuple[tuple[str, str], ...] = ()) -> None:
    """Do one action with the keyboard: reach its button, fill in what it asks, and send and close it."""
    await _tab_to(page, element)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await _is_sound(page)
    for field, text in fields:
        if await page.evaluate("document.activeElement.id") != field:
            await _tab_to(page, field)
        await page.keyboard.type(text)
    if await page.evaluate("document.activeElement.id") != "reason":
        await _tab_to(page, "reason")
    await page.keyboard.type("on shift")
    if await page.locator("#token").is_visible():
        await _tab_to(page, "token")
        await page.keyboard.type(OPERATOR_TOKEN)
    await _tab_to(page, "dialog-submit")
    await page.keyboard.press("Enter")
    if await page.locator("#dialog-confirmation").is_visible():
        await expect(page.locator(":focus")).to_have_text("No")
        await _is_sound(page)
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
    await expect(page.locator("#dialog-title")).to_contain_text("Done")
    await _is_sound(page)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def _shift(page: Page, sidecar: Running) -> None:
    await climb(sidecar)
    await expect(page.locator("#action-approve")).to_be_visible()
    await _press_through(page, "action-hold")
    (hold,) = (await sidecar.status())["holds"]
    assert hold["reason"] == "on shift"
    await _press_through(page, "action-approve")
    assert (await sidecar.status())["approval"]["rung"] == 2
    await _freeze(page)
    await expect(page.locator("#action-thaw-term")).to_be_visible()
    await _press_through(page, "action-thaw-term")
    await _press_through(page, "action-rollback")
    await expect(page.locator("#served .headline")).to_have_text("Timers")
    assert len((await sidecar.status())["holds"]) == 2


async def _freeze(page: Page) -> None:
    """Freeze weekly: its fields are a name, a choice, days and a date."""
    await _tab_to(page, "action-freeze")
    await page.keyboard.press("Enter")
    await page.keyboard.type("term")
    for _ in range(2):  # the tick of `replace`, and the choice of the window
        await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("#window-weekly")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await _tab_to(page, "weekly-expires")
    month, day, year = await page.evaluate(
        "new Intl.DateTimeFormat('en-US', {month: '2-digit', day: '2-digit', year: 'numeric'})"
        ".format(Date.now() + 30 * 86400e3).split('/')"
    )
    await page.keyboard.type(f"{month}{day}{year}")
    await _is_sound(page)
    await _tab_to(page, "reason")
    await page.keyboard.type("pupils return")
    await page.keyboard.press("Tab")
    await _tab_to(page, "dialog-submit")
    await page.keyboard.press("Enter")
    await expect(page.locator("#dialog-title")).to_contain_text("Done")
    await page.keyboard.press("Escape")


@pytest.mark.parametrize("size", [(1280, 800), ZOOMED], ids=["100 %", "200 %"])
async def test_a_shift_needs_the_keyboard_alone(browser: Browser, size: tuple[int, int]) -> None:
    """Every control is reached with Tab, is in the window and outlined when it has the focus, and axe finds nothing."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator, size=size) as page:
        await _shift(page, sidecar)
