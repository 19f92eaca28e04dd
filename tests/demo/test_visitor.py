"""A visitor pays in the demo with a real browser while push is served: "Pay now" is cleared with each fault."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser

from tests.demo.browsing import Opened, opened
from tests.demo.sharing import copy_journal
from tests.e2e.processes import free_port, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


class _Visited:
    """A world over HTTP, as its page reads it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self._session = url, session

    async def seen(self) -> dict[str, Any]:
        """Return the view; empty: there is no answer yet."""
        try:
            async with self._session.get(f"{self.url}/world") as response:
                seen: dict[str, Any] = await response.json()
                return seen
        except aiohttp.ClientError:
            return {}

    async def serves(self, mode: str) -> bool:
        """Return whether everybody is served this mode."""
        seen = await self.seen()
        return bool(seen) and seen["flag"]["mode"] == mode and seen["flag"]["reason"] in {"current_rung", "no_sidecar"}

    async def turn(self, key: str, *, on: bool) -> None:
        """Turn a switch."""
        async with self._session.post(f"{self.url}/switches/{key}", json={"on": on}) as response:
            assert response.status == 204


@asynccontextmanager
async def _visited(journal: Path, folder: Path) -> AsyncIterator[_Visited]:
    copy_journal(journal, folder / "demo.db")
    port = free_port()
    command = [sys.executable, "-m", "tests.demo.visited", str(folder), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - started once
    try:
        async with aiohttp.ClientSession() as session:
            yield _Visited(f"http://127.0.0.1:{port}", session)
    finally:
        process.kill()
        process.wait()


async def _pays(tab: Opened, world: _Visited) -> str:
    """Pay, check that the world runs at real speed meanwhile, and return the page's summary."""
    await tab.page.wait_for_selector('#alert[data-is="unpaid"]')
    await tab.page.click("#pay")

    async def is_slow() -> bool:
        return bool((await world.seen())["speed"] == 1)

    await until(is_slow, "the world runs at real speed")
    await tab.page.wait_for_selector('#alert[data-is="paid"]')
    summary = await tab.text("#summary")
    await tab.page.click("#book")
    return summary


async def test_pay_now_is_cleared_with_push_without_reverb_and_without_a_sidecar(
    browser: Browser, climbed: Path, tmp_path: Path
) -> None:
    """The push clears it; without Reverb or without an answer from the flag, timers do."""
    async with _visited(climbed, tmp_path) as world:
        await until(lambda: world.serves("push_with_safety_net"), "push is served")
        async with opened(browser, f"{world.url}/payer") as tab:
            await tab.shows("#channel", "subscribed")
            await tab.shows("#flag", "Push")
            assert "by a push" in await _pays(tab, world)
            seen = await world.seen()
            own = next(payer for payer in seen["payers"] if payer["is_visitor"])
            assert (own["cleared_ms"] is not None, own["cleared_by"]) == (True, "push")

            await world.turn("reverb_gone", on=True)
            await tab.shows("#channel", "not connected")
            summary = await _pays(tab, world)
            assert "was cleared after" in summary
            assert "by a push" not in summary
            await world.turn("reverb_gone", on=False)
            await tab.shows("#channel", "subscribed")

            await world.turn("sidecar_killed", on=True)
            await until(lambda: world.serves("timer_polling"), "the sidecar does not answer")
            assert "was cleared after" in await _pays(tab, world)
