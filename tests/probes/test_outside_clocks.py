"""Other clocks: what whole seconds and unknown ways allow to say of ours, and no more."""

import math
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.probes.auth_probe import AuthProber
from sidecar.probes.browser import Browser
from sidecar.probes.outside_clocks import LASTS_S, OutsideClocks
from tests.hands import Hands, hands
from tests.probes.world import world

NOON_S = 1_800_000_000


@pytest.fixture
def ours() -> Iterator[Hands]:
    """Put our clock's hands where a test wants them."""
    with hands(wall_ms=NOON_S * 1000) as ours:
        yield ours


def known(clocks: OutsideClocks) -> dict[str, float]:
    """Return the bounds that are known."""
    return {
        f"{reference} {bound}": value for (reference, bound), value in clocks.bounds().items() if not math.isnan(value)
    }


def test_before_anybody_told_nothing_is_known(ours: Hands) -> None:
    """Not 0, which would be the best that there is."""
    assert known(OutsideClocks()) == {}
    assert len(list(OutsideClocks().bounds())) == 3
    del ours


def test_a_webhook_says_only_how_far_ahead_we_are_at_most(ours: Hands) -> None:
    """It may have been on its way for long, so the fastest says most; signed after it came, our clock is behind."""
    clocks = OutsideClocks()
    for after_ms, at_most in ((2500, 2.5), (400, 0.4), (9000, 0.4), (-3000, -3.0)):
        ours.wall = NOON_S * 1000 + after_ms
        clocks.signed(NOON_S)
        assert known(clocks) == {"stripe most": at_most}


def test_an_answer_is_made_between_the_question_and_its_arrival(ours: Hands) -> None:
    """Within the second that it names: two ways off, and the tightest of several counts."""
    clocks = OutsideClocks()
    date = {"date": formatdate(NOON_S, usegmt=True)}
    ours.wall = NOON_S * 1000 + 300
    clocks.answered(date, asked_ms=NOON_S * 1000 + 100)
    assert known(clocks) == {"app least": pytest.approx(-0.9), "app most": pytest.approx(0.3)}
    ours.wall = NOON_S * 1000 + 950
    clocks.answered(date, asked_ms=NOON_S * 1000 + 900)
    assert known(clocks) == {"app least": pytest.approx(-0.1), "app most": pytest.approx(0.3)}


def test_a_clock_that_is_ahead_by_seven_seconds_is_known_to_be(ours: Hands) -> None:
    """By at least six: the rest is the second that nobody tells."""
    clocks = OutsideClocks()
    ours.wall = (NOON_S + 7) * 1000 + 200
    clocks.answered({"date": formatdate(NOON_S, usegmt=True)}, asked_ms=(NOON_S + 7) * 1000)
    assert known(clocks) == {"app least": pytest.approx(6.0), "app most": pytest.approx(7.2)}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": ""},
        {"date": "yesterday"},
        {"date": "Fri, 99 Jan 2027 08:00:00 GMT"},
        {"date": "Fri, 15 Jan 99999999 08:00:00 GMT"},
        {"date": formatdate(NOON_S - 60, usegmt=True), "age": "60"},
    ],
)
def test_what_is_no_date_or_was_kept_in_between_says_nothing(headers: dict[str, str], ours: Hands) -> None:
    """The app's answer is what somebody else wrote."""
    clocks = OutsideClocks()
    clocks.answered(headers, asked_ms=ours.wall)
    assert known(clocks) == {}


def test_what_was_heard_long_ago_counts_no_more(ours: Hands) -> None:
    """A clock that is recovered is seen to be, ten minutes later; half-open, and tried on both sides."""
    clocks = OutsideClocks()
    clocks.signed(NOON_S + 5)
    ours.monotonic += LASTS_S
    assert known(clocks) == {"stripe most": -5.0}
    ours.monotonic += 0.001
    assert known(clocks) == {}


async def test_the_probe_users_auth_probe_hears_the_apps_clock() -> None:
    """A real answer of a real server has a Date, and ours is not far from it."""
    async with world() as it:
        clocks = OutsideClocks()
        probed = await AuthProber(Browser(it.target, clocks)).auth_probe(within_s=5.0)
        assert probed.outcome is AuthProbeOutcome.OK
        bounds = known(clocks)
    assert set(bounds) == {"app least", "app most"}
    assert bounds["app least"] <= 0 <= bounds["app most"]
