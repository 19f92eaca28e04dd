"""The bounds of this machine's clock error, from time stamps in whole seconds and after unknown delays."""

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
def this_clock() -> Iterator[Hands]:
    """Set this machine's clock by hand."""
    with hands(wall_ms=NOON_S * 1000) as this_clock:
        yield this_clock


def known(clocks: OutsideClocks) -> dict[str, float]:
    """Return the known bounds."""
    return {
        f"{reference} {bound}": value for (reference, bound), value in clocks.bounds().items() if not math.isnan(value)
    }


def test_without_samples_the_bounds_are_unknown(this_clock: Hands) -> None:
    """The value is NaN and not 0, which would be the best one."""
    assert known(OutsideClocks()) == {}
    assert len(list(OutsideClocks().bounds())) == 3
    del this_clock


def test_a_webhook_gives_an_upper_bound(this_clock: Hands) -> None:
    """It may have been delayed, so the fastest one gives the tightest bound; a negative bound shows that the clock is behind."""
    clocks = OutsideClocks()
    for after_ms, at_most in ((2500, 2.5), (400, 0.4), (9000, 0.4), (-3000, -3.0)):
        this_clock.wall = NOON_S * 1000 + after_ms
        clocks.signed(NOON_S)
        assert known(clocks) == {"stripe most": at_most}


def test_a_response_is_made_between_the_request_and_its_arrival(this_clock: Hands) -> None:
    """It gives both bounds, and the tightest of several counts."""
    clocks = OutsideClocks()
    date = {"date": formatdate(NOON_S, usegmt=True)}
    this_clock.wall = NOON_S * 1000 + 300
    clocks.answered(date, asked_ms=NOON_S * 1000 + 100)
    assert known(clocks) == {"app least": pytest.approx(-0.9), "app most": pytest.approx(0.3)}
    this_clock.wall = NOON_S * 1000 + 950
    clocks.answered(date, asked_ms=NOON_S * 1000 + 900)
    assert known(clocks) == {"app least": pytest.approx(-0.1), "app most": pytest.approx(0.3)}


def test_a_clock_that_is_seven_seconds_ahead_is_detected(this_clock: Hands) -> None:
    """The lower bound is at least six, because the stamps are whole seconds."""
    clocks = OutsideClocks()
    this_clock.wall = (NOON_S + 7) * 1000 + 200
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
def test_an_invalid_or_cached_date_is_ignored(headers: dict[str, str], this_clock: Hands) -> None:
    """The response may come from any server or cache."""
    clocks = OutsideClocks()
    clocks.answered(headers, asked_ms=this_clock.wall)
    assert known(clocks) == {}


def test_a_sample_expires_after_ten_minutes(this_clock: Hands) -> None:
    """The boundary is half-open and tested on both sides."""
    clocks = OutsideClocks()
    clocks.signed(NOON_S + 5)
    this_clock.monotonic += LASTS_S
    assert known(clocks) == {"stripe most": -5.0}
    this_clock.monotonic += 0.001
    assert known(clocks) == {}


async def test_an_auth_probe_samples_the_clock_of_the_app() -> None:
    """A response of a real server has a Date close to this machine's clock."""
    async with world() as it:
        clocks = OutsideClocks()
        probed = await AuthProber(Browser(it.target, clocks)).auth_probe(within_s=60.0)
        assert probed.outcome is AuthProbeOutcome.OK
        bounds = known(clocks)
    assert set(bounds) == {"app least", "app most"}
    assert bounds["app least"] <= 0 <= bounds["app most"]
