"""One headless Chromium for all tests of a file that look at the pages."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.payers.tabs import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Return the browser."""
    async with chromium() as browser:
        yield browser
