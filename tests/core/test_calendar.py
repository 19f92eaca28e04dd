"""Dates in UTC, without a calendar: the same as Python's own."""

import datetime as dt

import pytest

from sidecar.core.facts.calendar import offset_minutes, stamp, written
from tests.core.world import DAY, START_MS


def test_every_day_of_four_centuries_is_the_calendars() -> None:
    """Leap days, centuries that are none, and the years before 1970."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    for days in range(-80_000, 80_000, 17):
        at = epoch + dt.timedelta(days=days, hours=23, minutes=59)
        at_ms = int((at - epoch).total_seconds()) * 1000
        assert stamp(at_ms) == f"{at:%Y-%m-%d %H:%M} UTC"
        assert written(at.isoformat()) == at_ms


# fmt: off
WRITTEN = [
    ("2027-01-15",                  START_MS - 8 * 3_600_000),
    ("2027-01-15T08:00",            START_MS),
    ("2027-01-15 08:00",            START_MS),
    ("2027-01-15T08:00:01",         START_MS + 1000),
    ("2027-01-15T08:00:00.000Z",    START_MS),
    ("2027-01-15T09:00+01:00",      START_MS),
    ("2027-01-15T02:30-05:30",      START_MS),
    (" 2027-01-16T08:00Z ",         START_MS + DAY),
    ("2028-02-29",                  1_835_395_200_000),
    ("2027-02-29",                  None),
    ("2027-13-01",                  None),
    ("2027-00-10",                  None),
    ("2027-01-00",                  None),
    ("2027-01-15T24:00",            None),
    ("2027-01-15T08:60",            None),
    ("2027-01-15T08:00+01:60",      None),
    ("2027-01-15T08",               None),
    ("15.01.2027",                  None),
    ("tomorrow",                    None),
    ("",                            None),
]
# fmt: on


@pytest.mark.parametrize(("text", "at_ms"), WRITTEN)
def test_a_date_is_read_as_it_is_written_or_not_at_all(text: str, at_ms: int | None) -> None:
    """A freeze that began a month late because 13 was taken for January would be no freeze."""
    assert written(text) == at_ms


@pytest.mark.parametrize(
    ("text", "minutes"), [("Z", 0), ("+01:00", 60), ("-05:30", -330), ("1", None), ("+1:00", None)]
)
def test_an_offset_says_how_far_a_clock_is_ahead_of_utc(text: str, minutes: int | None) -> None:
    """Ahead is plus, as everybody writes it."""
    assert offset_minutes(text) == minutes
