"""Is it Reverb that hiccups, or is push no good? A shelter keeps the rung; a fall does not.

The problem: a deploy of Reverb fails every probe and every payment for some seconds. A fall would cost the proof of
weeks; no answer at all would leave payers waiting.

What we do: an alarm of the probes alone is answered by timers for a while, with rung, epoch and soak kept. An alarm of
payments is answered by timers at once too, and named a minute later, when the probes have had the time to say whether
Reverb was away. What keeps happening is no hiccup: the third shelter in a day falls, and so does one that lasts.
"""

import enum

from sidecar.core.facts.policy import Policy
from sidecar.core.fold.conclusions import Conclusions, ReverbSuspensionBegan, ReverbSuspensionEnded
from sidecar.core.fold.state import State, Suspension
from sidecar.core.statistics.indicators import CHANNEL_AUTH, PAYMENTS, ROUND_TRIPS, bank_of, forgive, row_of

NAMED_AFTER_MS = 60_000
"""So long after an alarm of payments it is named."""
BEFORE_MS = 30_000
"""From so long before its first failure on, what the probes say counts."""
LASTS_MAX_MS = 30 * 60_000
PER_DAY_MAX = 2
_DAY_MS = 24 * 3_600_000
_PROBED = frozenset({ROUND_TRIPS, CHANNEL_AUTH})


class Answer(enum.StrEnum):
    """What an alarm on a push rung is answered with. Timers are served in any case."""

    NONE = "none"
    """There is no alarm."""
    WAIT = "wait"
    """It has no name yet."""
    SHELTER = "shelter"
    FALL = "fall"
    TOO_MANY = "too_many"
    """It would be a shelter, but it is the third in a day: a fall."""
    TOO_LONG = "too_long"
    """The shelter has lasted too long: a fall."""


def answer(state: State, policy: Policy) -> Answer:
    """Say what the alarms that are latched are answered with."""
    latched = {name for name, indicator in state.indicators.items() if indicator.is_latched}
    if not latched:
        return Answer.NONE
    if policy.reverb is None or latched - _PROBED - {PAYMENTS}:
        return Answer.FALL
    shelter = state.flag.suspension
    if shelter is not None:
        return Answer.TOO_LONG if state.now_ms - shelter.began_ms > LASTS_MAX_MS else Answer.SHELTER
    if PAYMENTS in latched:
        if state.now_ms < state.indicators[PAYMENTS].alarmed_ms + NAMED_AFTER_MS:
            return Answer.WAIT
        payments = state.indicators[PAYMENTS]
        from_ms = (payments.first_bad_ms or payments.alarmed_ms) - BEFORE_MS
        if not was_reverb_away(state, from_ms, payments.alarmed_ms + NAMED_AFTER_MS):
            return Answer.FALL
    recent = [began_ms for began_ms in state.flag.suspensions_ms if state.now_ms - began_ms < _DAY_MS]
    return Answer.TOO_MANY if len(recent) >= PER_DAY_MAX else Answer.SHELTER


def settle(state: State, policy: Policy, out: Conclusions) -> None:
    """Begin the shelter that an alarm asks for, or end one whose time is over. On the bottom rung there is none."""
    flag = state.flag
    if flag.rung == 0:
        flag.suspension = None
        return
    if flag.suspension is None and answer(state, policy) is Answer.SHELTER:
        began_ms = min(indicator.alarmed_ms for indicator in state.indicators.values() if indicator.is_latched)
        last_failed_ms = max((began_ms, *state.probing.failed_round_trips_ms))
        flag.suspension = Suspension(began_ms=began_ms, until_ms=last_failed_ms + policy.suspension_ms)
        flag.suspensions_ms = [*flag.suspensions_ms[-9:], began_ms]
        flag.guard_version += 1
        state.tally.shelters += 1
        out.append(ReverbSuspensionBegan(until_ms=flag.suspension.until_ms))
    if flag.suspension is not None and state.now_ms >= flag.suspension.until_ms:
        flag.suspension = None
        flag.guard_version += 1
        for name, indicator in state.indicators.items():
            if indicator.is_latched and name in _PROBED | {PAYMENTS}:
                forgive(indicator, bank_of(row_of(name), policy))
        out.append(ReverbSuspensionEnded())


def prolong(state: State, policy: Policy) -> None:
    """Let the shelter last, because a probe failed in it."""
    if state.flag.suspension is not None:
        state.flag.suspension.until_ms = state.now_ms + policy.suspension_ms


def next_ms(state: State, policy: Policy) -> int | None:
    """Return when time alone names an alarm or ends a shelter; None: never."""
    shelter = state.flag.suspension
    if shelter is not None:
        return min(shelter.until_ms, shelter.began_ms + LASTS_MAX_MS + 1)
    if policy.reverb is not None and state.flag.rung > 0 and state.indicators[PAYMENTS].is_latched:
        return state.indicators[PAYMENTS].alarmed_ms + NAMED_AFTER_MS
    return None


def was_reverb_away(state: State, from_ms: int, until_ms: int) -> bool:
    """Say whether two round trips failed, or all sockets were down, in a time that has not long passed."""
    probing = state.probing
    failed = [at_ms for at_ms in probing.failed_round_trips_ms if from_ms <= at_ms <= until_ms]
    if len(failed) >= 2:  # noqa: PLR2004 - one may be chance
        return True
    if probing.down_since_ms is not None:
        return probing.down_since_ms <= until_ms
    return probing.down_until_ms >= from_ms
