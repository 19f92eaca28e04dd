"""Convert the options of `sidecar freeze`, such as dates and times, into requests of the operator API."""

import re

import msgspec

from sidecar import clock
from sidecar.cli.program import fail
from sidecar.console.operator_actions import FreezeRequest
from sidecar.core.facts.calendar import DAYS, offset_minutes, written
from sidecar.core.facts.windows import Once, Weekly

_DATE = "a date such as 2027-01-04, 2027-01-04T08:00 (UTC) or 2027-01-04T08:00+01:00"
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}


class WeeklyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a weekly freeze."""

    days: str
    at: str
    lasts: str
    utc_offset: str
    expires: str


def once_request(begins: str, until: str, *, name: str, reason: str) -> FreezeRequest:
    """Return a freeze that occurs once. Exits with a message for an invalid option."""
    from_ms = _date("--from", begins) if begins else clock.wall_ms()
    window = Once(from_ms=from_ms, until_ms=_date("--until", until))
    return FreezeRequest(name=name, reason=reason, window=window, begins_now=not begins)


def weekly_request(weekly: WeeklyOptions, *, name: str, reason: str) -> FreezeRequest:
    """Return a freeze of every week. Exits with a message for an invalid option."""
    if not weekly.expires:
        fail("a weekly freeze needs an end, such as --expires 2027-07-31")
    days = [day.strip().lower() for day in weekly.days.split(",")]
    unknown = [day for day in days if day not in DAYS]
    if unknown:
        fail(f"--weekly has days of {', '.join(DAYS)}, such as fri or sat,sun")
    at = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", weekly.at, re.ASCII)
    if at is None:
        fail("--at is a time of day such as 17:00")
    lasts = re.fullmatch(r"(\d{1,5})([mhd])", weekly.lasts, re.ASCII)
    if lasts is None:
        fail("--for is a duration such as 90m, 63h or 1d")
    offset = offset_minutes(weekly.utc_offset)
    if offset is None:
        fail("--utc-offset is the offset of --at from UTC, such as +01:00 or -05:30")
    window = Weekly(
        days=tuple(DAYS.index(day) for day in days),
        from_minute=60 * int(at[1]) + int(at[2]),
        lasts_minutes=int(lasts[1]) * _MINUTES[lasts[2]],
        utc_offset_minutes=offset,
    )
    return FreezeRequest(name=name, reason=reason, window=window, expires_ms=_date("--expires", weekly.expires))


def _date(option: str, text: str) -> int:
    at_ms = written(text)
    if at_ms is None:
        fail(f"{option} is {_DATE}")
    return at_ms
