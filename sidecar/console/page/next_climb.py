"""When does the flag climb next? From the gates that do not pass: the last of them decides.

A gate that passes by elapsed time alone has an exact time, one that counts outcomes an estimate with a range, and one
that waits for a person, or for outcomes of which none came yet, none at all. Without a time for each of them the answer
is what is waited for, and at the earliest when the others pass.
"""

import msgspec

from sidecar.console import labels
from sidecar.console.labels import Moment, moment
from sidecar.console.status import GateStatus, Status
from sidecar.core.decision.gate import about
from sidecar.core.facts.policy import Lifecycle

_OF_PEOPLE = {"approval": "someone approves it", "hold": "someone lifts the hold"}


class NextClimb(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "When?"."""

    text: str
    """`estimate: in 2 to 3 d`, `in 2 d 23 h`, `when someone approves it`, `not known yet, and not before ...`"""
    at: Moment | None = None
    """The time, or the early end of the range; None: unknown."""
    until: Moment | None = None
    """The late end of the range; None: the time is exact, or the range has no end."""
    basis: str
    """The basis of the answer, as a sentence."""


def next_climb(status: Status) -> NextClimb:
    """Return when the flag climbs next, and the basis of that."""
    number = status.rung + 1
    if number >= len(status.ladder):
        return NextClimb(text="nothing more to climb", basis="The flag is at the top of the ladder.")
    closed = [gate for gate in status.gates if not gate.passes]
    is_off = status.lifecycle is Lifecycle.REMOVED
    goal = f"{'Return' if is_off else 'Next'}: {labels.lowered(labels.rung(status.ladder[number]))}."
    if not closed:
        return NextClimb(text="now", basis=f"{goal} Every gate passes.")
    timed = [gate for gate in closed if gate.expected_ms is not None]
    open_ended = [gate for gate in closed if gate.expected_ms is None]
    early_ms, late_ms = _range(timed, status.now_ms)
    if open_ended:
        return _waiting(open_ended, f"{goal} {_named(closed)}.", early_ms, status.now_ms)
    at, until = moment(early_ms, status.now_ms), moment(late_ms, status.now_ms)
    last = max(
        timed, key=lambda gate: gate.expected_between_ms[1] if gate.expected_between_ms else gate.expected_ms or 0
    )
    if early_ms == late_ms:
        return NextClimb(
            text=at.distance, at=at, basis=f'{goal} Then "{last.label}" passes, the last of {len(closed)}.'
        )
    span = about((early_ms - status.now_ms, late_ms - status.now_ms))
    basis = f'{goal} At the rate of outcomes in this epoch; "{last.label}" takes longest.'
    return NextClimb(text=f"estimate: in {span}", at=at, until=until, basis=basis)


def _range(timed: list[GateStatus], now_ms: int) -> tuple[int, int]:
    """Return when the last of these gates passes: the early and the late end."""
    ranges = [gate.expected_between_ms or (gate.expected_ms or 0, gate.expected_ms or 0) for gate in timed]
    early_ms = max((early for early, _ in ranges), default=now_ms)
    return max(now_ms, early_ms), max(now_ms, early_ms, *(late for _, late in ranges))


def _waiting(open_ended: list[GateStatus], basis: str, early_ms: int, now_ms: int) -> NextClimb:
    """Return the answer where at least one gate has no time."""
    at = moment(early_ms, now_ms) if early_ms > now_ms else None
    unknown = next((gate for gate in open_ended if gate.name not in _OF_PEOPLE), None)
    if unknown is not None:
        text = (
            "not known yet"
            if at is None
            else f"not known yet, and not before {at.distance.removeprefix('in ')} from now"
        )
        return NextClimb(text=text, at=at, basis=f'{basis} "{unknown.label}" needs {unknown.needs}.')
    person = _OF_PEOPLE[open_ended[0].name]
    text = (
        f"when {person}" if at is None else f"when {person}, and not before {at.distance.removeprefix('in ')} from now"
    )
    return NextClimb(text=text, at=at, basis=basis)


def _named(closed: list[GateStatus]) -> str:
    return f"{len(closed)} {'gate does' if len(closed) == 1 else 'gates do'} not pass yet"
