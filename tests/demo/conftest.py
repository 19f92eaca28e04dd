"""One headless Chromium for all tests of a file that look at the pages, and one world that has climbed for all tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.demo.sharing import climbed_once
from tests.payers.tabs import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Return the browser."""
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def climbed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the journal of a world that has climbed until everybody is served push, with a safety net."""
    own = tmp_path_factory.getbasetemp()
    return climbed_once(own if worker_id == "master" else own.parent)
