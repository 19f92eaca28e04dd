"""One Chromium for all tests of a file that needs one."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.payers.tabs import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Run a headless Chromium."""
    async with chromium() as it:
        yield it
