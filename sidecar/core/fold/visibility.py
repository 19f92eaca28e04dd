"""Suspend push while the sidecar cannot measure, and track the recovery after a visibility gap.

Where Reverb is probed, recovery needs one heartbeat, one clean round trip and one clean auth probe; after a gap longer
than a lease, 20 and 3 of them in a row. Where it is not probed, recovery needs one heartbeat, and after a gap longer
than a lease also `resume_after` without a gap. A gap of over 24 hours is a fall, and begins new epochs. A failure of
Reverb is no visibility gap: it is what the sidecar measures.
"""

from sidecar.core.facts.policy import PPM, Mode, Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.state import State
from sidecar.core.statistics import coverage

BLIND_TOO_LONG_MS = 24 * 3_600_000
CLEAN_AFTER_SHORT = (1, 1)
"""Clean round trips and auth probes in a row that are needed after a visibility gap of at most one lease."""
CLEAN_AFTER_LONG = (20, 3)
"""The same, after a longer gap."""
GAPS_MAX = 200
"""With a restart every two minutes, those of more than six hours."""
PUSH_ONLY_FLOOR_PPM = 900_000
PUSH_ONLY_RESUMES_PPM = 950_000
"""On `push_only` push is suspended below the first share of judged payments, and resumes at the second."""
STREAK_MAX = 5
"""Payments in a row that were unmeasured by a fault of the sidecar, from which push is suspended."""


def lose(state: State, policy: Policy, blind_ms: int) -> None:
    """Record a visibility gap of the last `blind_ms`."""
    visibility = state.visibility
    visibility.needs_heartbeat = True
    state.flag.guard_version += 1
    is_long = blind_ms > policy.lease_ms
    if policy.reverb is not None:
        visibility.is_long = visibility.is_long or is_long
        _ask_for_probes(state)
    elif is_long:
        visibility.recover_until_ms = max(visibility.recover_until_ms, state.now_ms + policy.resume_after_ms)
    if blind_ms > BLIND_TOO_LONG_MS:
        visibility.is_fall_due = True


def beat(state: State, policy: Policy, silent_sources: tuple[str, ...]) -> bool:
    """Record a heartbeat and the sources that did not answer before it; return whether all sources were read.

    The silence of a source counts from the last heartbeat before which it had answered.
    """
    visibility = state.visibility
    was_silent_sources, visibility.silent_sources = visibility.silent_sources, silent_sources
    if silent_sources:
        return False
    if was_silent_sources:
        lose(state, policy, state.now_ms - visibility.seen_ms)
    visibility.seen_ms = state.now_ms
    visibility.needs_heartbeat = False
    return not visibility.is_cut_off


def probed(state: State, policy: Policy, *, is_clean: bool, is_auth_probe: bool) -> None:
    """Record a probe that was not cut off.

    During recovery a clean probe lowers the number that is still needed, and a failed one resets it.
    """
    visibility = state.visibility
    if visibility.is_cut_off:
        visibility.is_cut_off = False
        away(state, visibility.reached_ms)
        lose(state, policy, state.now_ms - visibility.reached_ms)
    visibility.reached_ms = state.now_ms
    round_trips, auth_probes = CLEAN_AFTER_LONG if visibility.is_long else CLEAN_AFTER_SHORT
    if is_auth_probe and visibility.auth_probes_needed:
        visibility.auth_probes_needed = visibility.auth_probes_needed - 1 if is_clean else auth_probes
    elif not is_auth_probe and visibility.round_trips_needed:
        visibility.round_trips_needed = visibility.round_trips_needed - 1 if is_clean else round_trips
    if not visibility.auth_probes_needed and not visibility.round_trips_needed:
        visibility.is_long = False


def away(state: State, from_ms: int) -> None:
    """Record that the sidecar could receive no webhook since `from_ms`."""
    gaps, until_ms = state.visibility.gaps, state.now_ms
    if gaps and from_ms <= gaps[-1][1]:
        from_ms = min(from_ms, gaps.pop()[0])
    state.visibility.gaps = [*gaps[1 - GAPS_MAX :], (from_ms, until_ms)]


