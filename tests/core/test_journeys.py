"""How a payment ends: situations as rows, in milliseconds from its webhook, expected ending last."""

import msgspec
import pytest

from sidecar.core.facts.observations import AckReceived, SkipReason
from sidecar.core.facts.outcomes import Outcome
from sidecar.core.facts.policy import Stage
from sidecar.core.fold.conclusions import PaymentSettled
from tests.core.world import POLICY, SECOND, World

Steps = tuple[tuple[int, str], ...]


def happen(world: World, what: str) -> None:  # noqa: C901 - a table of words
    """Make one step of a row happen to `pi` (and its user `u1`) now."""
    match what.split(": "):
        case ["pays"]:
            world.pay(name="pi")
        case ["pays", "signed after 9 s"]:
            world.pay(name="pi", waited_s=9)
        case ["pays", "signed after 10 s"]:
            world.pay(name="pi", waited_s=10)
        case ["pays", "signed 1 s early"]:
            world.pay(name="pi", waited_s=-1)
        case ["pays", "listed"]:
            world.pay(name="pi", waited_s=None)
        case ["skipped", reason]:
            world.ack("pi", Stage.SKIPPED, SkipReason(reason))
        case ["skipped"]:
            world.ack("pi", Stage.SKIPPED)
        case ["beats"]:
            world.beat()
        case ["restart"]:
            world.start()
        case ["jump"]:
            world.jump(1500)
        case _:
            world.ack("pi", Stage(what))


def play(world: World, steps: Steps) -> None:
    """Make the steps happen, with a live sidecar between them, and then let some minutes pass."""
    began_ms = world.now_ms
    for at_ms, what in steps:
        world.wait(began_ms + at_ms - world.now_ms)
        happen(world, what)
    world.wait(180 * SECOND)


