"""Fixtures: one headless Chromium per file, and one journal of a climbed world for all tests."""

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
    """Return the journal of a world that has climbed to push with a safety net for everybody."""
    own = tmp_path_factory.getbasetemp()
    return climbed_once(own if worker_id == "master" else own.parent)
