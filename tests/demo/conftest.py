"""One headless Chromium for all tests of a file that look at the pages, and one world that has climbed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from sidecar.demo.show import folder_for
from sidecar.demo.watching import is_push
from sidecar.demo.world import World
from tests.demo.worlds import HEADLESS, live
from tests.payers.tabs import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Return the browser."""
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def climbed() -> Iterator[Path]:
    """Return the journal of a world that has climbed until everybody is served push, with a safety net."""

    async def climb(world: World) -> None:
        assert await world.watching.until(is_push, 1800), "it climbs"

    with folder_for(HEADLESS) as folder:
        live(folder, climb)
        yield folder / "demo.db"
