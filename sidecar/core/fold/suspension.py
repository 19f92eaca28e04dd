"""Attribute an alarm: Reverb is unstable (suspend push, keep the rung), or push itself fails (fall).

The problem: a deploy of Reverb fails every probe and every payment for some seconds. A fall would discard the evidence
of weeks; no reaction would leave payers waiting.

What we do: an alarm of the probes alone suspends push, and keeps rung, epoch and soak. An alarm of payments answers
timers at once too, and is attributed a minute later, when the probes have had the time to show whether Reverb was away.
Reverb that stays unstable is no short disturbance: the third suspension in a day is a fall, and so is a long one.
"""

import enum

from sidecar.core.facts.policy import Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import Conclusions, SuspensionBegan, SuspensionEnded
from sidecar.core.fold.state import State, Suspension
from sidecar.core.statistics.indicators import CHANNEL_AUTH, PAYMENTS, ROUND_TRIPS, bank_of, forgive, row_of

ATTRIBUTED_AFTER_MS = 60_000
"""From an alarm of payments to its attribution."""
BEFORE_MS = 30_000
"""Probe results from so long before the first failed payment on count for the attribution."""
LASTS_MAX_MS = 30 * 60_000
PER_DAY_MAX = 2
_DAY_MS = 24 * 3_600_000
_PROBED = frozenset({ROUND_TRIPS, CHANNEL_AUTH})


class Answer(enum.StrEnum):
    """The reaction to an alarm on a push rung. Timers are served in any case."""

    NONE = "none"
    """There is no alarm."""
    WAIT = "wait"
    """It is not attributed yet."""
    SUSPEND = "suspend"
    FALL = "fall"
    TOO_MANY = "too_many"
    """A suspension, but the third in a day: a fall."""
    TOO_LONG = "too_long"
    """The suspension has lasted too long: a fall."""


def answer(state: State, policy: Policy) -> Answer:
    """Return the reaction to the alarms that are latched."""
    latched = {name for name, indicator in state.indicators.items() if indicator.is_latched}
    if not latched:
        return Answer.NONE
    if policy.reverb is None or latched - _PROBED - {PAYMENTS}:
        return Answer.FALL
    suspension = state.flag.suspension
    if suspension is not None:
        return Answer.TOO_LONG if state.now_ms - suspension.began_ms > LASTS_MAX_MS else Answer.SUSPEND
    if PAYMENTS in latched:
        payments = state.indicators[PAYMENTS]
        if state.now_ms < payments.alarmed_ms + ATTRIBUTED_AFTER_MS:
            return Answer.WAIT
        from_ms = (payments.first_bad_ms or payments.alarmed_ms) - BEFORE_MS
        if not was_reverb_away(state, from_ms, payments.alarmed_ms + ATTRIBUTED_AFTER_MS):
            return Answer.FALL
    recent = [began_ms for began_ms in state.flag.suspensions_ms if state.now_ms - began_ms < _DAY_MS]
    return Answer.TOO_MANY if len(recent) >= PER_DAY_MAX else Answer.SUSPEND


def settle(state: State, policy: Policy, out: Conclusions) -> None:
    """Begin the suspension that an alarm requires, or end one whose time is over. The bottom rung has none."""
    flag = state.flag
    if flag.rung == 0:
        flag.suspension = None
        return
    if flag.suspension is None and answer(state, policy) is Answer.SUSPEND:
        _begin(state, policy, out)
    if flag.suspension is not None and state.now_ms >= flag.suspension.until_ms:
        flag.suspension = None
        flag.guard_version += 1
        for name, indicator in state.indicators.items():
            if indicator.is_latched and name in _PROBED | {PAYMENTS}:
                forgive(indicator, bank_of(row_of(name), policy))
        out.append(SuspensionEnded(reason=SuspensionReason.REVERB_UNSTABLE))


def _begin(state: State, policy: Policy, out: Conclusions) -> None:
    flag = state.flag
    began_ms = min(indicator.alarmed_ms for indicator in state.indicators.values() if indicator.is_latched)
    last_failed_ms = max((began_ms, *state.probing.failed_round_trips_ms))
    flag.suspension = Suspension(began_ms=began_ms, until_ms=last_failed_ms + policy.suspension_ms)
    flag.suspensions_ms = [*flag.suspensions_ms[-9:], began_ms]
    flag.guard_version += 1
    out.append(SuspensionBegan(reason=SuspensionReason.REVERB_UNSTABLE, until_ms=flag.suspension.until_ms))


def prolong(state: State, policy: Policy) -> None:
    """Extend the suspension, because a probe failed during it."""
    if state.flag.suspension is not None:
        state.flag.suspension.until_ms = state.now_ms + policy.suspension_ms


def next_ms(state: State, policy: Policy) -> int | None:
    """Return when time alone attributes an alarm or ends a suspension; None: never."""
    suspension = state.flag.suspension
    if suspension is not None:
        return min(suspension.until_ms, suspension.began_ms + LASTS_MAX_MS + 1)
    if policy.reverb is not None and state.flag.rung > 0 and state.indicators[PAYMENTS].is_latched:
        return state.indicators[PAYMENTS].alarmed_ms + ATTRIBUTED_AFTER_MS
    return None


def was_reverb_away(state: State, from_ms: int, until_ms: int) -> bool:
    """Return whether two round trips failed, or all sockets were down, in a recent period."""
    probing = state.probing
    failed = [at_ms for at_ms in probing.failed_round_trips_ms if from_ms <= at_ms <= until_ms]
    if len(failed) >= 2:  # noqa: PLR2004 - one may be noise
        return True
    if probing.down_since_ms is not None:
        return probing.down_since_ms <= until_ms
    return probing.down_until_ms >= from_ms
