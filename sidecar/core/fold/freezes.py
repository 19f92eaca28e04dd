"""Freezes: windows in which an operator forbids climbing, and the times at which they begin and end."""

from sidecar.core.facts.operator_actions import Frozen, Thawed
from sidecar.core.facts.windows import DAY_MS, Once, next_begin_ms, span_at
from sidecar.core.fold.standing import Freeze
from sidecar.core.fold.state import State

FREEZES_MAX = 20
LASTS_MAX_MS = 400 * DAY_MS
"""Maximum time from its creation to its expiry: a forgotten freeze ends some day."""
_STEPS_MAX = 200
"""Windows without a gap between them that are followed; beyond, the end is unknown."""


def freeze(state: State, action: Frozen) -> None:
    """Add a freeze, in place of the one that it names.

    One whose name another freeze has taken is dropped, and so is one beyond the maximum: the API refuses both before.
    """
    flag = state.flag
    others = [each for each in flag.freezes if each.name != action.name]
    replaced_id = action.replaced.id if action.replaced else None
    if action.is_exclusive and any(each.name == action.name and each.id != replaced_id for each in flag.freezes):
        return
    expires_ms = min(action.expires_ms, state.now_ms + LASTS_MAX_MS)
    if isinstance(action.window, Once):
        expires_ms = min(expires_ms, action.window.until_ms)
    if expires_ms <= state.now_ms or len(others) >= FREEZES_MAX:
        return
    new = Freeze(
        id=state.seq,
        name=action.name,
        actor=action.actor,
        reason=action.reason,
        at_ms=state.now_ms,
        window=action.window,
        expires_ms=expires_ms,
    )
    flag.freezes = [*others, new]
    flag.guard_version += 1


def thaw(state: State, action: Thawed) -> None:
    """Take away the freeze that is named, and not one that has taken its name since."""
    state.flag.freezes = [
        each for each in state.flag.freezes if each.name != action.name or action.freeze not in {None, each.id}
    ]


def advance(state: State, before_ms: int) -> None:
    """Advance from `before_ms` to the present: remove expired freezes; a window that began closes the gate."""
    flag = state.flag
    if not flag.freezes:
        return
    was_frozen = any(until_ms(each, before_ms) is not None for each in flag.freezes)
    flag.freezes = [each for each in flag.freezes if each.expires_ms > state.now_ms]
    if not was_frozen and in_force(state):
        flag.guard_version += 1


def in_force(state: State) -> list[Freeze]:
    """Return the freezes whose window includes the present."""
    return [each for each in state.flag.freezes if until_ms(each, state.now_ms) is not None]


def opens_ms(state: State) -> int | None:
    """Return when the present is in no window any more, in Unix milliseconds; None: not within the search limit."""
    at_ms = state.now_ms
    for _ in range(_STEPS_MAX):
        untils = [until for each in state.flag.freezes if (until := until_ms(each, at_ms)) is not None]
        if not untils:
            return at_ms
        at_ms = max(untils)
    return None


def next_ms(state: State) -> int | None:
    """Return when elapsed time alone next begins or ends a window, or expires a freeze; None: never."""
    now_ms, times = state.now_ms, []
    for each in state.flag.freezes:
        times += [until_ms(each, now_ms), begins_ms(each, now_ms), each.expires_ms]
    return min((at_ms for at_ms in times if at_ms is not None and at_ms > now_ms), default=None)


def until_ms(each: Freeze, at_ms: int) -> int | None:
    """Return until when the freeze's window lasts in which this moment is; None: it is in none."""
    span = span_at(each.window, at_ms) if at_ms < each.expires_ms else None
    return None if span is None else min(span[1], each.expires_ms)


def begins_ms(each: Freeze, at_ms: int) -> int | None:
    """Return when a window of the freeze next begins; None: never again."""
    begin_ms = next_begin_ms(each.window, at_ms)
    return begin_ms if begin_ms is not None and begin_ms < each.expires_ms else None