# fmt: off
ENDINGS = [
    # --- the deciding ack (stage `delivered`), on the boundaries
    (((0, "pays"), (300, "delivered")),                                                       "on_time"),
    (((0, "pays"), (1999, "delivered")),                                                      "on_time"),
    (((0, "pays"), (2000, "delivered")),                                                      "late"),
    (((0, "pays"), (29_999, "delivered")),                                                    "late"),
    (((0, "pays"), (30_000, "delivered")),                                                    "missed"),
    (((0, "pays"),),                                                                          "missed"),
    # --- whichever comes first
    (((0, "delivered"), (0, "pays")),                                                         "on_time"),
    (((0, "delivered"), (3999, "pays")),                                                      "on_time"),
    # --- but no ack from before Stripe can have made the event: a broadcast too soon, or a guessed name
    (((0, "delivered"), (4000, "pays")),                                                      "missed"),
    (((0, "delivered"), (39_999, "pays")),                                                    "missed"),
    (((0, "delivered"), (40_000, "pays")),                                                    "missed"),
    (((0, "delivered"), (10_500, "pays: signed after 9 s")),                                  "on_time"),
    (((0, "delivered"), (12_001, "pays: signed after 9 s")),                                  "missed"),
    (((0, "skipped: failed"), (12_001, "pays"), (12_300, "delivered")),                       "on_time"),
    (((0, "skipped: no_booking"), (12_001, "pays")),                                          "missed"),
    # --- other stages decide nothing
    (((0, "pays"), (100, "paid"), (200, "dispatched")),                                       "missed"),
    (((0, "pays"), (100, "refreshed")),                                                       "missed"),
    (((0, "pays"), (100, "paid"), (200, "dispatched"), (300, "delivered")),                   "on_time"),
    # --- the same again changes nothing
    (((0, "pays"), (300, "delivered"), (301, "delivered"), (9000, "delivered")),              "on_time"),
    (((0, "pays"), (1, "pays"), (300, "delivered"), (400, "pays")),                           "on_time"),
    (((0, "pays"), (1999, "pays"), (3500, "delivered")),                                      "late"),
    # --- the backend had nothing to broadcast
    (((0, "pays"), (300, "skipped: already_paid")),                                           "left out: already_paid"),
    (((0, "pays"), (300, "skipped: no_booking")),                                             "left out: no_booking"),
    (((0, "skipped: no_booking"), (1000, "pays")),                                            "left out: no_booking"),
    (((0, "pays"), (1999, "skipped: already_paid")),                                          "left out: already_paid"),
    (((0, "pays"), (2001, "skipped: already_paid")),                                          "missed"),
    (((0, "pays"), (300, "skipped: already_paid"), (400, "delivered")),                       "on_time"),
    (((0, "pays"), (300, "skipped: already_paid"), (400, "skipped: no_booking")),             "left out: no_booking"),
    (((0, "pays"), (300, "skipped: no_booking"), (400, "skipped: already_paid")),             "left out: no_booking"),
    (((0, "pays"), (300, "skipped: no_booking"), (400, "skipped")),                           "left out: no_booking"),
    # --- but its broadcast was only late: a second handler of the same payment found it paid
    (((0, "pays"), (300, "skipped: already_paid"), (2000, "delivered")),                      "late"),
    (((0, "pays"), (300, "skipped: already_paid"), (30_000, "delivered")),                    "late"),
    (((0, "pays"), (300, "skipped: already_paid"), (119_999, "delivered")),                   "late"),
    (((0, "pays"), (300, "skipped: already_paid"), (120_000, "delivered")),                   "left out: already_paid"),
    (((0, "pays"), (300, "skipped: no_booking"), (20_000, "delivered")),                      "late"),
    (((0, "pays"), (300, "skipped: already_paid"), (20_000, "paid")),                         "missed"),
    (((0, "pays"), (300, "skipped: already_paid"), (20_000, "refreshed")),                    "missed"),
    (((0, "pays"), (300, "skipped: no_booking"), (20_000, "skipped: failed")),                "missed"),
    (((0, "pays"), (300, "skipped: already_paid"), (20_000, "restart")),                      "unmeasured: stopped"),
    # --- but it had committed, so that it had something to broadcast
    (((0, "pays"), (100, "refreshed"), (300, "skipped: already_paid")),                       "missed"),
    (((0, "pays"), (100, "paid"), (300, "skipped: no_booking"), (20_000, "delivered")),       "late"),
    (((0, "pays"), (100, "paid"), (300, "skipped: already_paid")),                            "missed"),
    (((0, "pays"), (100, "skipped: already_paid"), (300, "paid")),                            "missed"),
    (((0, "pays"), (100, "dispatched"), (300, "skipped: no_booking")),                        "missed"),
    # --- a failure is a miss, whatever a retry says; unless it was on time after all
    (((0, "pays"), (300, "skipped: failed")),                                                 "missed"),
    (((0, "pays"), (300, "skipped: failed"), (400, "skipped: already_paid")),                 "missed"),
    (((0, "pays"), (300, "skipped: already_paid"), (400, "skipped: failed")),                 "missed"),
    (((0, "pays"), (300, "skipped: failed"), (1999, "delivered")),                            "on_time"),
    (((0, "pays"), (300, "skipped: failed"), (9000, "delivered")),                            "late"),
    (((0, "pays"), (300, "skipped")),                                                         "missed"),
    # --- what says nothing about push
    (((0, "pays: signed after 9 s"), (300, "delivered")),                                     "on_time"),
    (((0, "pays: signed 1 s early"), (300, "delivered")),                                     "on_time"),
    (((0, "pays: signed after 10 s"), (300, "delivered")),                                    "unmeasured: redelivered"),
    (((0, "pays: signed after 10 s"),),                                                       "unmeasured: redelivered"),
    (((0, "pays: listed"), (300, "delivered")),                                               "unmeasured: backfilled"),
    # --- we were not there: good and bad are left out alike, or leaving out would flatter push
    (((0, "pays"), (300, "delivered"), (301, "restart")),                                     "unmeasured: stopped"),
    (((0, "pays"), (301, "restart")),                                                         "unmeasured: stopped"),
    (((0, "pays"), (300, "delivered"), (301, "jump")),                                        "unmeasured: clock_jumped"),
    (((0, "pays"), (301, "jump")),                                                            "unmeasured: clock_jumped"),
    (((0, "pays"), (300, "delivered"), (2001, "restart")),                                    "on_time"),
    (((0, "pays"), (2001, "restart"), (9000, "delivered")),                                   "late"),
    (((0, "restart"), (0, "pays"), (300, "delivered")),                                       "on_time"),
    (((0, "delivered"), (1, "restart"), (2, "pays")),                                         "on_time"),
]
# fmt: on


