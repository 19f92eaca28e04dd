"""What a gate is, and what a row of the table of gates is."""

import math
from collections.abc import Callable

import msgspec

from sidecar.core.facts.policy import Policy, Rung
from sidecar.core.fold.state import State


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One named condition for climbing."""

    name: str
    value: str
    target: str
    passes: bool
    needs: str = ""
    """What is missing, as a sentence without a full stop; empty when it passes."""
    expected_ms: int | None = None
    """When it will pass at the present rate, in Unix milliseconds; None: unknown, or it passes."""
    expected_between_ms: tuple[int, int] | None = None
    """Where `expected_ms` is an estimate: from when until when it is likely; None: the time is known, or unknown."""
    progress_ratio: float | None = None
    """How far it is, from 0 to 1; None: it passes, or it is not a matter of more and less."""


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of gates: the condition, and its words for people."""

    name: str
    read: Callable[[State, Policy, Rung], Gate | None]
    """None: the condition does not apply to this rung."""
    is_for_return: bool = False
    """Evaluated also where the ladder is off (`lifecycle: removed`), before the flag returns after a fall."""
    label: str = ""
    """A statement that is true when the gate passes; empty for a gate of an indicator, which `wording` derives."""
    closes: str = ""
    """What closes a gate that passes, as a sentence."""
    remedy: str = ""
    """What to do when it is closed, as a sentence."""


def duration(span_ms: int) -> str:
    """Return a duration for people, in its two largest units: `2 d 3 h`, `59 s`."""
    parts = []
    rest = -(-span_ms // 1000)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


_SLOWEST = 4
"""With few outcomes a range would have no end."""


def likely_ms(now_ms: int, *, more: int, count: int, span_ms: int) -> tuple[int, int]:
    """Return from when until when so many more are likely to have come, where `count` came in a span.

    Counts of independent arrivals vary by their square root; the range has two of these.
    """
    spread = 2 * math.sqrt(count)
    early, late = count + spread, max(count - spread, count / _SLOWEST)
    return now_ms + round(more * span_ms / early), now_ms + round(more * span_ms / late)


def estimate(between_ms: tuple[int, int] | None, now_ms: int) -> str:
    """Return an estimate for people, named as one, with its range and its basis; empty: there is none."""
    if between_ms is None:
        return ""
    return f"estimate: in {about((between_ms[0] - now_ms, between_ms[1] - now_ms))} at the rate until now"


def about(between_ms: tuple[int, int]) -> str:
    """Return two spans as a range in one unit, so coarse that it stays while the estimate moves a little."""
    low_s, high_s = max(0, between_ms[0]) / 1000, max(1, between_ms[1]) / 1000
    unit, size = next(each for each in _UNITS if high_s >= _COARSE_FROM * each[1] or each[1] == 1)
    low, high = _coarse(low_s / size, math.floor), _coarse(high_s / size, math.ceil)
    return f"{low} to {high} {unit}" if low < high else f"{high} {unit}"


_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_COARSE_FROM = 5
_STEPS = (1, 2, 5)


def _coarse(number: float, rounded: Callable[[float], int]) -> int:
    """Return a number, rounded to a step of 1, 2 or 5 times a power of ten that is at least a tenth of it."""
    scale: int = 10 ** max(0, math.floor(math.log10(max(1.0, number))) - 1)
    step: int = next((each * scale for each in _STEPS if each * scale * 10 >= number), 10 * scale)
    return rounded(number / step) * step


def progress_ratio(part: float, whole: float) -> float:
    """Return a part of a whole, from 0 to 1."""
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0


def percent(ppm: int) -> str:
    """Return parts per million in per cent, for people."""
    return f"{ppm / 10_000:g} %"
