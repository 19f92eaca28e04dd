"""One payment's way, from Stripe to the payer's page: when it passed each stage, how it ended, and why."""

import asyncio
import enum
from collections.abc import Iterator, Sequence
from typing import assert_never

import msgspec

from sidecar.core.decision.gates import duration
from sidecar.core.facts.observations import (
    AckReceived,
    BrowserReported,
    IgnoreReason,
    PaymentIgnored,
    PaymentSucceeded,
    PolicyAdopted,
    Record,
    SkipReason,
)
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.facts.reports import Verdict, verdict_of
from sidecar.core.fold.state import State
from sidecar.core.release.reconstruction import Reconstruction, reconstruct, window_of
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.wording import IGNORED, SKIPS, STAGES, UNMEASURED, VERDICTS

_READ_MAX = 1_000
_BACK_MAX = 20_000
_ON_MAX = 40_000
"""So many records before a payment, and after it, are looked through at most."""
_TOLD_AT_ONCE_MAX = 2


class Clock(enum.StrEnum):
    """Whose clock a time is by: two clocks' times are never subtracted."""

    STRIPE = "stripe"
    """Spans by Stripe's clock, in whole seconds."""
    JOURNAL = "journal"
    BROWSER = "browser"
    """Milliseconds after the payment, by the payer's own clock."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the way, as a bar of a waterfall. Times are milliseconds; two clocks have no common zero."""

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
    """The first news of a stage."""

    stage: Stage
    at_ms: int
    """Unix milliseconds on the journal's clock."""
    after_ms: int | None
    """After the webhook; negative: it came first; None: the webhook has not come."""
    source: str
    """`backend`, `observer`, `user_channel`; `inferred`: it named a user and no payment."""
    release: str | None = None


class PaymentJourney(msgspec.Struct, frozen=True, kw_only=True):
    """One payment's way. Times are Unix milliseconds on the journal's clock."""

    payment_intent: str
    seq: int | None
    """The record of its webhook; None: it has not come."""
    user_ref: str | None
    arrived_ms: int | None
    stripe_wait_s: int
    """Between Stripe's event and the signature of the delivery that came."""
    on_time_until_ms: int | None
    missed_from_ms: int | None
    deciding_stage: Stage
    stages: tuple[StageTime, ...]
    """In the order in which they came."""
    skipped: SkipReason | None
    """Why the backend did not broadcast."""
    steps: tuple[Step, ...]
    report: BrowserReported | None
    """What the payer's browser told; None: nothing, or nothing yet."""
    reported_ms: int | None
    verdict: Verdict | None
    """What that says of push."""
    outcome: Outcome | None
    """None: it has none yet, or is left out."""
    unmeasured: Unmeasured | None
    left_out: str | None
    """Why it is no outcome at all."""
    text: str
    """How it ended, and why, in sentences."""


class Journeys:
    """Payments' ways, for all who ask of one process: each folds some minutes once more, so only so many at a time."""

    def __init__(self, journal: Journal, state: State) -> None:
        self._journal = journal
        self._state = state
        self._telling = asyncio.Semaphore(_TOLD_AT_ONCE_MAX)

    async def of(self, payment_intent: str) -> PaymentJourney:
        """Return a payment's way. Raises `SidecarError` with `not_found`."""
        async with self._telling:
            return await journey_of(self._journal, self._state, payment_intent)


async def journey_of(journal: Journal, state: State, payment_intent: str) -> PaymentJourney:
    """Return a payment's way, as long as its records are kept. Raises `SidecarError` with `not_found`."""
    policy = state.policy
    first = await _first(journal, payment_intent)
    if policy is None or (first is None and payment_intent not in state.journeys):
        message = (
            "no payment of this name is known: it never came, is older than 35 days, or is no PaymentIntent (pi_…)"
        )
        raise SidecarError(ErrorCode.NOT_FOUND, message)
    records: list[Record] = []
    if first is not None:
        policy = await _policy_at(journal, state, first.seq) or policy
        records = await _around(journal, policy, first)
    told = reconstruct(state, policy, records, payment_intent)
    user_ref = told.journey.user_ref if told.journey else None
    report = await journal.find(f"browser_reported:{payment_intent}:{user_ref}") if user_ref else None
    return _journey(payment_intent, policy, first, records, told, report)


async def _first(journal: Journal, payment_intent: str) -> Record | None:
    """Return the record of the webhook, or of that which said that it is none of ours."""
    found = await journal.find(f"payment_succeeded:{payment_intent}")
    for reason in IgnoreReason:
        found = found or await journal.find(f"payment_ignored:{reason}:{payment_intent}")
    return found


async def _policy_at(journal: Journal, state: State, seq: int) -> Policy | None:
    """Return the policy that was in force at a record."""
    for number in range(len(state.policies) - 1, -1, -1):
        record = await journal.find(f"policy_adopted:{number}")
        if record is not None and record.seq < seq and isinstance(record.observation, PolicyAdopted):
            return record.observation.policy
    return None


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


