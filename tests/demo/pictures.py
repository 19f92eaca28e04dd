"""The README's pictures, from the real page of the real demo: `python -m tests.demo.pictures` (some minutes).

It runs `sidecar demo`, starts the story, takes a screenshot as each step is done, and writes `docs/pictures/flow.webp`
and `docs/pictures/story.webp`. With `--url` it uses a running demo.
"""

import argparse
import asyncio
import base64
import html
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from tests.payers.tabs import chromium

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
BYTES_MAX = 300_000
_STEP_WITHIN_S = 1200
_QUALITY = 82
_FLOW = "footer, header, .card:not(.flow) { display: none !important } main { padding: 0 }"
_TABLE = """
html { font-size: 21px } header, footer, .card:not(.table) { display: none !important } h2 { display: none }
main, .mid { display: block !important; padding: 0 !important } .card { border: 0 }
"""
_STEP = """
html { font-size: 22px } body { font-size: 20px }
header, footer, .flow, .side, .mid, .switches, .answer:nth-child(n+3), #gates, #gates-title, #gates-hint, .ladder h2 { display: none !important }
main { display: block !important; padding: 0 !important } .card { border-radius: 0; border-width: 0 }
.answers { grid-template-columns: 1fr; gap: .4rem } .answer { min-height: 0 } .answer + .answer h2 { display: none }
.verdict { border-left-width: 10px; min-height: 10.5rem } .rungs { margin: 0; grid-auto-flow: column; grid-auto-columns: 1fr }
.rung { min-height: 6.3rem !important }
"""
_SHEET = """
body { margin: 0; padding: 20px; width: 1560px; background: #f4f5f7; color: #151a21; font: 22px/1.35 system-ui, sans-serif;
       display: grid; grid-template-columns: 1fr 1fr; gap: 20px; box-sizing: border-box }
figure { margin: 0; background: #fff; border: 2px solid #d6dce3; border-radius: 16px; overflow: hidden }
figcaption { padding: 14px 18px 10px; border-bottom: 2px solid #d6dce3 } b { font-size: 26px } i { font-style: normal; color: #515d6b; display: block }
img { width: 100%; display: block }
"""


@asynccontextmanager
async def _demo() -> AsyncIterator[str]:
    """Run the demo, and yield the URL of its page."""
    ports = [
        option
        for name in ("port", "operator-port", "page-port", "reverb-port", "app-port")
        for option in (f"--{name}", "0")
    ]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sidecar", "demo", *ports, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert child.stdout is not None
    output = child.stdout
    try:
        output_text = ""
        async with asyncio.timeout(60):
            while not (found := re.search(r"Open\s+(http://\S+)", output_text)):
                output_text += (await output.readline()).decode()
        draining = asyncio.create_task(output.read())
        yield found[1]
        draining.cancel()
    finally:
        child.terminate()
        await child.wait()


async def _opened(browser: Browser, url: str, width: int, style: str) -> Page:
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, reduced_motion="reduce", bypass_csp=True
    )
    page = await context.new_page()
    await page.goto(url)
    await page.wait_for_selector("body[data-ready]")
    await page.add_style_tag(content=style)
    return page


async def _shot(page: Page, selector: str, *, scale: float = 1.5) -> bytes:
    """Return a picture of an element as WebP, by Chromium's protocol: Playwright has no WebP."""
    session = await page.context.new_cdp_session(page)
    box = await page.locator(selector).bounding_box()
    assert box is not None
    taken: dict[str, Any] = await session.send(
        "Page.captureScreenshot",
        {"format": "webp", "quality": _QUALITY, "clip": {**box, "scale": scale}, "captureBeyondViewport": True},
    )
    return base64.b64decode(taken["data"])


def _figure(number: int, title: str, text: str, picture: bytes) -> str:
    data = base64.b64encode(picture).decode()
    caption = f"<b>{number}. {html.escape(title)}</b><i>{html.escape(text.replace('`', ''))}</i>"
    return f'<figure><figcaption>{caption}</figcaption><img src="data:image/webp;base64,{data}" alt=""></figure>'


async def _sheet(browser: Browser, figures: list[str]) -> bytes:
    page = await browser.new_page(viewport={"width": 1560, "height": 900})
    await page.set_content(f"<!doctype html><style>{_SHEET}</style>{''.join(figures)}", wait_until="load")
    return await _shot(page, "body", scale=1)


async def _take(url: str) -> dict[str, bytes]:
    pictures, figures = {}, []
    async with chromium() as browser:
        step_page = await _opened(browser, url, 760, _STEP)
        flow_page = await _opened(browser, url, 1000, _FLOW)
        table_page = await _opened(browser, url, 760, _TABLE)
        steps = await step_page.evaluate("fetch('/world').then((answer) => answer.json()).then(({ story }) => story)")
        await step_page.evaluate("document.getElementById('start').click()")
        for number, step in enumerate(steps, start=1):
            await step_page.wait_for_selector(
                f"#steps li[data-key='{step['key']}'][data-is='done']", state="attached", timeout=_STEP_WITHIN_S * 1000
            )
            figures.append(_figure(number, step["title"], step["text"], await _shot(step_page, "main")))
            if step["key"] == "recover":  # push is served, and the next step has no fault
                pictures["flow.webp"] = await _shot(flow_page, "#flow", scale=2)
        measured = await _shot(table_page, ".table")
        figures.append(
            _figure(
                len(steps) + 1,
                "Measured",
                "Timers beside push, over the whole story, its outages included.",
                measured,
            )
        )
        pictures["story.webp"] = await _sheet(browser, figures)
    return pictures


async def main(url: str | None, folder: Path) -> None:
    """Take and write the pictures."""
    if url is None:
        async with _demo() as started:
            pictures = await _take(started)
    else:
        pictures = await _take(url)
    for name, picture in pictures.items():
        assert len(picture) < BYTES_MAX, f"{name} has {len(picture)} bytes"
        (folder / name).write_bytes(picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of a demo's page")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    asyncio.run(main(given.url, given.folder))
