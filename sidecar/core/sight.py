"""Can we see? Blindness, rest, and how sight is regained. In doubt the flag answers timers.

Up to one lease of blindness costs one heartbeat. Longer: timers until we have seen without a gap for `resume_after`.
Over 24 hours: the bottom rung and a new epoch. What Reverb does wrong is no blindness; that is what we are here to see.
"""

from sidecar.core import coverage
from sidecar.core.policy import Policy
from sidecar.core.state import RestReason, State

BLIND_TOO_LONG_MS = 24 * 3_600_000
STREAK_MAX = 5
"""Payments in a row that were unmeasured through our own fault, from which the flag rests."""


def lose(state: State, policy: Policy, blind_ms: int) -> None:
    """Note that nothing was seen for the last `blind_ms`."""
    sight = state.sight
    sight.needs_heartbeat = True
    state.flag.guard_version += 1
    if blind_ms > policy.lease_ms:
        sight.recover_until_ms = max(sight.recover_until_ms, state.now_ms + policy.resume_after_ms)
    if blind_ms > BLIND_TOO_LONG_MS:
        sight.is_fall_due = True


def beat(state: State, policy: Policy, unseen: tuple[str, ...]) -> bool:
    """Note a heartbeat and the sources that did not answer before it; return whether all that came was seen.

    What a source was silent for counts from the last heartbeat before which it had answered.
    """
    sight = state.sight
    was_unseen, sight.unseen = sight.unseen, unseen
    if unseen:
        return False
    if was_unseen:
        lose(state, policy, state.now_ms - sight.seen_ms)
    sight.seen_ms = state.now_ms
    sight.needs_heartbeat = False
    return True


def rest_reason(state: State, policy: Policy) -> RestReason | None:
    """Return why the flag rests; None: it does not."""
    sight = state.sight
    if sight.needs_heartbeat or sight.is_fall_due or state.now_ms < sight.recover_until_ms:
        return RestReason.RECOVERING
    if sight.unseen and state.now_ms - sight.seen_ms > policy.lease_ms:
        return RestReason.SOURCE_DOWN
    if state.flag.rung > 0 and state.wired_ms is None:
        return RestReason.UNWIRED
    if sight.streak >= STREAK_MAX:
        return RestReason.UNMEASURED
    judged, total = state.coverage.counts()
    if total >= coverage.REST_FROM and judged * 1_000_000 < policy.coverage_floor_ppm * total:
        return RestReason.COVERAGE
    return None
