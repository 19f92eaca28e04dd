"""Votes of `reach`: does push reach the payers? One vote per payer and day, from the payer's own browser.

The problem: the observer, the probes and the backend can all be healthy while every payer sees "Pay now"; only browsers
measure that. But a payer can make a browser send anything.

What we do: a report counts once, and only for a payment that Stripe signed, of the user of the report's token. Good
votes can only lift the veto of this indicator: every other gate must pass too. Bad ones raise an alarm only when those
since its CUSUMs last were at 0 are from five different users (`core.fold.votes`), however long that took. A report of a
payment around which Reverb itself was in trouble is no vote, good or bad: without the bad ones alone, the good ones
would flatter push.
"""

from sidecar.core.facts.observations import BrowserReported
from sidecar.core.facts.outcomes import ReportOutcome
from sidecar.core.facts.policy import Policy
from sidecar.core.facts.reports import ClearedBy, Flow, Reading, Verdict, verdict_of
from sidecar.core.fold import votes
from sidecar.core.fold.disturbances import was_reverb_away
from sidecar.core.fold.payer_state import Day, EarlyReport, Paid, Payer
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import REACH

REPORTS_WITHIN_MS = 600_000
"""A report counts for so long after its payment's webhook, and before it."""
FLOW_COUNTS_FROM_PPM = 50_000
"""From this share of the last reports a flow's payers count on a rung."""
LAST_FLOWS = 200
REFETCHES_MAX = 20
"""No client of ours makes more refetches for one payment; a forged number must not outweigh all others."""
EARLY_MAX = 8
"""Maximum reports of one user that arrived before their payments."""
_POLLS = frozenset({
    ClearedBy.TIMER, ClearedBy.SAFETY_NET, ClearedBy.MOVED, ClearedBy.LEASE, ClearedBy.LAST
})  # fmt: skip
"""Refetches that neither push nor the payment itself brought about."""


def reported(state: State, policy: Policy, fact: BrowserReported, payer: Payer | None) -> None:
    """Process a report; `payer` is its sender, and None where the maximum number of payers is reached."""
    if payer is None:
        _count(state, ReportOutcome.UNMATCHED)
        return
    entry = state.paid.get(fact.payment_intent)
    if entry is not None and entry.user_ref == fact.user_ref:
        _take(state, policy, fact, payer, entry)
    elif payer.unreported == fact.payment_intent:
        payer.unreported = None
        _count(state, ReportOutcome.LATE)
    else:
        payer.early[fact.payment_intent] = EarlyReport(fact=fact, at_ms=state.now_ms)
        if len(payer.early) > EARLY_MAX:
            del payer.early[next(iter(payer.early))]
            _count(state, ReportOutcome.UNMATCHED)


def paid(state: State, policy: Policy, payment_intent: str, payer: Payer, entry: Paid) -> None:
    """Process the report that arrived before its payment, if there is one."""
    early = payer.early.pop(payment_intent, None)
    if early is None:
        return
    if state.now_ms - early.at_ms >= REPORTS_WITHIN_MS:
        _count(state, ReportOutcome.LATE)
    else:
        _take(state, policy, early.fact, payer, entry)


def forgotten(state: State, payer: Payer) -> None:
    """Count as unmatched the reports of a removed payer whose payments never arrived."""
    for _ in payer.early:
        _count(state, ReportOutcome.UNMATCHED)


def dropped(state: State) -> None:
    """Count the report of a user whose mode an operator chose: it is about a test."""
    _count(state, ReportOutcome.OVERRIDE)


def common_flows(state: State) -> tuple[Flow, ...]:
    """Return the flows that are common enough for their payers to count on a rung."""
    flows = state.reach.flows
    return tuple(flow for flow in Flow if flows and flows.count(flow) * 1_000_000 >= FLOW_COUNTS_FROM_PPM * len(flows))


def payers_on_rung(state: State) -> int:
    """Return the payers who were served the current rung and reported, without those of a rare flow."""
    return sum(state.flag.payers.get(flow, 0) for flow in common_flows(state))


def _take(state: State, policy: Policy, fact: BrowserReported, payer: Payer, entry: Paid) -> None:
    """Judge the report of a payment."""
    if entry.is_reported:
        _count(state, ReportOutcome.REPEATED)
        return
    entry.is_reported = True
    reading, verdict = fact.reading, verdict_of(fact.reading)
    _tally(state, fact, verdict)
    _note_flow(state, reading.flow)
    if verdict in {Verdict.GONE, Verdict.NEVER_PAID}:
        indicator = state.indicators[REACH]
        indicator.unmeasured += not indicator.awaits_epoch
        _count(state, ReportOutcome(verdict))
        return
    is_excused = entry.is_excused or state.flag.suspension is not None
    if is_excused or was_reverb_away(state, entry.at_ms, entry.at_ms + policy.on_time_within_ms):
        votes.excused(state, REACH)
        _count(state, ReportOutcome.EXCUSED)
        return
    has_voted = votes.cast(state, policy, REACH, fact.user_ref, is_good=verdict is Verdict.GOOD, at_ms=state.now_ms)
    _count(state, ReportOutcome(verdict) if has_voted else ReportOutcome.REPEATED)
    if payer.reach is not None:
        _count_on_rung(state, reading, payer.reach)


def _note_flow(state: State, flow: Flow) -> None:
    """Record the payer's flow; one that becomes rare may close a gate, and its first ever opens the question."""
    before = common_flows(state)
    state.reach.flows = [*state.reach.flows[1 - LAST_FLOWS :], flow]
    if not before or set(before) - set(common_flows(state)):
        state.flag.guard_version += 1


def _count_on_rung(state: State, reading: Reading, day: Day) -> None:
    """Count a payer who was served the current rung, once a day."""
    flag, rung = state.flag, state.rung
    is_served = (
        rung is not None and reading.mode is rung.mode and flag.reached_version <= reading.version <= flag.version
    )
    if is_served and day.counted_version != flag.reached_version:
        day.counted_version = flag.reached_version
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
