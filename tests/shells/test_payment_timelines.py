"""Payment timelines: the time of each stage, the reason of each outcome, and the report of the browser."""

import msgspec
import pytest

from sidecar import wording
from sidecar.console.payment_timelines import Clock, PaymentTimeline, timeline_of
from sidecar.core.facts.observations import IgnoreReason, SkipReason
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Stage
from sidecar.core.facts.reports import Reading, Verdict
from sidecar.journal.memory import MemoryJournal
from sidecar.ports import ErrorCode, SidecarError
from tests.core.probed import ProbedWorld, probed
from tests.core.world import LAX, MINUTE, REACHED, REFUSED, SECOND, World, on

NAME = "pi_asked"


async def result(world: World, name: str = NAME) -> PaymentTimeline:
    """Write the records of a world into a journal, and return the timeline of a payment."""
    records = iter(world.records)
    now_ms = [0]
    journal = MemoryJournal(lambda: now_ms[0])
    for record in records:
        now_ms[0] = record.at_ms
        appended = await journal.append(record.observation)
        assert (appended.record.seq, appended.record.at_ms) == (record.seq, record.at_ms)
    try:
        return await timeline_of(journal, world.state, name)
    finally:
        await journal.close()


def quiet(world: World) -> World:
    """Advance time without payments."""
    world.wait(5 * MINUTE)
    return world


async def test_each_stage_has_its_time_after_the_webhook() -> None:
    """Stripe's delay is by another clock and ends at the webhook."""
    world = quiet(on(1))
    world.now_ms += 7
    arrived_ms = world.now_ms
    world.ack(NAME, Stage.PAID)
    world.now_ms += 40
    world.pay(name=NAME, waited_s=2)
    for span_ms, stage in ((110, Stage.DISPATCHED), (60, Stage.DELIVERED), (900, Stage.REFRESHED)):
        world.now_ms += span_ms
        world.ack(NAME, stage)
    world.wait(2 * MINUTE)
    journey = await result(world)
    assert [(each.stage, each.after_ms) for each in journey.stages] == [
        (Stage.PAID, -40), (Stage.DISPATCHED, 110), (Stage.DELIVERED, 170), (Stage.REFRESHED, 1070),
    ]  # fmt: skip
    assert [(step.name, step.clock, step.from_ms, step.until_ms) for step in journey.steps] == [
        ("stripe_wait", Clock.STRIPE, -2000, 0),
        ("paid", Clock.JOURNAL, -40, -40),
        ("dispatched", Clock.JOURNAL, 0, 110),
        ("delivered", Clock.JOURNAL, 110, 170),
        ("refreshed", Clock.JOURNAL, 170, 1070),
    ]
    assert (journey.arrived_ms, journey.stripe_wait_s) == (arrived_ms + 40, 2)
    assert (journey.on_time_until_ms, journey.missed_from_ms) == (arrived_ms + 2040, arrived_ms + 30_040)
    assert journey.steps[1].text == "the booking was committed as paid, 40 ms before the webhook"
    assert (journey.outcome, journey.text) == (
        Outcome.ON_TIME,
        "On time: the broadcast reached stage `delivered` 170 ms after the webhook; the limit is 2000 ms.",
    )


# fmt: off
ENDS = [
    # what becomes of it        outcome               what is said of it
    ("acked late",              Outcome.LATE,         "Late, a failure: the broadcast reached stage `delivered` only 5300 ms after the"),
    ("never acked",             Outcome.MISSED,       "Missed, a failure: no broadcast arrived within 30 s; the deciding stage"),
    ("failed",                  Outcome.MISSED,       "Missed, a failure: the backend reported that its broadcast failed"),
    ("no booking",              None,                 "No outcome: no booking belongs to the payment"),
    ("already paid",            None,                 "No outcome: the booking was paid already"),
    ("ignored",                 None,                 "Outside the filter: `stripe.required_metadata` is not complete."),
    ("only acks",               None,                 "Only acks have arrived; there is no webhook yet."),
    ("on its way",              None,                 "Open: it is judged 2000 ms after its webhook"),
    ("stopped",                 Outcome.UNMEASURED,   "Unmeasured, so it says nothing about push: the sidecar was not running"),
    ("redelivered",             Outcome.UNMEASURED,   "Unmeasured, so it says nothing about push: Stripe delivered the webhook late"),
]
# fmt: on


@pytest.mark.parametrize(("what", "outcome", "text"), ENDS)
async def test_each_outcome_has_its_reason(what: str, outcome: Outcome | None, text: str) -> None:
    """In sentences that support can pass on."""
    world = quiet(on(1))
    _live(world, what)
    journey = await result(world)
    assert (journey.outcome, journey.text.startswith(text)) == (outcome, True), journey.text
    assert (journey.unmeasured is not None) is (outcome is Outcome.UNMEASURED)
    assert journey.skipped == {"failed": SkipReason.FAILED, "no booking": SkipReason.NO_BOOKING,
                               "already paid": SkipReason.ALREADY_PAID}.get(what)  # fmt: skip


