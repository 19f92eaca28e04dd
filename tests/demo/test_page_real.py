"""A visitor pays in the demo's world, with the real sidecar: in each mode, and without a channel."""

import pytest
from playwright.async_api import Browser

from sidecar.wording import MODES
from tests.demo.visits import VISITS, play

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]


async def test_pay_now_is_cleared_in_each_mode_and_without_a_channel(browser: Browser) -> None:
    """The designed refetch clears it, with at most three refetches."""
    for visit, seen in await play(browser, VISITS):
        assert seen.flag.startswith(MODES[visit.mode].label), (visit, seen)
        assert seen.cleared_by in visit.by, (visit, seen)
        assert seen.refetches <= 3, (visit, seen)
