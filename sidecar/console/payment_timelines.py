"""The timeline of one payment, from Stripe to the payer's page: each stage, the outcome, and its reason."""

import asyncio
import enum
from collections.abc import Iterator, Sequence
from typing import assert_never

import msgspec

from sidecar.console.adoptions import adoptions
from sidecar.core.decision.gates import duration
from sidecar.core.facts.observations import (
    AckReceived,
    BrowserReported,
    IgnoreReason,
    PaymentIgnored,
    PaymentSucceeded,
    Record,
    SkipReason,
)
from sidecar.core.facts.operator_actions import Overridden, OverrideCleared
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.facts.reports import Verdict, verdict_of
from sidecar.core.fold.overrides import LASTS_MAX_MS, LEFT_OUT_MS
from sidecar.core.fold.state import State
from sidecar.core.release.reconstruction import Reconstruction, reconstruct, window_of
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.wording import IGNORED, SKIPS, STAGES, UNMEASURED, VERDICTS

_READ_MAX = 1_000
_BACK_MAX = 20_000
_ON_MAX = 40_000
"""Records that are read before and after a payment, at most."""
_LINKS_MAX = 200
"""Decisions and actions that are read before a payment, for overrides among them."""
_CONCURRENT_MAX = 2


class Clock(enum.StrEnum):
    """The clock of a time. Times of two clocks are never subtracted."""

    STRIPE = "stripe"
    """Stripe's clock, in whole seconds."""
    JOURNAL = "journal"
    BROWSER = "browser"
    """The payer's clock, in milliseconds after the payment."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step, as a bar of a waterfall. Times are milliseconds; two clocks have no common zero."""

    name: str
    """`stripe_wait`, `paid`, `dispatched`, `delivered`, `refreshed`; of the browser `subscribed`, `pushed`,
    `cleared`."""
    clock: Clock
    from_ms: int
    """After the webhook by the journal's clock, so that Stripe's wait ends at 0; after the payment by the browser's."""
    until_ms: int
    text: str
    """The same as a sentence without a full stop."""


class StageTime(msgspec.Struct, frozen=True, kw_only=True):
    """The first ack of a stage."""

    stage: Stage
    at_ms: int
    """Unix milliseconds on the journal's clock."""
    after_ms: int | None
    """After the webhook; negative: before it; None: there is no webhook yet."""
    source: str
    """`backend`, `observer`, `user_channel`; `inferred`: the broadcast named a user and no payment."""
    release: str | None = None


class PaymentTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. Times are Unix milliseconds on the journal's clock."""

    payment_intent: str
    seq: int | None
    """The record of its webhook; None: there is none yet."""
    user_ref: str | None
    arrived_ms: int | None
    stripe_wait_s: int
    """Between Stripe's event and the signature of the delivery that arrived."""
    on_time_until_ms: int | None
    missed_from_ms: int | None
    deciding_stage: Stage
    stages: tuple[StageTime, ...]
    """In order of arrival."""
    skipped: SkipReason | None
    """Why the backend did not broadcast."""
    steps: tuple[Step, ...]
    report: BrowserReported | None
    """The report of the payer's browser; None: there is none yet."""
    reported_ms: int | None
    verdict: Verdict | None
    """The verdict of that report on push."""
    outcome: Outcome | None
    """None: it is open, or left out."""
    unmeasured: Unmeasured | None
    left_out: str | None
    """Why the payment has no outcome."""
    text: str
    """The outcome and its reason, in sentences."""


class PaymentTimelines:
    """Rebuild payment timelines. Each folds some minutes of the journal again, so concurrency is limited."""

    def __init__(self, journal: Journal, state: State) -> None:
        self._journal = journal
        self._state = state
        self._rebuilding = asyncio.Semaphore(_CONCURRENT_MAX)

    async def of(self, payment_intent: str) -> PaymentTimeline:
        """Return the timeline of a payment. Raises `SidecarError` with `not_found`."""
        async with self._rebuilding:
            return await timeline_of(self._journal, self._state, payment_intent)


async def timeline_of(journal: Journal, state: State, payment_intent: str) -> PaymentTimeline:
    """Return the timeline of a payment from its records. Raises `SidecarError` with `not_found`."""
    policy = state.policy
    first = await _first(journal, payment_intent)
    if policy is None or (first is None and payment_intent not in state.journeys):
        message = "unknown payment: it never arrived, is older than 35 days, or is not the id of a PaymentIntent (pi_…)"
        raise SidecarError(ErrorCode.NOT_FOUND, message)
    records: list[Record] = []
    if first is not None:
        policy = await _policy_at(journal, state, first.seq) or policy
        records = await _around(journal, policy, first)
    earlier = await _overrides_before(journal, records[0]) if records else []
    rebuilt = reconstruct(state, policy, records, payment_intent, earlier)
    user_ref = rebuilt.journey.user_ref if rebuilt.journey else None
    report = await journal.find(f"browser_reported:{payment_intent}:{user_ref}") if user_ref else None
    return _timeline(payment_intent, policy, first, records, rebuilt, report)


