"""Dates in UTC by integer arithmetic: the core uses no calendar of the operating system.

The algorithm counts days in eras of 400 years that begin with March (Howard Hinnant, chrono-Compatible Low-Level Date
Algorithms, https://howardhinnant.github.io/date_algorithms.html).
"""

import re

from sidecar.core.facts.windows import DAY_MS, MINUTE_MS

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WRITTEN = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII
)
_MONTHS = 12
_HOURS = 24
_SIXTY = 60
_HOUR_MS = 60 * MINUTE_MS


def stamp(at_ms: int) -> str:
    """Return `2027-01-15 08:00 UTC`."""
    days, rest_ms = divmod(at_ms, DAY_MS)
    hours, rest_ms = divmod(rest_ms, _HOUR_MS)
    year, month, day = _civil(days)
    return f"{year:04}-{month:02}-{day:02} {hours:02}:{rest_ms // MINUTE_MS:02} UTC"


def written(text: str) -> int | None:
    """Return the Unix milliseconds of `2027-01-15`, `2027-01-15T08:00` or `2027-01-15T08:00+01:00`; None: it is none.

    Without an offset it is UTC.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not (1 <= month <= _MONTHS and hour < _HOURS and minute < _SIXTY and second < _SIXTY):
        return None
    days = _days(year, month, day)
    if _civil(days) != (year, month, day):  # 30 February
        return None
    offset = offset_minutes(match[7] or "Z")
    return None if offset is None else days * DAY_MS + (hour * 60 + minute - offset) * MINUTE_MS + second * 1000


def offset_minutes(text: str) -> int | None:
    """Return the minutes of `+01:00`, which is ahead of UTC, or `Z`; None: it is none."""
    if text == "Z":
        return 0
    match = re.fullmatch(r"([+-])(\d{2}):(\d{2})", text, re.ASCII)
    if match is None or int(match[3]) >= _SIXTY:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    return -minutes if match[1] == "-" else minutes


def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01."""
    year -= month <= 2  # noqa: PLR2004 - the year begins with March, so that a leap day is its last
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9  # noqa: PLR2004 - March is the first
    return year_of_era + era * 400 + int(month <= 2), month, day  # noqa: PLR2004
