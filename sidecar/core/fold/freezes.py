"""When may nothing climb, because a person said so beforehand? What is frozen now, and what time alone changes."""

from sidecar.core.facts.observations import Frozen, Thawed
from sidecar.core.facts.windows import DAY_MS, Once, next_begin_ms, span_at
from sidecar.core.fold.state import Freeze, State

FREEZES_MAX = 20
LASTS_MAX_MS = 400 * DAY_MS
"""From being said to expiring: a freeze that nobody remembers ends some day."""
_STEPS_MAX = 200
"""Windows that end one after the other without a gap; more, and nobody can say when it opens."""


def freeze(state: State, action: Frozen) -> None:
    """Take a freeze up; one of the same name goes. One too many is not taken: who asks is told so before."""
    flag = state.flag
    others = [each for each in flag.freezes if each.name != action.name]
    expires_ms = min(action.expires_ms, state.now_ms + LASTS_MAX_MS)
    if isinstance(action.window, Once):
        expires_ms = min(expires_ms, action.window.until_ms)
    if expires_ms <= state.now_ms or len(others) >= FREEZES_MAX:
        return
    new = Freeze(
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
    """Take a freeze away."""
    state.flag.freezes = [each for each in state.flag.freezes if each.name != action.name]


def advance(state: State, before_ms: int) -> None:
    """Let time pass since `before_ms`: what has expired goes, and a window that began closes the gate."""
    flag = state.flag
    if not flag.freezes:
        return
    was_frozen = any(until_ms(each, before_ms) is not None for each in flag.freezes)
    flag.freezes = [each for each in flag.freezes if each.expires_ms > state.now_ms]
    if not was_frozen and in_force(state):
        flag.guard_version += 1


def in_force(state: State) -> list[Freeze]:
    """Return the freezes in whose window we are."""
    return [each for each in state.flag.freezes if until_ms(each, state.now_ms) is not None]


def opens_ms(state: State) -> int | None:
    """Return when we will be in no window any more, in Unix milliseconds; None: not within reach."""
    at_ms = state.now_ms
    for _ in range(_STEPS_MAX):
        untils = [until for each in state.flag.freezes if (until := until_ms(each, at_ms)) is not None]
        if not untils:
            return at_ms
        at_ms = max(untils)
    return None


def next_ms(state: State) -> int | None:
    """Return when time alone next begins a window, ends one, or lets a freeze go; None: never."""
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
