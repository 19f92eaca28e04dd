"""One Chromium for all tests of a file."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.payers.tabs import chromium
from tests.waiting import HANGS_AFTER_S

expect.set_options(timeout=HANGS_AFTER_S * 1000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Run a headless Chromium."""
    async with chromium() as it:
        yield it