def _journey(
    payment_intent: str,
    policy: Policy,
    first: Record | None,
    records: Sequence[Record],
    told: Reconstruction,
    report: Record | None,
) -> PaymentJourney:
    journey = told.journey
    fact = report.observation if report is not None and isinstance(report.observation, BrowserReported) else None
    arrived_ms = journey.arrived_ms if journey else None
    stages = tuple(sorted(_stages(payment_intent, policy, records, told), key=lambda each: each.at_ms))
    is_ours = first is None or isinstance(first.observation, PaymentSucceeded)
    return PaymentJourney(
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
        steps=tuple(_steps(told, stages, fact)),
        report=fact,
        reported_ms=report.at_ms if report is not None else None,
        verdict=verdict_of(fact.reading) if fact is not None else None,
        outcome=told.outcome,
        unmeasured=told.unmeasured,
        left_out=told.left_out,
        text=" ".join(_sentences(policy, told, stages, fact, first)),
    )


def _stages(
    payment_intent: str, policy: Policy, records: Sequence[Record], told: Reconstruction
) -> Iterator[StageTime]:
    journey = told.journey
    if journey is None:
        return
    says = {
        each.observation.stage: each.observation
        for each in reversed(records)
        if isinstance(each.observation, AckReceived) and each.observation.payment_intent == payment_intent
    }
    arrived_ms = journey.arrived_ms
    for stage, at_ms in journey.acks.items():
        ack = says.get(stage)
        after_ms = None if arrived_ms is None else at_ms - arrived_ms
        source, release = (ack.source, ack.release) if ack is not None else ("", None)
        yield StageTime(stage=stage, at_ms=at_ms, after_ms=after_ms, source=source, release=release)
    if journey.inferred_ms is not None and policy.stage not in journey.acks and arrived_ms is not None:
        after_ms = journey.inferred_ms - arrived_ms
        yield StageTime(stage=policy.stage, at_ms=journey.inferred_ms, after_ms=after_ms, source="inferred")


def _steps(told: Reconstruction, stages: Sequence[StageTime], report: BrowserReported | None) -> Iterator[Step]:
    journey = told.journey
    if journey is not None and journey.arrived_ms is not None:
        wait_ms = 1000 * journey.stripe_wait_s
        text = f"Stripe waited {journey.stripe_wait_s} s between the event and signing the delivery that came"
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
    for name, at_ms, text in (
        ("subscribed", reading.subscribed_ms, "the browser's subscription was confirmed"),
        ("pushed", reading.pushed_ms, "the push came"),
        ("cleared", reading.cleared_ms, f"the alert was cleared, by {reading.cleared_by}"),
    ):
        if at_ms is not None:
            words = f"{text}, {_after(at_ms)} the payment"
            yield Step(name=name, clock=Clock.BROWSER, from_ms=0, until_ms=at_ms, text=words)


def _after(span_ms: int) -> str:
    return f"{_span(abs(span_ms))} {'before' if span_ms < 0 else 'after'}"


def _span(span_ms: int) -> str:
    return f"{span_ms} ms" if span_ms < 10_000 else duration(span_ms)  # noqa: PLR2004 - below, people want each of them


def _sentences(
    policy: Policy,
    told: Reconstruction,
    stages: Sequence[StageTime],
    report: BrowserReported | None,
    first: Record | None,
) -> Iterator[str]:
    if first is not None and isinstance(first.observation, PaymentIgnored):
        yield f"Not one of ours: {IGNORED[first.observation.reason].clause}."
    elif told.left_out is not None:
        yield f"No outcome: {_left_out(told.left_out)}."
    elif first is None:
        yield "Only acks have come; Stripe's webhook has not."
    else:
        yield _ending(policy, told, stages)
    if report is not None:
        yield VERDICTS[verdict_of(report.reading)].description


def _ending(policy: Policy, told: Reconstruction, stages: Sequence[StageTime]) -> str:
    within, after = _span(policy.on_time_within_ms), _span(policy.missed_after_ms)
    decided = next((each.after_ms for each in stages if each.stage is policy.stage), None)
    reached = f"its news reached the stage `{policy.stage}`"
    match told.outcome:
        case None:
            return f"On its way: it is judged once {within} have passed since its webhook and we saw all that came."
        case Outcome.ON_TIME:
            return f"On time: {reached} {_after(decided or 0)} the webhook; {within} are allowed."
        case Outcome.LATE:
            return f"Late, a failure: {reached} only {_after(decided or 0)} the webhook; {within} are allowed."
        case Outcome.MISSED:
            failed = told.journey is not None and SkipReason.FAILED in told.journey.skips
            why = "the backend said that its broadcast failed" if failed else f"within {after} nothing came"
            return f"Missed, a failure: {why}; its news had to reach the stage `{policy.stage}`."
        case Outcome.UNMEASURED:
            why = UNMEASURED[told.unmeasured].clause if told.unmeasured else "nobody can say why any more"
            return f"Unmeasured, so it says nothing about push: {why}."
        case _:
            assert_never(told.outcome)


def _left_out(reason: str) -> str:
    return SKIPS[SkipReason(reason)].clause if reason in set(SkipReason) else reason
