"""What the first paint waits for: the two answers, which leave before the rest is made, and little else."""

import asyncio
import zlib
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser
from structlog.testing import capture_logs

from sidecar.console.page import pages
from tests.console.stage import Shown, looking, shown
from tests.console.states import CASES
from tests.e2e.processes import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUARTER = next(case for case in CASES if case.name == "90 days")
ANSWERS = (b'id="served"', b'id="verdict"', b'id="actions"')
BELOW = (b'id="ladder"', b'id="time"', b'id="dialog"', b"console.js")


async def _received(it: Shown, coding: str, method: str = "GET") -> tuple[bytes, list[bytes]]:
    """Return an answer's head, and its chunks as they came."""
    place = urlsplit(it.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = f"{method} / HTTP/1.1\r\nHost: {place.netloc}\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(10):
        told, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    chunks = []
    while body:
        size, _, body = body.partition(b"\r\n")
        chunks.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return told, chunks


@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_the_answers_are_a_piece_that_can_be_read_before_the_rest(coding: str) -> None:
    """Compressed or not: a browser paints what it has, and the rest ends the page."""
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


async def test_who_opens_the_page_has_the_answers_for_a_moment_before_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the browser paints them, and does not lay out all of it first; who refreshes it need not wait."""
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


async def test_the_answers_have_left_when_the_rest_cannot_be_made() -> None:
    """A person reads what is so and that the rest is not there, a script that the answer was cut off, and the log why."""
    async with shown(QUARTER) as it:
        busy = next(hour for hour in it.world.state.history.hours if hour.latency)
        busy.latency = [1]  # not as many as there are buckets: the plots cannot be drawn
        with capture_logs() as logs:
            _, chunks = await _received(it, "identity")
        first, rest = chunks  # and no end
        assert all(part in first for part in ANSWERS)
        assert b"could not be made" in rest
        assert [(each["event"], each["route"]) for each in logs] == [("http.failed", "/")]
        async with aiohttp.ClientSession() as session, session.get(it.url) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()


async def test_who_asks_for_the_head_gets_no_more() -> None:
    """And the same one: a monitor may look at its status."""
    async with shown(QUARTER) as it:
        told, chunks = await _received(it, "gzip", "HEAD")
        whole, _ = await _received(it, "gzip")
        assert chunks == []
        named = {line.partition(b":")[0] for line in told.splitlines()}
        assert {line.partition(b":")[0] for line in whole.splitlines()} - named == {b"Transfer-Encoding"}
        assert b"\r\nServer: reverb-sidecar\r\n" in whole


async def test_what_is_far_below_the_window_is_laid_out_once_somebody_comes_near(browser: Browser) -> None:
    """A link leads there all the same, and on paper everything is there."""
    async with shown(QUARTER) as it, looking(browser, it.url, size=(1280, 720)) as page:
        is_laid_out = "document.querySelector('#log h2').checkVisibility({contentVisibilityAuto: true})"
        await page.wait_for_selector('#updates[data-state="live"]')
        assert not await page.evaluate(is_laid_out)
        await page.emulate_media(media="print")
        await until(lambda: page.evaluate(is_laid_out), "it is there on paper")
        await page.emulate_media(media="screen")
        await page.get_by_role("link", name="Log", exact=True).click()
        await until(lambda: page.evaluate(is_laid_out), "it is there for who came near")
        box = await page.locator("#log h2").bounding_box()
        assert box is not None
        assert 0 < box["y"] < 200


async def test_all_words_are_written_with_few_faces(browser: Browser) -> None:
    """The browser asks the system for each size and weight of a font, one after the other, before it paints anything."""
    async with shown(QUARTER) as it, looking(browser, it.url) as page:
        faces = await page.evaluate("""[...new Set([...document.querySelectorAll('body *:not(svg *, script)')]
            .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
            .map((each) => getComputedStyle(each))
            .map((style) => `${style.fontFamily} ${style.fontWeight} ${style.fontSize}`))]""")
        assert 5 <= len(faces) <= 8, faces
