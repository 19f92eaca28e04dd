"""Users who request channels, and who pay: what the backend answered them, and what follows from it.

The observer signs for itself and never calls the auth endpoint; the probe is one user. So the backend reports its
answer to every user, and payers are judged in `user_auth` by the last answer from an hour before to ten minutes after
the payment: an `ok` before a redirect must not hide the 403 after it. A visibility gap changes nothing about that. The
last answer that was received decides, good or bad: a refusal survives a restart, and leaving out only what the gap may
have hidden after an `ok` would leave refusals alone. Requests of users who do not pay are only counted.

`core.fold.reach` judges the reports of the payers' browsers, and `core.fold.votes` makes one vote per day of them.
"""

import heapq

from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.observations import BrowserReported, PaymentSucceeded, UserAuthReported
from sidecar.core.facts.policy import Policy
from sidecar.core.fold import overrides, payer_coverage, reach, votes
from sidecar.core.fold.payer_state import Paid, Payer
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import USER_AUTH

BEFORE_MS = 3_600_000
AFTER_MS = 600_000
"""From a payment to its decision: so long answers and reports count."""
ANSWERED_WITHIN_MS = 24 * 3_600_000
"""In payer coverage an `ok` so long before the payment counts: a page that stays open subscribes once. An older refusal
does not: it is no vote, and if it counted, payers who are refused long before they pay would look known."""
PAYERS_MAX = 50_000
"""Maximum number of users; further ones are dropped and counted."""
PAYING_MAX = 2 * PAYERS_MAX
"""The same for payers: anyone may request channels in any user's name, and must not displace payers."""
PAID_MAX = 100_000
"""Maximum number of payments that await their decision; further ones are dropped and counted."""


def answered(state: State, fact: UserAuthReported) -> None:
    """Note how the backend answered a user's request for a channel."""
    state.tally.user_auths[fact.result] = state.tally.user_auths.get(fact.result, 0) + 1
    if fact.user_ref is None or overrides.is_left_out(state, fact.user_ref):
        return
    payer = _touched(state, fact.user_ref, PAYERS_MAX)
    if payer is not None:
        payer.answered_ms, payer.is_ok = state.now_ms, fact.result is UserAuth.OK


def paid(state: State, policy: Policy, fact: PaymentSucceeded, *, is_prompt: bool) -> None:
    """Record that a user paid, and await the answers. `is_prompt`: Stripe delivered the webhook at once."""
    if fact.no_payer is not None:
        state.tally.no_payer[fact.no_payer] = state.tally.no_payer.get(fact.no_payer, 0) + 1
    if fact.user_ref is None or fact.payment_intent in state.paid:
        return
    payer = _touched(state, fact.user_ref, PAYING_MAX)
    if payer is None or len(state.paid) >= PAID_MAX:
        state.tally.dropped_payers += payer is not None
        return
    has_payer = fact.no_payer is None
    entry = Paid(user_ref=fact.user_ref, at_ms=state.now_ms, has_payer=has_payer, is_covered=has_payer and is_prompt)
    entry.is_excused = state.flag.suspension is not None
    state.paid[fact.payment_intent] = entry
    heapq.heappush(state.payer_agenda, (state.now_ms + AFTER_MS, "decide", fact.payment_intent))
    reach.paid(state, policy, fact.payment_intent, payer, entry)


def reported(state: State, policy: Policy, fact: BrowserReported) -> None:
    """Process the report of a user's browser."""
    if overrides.is_left_out(state, fact.user_ref):
        reach.dropped(state)
        return
    reach.reported(state, policy, fact, _touched(state, fact.user_ref, PAYING_MAX))


def due(state: State, policy: Policy) -> None:
    """Decide payments, close days, and forget users, in the order of their times, however late that is."""
    while state.payer_agenda and state.payer_agenda[0][0] <= state.now_ms:
        due_ms, what, key = heapq.heappop(state.payer_agenda)
        if what == "decide":
            _decide(state, policy, key, due_ms)
        else:
            payer = state.payers.get(key)
            if payer is not None and payer.due_ms == due_ms:  # else it is a later entry's turn
                _visit(state, policy, key, payer, due_ms)


def _decide(state: State, policy: Policy, payment_intent: str, at_ms: int) -> None:
    """Count a payment in payer coverage, and cast its vote in `user_auth`: its ten minutes are over."""
    entry = state.paid.pop(payment_intent)
    if overrides.is_left_out(state, entry.user_ref):
        return
    payer = state.payers[entry.user_ref]
    answered_ms = payer.answered_ms
    if entry.is_covered:
        within_ms = ANSWERED_WITHIN_MS if payer.is_ok else BEFORE_MS
        is_answered = answered_ms is not None and answered_ms >= entry.at_ms - within_ms
        payer_coverage.add(state, is_authorised=is_answered, is_reported=entry.is_reported)
    if not entry.is_reported:
        payer.unreported = payment_intent
    if not entry.has_payer or answered_ms is None or answered_ms < entry.at_ms - BEFORE_MS:
        return
    if entry.is_excused or state.flag.suspension is not None:
        votes.excused(state, USER_AUTH)
    else:
        votes.cast(state, policy, USER_AUTH, entry.user_ref, is_good=payer.is_ok, at_ms=at_ms)


def _visit(state: State, policy: Policy, user_ref: str, payer: Payer, at_ms: int) -> None:
    """Close the days of a user that are over; forget a user without one of whom nothing was learned for long."""
    payer.due_ms = 0
    due_ms = votes.close_due(state, policy, payer, at_ms)
    if due_ms is None:
        due_ms = payer.seen_ms + _kept_ms(state)
        if due_ms <= at_ms:
            reach.forgotten(state, payer)
            del state.payers[user_ref]
            return
    votes.plan(state, user_ref, payer, due_ms)


def _touched(state: State, user_ref: str, kept_max: int) -> Payer | None:
    """Return the user's entry, created if necessary; None: the maximum is reached."""
    payer = state.payers.get(user_ref)
    if payer is None:
        if len(state.payers) >= kept_max:
            state.tally.dropped_payers += 1
            return None
        payer = state.payers[user_ref] = Payer(seen_ms=state.now_ms)
        votes.plan(state, user_ref, payer, state.now_ms + _kept_ms(state))
    payer.seen_ms = state.now_ms
    return payer


def _kept_ms(state: State) -> int:
    """Return for how long a user without an open day is kept: less while many are, to leave space for others."""
    return AFTER_MS + (ANSWERED_WITHIN_MS if len(state.payers) < PAYERS_MAX // 2 else BEFORE_MS)