@pytest.mark.parametrize(("steps", "expected"), ENDINGS)
def test_a_payment_ends_by_what_was_seen_of_it_and_when(steps: Steps, expected: str) -> None:
    """Each row is a way to count a payment wrongly: the wrong side of a boundary, an excuse, or an ending twice."""
    world = World()
    world.wire()
    play(world, steps)
    assert world.endings("pi") == [expected]


# fmt: off
SILENCES = [
    # (what is seen of the payment, milliseconds until the next sign of life, what that is, expected ending)
    (((0, "pays"), (300, "delivered")), 2000,   "beats",   "on_time"),
    (((0, "pays"),),                    2000,   "beats",   "missed"),
    (((0, "pays"), (300, "delivered")), 11_999, "beats",   "on_time"),
    (((0, "pays"),),                    11_999, "beats",   "missed"),
    (((0, "pays"), (300, "delivered")), 12_000, "beats",   "unmeasured: cut_off"),   # 10 s after its deadline we give up
    (((0, "pays"),),                    12_000, "beats",   "unmeasured: cut_off"),
    (((0, "pays"), (300, "delivered")), 30_000, "beats",   "unmeasured: cut_off"),
    (((0, "pays"), (300, "delivered")), 90_000, "beats",   "unmeasured: cut_off"),
    (((0, "pays"), (300, "delivered")), 90_000, "restart", "unmeasured: stopped"),
    (((0, "pays"), (300, "delivered")), 11_998, "paid",    "on_time"),               # no heartbeat: asks for one at once
    (((0, "pays"), (300, "delivered")), 12_000, "paid",    "unmeasured: cut_off"),
    # what comes after the deadline and before the heartbeat neither excuses nor reports
    (((0, "pays"), (2000, "skipped: already_paid")),                         5000, "beats", "missed"),
    (((0, "pays"), (1999, "skipped: already_paid")),                         5000, "beats", "left out: already_paid"),
    # but what proves that there was something to broadcast takes an excuse away, whenever it comes
    (((0, "pays"), (300, "skipped: already_paid"), (2000, "paid")),          5000, "beats", "missed"),
    (((0, "pays"), (300, "skipped: already_paid"), (1999, "paid")),          5000, "beats", "missed"),
    (((0, "pays"), (300, "skipped: no_booking"), (2000, "skipped: failed")), 5000, "beats", "missed"),
]
# fmt: on


@pytest.mark.parametrize(("steps", "silence_ms", "sign", "expected"), SILENCES)
def test_nothing_is_judged_before_a_heartbeat_after_its_deadline(
    steps: Steps, silence_ms: int, sign: str, expected: str
) -> None:
    """Without a proof of liveness a payment whose ack we could not receive would be a miss, or a received one a success."""
    world = World()
    world.wire()
    began_ms = world.now_ms
    for at_ms, what in steps:
        world.now_ms = began_ms + at_ms
        happen(world, what)
    world.now_ms = began_ms + silence_ms
    happen(world, sign)
    world.wait(180 * SECOND)
    assert world.endings("pi") == [expected]


def test_a_payment_is_pending_until_a_heartbeat_at_its_deadline() -> None:
    """A heartbeat one millisecond too early proves nothing about the last millisecond."""
    world = World()
    world.wire()
    world.pay(name="pi")
    world.now_ms += 300
    world.ack("pi")
    world.now_ms += 1699
    world.beat()
    assert world.endings("pi") == []
    world.now_ms += 1
    world.beat()
    assert world.endings("pi") == ["on_time"]


def test_payments_whose_deadline_passed_before_the_first_ack_ever_are_not_wired() -> None:
    """Installing the sidecar before the backend sends acks would read as an outage.

    Asked by the deadline, the order of a payment and its own ack changes nothing, also for the first one.
    """
    world = World()
    before = [world.pay() for _ in range(5)]
    world.wait(90 * SECOND)
    first = world.pay()
    world.now_ms += 300
    world.ack(first)
    world.wait(5 * SECOND)
    after = world.pay()
    world.wait(180 * SECOND)
    assert [world.endings(name) for name in before] == [["unmeasured: not_wired"]] * 5
    assert world.endings(first) == ["on_time"]
    assert world.endings(after) == ["missed"]
    assert world.state.coverage.counts() == (2, 2), "what is not wired is in neither"