async def _first(journal: Journal, payment_intent: str) -> Record | None:
    """Return the record of the webhook, or of its exclusion by the filter."""
    found = await journal.find(f"payment_succeeded:{payment_intent}")
    for reason in IgnoreReason:
        found = found or await journal.find(f"payment_ignored:{reason}:{payment_intent}")
    return found


async def _policy_at(journal: Journal, state: State, seq: int) -> Policy | None:
    """Return the policy that was in force at a record."""
    async for adopted_seq, adopted in adoptions(journal, state):
        if adopted_seq < seq:
            return adopted.policy
    return None


async def _overrides_before(journal: Journal, first: Record) -> list[Record]:
    """Return the overrides before this record that may have stood then, in order."""
    from_ms = first.at_ms - LASTS_MAX_MS - LEFT_OUT_MS
    found = [link.record for link in await journal.links(first.seq, _LINKS_MAX)]
    kinds = (Overridden, OverrideCleared)
    return [each for each in reversed(found) if each.at_ms >= from_ms and isinstance(each.observation, kinds)]


async def _around(journal: Journal, policy: Policy, first: Record) -> list[Record]:
    """Return the records of the minutes around a payment, in order."""
    from_ms, until_ms = window_of(policy, first.at_ms)
    before: list[Record] = []
    start = first.seq
    while start > 1 and first.seq - start < _BACK_MAX:
        chunk_start = max(1, start - _READ_MAX)
        chunk = [each for each in await journal.read(chunk_start - 1, _READ_MAX) if chunk_start <= each.seq < start]
        before = [*chunk, *before]
        start = chunk_start
        if not chunk or chunk[0].at_ms < from_ms:
            break
    records = [each for each in before if each.at_ms >= from_ms]
    at = first.seq - 1
    while at - first.seq < _ON_MAX and (chunk := list(await journal.read(at, _READ_MAX))):
        records += [each for each in chunk if each.at_ms <= until_ms]
        at = chunk[-1].seq
        if chunk[-1].at_ms > until_ms:
            break
    return records


def _timeline(
    payment_intent: str,
    policy: Policy,
    first: Record | None,
    records: Sequence[Record],
    rebuilt: Reconstruction,
    report: Record | None,
) -> PaymentTimeline:
    journey = rebuilt.journey
    fact = report.observation if report is not None and isinstance(report.observation, BrowserReported) else None
    arrived_ms = journey.arrived_ms if journey else None
    stages = tuple(sorted(_stages(payment_intent, policy, records, rebuilt), key=lambda each: each.at_ms))
    is_ours = first is None or isinstance(first.observation, PaymentSucceeded)
    return PaymentTimeline(
        payment_intent=payment_intent,
        seq=first.seq if first is not None and is_ours else None,
        user_ref=journey.user_ref if journey else None,
        arrived_ms=arrived_ms,
        stripe_wait_s=journey.stripe_wait_s if journey else 0,
        on_time_until_ms=None if arrived_ms is None else arrived_ms + policy.on_time_within_ms,
        missed_from_ms=None if arrived_ms is None else arrived_ms + policy.missed_after_ms,
        deciding_stage=policy.stage,
        stages=stages,
        skipped=next(iter(journey.skips), None) if journey else None,
        steps=tuple(_steps(rebuilt, stages, fact)),
        report=fact,
        reported_ms=report.at_ms if report is not None else None,
        verdict=verdict_of(fact.reading) if fact is not None else None,
        outcome=rebuilt.outcome,
        unmeasured=rebuilt.unmeasured,
        left_out=rebuilt.left_out,
        text=" ".join(_sentences(policy, rebuilt, stages, fact, first)),
    )


