"""Figures, times and names as text, in one format for every page, plot and command."""

from email.utils import formatdate

import msgspec

from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import PPM, Rung
from sidecar.wording import MODES

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A time, for people and for machines, in UTC as in the log."""

    at_ms: int
    iso: str
    """For `<time datetime>`."""
    text: str
    """`26 Nov 2026, 18:02 UTC`."""
    distance: str
    """From now: `3 h ago`, `in 2 d`, `just now`."""


def moment(at_ms: int, now_ms: int) -> Moment:
    """Return a time as text."""
    _, day, month, year, clock, _ = formatdate(at_ms // 1000, usegmt=True).split()  # the library's one calendar in UTC
    iso = f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{clock}Z"
    return Moment(
        at_ms=at_ms,
        iso=iso,
        text=f"{int(day)} {month} {year}, {clock[:5]} UTC",
        distance=distance(at_ms, now_ms),
    )


def distance(at_ms: int, now_ms: int) -> str:
    """Return how far a time is from now."""
    span_ms = at_ms - now_ms
    if abs(span_ms) < 1000:  # noqa: PLR2004 - a second
        return "just now"
    return f"in {duration(span_ms)}" if span_ms > 0 else f"{duration(-span_ms)} ago"


def seconds(span_ms: int) -> str:
    """Return a short duration: `250 ms`, `2.5 s`; from a minute on as `duration` does."""
    if span_ms < 1000:  # noqa: PLR2004 - a second
        return f"{span_ms} ms"
    return f"{span_ms / 1000:g} s" if span_ms < 60_000 else duration(span_ms)  # noqa: PLR2004 - a minute


def share(share_ppm: int) -> str:
    """Return a share of the users: `everybody`, `10 % of users`."""
    return "everybody" if share_ppm == PPM else f"{100 * share_ppm / PPM:g} % of users"


def rung(each: Rung) -> str:
    """Return a rung: `Push only for everybody`."""
    return f"{MODES[each.mode].label} for {share(each.share_ppm)}"


def ratio(value: float | None, digits: int = 2) -> str:
    """Return a ratio in per cent, never rounded up to 100 %; a dash: there is none."""
    if value is None:
        return "\N{EN DASH}"
    if value >= 1:
        return "100 %"
    cut = int(value * 100 * 10**digits + 1e-9) / 10**digits
    return f"{cut:.{digits}f} %"


def count(number: int) -> str:
    """Return a whole number with its thousands set apart by narrow spaces."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def name(word: str) -> str:
    """Return an enumerated name as text: `already_paid` is `already paid`."""
    return word.replace("_", " ")


def sentence(text: str) -> str:
    """Return a text as a sentence: with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def lowered(text: str) -> str:
    """Return a label for the middle of a sentence."""
    return f"{text[:1].lower()}{text[1:]}"


def joined(parts: list[str]) -> str:
    """Return parts as one enumeration: `a, b and c`."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
