"""Take screenshots of the console in every state: `python -m tests.console.pictures FOLDER [STATE ...]`."""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Browser

from tests.console.stage import NARROW, WIDE, WIDEST, looking, shown
from tests.console.states import CASES, Case
from tests.payers.tabs import chromium

SIZES = {"narrow": NARROW, "wide": WIDE, "widest": WIDEST}


async def _take(browser: Browser, case: Case, folder: Path) -> None:
    async with shown(case) as it:
        for size, pixels in SIZES.items():
            for dark in (False, True):
                name = f"{case.name.replace(' ', '-')}-{size}-{'dark' if dark else 'light'}"
                async with looking(browser, it.url, size=pixels, dark=dark) as page:
                    await page.wait_for_selector('#updates[data-state="live"]')
                    await page.screenshot(path=folder / f"{name}.png", full_page=True)
        async with looking(browser, it.url) as page:
            await page.emulate_media(media="print")
            await page.set_viewport_size({"width": 794, "height": 1123})
            await page.screenshot(path=folder / f"{case.name.replace(' ', '-')}-print.png", full_page=True)


async def main(folder: Path, names: list[str]) -> None:
    """Take the screenshots of these states, or of all."""
    async with chromium() as browser:
        for case in CASES:
            if not names or case.name in names:
                await _take(browser, case, folder)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
