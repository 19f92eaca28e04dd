"""Durations and rates: always written with their unit, so that no number can be misread."""

import re
from collections.abc import Iterator
from decimal import Decimal

from sidecar.config.problems import SHOWN_MAX, quoted
from sidecar.config.scalars import Guess, Kind, Scalar
from sidecar.core.facts.policy import PPM

UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_SPELLINGS = {
    **{unit: unit for unit in UNITS_MS},
    **dict.fromkeys(("msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
}
"""Common spellings of each unit."""

_PPM_PER_PERCENT = PPM // 100
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_PART = rf"({_NUMBER})\s*([a-z]+)"


def milliseconds(text: str) -> int:
    """Return the duration `250ms`, `2s`, `5m`, `1h` or `14d` in milliseconds. Raises `ValueError`."""
    match = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d)", text)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a duration")
    return int(match[1]) * UNITS_MS[match[2]]


def duration_text(duration_ms: int) -> str:
    """Return the duration in the largest unit that needs no fraction."""
    unit = next((unit for unit in ("d", "h", "m", "s") if duration_ms % UNITS_MS[unit] == 0), "ms")
    return f"{duration_ms // UNITS_MS[unit]}{unit}" if duration_ms else "0s"


def parts_per_million(text: str) -> int:
    """Return the rate `99%` or `99.95%` in parts per million, exactly. Raises `ValueError`."""
    match = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?%", text)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a rate")
    return int(match[1]) * _PPM_PER_PERCENT + int((match[2] or "").ljust(4, "0"))


def rate_text(rate_ppm: int) -> str:
    """Return the rate as a percentage with as many decimals as it needs."""
    whole, rest = divmod(rate_ppm, _PPM_PER_PERCENT)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + "%"


class Duration(Kind, frozen=True, kw_only=True):
    """A duration with its unit, in milliseconds."""

    at_least: str
    at_most: str
    usual: str
    """A common value: a number without a unit probably has the unit that brings it closest to this one."""

    @property
    def allowed(self) -> str:
        """The form and the range."""
        return f"a duration such as 250ms, 2s, 5m, 1h or 14d, from {self.at_least} to {self.at_most}"

    def parse(self, scalar: Scalar) -> int:
        """Return milliseconds."""
        duration_ms = milliseconds(scalar.text)
        if not milliseconds(self.at_least) <= duration_ms <= milliseconds(self.at_most):
            raise ValueError(scalar.text)
        return duration_ms

    def write(self, value: int) -> str:
        """Return the duration with its unit."""
        return duration_text(value)

    def candidates(self, scalar: Scalar) -> Iterator[str]:
        """Return the duration of a number without a unit, of another spelling, or of several units, in one unit."""
        text = scalar.text.strip().lower()
        if len(text) > SHOWN_MAX:
            return
        if re.fullmatch(_NUMBER, text):
            readings = sorted(([(text, unit)] for unit in UNITS_MS), key=self._distance)
        elif re.fullmatch(rf"(?:{_PART}[\s,]*)+", text):
            readings = [[(number, _SPELLINGS.get(word, "")) for number, word in re.findall(_PART, text)]]
        else:
            return
        for parts in readings:
            if all(unit in UNITS_MS for _, unit in parts):
                total_ms, unit = _total_ms(parts), parts[0][1]
                if total_ms == int(total_ms):
                    yield _in_unit(int(total_ms), unit)

    def _distance(self, parts: list[tuple[str, str]]) -> Decimal:
        """Return the factor between the duration and the usual one; at least 1."""
        duration_ms, usual_ms = max(Decimal(1), _total_ms(parts)), Decimal(milliseconds(self.usual))
        return max(duration_ms / usual_ms, usual_ms / duration_ms)


class Rate(Kind, frozen=True, kw_only=True):
    """A percentage with up to four decimals, in parts per million."""

    at_least: str
    at_most: str

    @property
    def allowed(self) -> str:
        """The form and the range."""
        return f"a rate such as 99% or 99.95%, from {self.at_least} to {self.at_most}"

    def parse(self, scalar: Scalar) -> int:
        """Return parts per million."""
        rate_ppm = parts_per_million(scalar.text)
        if not self._fits(rate_ppm):
            raise ValueError(scalar.text)
        return rate_ppm

    def write(self, value: int) -> str:
        """Return the rate as a percentage."""
        return rate_text(value)

    def candidates(self, scalar: Scalar) -> Iterator[str]:
        """Return the likely rate: a percentage with a sign or above 1, else a fraction. A bare `1` may be either."""
        match = re.fullmatch(rf"({_NUMBER})\s*(%|percent|pct)?", scalar.text.strip().lower())
        if match is None or scalar.guess is Guess.DATE:
            return
        number = Decimal(match[1])
        as_percent, as_fraction = int(number * _PPM_PER_PERCENT), int(number * PPM)
        rates_ppm = [as_percent] if match[2] or number > 1 else [as_fraction, as_percent]
        fitting = [rate_ppm for rate_ppm in rates_ppm if self._fits(rate_ppm)]
        if len(set(fitting)) == 1 or (fitting and "." in match[1]):
            yield rate_text(fitting[0])

    def _fits(self, rate_ppm: int) -> bool:
        return parts_per_million(self.at_least) <= rate_ppm <= parts_per_million(self.at_most)


def _total_ms(parts: list[tuple[str, str]]) -> Decimal:
    return sum((Decimal(number) * UNITS_MS[unit] for number, unit in parts), Decimal(0))


def _in_unit(duration_ms: int, unit: str) -> str:
    """Return the duration in the unit of the original text, or in another one if that needs a fraction."""
    return duration_text(duration_ms) if duration_ms % UNITS_MS[unit] else f"{duration_ms // UNITS_MS[unit]}{unit}"
