"""Holds: each forbids climbing until an operator lifts it. They stand side by side, so that none takes another's place.

A hold's id is the number of its record. The hold of a rollback is lifted only by its id: whoever ends a hold of their
own must not end a rollback that they do not know of.
"""

from sidecar.core.facts.operator_actions import Held, Resumed, RolledBack
from sidecar.core.fold.standing import Hold
from sidecar.core.fold.state import State

HOLDS_MAX = 20


def can_add(state: State, *, is_rollback: bool) -> bool:
    """Return whether another hold can be added. The first one of a rollback always can."""
    holds = state.flag.holds
    return len(holds) < HOLDS_MAX or (is_rollback and not any(each.is_rollback for each in holds))


def hold(state: State, action: Held | RolledBack) -> None:
    """Add a hold. One beyond the maximum is dropped: the API refuses it before."""
    is_rollback = isinstance(action, RolledBack)
    if can_add(state, is_rollback=is_rollback):
        new = Hold(id=state.seq, actor=action.actor, reason=action.reason, at_ms=state.now_ms, is_rollback=is_rollback)
        state.flag.holds = [*state.flag.holds, new]
    state.flag.guard_version += 1


def resume(state: State, action: Resumed) -> None:
    """Lift the hold that is named; a record of fold version 6 or before names none, and left none."""
    state.flag.holds = [each for each in state.flag.holds if action.hold not in {None, each.id}]


def unnamed(state: State) -> Hold | None:
    """Return the hold that `sidecar resume` without an id lifts; None: it must name one, or there is none."""
    holds = state.flag.holds
    return holds[0] if len(holds) == 1 and not holds[0].is_rollback else None


def lifted_by(each: Hold) -> str:
    """Return the command that lifts a hold, without the reason."""
    return f"sidecar resume --hold {each.id}"


def by_whom(holds: list[Hold]) -> str:
    """Return who holds the flag and why, oldest first, in one line; empty: nobody."""
    return "; ".join(f"{each.actor}{' (rollback)' if each.is_rollback else ''}: {each.reason}" for each in holds)