def test_another_stage_wires_nothing() -> None:
    """Acks `paid` alone would make a backend without a broadcast ack read as an outage."""
    world = World()
    name = world.pay()
    world.ack(name, Stage.PAID)
    world.wait(180 * SECOND)
    assert world.endings(name) == ["unmeasured: not_wired"]


@pytest.mark.parametrize("waited_s", [None, 10, 1])
def test_before_the_wiring_no_other_reason_counts_against_coverage(waited_s: int | None) -> None:
    """Old payments listed, redelivered or cut short on the first day would close the coverage gate for the next."""
    world = World()
    names = [world.pay(waited_s=waited_s) for _ in range(25)]
    world.start()
    world.wait(180 * SECOND)
    world.wire()
    assert {ending for name in names for ending in world.endings(name)} == {"unmeasured: not_wired"}
    assert world.state.coverage.counts() == (0, 0)
    assert world.state.visibility.streak == 0
    assert world.state.indicators["payments"].unmeasured == 0


def test_a_late_payment_is_counted_once_however_many_late_acks_come() -> None:
    """A second late ack of the deciding stage, from another source or retried, counted the payment twice."""
    world = World()
    world.wire()
    world.pay(name="pi")
    world.wait(3 * SECOND)
    for source in ("backend", "observer-1", "observer-2"):
        world.see(AckReceived(source=source, stage=Stage.DELIVERED, payment_intent="pi"))
    world.wait(180 * SECOND)
    assert world.endings("pi") == ["late"]
    assert world.state.tally.outcomes == {Outcome.UNMEASURED: 1, Outcome.LATE: 1}, "the first payment wired the world"
    assert sum(world.state.tally.latency.counts) == 1


def test_an_ack_for_other_contexts_neither_counts_nor_hides_the_one_that_does() -> None:
    """Two broadcasts for one payment had one identity, so that the first one's contexts hid the second's."""
    world = World()
    world.wire()
    world.pay(name="pi")
    for contexts in (("credits",), ("bookings",)):
        world.see(AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent="pi", contexts=contexts))
    world.pay(name="pi_other")
    world.see(AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent="pi_other", contexts=("credits",)))
    world.wait(180 * SECOND)
    assert world.endings("pi") == ["on_time"]
    assert world.endings("pi_other") == ["missed"]


@pytest.mark.parametrize(("on_time_within_ms", "ack_ms"), [(25_000, 31_000), (29_999, 35_000)])
def test_an_objective_close_to_the_miss_leaves_nothing_behind_that_acts_on_a_later_ack(
    on_time_within_ms: int, ack_ms: int
) -> None:
    """An ack after the end of its payment met the payment's old appointment, and stopped the fold for good."""
    world = World(msgspec.structs.replace(POLICY, on_time_within_ms=on_time_within_ms))
    world.wire()
    play(world, ((0, "pays"), (ack_ms, "delivered")))
    assert world.endings("pi") == ["missed"]
    assert world.state.journeys == {}


def test_a_slower_objective_waits_for_the_payments_on_their_way() -> None:
    """Payments judged at the old, earlier deadline by the new, later one would all have missed it."""
    world = World()
    world.wire()
    world.pay(name="pi")
    world.wait(1 * SECOND)
    world.change(on_time_within_ms=5 * SECOND)
    world.wait(3 * SECOND)
    world.ack("pi")
    world.wait(180 * SECOND)
    assert world.endings("pi") == ["on_time"]


def test_a_settled_payment_says_when_each_stage_came() -> None:
    """The canonical line per payment; a stage that came before the webhook must read as negative, not as zero."""
    world = World()
    world.wire()
    play(world, ((0, "paid"), (200, "pays: signed after 9 s"), (500, "delivered")))
    settled = world.last(PaymentSettled)
    assert isinstance(settled, PaymentSettled)
    assert (settled.stripe_wait_s, settled.stages_ms) == (9, {Stage.PAID: -200, Stage.DELIVERED: 300})