def _stages(
    payment_intent: str, policy: Policy, records: Sequence[Record], rebuilt: Reconstruction
) -> Iterator[StageTime]:
    journey = rebuilt.journey
    if journey is None:
        return
    acks = {
        each.observation.stage: each.observation
        for each in reversed(records)
        if isinstance(each.observation, AckReceived) and each.observation.payment_intent == payment_intent
    }
    arrived_ms = journey.arrived_ms
    for stage, at_ms in journey.acks.items():
        ack = acks.get(stage)
        after_ms = None if arrived_ms is None else at_ms - arrived_ms
        source, release = (ack.source, ack.release) if ack is not None else ("", None)
        yield StageTime(stage=stage, at_ms=at_ms, after_ms=after_ms, source=source, release=release)
    if journey.inferred_ms is not None and policy.stage not in journey.acks and arrived_ms is not None:
        after_ms = journey.inferred_ms - arrived_ms
        yield StageTime(stage=policy.stage, at_ms=journey.inferred_ms, after_ms=after_ms, source="inferred")


def _steps(rebuilt: Reconstruction, stages: Sequence[StageTime], report: BrowserReported | None) -> Iterator[Step]:
    journey = rebuilt.journey
    if journey is not None and journey.arrived_ms is not None:
        wait_ms = 1000 * journey.stripe_wait_s
        text = f"{journey.stripe_wait_s} s between Stripe's event and the signature of the delivery that arrived"
        yield Step(name="stripe_wait", clock=Clock.STRIPE, from_ms=-wait_ms, until_ms=0, text=text)
    since_ms = 0
    for each in stages:
        if each.after_ms is not None:
            text = f"{STAGES[each.stage].clause}, {_after(each.after_ms)} the webhook"
            from_ms, until_ms = sorted((min(since_ms, each.after_ms), each.after_ms))
            yield Step(name=each.stage, clock=Clock.JOURNAL, from_ms=from_ms, until_ms=until_ms, text=text)
            since_ms = max(0, each.after_ms)
    if report is None:
        return
    reading = report.reading
    for name, at_ms, what in (
        ("subscribed", reading.subscribed_ms, "the browser's subscription was confirmed"),
        ("pushed", reading.pushed_ms, "the push arrived"),
        ("cleared", reading.cleared_ms, f"the alert was cleared, by {reading.cleared_by}"),
    ):
        if at_ms is not None:
            text = f"{what}, {_after(at_ms)} the payment"
            yield Step(name=name, clock=Clock.BROWSER, from_ms=0, until_ms=at_ms, text=text)


def _after(span_ms: int) -> str:
    return f"{_span(abs(span_ms))} {'before' if span_ms < 0 else 'after'}"


def _span(span_ms: int) -> str:
    return f"{span_ms} ms" if span_ms < 10_000 else duration(span_ms)  # noqa: PLR2004 - below, milliseconds matter


def _sentences(
    policy: Policy,
    rebuilt: Reconstruction,
    stages: Sequence[StageTime],
    report: BrowserReported | None,
    first: Record | None,
) -> Iterator[str]:
    if first is not None and isinstance(first.observation, PaymentIgnored):
        yield f"Outside the filter: {IGNORED[first.observation.reason].clause}."
    elif rebuilt.left_out is not None:
        yield f"No outcome: {_left_out(rebuilt.left_out)}."
    elif first is None:
        yield "Only acks have arrived; there is no webhook yet."
    else:
        yield _ending(policy, rebuilt, stages)
    if report is not None:
        yield VERDICTS[verdict_of(report.reading)].description


def _ending(policy: Policy, rebuilt: Reconstruction, stages: Sequence[StageTime]) -> str:
    within, after = _span(policy.on_time_within_ms), _span(policy.missed_after_ms)
    decided = next((each.after_ms for each in stages if each.stage is policy.stage), None)
    reached = f"the broadcast reached stage `{policy.stage}`"
    match rebuilt.outcome:
        case None:
            return f"Open: it is judged {within} after its webhook, once every source was read up to then."
        case Outcome.ON_TIME:
            return f"On time: {reached} {_after(decided or 0)} the webhook; the limit is {within}."
        case Outcome.LATE:
            return f"Late, a failure: {reached} only {_after(decided or 0)} the webhook; the limit is {within}."
        case Outcome.MISSED:
            failed = rebuilt.journey is not None and SkipReason.FAILED in rebuilt.journey.skips
            why = "the backend reported that its broadcast failed" if failed else f"no broadcast arrived within {after}"
            return f"Missed, a failure: {why}; the deciding stage is `{policy.stage}`."
        case Outcome.UNMEASURED:
            why = UNMEASURED[rebuilt.unmeasured].clause if rebuilt.unmeasured else "the reason is no longer known"
            return f"Unmeasured, so it says nothing about push: {why}."
        case _:
            assert_never(rebuilt.outcome)


def _left_out(reason: str) -> str:
    if reason in set(SkipReason):
        return SKIPS[SkipReason(reason)].clause
    return IGNORED[IgnoreReason(reason)].clause if reason in set(IgnoreReason) else reason
