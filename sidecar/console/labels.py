"""How figures, times and names are said to people. Every page and every plot says them alike."""

from email.utils import formatdate

import msgspec

from sidecar.core.decision.gates import duration
from sidecar.core.facts.outcomes import Unmeasured
from sidecar.core.facts.policy import PPM, Mode, Rung

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

MODES = {
    Mode.TIMER_POLLING: "Timers",
    Mode.PUSH_WITH_SAFETY_NET: "Push with a safety net",
    Mode.PUSH_ONLY: "Push only",
}
"""The modes, as a person says them; machines and the log keep their own names."""


UNMEASURED = {
    Unmeasured.STOPPED: "the sidecar was not running",
    Unmeasured.CUT_OFF: "the sidecar ran and saw nothing: frozen, or its journal did not answer",
    Unmeasured.CLOCK_JUMPED: "the clock was set while the payment was on its way",
    Unmeasured.ACKS_LOST: "acks were removed from the indicator before they were read",
    Unmeasured.NOT_WIRED: "it came before the first ack ever of the deciding stage; counts in no coverage",
    Unmeasured.REDELIVERED: "Stripe delivered it late or again, so that its time says nothing",
    Unmeasured.BACKFILLED: "it was never delivered, but listed from Stripe's API later",
    Unmeasured.AMBIGUOUS: "several broadcasts without a payment's name came at once",
    Unmeasured.NOT_WATCHED: "no socket of ours was subscribed yet, and nothing else would have told",
    Unmeasured.NO_USER: "neither the broadcast nor the payment says whose it is",
}
"""Why a payment says nothing about push."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A time, for people and for machines. UTC: who reads a page and who reads the log must mean the same."""

    at_ms: int
    iso: str
    """For `<time datetime>`."""
    text: str
    """`26 Nov 2026, 18:02 UTC`."""
    distance: str
    """From now: `3 h ago`, `in 2 d`, `just now`."""


def moment(at_ms: int, now_ms: int) -> Moment:
    """Return a time in words."""
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


def share(share_ppm: int) -> str:
    """Return a share of the users: `everybody`, `10 % of users`."""
    return "everybody" if share_ppm == PPM else f"{100 * share_ppm / PPM:g} % of users"


def rung(held: Rung) -> str:
    """Return a rung: `Push only for everybody`."""
    return f"{MODES[held.mode]} for {share(held.share_ppm)}"


def ratio(value: float | None, digits: int = 2) -> str:
    """Return a ratio in per cent, never rounded up to a whole that it is not; a dash: there is none."""
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
    """Return an enumerated word as a person reads it: `already_paid` is `already paid`."""
    return word.replace("_", " ")


def sentence(told: str) -> str:
    """Return words as a sentence: with a capital and a full stop."""
    return f"{told[:1].upper()}{told[1:]}."


def joined(parts: list[str]) -> str:
    """Return parts as one enumeration: `a, b and c`."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