def cut_off(state: State, policy: Policy) -> None:
    """Note that a probe was cut off: nothing outside could be reached."""
    state.visibility.is_cut_off = True
    away(state, state.visibility.reached_ms)
    lose(state, policy, state.now_ms - state.visibility.reached_ms)


def unprobed(state: State, policy: Policy) -> None:
    """Reverb is no longer configured: end what only its probes could end, as a visibility gap that is over."""
    visibility = state.visibility
    if visibility.is_cut_off:
        visibility.is_cut_off = False
        away(state, visibility.reached_ms)
        lose(state, policy, state.now_ms - visibility.reached_ms)
    visibility.is_long = False
    visibility.round_trips_needed = visibility.auth_probes_needed = 0


def _ask_for_probes(state: State) -> None:
    visibility = state.visibility
    visibility.round_trips_needed, visibility.auth_probes_needed = (
        CLEAN_AFTER_LONG if visibility.is_long else CLEAN_AFTER_SHORT
    )


def _are_probes_silent(state: State, policy: Policy) -> bool:
    """Return whether probes are overdue: by three times their interval and a lease."""
    if policy.reverb is None:
        return False
    allowed_ms = 3 * policy.reverb.round_trip_every_ms + policy.lease_ms
    auth_probes_allowed_ms = 3 * policy.reverb.auth_every_ms + policy.lease_ms
    probing, now_ms = state.probing, state.now_ms
    return now_ms - probing.round_trip_ms > allowed_ms or now_ms - probing.auth_probe_ms > auth_probes_allowed_ms


def suspension_reason(state: State, policy: Policy) -> SuspensionReason | None:
    """Return why push is suspended because the sidecar cannot measure; None: it can.

    `core.fold.suspension` handles `reverb_unstable`.
    """
    visibility = state.visibility
    if visibility.is_cut_off:
        return SuspensionReason.CUT_OFF
    is_recovering = policy.reverb is not None and (
        visibility.round_trips_needed > 0 or visibility.auth_probes_needed > 0
    )
    if (
        visibility.needs_heartbeat
        or visibility.is_fall_due
        or is_recovering
        or state.now_ms < visibility.recover_until_ms
    ):
        return SuspensionReason.RECOVERING
    if _are_probes_silent(state, policy):
        return SuspensionReason.PROBES_SILENT
    if visibility.silent_sources and state.now_ms - visibility.seen_ms > policy.lease_ms:
        return SuspensionReason.SOURCE_DOWN
    if state.flag.rung > 0 and state.wired_ms is None:
        return SuspensionReason.UNWIRED
    if visibility.streak >= STREAK_MAX:
        return SuspensionReason.UNMEASURED
    if visibility.is_coverage_low:
        return SuspensionReason.COVERAGE
    return SuspensionReason.PAYER_COVERAGE if visibility.is_payer_coverage_low else None


def floor_ppm(state: State, policy: Policy) -> int:
    """Return the share of judged payments below which push is suspended on the current rung.

    Nothing but push clears the alert on `push_only`, so that what is not seen of it weighs more, and a share that goes
    up and down past one bound must not switch payers to and fro.
    """
    if policy.ladder[state.flag.rung].mode is not Mode.PUSH_ONLY:
        return policy.coverage_floor_ppm
    bound_ppm = PUSH_ONLY_RESUMES_PPM if state.visibility.is_coverage_low else PUSH_ONLY_FLOOR_PPM
    return max(policy.coverage_floor_ppm, bound_ppm)


def weigh_coverage(state: State, policy: Policy) -> None:
    """Note whether coverage is too low for push on the current rung."""
    judged, total = state.coverage.counts()
    is_low = total >= coverage.SUSPEND_FROM and judged * PPM < floor_ppm(state, policy) * total
    state.visibility.is_coverage_low = is_low
