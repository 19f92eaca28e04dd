"""Votes of `user_auth`: could payers authorise their channel? One vote per payer and hour, from the backend's answers.

The observer signs for itself and never calls the auth endpoint; the probe is one user. So the backend reports its
answer to every user, and payers are judged: any `ok` from an hour before to ten minutes after the payment is good,
otherwise any refusal is bad. Requests of users who do not pay are only counted. `core.fold.reach` judges the reports of
the payers' browsers.
"""

import heapq

from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.observations import BrowserReported, UserAuthReported
from sidecar.core.facts.policy import Policy
from sidecar.core.fold import reach
from sidecar.core.fold.reach import VOTES_EVERY_MS
from sidecar.core.fold.state import Payer, State
from sidecar.core.statistics.indicators import USER_AUTH, judge_vote, row_of

BEFORE_MS = 3_600_000
AFTER_MS = 600_000
PAYERS_MAX = 50_000
"""Maximum number of users; further ones are dropped and counted."""
PAYING_MAX = 2 * PAYERS_MAX
"""The same for payers: anyone may request channels in any user's name, and must not displace payers."""


def answered(state: State, fact: UserAuthReported) -> None:
    """Note how the backend answered a user's request for a channel."""
    state.tally.user_auths[fact.result] = state.tally.user_auths.get(fact.result, 0) + 1
    payer = _touched(state, fact.user_ref, PAYERS_MAX) if fact.user_ref is not None else None
    if payer is None:
        return
    if fact.result is UserAuth.OK:
        payer.ok_ms = state.now_ms
    else:
        payer.refused_ms = state.now_ms


def paid(state: State, policy: Policy, payment_intent: str, user_ref: str) -> None:
    """Record that a user paid: schedule the vote, and await the browser's report."""
    payer = _touched(state, user_ref, PAYING_MAX)
    if payer is None:
        return
    if payer.paid_ms is None:
        payer.paid_ms = state.now_ms
        heapq.heappush(state.payer_agenda, (state.now_ms + AFTER_MS, "vote", user_ref))
    reach.paid(state, policy, payment_intent, payer)


def reported(state: State, policy: Policy, fact: BrowserReported) -> None:
    """Process the report of a user's browser."""
    reach.reported(state, policy, fact, _touched(state, fact.user_ref, PAYING_MAX))


def blinded(state: State) -> None:
    """Leave out every vote that is not cast yet: an `ok` may have been missed."""
    indicator = state.indicators[USER_AUTH]
    for payer in state.payers.values():
        if payer.paid_ms is not None:
            payer.paid_ms = None
            indicator.unmeasured += not indicator.awaits_epoch


def due(state: State, policy: Policy) -> None:
    """Cast the votes that are due, and forget the users of whom nothing was learned for over an hour."""
    while state.payer_agenda and state.payer_agenda[0][0] <= state.now_ms:
        _, what, user_ref = heapq.heappop(state.payer_agenda)
        payer = state.payers[user_ref]
        if what == "vote":
            _vote(state, policy, user_ref, payer)
        elif payer.paid_ms is None and state.now_ms - payer.seen_ms >= BEFORE_MS + AFTER_MS:
            reach.forgotten(state, payer)
            del state.payers[user_ref]
        else:
            _plan_to_forget(state, user_ref, payer)


def _touched(state: State, user_ref: str, kept_max: int) -> Payer | None:
    """Return the payer's entry, created if necessary; None: the maximum is reached."""
    payer = state.payers.get(user_ref)
    if payer is None:
        if len(state.payers) >= kept_max:
            state.tally.dropped_payers += 1
            return None
        payer = state.payers[user_ref] = Payer(seen_ms=state.now_ms)
        _plan_to_forget(state, user_ref, payer)
    payer.seen_ms = state.now_ms
    return payer


def _plan_to_forget(state: State, user_ref: str, payer: Payer) -> None:
    due_ms = max(payer.seen_ms + BEFORE_MS, state.now_ms) + AFTER_MS
    heapq.heappush(state.payer_agenda, (due_ms, "forget", user_ref))


def _vote(state: State, policy: Policy, user_ref: str, payer: Payer) -> None:
    if payer.paid_ms is None or state.now_ms < payer.paid_ms + AFTER_MS:
        return  # it was left out, and this is its time and not that of a later payment
    paid_ms, payer.paid_ms = payer.paid_ms, None
    if payer.voted_ms is not None and paid_ms - payer.voted_ms < VOTES_EVERY_MS:
        return
    is_good = payer.ok_ms is not None and payer.ok_ms >= paid_ms - BEFORE_MS
    if not is_good and (payer.refused_ms is None or payer.refused_ms < paid_ms - BEFORE_MS):
        return
    payer.voted_ms = paid_ms
    if not is_good:
        state.flag.guard_version += 1
    judge_vote(
        state.indicators[USER_AUTH],
        row_of(USER_AUTH),
        policy,
        user_ref,
        is_good=is_good,
        at_ms=state.now_ms,
        can_end=state.flag.rung == 0,
    )
