"""One payment's way, as a waterfall: Stripe's wait, then each stage, on the journal's clock; the browser's on its own.

Two clocks have no common zero, so each has lanes of its own, and nothing is drawn across.
"""

import msgspec

from sidecar.console import labels as words
from sidecar.console.labels import moment
from sidecar.console.page.figures import edge
from sidecar.console.page.front import Fact, Tone
from sidecar.console.payment_timelines import Clock, PaymentJourney, Step
from sidecar.core.facts.outcomes import Outcome
from sidecar.wording import MODES

_NAMES = {
    "stripe_wait": "Stripe waits",
    "paid": "Paid",
    "dispatched": "Dispatched",
    "delivered": "Delivered",
    "refreshed": "Refreshed",
    "skipped": "Skipped",
    "subscribed": "Subscribed",
    "pushed": "Pushed",
    "cleared": "Alert cleared",
}
_LEAST = 0.6
"""Per cent of the width that a step takes at least."""
_TORN_AT = 0.45
"""Of the width: Stripe's wait is drawn no longer than that, and says so."""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One step, as a bar. Per cent of the width."""

    name: str
    text: str
    took: str
    x: float
    width: float
    is_torn: bool
    """It was longer than what is drawn."""
    is_late: bool
    """It ended after the objective."""


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """The steps by one clock."""

    title: str
    lanes: tuple[Lane, ...]
    zero: float
    """Where the webhook, or the payment, is."""
    zero_label: str
    objective: float | None
    """Where on time ends; None: it is not asked here, or lies beyond."""
    objective_label: str


class JourneyView(msgspec.Struct, frozen=True, kw_only=True):
    """The page of one payment."""

    payment_intent: str
    tone: Tone
    outcome: str
    text: str
    facts: tuple[Fact, ...]
    waterfalls: tuple[Waterfall, ...]
    report: tuple[Fact, ...]
    """What the payer's browser told; empty: nothing."""


_TONES = {
    None: Tone.CALM,
    Outcome.ON_TIME: Tone.GOOD,
    Outcome.LATE: Tone.WAIT,
    Outcome.MISSED: Tone.BAD,
    Outcome.UNMEASURED: Tone.BLIND,
}


def view_of(journey: PaymentJourney, now_ms: int) -> JourneyView:
    """Return the page."""
    outcome = words.name(journey.outcome) if journey.outcome else "left out" if journey.left_out else "on its way"
    arrived = journey.arrived_ms
    facts = [
        Fact(name="Webhook", value="has not come", moment=None if arrived is None else moment(arrived, now_ms)),
        Fact(name="Payer", value=journey.user_ref or "not named"),
        Fact(name="Decided at stage", value=str(journey.deciding_stage)),
    ]
    facts += [
        Fact(name=f"Told that it was {each.stage}", value=_source(each.source, each.release)) for each in journey.stages
    ]
    if journey.skipped is not None:
        facts.append(Fact(name="Not broadcast", value=words.name(journey.skipped)))
    if journey.seq is not None:
        facts.append(Fact(name="Record", value=words.count(journey.seq)))
    by_journal = [step for step in journey.steps if step.clock is not Clock.BROWSER]
    by_browser = [step for step in journey.steps if step.clock is Clock.BROWSER]
    waterfalls = []
    if by_journal:
        within_ms = (journey.on_time_until_ms or 0) - (arrived or 0)
        waterfalls.append(_waterfall("From Stripe to the payer", by_journal, within_ms))
    if by_browser:
        waterfalls.append(_waterfall("In the payer's browser", by_browser, None))
    return JourneyView(
        payment_intent=journey.payment_intent,
        tone=_TONES[journey.outcome],
        outcome=outcome,
        text=journey.text,
        facts=tuple(facts),
        waterfalls=tuple(waterfalls),
        report=tuple(_report(journey)),
    )


def _source(source: str, release: str | None) -> str:
    told = words.name(source) if source else "an ack that is not kept any more"
    return f"{told}, of release {release}" if release else told


def _waterfall(title: str, steps: list[Step], within_ms: int | None) -> Waterfall:
    ends_ms = max((*(step.until_ms for step in steps), within_ms or 0, 1)) * 1.08
    begins_ms = min(0, *(step.from_ms for step in steps)) if len(steps) > 1 else min(0, steps[0].from_ms)
    drawn_ms = max(begins_ms, -_TORN_AT / (1 - _TORN_AT) * ends_ms)
    scale = 100 / (ends_ms - drawn_ms)
    lanes = []
    for step in steps:
        from_ms = max(step.from_ms, drawn_ms)
        width = max(_LEAST, scale * (step.until_ms - from_ms))
        lanes.append(
            Lane(
                name=_NAMES.get(step.name, words.name(step.name)),
                text=step.text,
                took=edge(step.until_ms - step.from_ms),
                x=round(min(scale * (from_ms - drawn_ms), 100 - width), 2),
                width=round(width, 2),
                is_torn=step.from_ms < drawn_ms,
                is_late=within_ms is not None and step.until_ms >= within_ms,
            )
        )
    return Waterfall(
        title=title,
        lanes=tuple(lanes),
        zero=round(scale * -drawn_ms, 2),
        zero_label="the webhook" if within_ms is not None else "the payment",
        objective=None if within_ms is None else round(scale * (within_ms - drawn_ms), 2),
        objective_label="" if within_ms is None else f"on time is under {edge(within_ms)}",
    )


def _report(journey: PaymentJourney) -> list[Fact]:
    if journey.report is None:
        return []
    fact, reading = journey.report, journey.report.reading
    refused = f", status {reading.auth_status}" if reading.auth_status is not None else ""
    return [
        Fact(name="Browser", value=fact.browser.title()),
        Fact(name="Flow", value=words.name(reading.flow)),
        Fact(name="It followed", value=MODES[reading.mode].label),
        Fact(name="Its subscription", value=f"{words.name(reading.subscription)}{refused}"),
        Fact(name="Refetches", value=words.count(reading.refetches)),
        Fact(name="It watched for", value=edge(reading.watched_ms)),
        Fact(name="What it says of push", value=words.name(journey.verdict) if journey.verdict else "nothing"),
    ]
