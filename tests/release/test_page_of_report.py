"""The report in a browser: narrow and wide, light and dark, printed, without external requests."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from sidecar.console.report import page
from tests.console.faults import faults, sideways
from tests.console.stage import NARROW, WIDE, looking
from tests.release.test_report import evil
from tests.waiting import HANGS_AFTER_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a complete report, and return its address."""
    written: Path = tmp_path_factory.mktemp("report") / "report.html"
    written.write_text(page(evil()), encoding="utf-8")
    return written.as_uri()


@pytest.mark.parametrize(("size", "dark"), [(NARROW, False), (NARROW, True), (WIDE, False), (WIDE, True)])
async def test_the_report_fits_and_has_no_accessibility_violation(
    browser: Browser, address: str, size: tuple[int, int], *, dark: bool
) -> None:
    """At 360 px and at 1440 px, light and dark."""
    async with looking(browser, address, size=size, dark=dark) as shown:
        assert await sideways(shown) == 0
        assert await faults(shown) == []
        seen = await shown.locator(".plot svg").evaluate_all(
            "(all) => all.filter((one) => one.checkVisibility()).length"
        )
        assert seen == 4


async def test_texts_of_people_are_escaped(browser: Browser, address: str) -> None:
    """The page sends no request and runs no script."""
    context = await browser.new_context()
    context.set_default_timeout(HANGS_AFTER_S * 1000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    shown = await context.new_page()
    shown.on("dialog", lambda dialog: asked.append(dialog.message))
    await shown.goto(address)
    assert asked == [address]
    assert await shown.locator("script, a, img").count() == 0
    assert await shown.get_by_text("<script>alert(1)</script>").count() >= 3
    await context.close()


async def test_the_report_is_printable(browser: Browser, address: str) -> None:
    """On white, with its plots, also with a dark colour scheme."""
    context = await browser.new_context(color_scheme="dark")
    context.set_default_timeout(HANGS_AFTER_S * 1000)
    shown = await context.new_page()
    await shown.goto(address)
    printed = await shown.pdf(format="A4")
    await shown.emulate_media(media="print")
    assert 3 <= printed.count(b"/Type /Page\n") <= 15
    assert await shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    await context.close()
