"""One vote per payer and day in the indicators of payers, `user_auth` and `reach`.

The problem: if every payment is a vote, payers who pay often outvote the few who are refused, and one robot supplies
the whole proof. If bad votes count once and good ones every hour, a steady damage of some payers never raises an alarm.

What we do: evidence counts one vote per payer and day, good and bad alike, when the day closes. The day lasts 24 h
(`policy.payer_day`) from the payer's first vote, and it is bad if any of its payments ended bad.

The alarm cannot wait for that. A payer has a vote in it at most every 6 h: the first payment since, good or bad, steps
the CUSUMs at once. Whether a payment is a vote does not depend on how it ended; if only the bad ones among a payer's
later payments were votes, a healthy shop whose payers return within the day would raise the alarm within days.

An alarm needs several payers: no payer supplies more than a fifth of the bad votes that step the CUSUMs, however often
the payer votes, and a minimum of different payers must stand behind the alarm.
"""

import heapq

from sidecar.core.facts.policy import Policy
from sidecar.core.fold.payer_state import Day, Payer
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import (
    OF_PAYERS,
    REACH,
    USER_AUTH,
    Indicator,
    clear,
    count,
    is_dormant,
    row_of,
    step,
)

ALARM_VOTES_PER_DAY = 4
"""A payer's votes in the alarm: with 1, a shop of regulars notices nothing for a day; with 24, they outvote others."""
REPORTERS_MIN = {USER_AUTH: 3, REACH: 5}
"""Different payers with a bad vote that an alarm needs. A browser can report anything; `user_auth` is the backend's."""
PER_REPORTER = 5
"""A payer's bad vote steps the alarm only while the payer supplied at most one in so many of those that did."""
SILENT_AFTER_MS = 24 * 3_600_000
"""Payers whose reports were taken out of the app would otherwise keep an alarm for ever."""
REPORTERS_MAX = 1000
"""Payers that are remembered. Votes of further ones count: without them the good votes alone would end the alarm."""


def cast(state: State, policy: Policy, name: str, user_ref: str, *, is_good: bool, at_ms: int) -> bool:
    """Process how a payment of a known payer ended. Return whether it opened the payer's day, or turned it bad.

    A vote in the alarm is at the times of the payer's first payment of the day, and of its first 6 h after the last.
    """
    payer, indicator = state.payers[user_ref], state.indicators[name]
    day = day_of(payer, name)
    if day is not None and at_ms >= day.from_ms + policy.payer_day_ms:
        _close(state, policy, payer, name)
        day = None
    changes_day = day is None or (not is_good and not day.is_bad)
    if day is None:
        day = Day(from_ms=at_ms)
        _open(payer, name, day)
        plan(state, user_ref, payer, at_ms + policy.payer_day_ms)
    if not is_good:
        state.flag.guard_version += changes_day
        day.is_bad = True
    indicator.last_ms = state.now_ms
    if not indicator.epoch_began_ms and not indicator.awaits_epoch and not is_dormant(row_of(name), policy):
        indicator.epoch_began_ms = state.now_ms
    if at_ms >= day.alarm_from_ms:
        day.alarm_from_ms = at_ms + policy.payer_day_ms // ALARM_VOTES_PER_DAY
        _step(state, policy, name, user_ref, is_good=is_good)
    return changes_day


def excused(state: State, name: str) -> None:
    """Leave out a vote, good or bad, about a payment whose push Reverb's own trouble may have affected."""
    indicator = state.indicators[name]
    indicator.unmeasured += not indicator.awaits_epoch


def close_due(state: State, policy: Policy, payer: Payer, at_ms: int) -> int | None:
    """Count the payer's days that are over by then. Return when the next one closes; None: none is open."""
    next_ms = None
    for name in OF_PAYERS:
        day = day_of(payer, name)
        if day is None:
            continue
        closes_ms = day.from_ms + policy.payer_day_ms
        if closes_ms <= at_ms:
            _close(state, policy, payer, name)
        else:
            next_ms = closes_ms if next_ms is None else min(next_ms, closes_ms)
    return next_ms


def close_all(state: State, policy: Policy, name: str) -> None:
    """Count every open day of an indicator now: a new epoch begins, and they belong to the one before."""
    if name in OF_PAYERS:
        for payer in state.payers.values():
            _close(state, policy, payer, name)


def is_silent(state: State, name: str) -> bool:
    """Return whether no payer's vote is likely to end an alarm: none came for a day. On the bottom rung only."""
    indicator = state.indicators[name]
    is_alarmed = name in OF_PAYERS and indicator.is_latched and state.flag.rung == 0
    return is_alarmed and state.now_ms - indicator.last_ms >= SILENT_AFTER_MS


def release_silent(state: State) -> None:
    """End each alarm of payers who are silent, for an operator's reset: nothing else may ever end it."""
    for name in OF_PAYERS:
        if is_silent(state, name):
            indicator = state.indicators[name]
            indicator.levels, indicator.is_latched = [], False
            clear(indicator)


def plan(state: State, user_ref: str, payer: Payer, due_ms: int) -> None:
    """Have the agenda return to a user at this time, or earlier if it does so already."""
    if not payer.due_ms or due_ms < payer.due_ms:
        payer.due_ms = due_ms
        heapq.heappush(state.payer_agenda, (due_ms, "payer", user_ref))


def day_of(payer: Payer, name: str) -> Day | None:
    """Return the payer's open day in an indicator; None: none is open."""
    return payer.user_auth if name == USER_AUTH else payer.reach


def _open(payer: Payer, name: str, day: Day | None) -> None:
    if name == USER_AUTH:
        payer.user_auth = day
    else:
        payer.reach = day


def _close(state: State, policy: Policy, payer: Payer, name: str) -> None:
    day = day_of(payer, name)
    if day is not None:
        _open(payer, name, None)
        state.flag.guard_version += day.is_bad
        count(state.indicators[name], row_of(name), policy, is_good=not day.is_bad, at_ms=state.now_ms)


def _step(state: State, policy: Policy, name: str, user_ref: str, *, is_good: bool) -> None:
    """Step the alarm, unless the payer has supplied a fair share of its bad votes already."""
    indicator = state.indicators[name]
    if not is_good:
        state.flag.guard_version += 1
    if is_good or _reports(indicator, user_ref):
        step(
            indicator,
            row_of(name),
            policy,
            is_good=is_good,
            at_ms=state.now_ms,
            can_end=state.flag.rung == 0,
            can_latch=len(indicator.reporters) >= REPORTERS_MIN[name],
        )
    clear(indicator)


def _reports(indicator: Indicator, user_ref: str) -> bool:
    """Count a bad vote among those that step the alarm, if it is one."""
    reporters = indicator.reporters
    own = reporters.get(user_ref, 0)
    if own * PER_REPORTER > sum(reporters.values()):
        return False
    if own or len(reporters) < REPORTERS_MAX:
        reporters[user_ref] = own + 1
    return True
