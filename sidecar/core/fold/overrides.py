"""Overrides: for a test, one user gets a mode that an operator chose, for a limited time.

What the user pays and reports meanwhile shows how a test went, and nothing about what others are served. So it is no
evidence: payments are left out as those outside the filter are, and reports are dropped. A browser keeps an answer
beyond the end of its override, so both go on for some minutes.
"""

from sidecar.core.facts.operator_actions import Overridden, OverrideCleared
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.standing import Override
from sidecar.core.fold.state import State

OVERRIDES_MAX = 20
"""Maximum number at once, with those whose end is not `LEFT_OUT_MS` ago."""
LASTS_MAX_MS = 24 * 3_600_000
LEFT_OUT_MS = 600_000
"""For how long after the end of its override a user's payments and reports still count for nothing."""


def can_add(state: State, user_ref: str) -> bool:
    """Return whether another override can be added; one takes the place of that of the same user."""
    return sum(each.user_ref != user_ref for each in state.flag.overrides) < OVERRIDES_MAX


def override(state: State, action: Overridden) -> None:
    """Add an override. One beyond the maximum, or without a duration, is dropped: the API refuses it before."""
    expires_ms = min(action.expires_ms, state.now_ms + LASTS_MAX_MS)
    if expires_ms <= state.now_ms or not can_add(state, action.user_ref):
        return
    new = Override(
        id=state.seq,
        user_ref=action.user_ref,
        mode=action.mode,
        actor=action.actor,
        reason=action.reason,
        at_ms=state.now_ms,
        expires_ms=expires_ms,
    )
    state.flag.overrides = [*(each for each in state.flag.overrides if each.user_ref != action.user_ref), new]


def clear(state: State, action: OverrideCleared) -> None:
    """End an override now, and not one that has taken its place since."""
    state.flag.overrides = [
        each.ended(state.now_ms) if each.id == action.override else each for each in state.flag.overrides
    ]


def advance(state: State) -> None:
    """Forget the overrides that ended long enough ago."""
    overrides = state.flag.overrides
    if overrides and overrides[0].at_ms <= state.now_ms - LEFT_OUT_MS:
        state.flag.overrides = [each for each in overrides if state.now_ms < each.expires_ms + LEFT_OUT_MS]


def standing(state: State) -> tuple[Override, ...]:
    """Return the overrides that are not over, in the order of the actions."""
    return tuple(each for each in state.flag.overrides if state.now_ms < each.expires_ms)


def are_served(state: State) -> bool:
    """Return whether overrides are served: not while a rollback's hold stands, and not in the cool-down of a fall."""
    flag = state.flag
    return state.now_ms >= flag.cooldown_until_ms and not any(hold.is_rollback for hold in flag.holds)


def mode_of(state: State, user_ref: str) -> Mode | None:
    """Return the mode that an operator chose for a user; None: no operator did."""
    return next((each.mode for each in standing(state) if each.user_ref == user_ref), None)


def is_left_out(state: State, user_ref: str | None) -> bool:
    """Return whether what a user pays and reports now is no evidence."""
    return any(
        each.user_ref == user_ref and state.now_ms < each.expires_ms + LEFT_OUT_MS for each in state.flag.overrides
    )


def next_ms(state: State) -> int | None:
    """Return when the next override ends; None: there is none."""
    return min((each.expires_ms for each in standing(state)), default=None)
