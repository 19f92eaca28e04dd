"""Attribute an alarm: Reverb is unstable (suspend push, keep the rung), or push itself fails (fall).

The problem: a deploy of Reverb fails every probe and every payment for some seconds. A fall would discard the evidence
of weeks; no reaction would leave payers waiting.

What we do: an alarm of the probes alone suspends push, and keeps rung, epoch and soak. An alarm of payments answers
timers at once too, and is attributed a minute later, when the probes have had the time to show whether Reverb was away.
A second bank of CUSUMs leaves out the failures that Reverb's trouble explains. If that one is in alarm too, then or
later, push itself fails.
Reverb that stays unstable is no short disturbance: the third suspension in a day is a fall, and so is a long one.
"""

import enum

from sidecar.core.facts.policy import Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import Conclusions, SuspensionBegan, SuspensionEnded
from sidecar.core.fold.disturbances import AFTER_MS, LASTS_MAX_MS, was_reverb_away
from sidecar.core.fold.state import State, Suspension
from sidecar.core.statistics.indicators import (
    CHANNEL_AUTH,
    PAYMENTS,
    ROUND_TRIPS,
    bank_of,
    forgive,
    row_of,
    step_unexplained,
)

ATTRIBUTED_AFTER_MS = AFTER_MS
"""From an alarm of payments to its attribution, and from a deadline until it is known what explains a failure."""
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
    is_unexplained = state.indicators[PAYMENTS].is_unexplained
    if policy.reverb is None or is_unexplained or latched - _PROBED - {PAYMENTS}:
        return Answer.FALL
    suspension = state.flag.suspension
    if suspension is not None:
        return Answer.TOO_LONG if state.now_ms - suspension.began_ms > LASTS_MAX_MS else Answer.SUSPEND
    if PAYMENTS in latched and state.now_ms < state.indicators[PAYMENTS].alarmed_ms + ATTRIBUTED_AFTER_MS:
        return Answer.WAIT
    recent = [began_ms for began_ms in state.flag.suspensions_ms if state.now_ms - began_ms < _DAY_MS]
    return Answer.TOO_MANY if len(recent) >= PER_DAY_MAX else Answer.SUSPEND


def judged(state: State, policy: Policy, began_ms: int, deadline_ms: int, *, is_good: bool) -> None:
    """Await what may explain the failure of a judged payment."""
    if policy.reverb is None or (
        is_good and not state.unattributed and not any(state.indicators[PAYMENTS].unexplained)
    ):
        return
    state.unattributed.append((began_ms, deadline_ms, is_good))


def attribute(state: State, policy: Policy) -> None:
    """Step the CUSUMs of unexplained failures by the payments whose explanation is complete."""
    while state.unattributed and state.unattributed[0][1] + ATTRIBUTED_AFTER_MS <= state.now_ms:
        began_ms, deadline_ms, is_good = state.unattributed.pop(0)
        if is_good or not was_reverb_away(state, began_ms, deadline_ms):
            state.flag.guard_version += not is_good
            step_unexplained(state.indicators[PAYMENTS], row_of(PAYMENTS), policy, is_good=is_good, at_ms=state.now_ms)


def settle(state: State, policy: Policy, out: Conclusions) -> None:
    """Begin the suspension that an alarm requires, or end one whose time is over. The bottom rung has none.

    Not where a fall is due: to end it forgives the alarm, and after a pause one record may bring about both.
    """
    flag = state.flag
    if flag.rung == 0:
        flag.suspension = None
        return
    if flag.suspension is None and answer(state, policy) is Answer.SUSPEND:
        _begin(state, policy, out)
    is_over = flag.suspension is not None and state.now_ms >= flag.suspension.until_ms
    if is_over and answer(state, policy) is not Answer.FALL:
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
    times = [deadline_ms + ATTRIBUTED_AFTER_MS for _, deadline_ms, is_good in state.unattributed if not is_good][:1]
    if policy.reverb is not None and state.flag.rung > 0 and state.indicators[PAYMENTS].is_latched:
        times.append(state.indicators[PAYMENTS].alarmed_ms + ATTRIBUTED_AFTER_MS)
    return min((at_ms for at_ms in times if at_ms > state.now_ms), default=None)
