"""Votes of `reach`: does push reach the payers? One vote per payer and hour, from the payer's own browser.

The problem: the observer, the probes and the backend can all be healthy while every payer sees "Pay now"; only browsers
measure that. But a payer can make a browser send anything.

What we do: a report counts once, and only for a payment that Stripe signed, of the user of the report's token. Good
votes can only lift the veto of this indicator: every other gate must pass too. Bad ones raise an alarm only when those
since its CUSUMs last were at 0 are from five different users, one vote each, however long that took.
"""

from sidecar.core.facts.observations import BrowserReported
from sidecar.core.facts.outcomes import ReportOutcome
from sidecar.core.facts.policy import Policy
from sidecar.core.facts.reports import ClearedBy, Flow, Reading, Verdict, verdict_of
from sidecar.core.fold.disturbances import was_reverb_away
from sidecar.core.fold.state import EarlyReport, Payer, State
from sidecar.core.statistics.indicators import REACH, judge_vote, row_of

REPORTS_WITHIN_MS = 600_000
"""A report counts for so long after its payment's webhook, and before it."""
VOTES_EVERY_MS = 3_600_000
REPORTERS_MIN = 5
"""Users that an alarm needs."""
FLOW_COUNTS_FROM_PPM = 50_000
"""From this share of the last reports a flow needs payers of its own on a rung."""
LAST_FLOWS = 200
REFETCHES_MAX = 20
"""No client of ours makes more refetches for one payment; a forged number must not outweigh all others."""
_AWAITED_MAX = 8
"""Maximum payments of one user with an awaited report, and reports that arrived before their payments."""
_POLLS = frozenset({
    ClearedBy.TIMER, ClearedBy.SAFETY_NET, ClearedBy.MOVED, ClearedBy.LEASE, ClearedBy.LAST
})  # fmt: skip
"""Refetches that neither push nor the payment itself brought about."""


def reported(state: State, policy: Policy, fact: BrowserReported, payer: Payer | None) -> None:
    """Process a report; `payer` is its sender, and None where the maximum number of payers is reached."""
    if payer is None:
        _count(state, ReportOutcome.UNMATCHED)
    elif fact.payment_intent in payer.awaited:
        _take(state, policy, fact, payer, payer.awaited.pop(fact.payment_intent))
    else:
        payer.early[fact.payment_intent] = EarlyReport(fact=fact, at_ms=state.now_ms)
        if len(payer.early) > _AWAITED_MAX:
            del payer.early[next(iter(payer.early))]
            _count(state, ReportOutcome.UNMATCHED)


def paid(state: State, policy: Policy, payment_intent: str, payer: Payer) -> None:
    """Await a payment's report, or process the one that arrived before it."""
    early = payer.early.pop(payment_intent, None)
    if early is not None:
        _take(state, policy, early.fact, payer, early.at_ms)
        return
    payer.awaited[payment_intent] = state.now_ms
    while len(payer.awaited) > _AWAITED_MAX:
        del payer.awaited[next(iter(payer.awaited))]


def forgotten(state: State, payer: Payer) -> None:
    """Count as unmatched the reports of a removed payer whose payments never arrived."""
    for _ in payer.early:
        _count(state, ReportOutcome.UNMATCHED)


def needs_payers(state: State) -> tuple[Flow, ...]:
    """Return the flows that are common enough to need payers of their own on a rung."""
    flows = state.reach.flows
    return tuple(flow for flow in Flow if flows and flows.count(flow) * 1_000_000 >= FLOW_COUNTS_FROM_PPM * len(flows))


def _take(state: State, policy: Policy, fact: BrowserReported, payer: Payer, paid_ms: int) -> None:
    """Judge a report of a payment that arrived at `paid_ms`, or whose report arrived then, before its webhook."""
    if state.now_ms - paid_ms >= REPORTS_WITHIN_MS:
        _count(state, ReportOutcome.LATE)
        return
    reading, verdict = fact.reading, verdict_of(fact.reading)
    _tally(state, fact, verdict)
    _note_flow(state, reading.flow)
    indicator = state.indicators[REACH]
    if verdict in {Verdict.GONE, Verdict.NEVER_PAID}:
        indicator.unmeasured += not indicator.awaits_epoch
        _count(state, ReportOutcome(verdict))
        return
    if payer.reported_ms is not None and state.now_ms - payer.reported_ms < VOTES_EVERY_MS:
        _count(state, ReportOutcome.REPEATED)
        return
    payer.reported_ms = state.now_ms
    _count(state, ReportOutcome(verdict))
    _count_on_rung(state, reading)
    _vote(state, policy, fact.user_ref, paid_ms, is_good=verdict is Verdict.GOOD)


def _note_flow(state: State, flow: Flow) -> None:
    """Record the payer's flow; a flow that becomes common may close a gate."""
    before = needs_payers(state)
    state.reach.flows = [*state.reach.flows[1 - LAST_FLOWS :], flow]
    if set(needs_payers(state)) - set(before):
        state.flag.guard_version += 1


def _vote(state: State, policy: Policy, user_ref: str, paid_ms: int, *, is_good: bool) -> None:
    is_suspended = state.flag.suspension is not None or was_reverb_away(
        state, paid_ms, paid_ms + policy.on_time_within_ms
    )
    if not is_good:
        state.flag.guard_version += 1
    judge_vote(
        state.indicators[REACH],
        row_of(REACH),
        policy,
        user_ref,
        is_good=is_good,
        at_ms=state.now_ms,
        can_end=state.flag.rung == 0,
        is_suspended=is_suspended,
        reporters_min=REPORTERS_MIN,
    )


def _count_on_rung(state: State, reading: Reading) -> None:
    """Count a payer who was served the current rung."""
    flag, rung = state.flag, state.rung
    if rung is not None and reading.mode is rung.mode and flag.reached_version <= reading.version <= flag.version:
        flag.payers[reading.flow] = flag.payers.get(reading.flow, 0) + 1


def _tally(state: State, fact: BrowserReported, verdict: Verdict) -> None:
    tally, reading = state.tally, fact.reading
    tally.reported[reading.mode] = tally.reported.get(reading.mode, 0) + 1
    tally.refetches[reading.mode] = tally.refetches.get(reading.mode, 0) + min(reading.refetches, REFETCHES_MAX)
    tally.stale_refetches += min(reading.stale_refetches, REFETCHES_MAX)
    tally.subscriptions[reading.subscription] = tally.subscriptions.get(reading.subscription, 0) + 1
    cleared = f"{reading.mode}/{reading.cleared_by or 'never'}"
    tally.cleared[cleared] = tally.cleared.get(cleared, 0) + 1
    who = f"{reading.flow}/{fact.browser}/{verdict}"
    tally.reach[who] = tally.reach.get(who, 0) + 1
    if verdict is Verdict.BAD and reading.cleared_by in _POLLS:
        tally.rescued += 1


def _count(state: State, outcome: ReportOutcome) -> None:
    state.tally.reports[outcome] = state.tally.reports.get(outcome, 0) + 1
