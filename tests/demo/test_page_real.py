"""A visitor pays in the demo's own world, behind which the real sidecar decides: under each mode, and without a channel."""

import pytest
from playwright.async_api import Browser

from sidecar.core.facts.policy import Mode
from tests.demo.visits import TRIED, VISITS, play

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]
_SAYS = {
    Mode.TIMER_POLLING: "Timers",
    Mode.PUSH_WITH_SAFETY_NET: "Push, with a safety net",
    Mode.PUSH_ONLY: "Push only",
}


async def test_pay_now_goes_away_in_each_mode_and_without_a_channel(browser: Browser) -> None:
    """By what the design says, and never later than by the timers that are there where nothing else is."""
    for visit, seen in await play(browser, VISITS[:TRIED]):
        assert seen.flag.startswith(_SAYS[visit.mode]), (visit, seen)
        assert seen.cleared_by in visit.by, (visit, seen)
        assert seen.refetches <= 3, (visit, seen)
