"""The page of one payment: its timeline as waterfalls, one for each clock, because two clocks have no common zero."""

import msgspec

from sidecar.console import labels
from sidecar.console.labels import moment
from sidecar.console.page.section import Fact, Tone
from sidecar.console.payment_timelines import Clock, PaymentTimeline, Step
from sidecar.core.facts.outcomes import Outcome
from sidecar.wording import MODES, OUTCOMES, STAGES

_NAMES = {
    "stripe_wait": "Stripe's delay",
    **{str(stage): words.label for stage, words in STAGES.items()},
    "subscribed": "Subscribed",
    "pushed": "Pushed",
    "cleared": "Alert cleared",
}
_LEAST = 0.6
"""The least width of a step, in per cent of the whole."""
_CUT_AT = 0.45
"""The greatest share of the width for Stripe's delay; a longer one is drawn as cut."""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One step, as a bar. Per cent of the width."""

    name: str
    text: str
    took: str
    x: float
    width: float
    is_cut: bool
    """Longer than its bar."""
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
    """Where on time ends; None: not by this clock."""
    objective_label: str


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """The page of one payment."""

    payment_intent: str
    tone: Tone
    outcome: str
    text: str
    facts: tuple[Fact, ...]
    waterfalls: tuple[Waterfall, ...]
    report: tuple[Fact, ...]
    """The report of the payer's browser; empty: there is none."""


_TONES = {
    None: Tone.CALM,
    Outcome.ON_TIME: Tone.GOOD,
    Outcome.LATE: Tone.WAIT,
    Outcome.MISSED: Tone.BAD,
    Outcome.UNMEASURED: Tone.BLIND,
}


def view_of(timeline: PaymentTimeline, now_ms: int) -> PaymentView:
    """Return the page."""
    outcome = OUTCOMES[timeline.outcome].label if timeline.outcome else "left out" if timeline.left_out else "open"
    arrived = timeline.arrived_ms
    facts = [
        Fact(name="Webhook", value="not received", moment=None if arrived is None else moment(arrived, now_ms)),
        Fact(name="Payer", value=timeline.user_ref or "not named"),
        Fact(name="Deciding stage", value=str(timeline.deciding_stage)),
    ]
    facts += [
        Fact(name=f"Source of {each.stage}", value=_source(each.source, each.release)) for each in timeline.stages
    ]
    if timeline.skipped is not None:
        facts.append(Fact(name="Not broadcast", value=labels.name(timeline.skipped)))
    if timeline.seq is not None:
        facts.append(Fact(name="Record", value=labels.count(timeline.seq)))
    by_journal = [step for step in timeline.steps if step.clock is not Clock.BROWSER]
    by_browser = [step for step in timeline.steps if step.clock is Clock.BROWSER]
    waterfalls = []
    if by_journal:
        within_ms = (timeline.on_time_until_ms or 0) - (arrived or 0)
        waterfalls.append(_waterfall("From Stripe to the payer", by_journal, within_ms))
    if by_browser:
        waterfalls.append(_waterfall("In the payer's browser", by_browser, None))
    return PaymentView(
        payment_intent=timeline.payment_intent,
        tone=_TONES[timeline.outcome],
        outcome=outcome,
        text=timeline.text,
        facts=tuple(facts),
        waterfalls=tuple(waterfalls),
        report=tuple(_report(timeline)),
    )


def _source(source: str, release: str | None) -> str:
    text = labels.name(source) if source else "an ack that is no longer kept"
    return f"{text}, release {release}" if release else text


def _waterfall(title: str, steps: list[Step], within_ms: int | None) -> Waterfall:
    ends_ms = max((*(step.until_ms for step in steps), within_ms or 0, 1)) * 1.08
    begins_ms = min(0, *(step.from_ms for step in steps)) if len(steps) > 1 else min(0, steps[0].from_ms)
    drawn_ms = max(begins_ms, -_CUT_AT / (1 - _CUT_AT) * ends_ms)
    scale = 100 / (ends_ms - drawn_ms)
    lanes = []
    for step in steps:
        from_ms = max(step.from_ms, drawn_ms)
        width = max(_LEAST, scale * (step.until_ms - from_ms))
        lanes.append(
            Lane(
                name=_NAMES.get(step.name, labels.name(step.name)),
                text=step.text,
                took=labels.seconds(step.until_ms - step.from_ms),
                x=round(min(scale * (from_ms - drawn_ms), 100 - width), 2),
                width=round(width, 2),
                is_cut=step.from_ms < drawn_ms,
                is_late=within_ms is not None and step.until_ms >= within_ms,
            )
        )
    return Waterfall(
        title=title,
        lanes=tuple(lanes),
        zero=round(scale * -drawn_ms, 2),
        zero_label="the webhook" if within_ms is not None else "the payment",
        objective=None if within_ms is None else round(scale * (within_ms - drawn_ms), 2),
        objective_label="" if within_ms is None else f"on time is under {labels.seconds(within_ms)}",
    )


def _report(timeline: PaymentTimeline) -> list[Fact]:
    if timeline.report is None:
        return []
    fact, reading = timeline.report, timeline.report.reading
    refused = f", status {reading.auth_status}" if reading.auth_status is not None else ""
    return [
        Fact(name="Browser", value=fact.browser.title()),
        Fact(name="Flow", value=labels.name(reading.flow)),
        Fact(name="Mode", value=MODES[reading.mode].label),
        Fact(name="Subscription", value=f"{labels.name(reading.subscription)}{refused}"),
        Fact(name="Refetches", value=labels.count(reading.refetches)),
        Fact(name="Observed for", value=labels.seconds(reading.watched_ms)),
        Fact(name="Verdict on push", value=labels.name(timeline.verdict) if timeline.verdict else "none"),
    ]
