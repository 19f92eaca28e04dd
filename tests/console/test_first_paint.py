"""The first paint: the two answers are sent before the rest of the page is rendered."""

import asyncio
import base64
import zlib
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser
from structlog.testing import capture_logs

from sidecar.console.page import pages
from tests.console.stage import Shown, looking, shown
from tests.console.states import CASES
from tests.waiting import HANGS_AFTER_S

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUARTER = next(case for case in CASES if case.name == "90 days")
ANSWERS = (b'id="served"', b'id="verdict"', b'id="actions"')
BELOW = (b'id="ladder"', b'id="time"', b'id="dialog"', b"console.js")


async def _received(it: Shown, coding: str, method: str = "GET") -> tuple[bytes, list[bytes]]:
    """Return the head of a response, and its chunks in order."""
    place = urlsplit(it.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = f"{method} / HTTP/1.1\r\nHost: {place.netloc}\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(HANGS_AFTER_S):
        reported, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    chunks = []
    while body:
        size, _, body = body.partition(b"\r\n")
        chunks.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return reported, chunks


@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_the_answers_are_a_complete_first_chunk(coding: str) -> None:
    """Compressed or not, the browser can paint the first chunk; the rest completes the page."""
    async with shown(QUARTER) as it:
        _, chunks = await _received(it, coding)
    first, rest, end = chunks
    if coding == "gzip":
        unzipping = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        first, rest = unzipping.decompress(first), unzipping.decompress(rest)
        assert unzipping.eof
    assert [part for part in (*ANSWERS, *BELOW) if part in first] == [*ANSWERS]
    assert [part for part in (*ANSWERS, *BELOW) if part in rest] == [*BELOW]
    assert end == b""


async def test_the_first_chunk_is_ahead_only_when_a_browser_opens_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser paints the answers first; a refresh by the script has no delay."""
    monkeypatch.setattr(pages, "AHEAD_S", 3600.0)
    async with shown(QUARTER) as it, aiohttp.ClientSession() as session:
        async with session.get(it.url, headers={"Sec-Fetch-Dest": "empty"}) as refreshed:
            whole = await refreshed.read()
            assert all(part in whole for part in (*ANSWERS, *BELOW))
        async with session.get(it.url, headers={"Sec-Fetch-Dest": "document"}) as opened:
            ahead = await opened.content.readuntil(b'id="actions"')
            assert all(part in ahead for part in ANSWERS)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(opened.content.readuntil(b'id="ladder"'), 0.3)


async def test_the_answers_are_sent_if_the_rest_cannot_be_rendered() -> None:
    """The page states that the rest is missing, the response is cut off, and the error is logged."""
    async with shown(QUARTER) as it:
        busy = next(hour for hour in it.world.state.history.hours if hour.latency)
        busy.latency = [1]  # not as many as there are buckets: the plots cannot be drawn
        with capture_logs() as logs:
            _, chunks = await _received(it, "identity")
        first, rest = chunks  # and no end
        assert all(part in first for part in ANSWERS)
        assert b"could not be rendered" in rest
        assert [(each["event"], each["route"]) for each in logs] == [("http.failed", "/")]
        async with aiohttp.ClientSession() as session, session.get(it.url) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()


async def test_a_head_request_has_the_same_headers_and_no_body() -> None:
    """A monitor may check the status with HEAD."""
    async with shown(QUARTER) as it:
        reported, chunks = await _received(it, "gzip", "HEAD")
        whole, _ = await _received(it, "gzip")
        assert chunks == []
        named = {line.partition(b":")[0] for line in reported.splitlines()}
        assert {line.partition(b":")[0] for line in whole.splitlines()} - named == {b"Transfer-Encoding"}
        assert b"\r\nServer: reverb-sidecar\r\n" in whole


@pytest.mark.parametrize("media", ["screen", "print"])
async def test_every_section_is_in_a_full_page_screenshot(browser: Browser, media: Literal["screen", "print"]) -> None:
    """No section is blank in a screenshot or a print, however far below the window it is."""
    async with shown(QUARTER) as it, looking(browser, it.url, size=(1280, 720)) as page:
        await page.wait_for_selector('#updates[data-state="live"]')
        await page.emulate_media(media=media)
        boxes = await page.evaluate(_BOXES)
        picture = await page.screenshot(full_page=True)
    assert len(boxes) == 9
    reader = await browser.new_page()
    reader.set_default_timeout(HANGS_AFTER_S * 1000)
    try:
        shares = await reader.evaluate(_INKED, {"picture": base64.b64encode(picture).decode(), "boxes": boxes})
    finally:
        await reader.close()
    assert {name: share for name, share in shares.items() if share < 0.005} == {}


_BOXES = """() => [...document.querySelectorAll('main section:not(#actions)')].map((section) => {
    const box = section.getBoundingClientRect();
    return { name: section.id, x: box.x, y: box.y + scrollY, width: box.width, height: box.height };
})"""
_INKED = """async ({ picture, boxes }) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    const inked = ({ x, y, width, height }) => {
        const { data } = canvas.getImageData(x, y + 8, width, height - 8);
        const ground = data.slice(0, 3);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) {
            if (ground.some((value, channel) => Math.abs(data[at + channel] - value) > 40)) count += 1;
        }
        return (4 * count) / data.length;
    };
    return Object.fromEntries(boxes.map((box) => [box.name, inked(box)]));
}"""
"""Returns for each box the share of its pixels that differ from its ground."""


async def test_the_page_uses_few_font_faces(browser: Browser) -> None:
    """The browser loads each size and weight of a font in turn before the first paint."""
    async with shown(QUARTER) as it, looking(browser, it.url) as page:
        faces = await page.evaluate("""[...new Set([...document.querySelectorAll('body *:not(svg *, script)')]
            .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
            .map((each) => getComputedStyle(each))
            .map((style) => `${style.fontFamily} ${style.fontWeight} ${style.fontSize}`))]""")
        assert 5 <= len(faces) <= 8, faces
