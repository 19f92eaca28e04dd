"""What a gate is, and what a row of the table of gates is."""

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


def progress_ratio(part: float, whole: float) -> float:
    """Return a part of a whole, from 0 to 1."""
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0


def percent(ppm: int) -> str:
    """Return parts per million in per cent, for people."""
    return f"{ppm / 10_000:g} %"
