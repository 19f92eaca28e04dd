"""Can we see? Blindness, rest, and how sight is regained. In doubt the flag answers timers.

Up to one lease of blindness costs one heartbeat, one clean round trip and one clean walk. Longer: timers until 20 and 3
of them were clean in a row; where Reverb is not probed, until we have seen without a gap for `resume_after`. Over 24
hours: the bottom rung and a new epoch. What Reverb does wrong is no blindness; that is what we are here to see.
"""

from sidecar.core.facts.policy import Policy
from sidecar.core.fold.state import RestReason, State
from sidecar.core.statistics import coverage

BLIND_TOO_LONG_MS = 24 * 3_600_000
CLEAN_AFTER_SHORT = (1, 1)
CLEAN_AFTER_LONG = (20, 3)
"""Round trips and walks that must be clean in a row after a blindness of at most one lease, and after a longer one."""
STREAK_MAX = 5
"""Payments in a row that were unmeasured through our own fault, from which the flag rests."""


def lose(state: State, policy: Policy, blind_ms: int) -> None:
    """Note that nothing was seen for the last `blind_ms`."""
    sight = state.sight
    sight.needs_heartbeat = True
    state.flag.guard_version += 1
    is_long = blind_ms > policy.lease_ms
    if policy.reverb is not None:
        sight.is_long = sight.is_long or is_long
        _ask_for_probes(state)
    elif is_long:
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
    return not sight.is_cut_off


def probed(state: State, policy: Policy, *, is_clean: bool, is_walk: bool) -> None:
    """Note that a probe ended that was not cut off: a clean one brings sight back, and a failed one begins anew."""
    sight = state.sight
    if sight.is_cut_off:
        sight.is_cut_off = False
        lose(state, policy, state.now_ms - sight.reached_ms)
    sight.reached_ms = state.now_ms
    round_trips, walks = CLEAN_AFTER_LONG if sight.is_long else CLEAN_AFTER_SHORT
    if is_walk and sight.walks_needed:
        sight.walks_needed = sight.walks_needed - 1 if is_clean else walks
    elif not is_walk and sight.round_trips_needed:
        sight.round_trips_needed = sight.round_trips_needed - 1 if is_clean else round_trips
    if not sight.walks_needed and not sight.round_trips_needed:
        sight.is_long = False


def cut_off(state: State, policy: Policy) -> None:
    """Note that a probe was cut off: nothing outside could be reached."""
    state.sight.is_cut_off = True
    lose(state, policy, state.now_ms - state.sight.reached_ms)


def _ask_for_probes(state: State) -> None:
    sight = state.sight
    sight.round_trips_needed, sight.walks_needed = CLEAN_AFTER_LONG if sight.is_long else CLEAN_AFTER_SHORT


def _are_probes_silent(state: State, policy: Policy) -> bool:
    """Say whether probes should have ended that did not: three times their pace, and a lease more."""
    if policy.reverb is None:
        return False
    allowed_ms = 3 * policy.reverb.round_trip_every_ms + policy.lease_ms
    walks_allowed_ms = 3 * policy.reverb.auth_every_ms + policy.lease_ms
    probing, now_ms = state.probing, state.now_ms
    return now_ms - probing.round_trip_ms > allowed_ms or now_ms - probing.walk_ms > walks_allowed_ms


def rest_reason(state: State, policy: Policy) -> RestReason | None:
    """Return why the flag rests; None: it does not."""
    sight = state.sight
    if sight.is_cut_off:
        return RestReason.CUT_OFF
    is_recovering = policy.reverb is not None and (sight.round_trips_needed > 0 or sight.walks_needed > 0)
    if sight.needs_heartbeat or sight.is_fall_due or is_recovering or state.now_ms < sight.recover_until_ms:
        return RestReason.RECOVERING
    if _are_probes_silent(state, policy):
        return RestReason.PROBES_SILENT
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