def _live(world: World, what: str) -> None:
    match what:
        case "ignored":
            world.ignore(NAME, IgnoreReason.MISSING_METADATA)
        case "only acks":
            world.ack(NAME)
            return
        case "redelivered":
            world.pay(name=NAME, waited_s=10)
        case _:
            world.pay(name=NAME)
    _end(world, what)
    if what != "on its way":
        world.wait(2 * MINUTE)


def _end(world: World, what: str) -> None:
    match what:
        case "acked late":
            world.wait(5300)
            world.ack(NAME)
        case "failed" | "no booking" | "already paid":
            world.ack(NAME, Stage.SKIPPED, SkipReason(what.replace(" ", "_")))
        case "stopped":
            world.start()


# fmt: off
REPORTS = [
    # what the browser reported                                                                       verdict              with a message
    (REACHED,                                                                                     Verdict.GOOD,        "push alone would have cleared"),
    (REFUSED,                                                                                     Verdict.BAD,         "push did not reach it"),
    (msgspec.structs.replace(REACHED, cleared_ms=None, cleared_by=None, watched_ms=10),           Verdict.GONE,        "closed or in the background"),
    (msgspec.structs.replace(REACHED, cleared_ms=None, cleared_by=None),                          Verdict.NEVER_PAID,  "never saw the booking paid"),
]
# fmt: on


@pytest.mark.parametrize(("reading", "verdict", "words"), REPORTS)
async def test_the_report_of_the_browser_is_part_of_the_timeline_by_its_own_clock(
    reading: Reading, verdict: Verdict, words: str
) -> None:
    """Its times are milliseconds after the payment and are not drawn on the journal's clock."""
    world = quiet(on(1))
    world.pay(name=NAME)
    world.ack(NAME)
    world.wait(31 * SECOND)
    world.report(NAME, "u1", reading)
    world.report("pi_other", "u1", REFUSED)
    reported_ms = world.now_ms
    world.wait(1 * MINUTE)
    journey = await result(world)
    assert journey.report is not None
    assert (journey.report.reading, journey.verdict, journey.reported_ms) == (reading, verdict, reported_ms)
    assert words in journey.text
    steps = {step.name: step.until_ms for step in journey.steps if step.clock is Clock.BROWSER}
    times = {"subscribed": reading.subscribed_ms, "pushed": reading.pushed_ms, "cleared": reading.cleared_ms}
    assert steps == {name: at_ms for name, at_ms in times.items() if at_ms is not None}


async def test_a_stage_has_the_source_and_the_release_of_its_ack() -> None:
    """An inferred ack names a user and no payment."""
    world: ProbedWorld = probed(1)
    quiet(world)
    world.pay(name=NAME)
    world.ack(NAME)
    world.wait(2 * MINUTE)
    assert [each.source for each in (await result(world)).stages] == ["observer"]
    nameless = World(LAX)
    nameless.broadcast("u9")
    quiet(nameless)
    nameless.pay(name=NAME)
    nameless.now_ms += 90
    nameless.broadcast()
    nameless.wait(2 * MINUTE)
    journey = await result(nameless)
    assert [(each.source, each.after_ms) for each in journey.stages] == [("inferred", 90)]
    assert journey.outcome is Outcome.ON_TIME


async def test_a_payment_is_judged_by_the_policy_of_its_time() -> None:
    """A later, longer objective does not make it a success."""
    world = quiet(on(1))
    world.pay(name=NAME)
    world.wait(3 * SECOND)
    world.ack(NAME)
    world.wait(2 * MINUTE)
    world.change(on_time_within_ms=5 * SECOND)
    quiet(world)
    journey = await result(world)
    assert (journey.outcome, "the limit is 2000 ms" in journey.text) == (Outcome.LATE, True)


async def test_a_payment_is_found_among_thousands() -> None:
    """Its minutes span several reads of the journal."""
    world = quiet(on(1))
    world.decides = False
    world.ack(NAME, Stage.PAID)
    for _ in range(2):
        for _ in range(700):
            world.ack(world.pay())
        if NAME not in world.state.journeys or world.state.journeys[NAME].arrived_ms is None:
            world.pay(name=NAME)
    world.wait(3 * SECOND)
    world.ack(NAME)
    world.wait(2 * MINUTE)
    journey = await result(world)
    assert [(each.stage, each.after_ms) for each in journey.stages] == [(Stage.PAID, 0), (Stage.DELIVERED, 3000)]
    assert journey.outcome is Outcome.LATE


async def test_an_unknown_payment_is_not_found() -> None:
    """The message has the possible reasons."""
    world = on(1)
    with pytest.raises(SidecarError, match="unknown payment") as caught:
        await result(world, "pi_never")
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_every_reason_has_a_wording() -> None:
    """A missing one would be a `KeyError`."""
    assert set(wording.UNMEASURED) == set(Unmeasured)
    assert set(wording.IGNORED) == set(IgnoreReason)
    assert set(wording.VERDICTS) == set(Verdict)
