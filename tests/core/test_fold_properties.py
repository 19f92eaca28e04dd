"""What holds in every life of a sidecar, however it goes: found by generating lives and looking at every record."""

import collections
import random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sidecar.core.decision.decide import decide
from sidecar.core.decision.gates import gates
from sidecar.core.facts.observations import (
    AckReceived,
    Climbed,
    EpochRenewed,
    FallCause,
    Fell,
    Heartbeat,
    IgnoreReason,
    Observation,
    PaymentIgnored,
    PaymentSucceeded,
    Record,
    SkipReason,
)
from sidecar.core.facts.operator_actions import (
    Frozen,
    Overridden,
    OverrideCleared,
    Thawed,
)
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.windows import Once, Weekly
from sidecar.core.fold.fold import fold, next_deadline
from sidecar.core.fold.state import State, decode, encode
from tests.core.lives import POLICIES, Life, Step, lives
from tests.core.world import START_MS, World


def replayed(records: list[Record]) -> State:
    """Return the state that these records fold to."""
    state = State()
    for record in records:
        fold(state, record)
    return state


@given(lives)
def test_no_life_breaks_the_rules_of_moving_answering_and_remembering(steps: list[Step]) -> None:
    """`Life` checks each record: one rung up on open gates, falls land, alarms answer timers, memory is bounded."""
    life = Life()
    life.live(steps)
    moves = life.state.tally.moves
    event("climbed" if any(key.endswith("/proven") for key in moves) else "never climbed")
    event("fell" if any(key.endswith("/alarm") for key in moves) else "never fell")
    event("a stale climb" if life.state.tally.stale_climbs else "no stale climb")


def test_lives_climb_fall_and_are_late_often_enough_to_mean_something() -> None:
    """Properties of lives in which nothing happens would hold for any code."""
    seen: collections.Counter[str] = collections.Counter()

    @settings(max_examples=200)
    @given(lives)
    def look(steps: list[Step]) -> None:
        life = Life()
        life.live(steps)
        seen.update({key.rsplit("/", 1)[1] for key in life.state.tally.moves})
        seen["stale"] += bool(life.state.tally.stale_climbs)
        seen["high"] += life.state.flag.rung > 1

    look()
    assert min(seen[what] for what in ("proven", "alarm", "stale", "high")) >= 3, seen


@given(lives)
def test_when_all_payments_have_ended_nothing_is_kept_of_them(steps: list[Step]) -> None:
    """A sidecar that remembers each payment for ever dies of a good year."""
    life = Life()
    life.live(steps)
    life.drain()
    state = life.state
    assert (state.journeys, state.agenda, state.awaiting, state.by_user, state.waiting_acks) == ({}, [], {}, {}, 0)


@given(lives)
def test_every_payment_ends_once(steps: list[Step]) -> None:
    """Counts that do not add up are believed by nobody, and one payment that counts twice can climb."""
    life = Life()
    life.live(steps)
    life.drain()
    payments = {
        record.observation.payment_intent for record in life.records if isinstance(record.observation, PaymentSucceeded)
    }
    tally = life.state.tally
    assert sum(tally.outcomes.values()) + sum(tally.skipped.values()) == len(payments)
    assert sum(tally.unmeasured.values()) == tally.outcomes.get("unmeasured", 0)  # type: ignore[call-overload]
    indicator = life.state.indicators["payments"]
    assert indicator.good_total == tally.outcomes.get("on_time", 0)  # type: ignore[call-overload]


@given(lives, st.lists(st.integers(0, 400)), st.integers(0, 400))
def test_the_same_journal_gives_the_same_bytes_in_any_pieces(steps: list[Step], cuts: list[int], again: int) -> None:
    """A replica that restarts from a snapshot and one that never stopped must answer alike, to the byte."""
    life = Life()
    life.live(steps)
    expected = encode(life.state)
    assert encode(replayed(life.records)) == expected
    state = State()
    for index, record in enumerate(life.records):
        if index in cuts:
            state = decode(encode(state))
        fold(state, record)
    for record in life.records[again:]:
        assert fold(state, record) == [], "a record that was folded before is ignored"
    assert encode(state) == expected
    assert decode(expected) == life.state


@given(lives)
def test_asking_changes_nothing(steps: list[Step]) -> None:
    """A gate, a decision or a deadline that wrote into the state would make it depend on who looked."""
    life = Life()
    life.live(steps)
    before = encode(life.state)
    gates(life.state)
    decide(life.state, "a")
    next_deadline(life.state)
    assert encode(life.state) == before


# --- order and repetition


_ack_ms = st.sampled_from((-900, -200, 100, 700, 1800, 2200, 9000, 29_500))
_payments = st.lists(
    st.tuples(
        st.integers(0, 3000).map(lambda hundredths: 1000 + 10 * hundredths),
        st.dictionaries(st.sampled_from((Stage.PAID, Stage.DISPATCHED, Stage.DELIVERED)), _ack_ms),
        st.lists(st.sampled_from(SkipReason), max_size=2),
        st.sampled_from((None, None, None, *IgnoreReason)),
        st.sampled_from((0, 0, 0, 9, 10, None)),
    ),
    max_size=12,
)


def timeline(
    payments: list[tuple[int, dict[Stage, int], list[SkipReason], IgnoreReason | None, int | None]],
) -> list[tuple[int, Observation]]:
    """Return the facts about some payments with heartbeats between them, by their milliseconds."""
    facts: list[tuple[int, Observation]] = [
        (at_ms, Heartbeat(replica="a", beat=at_ms)) for at_ms in range(1000, 80_000, 2000)
    ]
    for number, (at_ms, acks, skips, ignored, waited_s) in enumerate(payments):
        name = f"pi_{number}"
        if ignored is None:
            signed_s = None if waited_s is None else 5 + waited_s
            facts.append((at_ms, PaymentSucceeded(payment_intent=name, event_id=name, created_s=5, signed_s=signed_s)))
        else:
            facts.append((at_ms, PaymentIgnored(payment_intent=name, event_id=name, reason=ignored)))
        facts.extend(
            (at_ms + delay_ms, AckReceived(source="backend", stage=stage, payment_intent=name))
            for stage, delay_ms in acks.items()
        )
        facts.extend(
            (at_ms + 300, AckReceived(source="backend", stage=Stage.SKIPPED, payment_intent=name, reason=reason))
            for reason in skips
        )
    return sorted(facts, key=lambda fact: fact[0])


def outcomes(facts: list[tuple[int, Observation]], *, by_identity: bool) -> dict[str, object]:
    """Return how the payments ended, after a wired beginning."""
    world = World(POLICIES[0], decides=False)
    world.wire()
    for at_ms, observation in facts:
        world.now_ms = START_MS + at_ms
        (world.see if by_identity else world.append)(observation)
    tally = world.state.tally
    counts = (tally.outcomes, tally.unmeasured, tally.skipped, tally.ignored, tally.timers)
    return {str(key): count for tallied in counts for key, count in tallied.items()} | {
        "contradicted": tally.contradicted,
        "coverage": world.state.coverage.counts(),
        "good": (world.state.indicators["payments"].good_total, world.state.indicators["payments"].bad_total),
    }


@given(_payments, st.integers(0, 60_000))
def test_whatever_is_reported_again_changes_no_outcome(payments: list[object], later_ms: int) -> None:
    """Stripe and backends repeat themselves, at once and much later: neither may count."""
    facts = timeline(payments)  # type: ignore[arg-type]
    expected = outcomes(facts, by_identity=True)
    twice = [fact for fact in facts for _ in range(2)]
    assert outcomes(twice, by_identity=True) == expected
    assert outcomes(twice, by_identity=False) == expected, "even if the journal recognised no duplicate"
    late = sorted([*facts, *((at_ms + later_ms, fact) for at_ms, fact in facts)], key=lambda fact: fact[0])
    assert outcomes(late, by_identity=True) == expected, "and heartbeats at other times judge no other way"


@pytest.mark.parametrize("first", [0, 1])
@given(_payments)
def test_neighbours_that_change_places_change_no_outcome(first: int, payments: list[object]) -> None:
    """Two endpoints, two queues: which of two facts of one moment is journalled first is random."""
    facts = timeline(payments)  # type: ignore[arg-type]
    swapped = list(facts)
    for index in range(first, len(facts) - 1, 2):
        (one_ms, one), (other_ms, other) = facts[index], facts[index + 1]
        if other_ms - one_ms <= 50:  # the moment: no boundary in the table lies so near
            swapped[index], swapped[index + 1] = (one_ms, other), (other_ms, one)
    assert outcomes(swapped, by_identity=True) == outcomes(facts, by_identity=True)


# --- garbage


_decisions = st.one_of(
    st.builds(
        Climbed,
        replica=st.just("x"),
        to_rung=st.integers(-2, 9),
        version=st.integers(0, 9),
        guard_version=st.integers(0, 60),
        gates=st.just(()),
    ),
    st.builds(
        Fell, replica=st.just("x"), version=st.integers(-9, 9), cause=st.sampled_from(FallCause), detail=st.just("")
    ),
    st.builds(
        EpochRenewed,
        replica=st.just("x"),
        indicator=st.sampled_from(("payments", "reach", "no_such_stream")),
        epoch=st.integers(0, 9),
        guard_version=st.integers(0, 60),
    ),
    st.builds(
        Frozen,
        actor=st.just("x"),
        reason=st.just(""),
        name=st.sampled_from(("a", "b")),
        window=st.one_of(
            st.builds(Once, from_ms=st.integers(), until_ms=st.integers()),
            st.builds(
                Weekly,
                days=st.lists(st.integers(), max_size=3).map(tuple),
                from_minute=st.integers(),
                lasts_minutes=st.integers(),
                utc_offset_minutes=st.integers(),
            ),
        ),
        expires_ms=st.integers(START_MS, START_MS + 10**12) | st.integers(),
    ),
    st.builds(Thawed, actor=st.just("x"), reason=st.just(""), name=st.sampled_from(("a", "b"))),
    st.builds(
        Overridden,
        actor=st.just("x"),
        reason=st.just(""),
        user_ref=st.sampled_from(("u1", "u2")),
        mode=st.sampled_from(Mode),
        expires_ms=st.integers(START_MS, START_MS + 10**9) | st.integers(),
    ),
    st.builds(OverrideCleared, actor=st.just("x"), reason=st.just(""), override=st.integers(0, 60)),
)


@given(lives, st.lists(_decisions, max_size=10), st.randoms(use_true_random=False), st.booleans())
def test_no_order_of_facts_however_absurd_stops_the_fold(
    steps: list[Step],
    decisions: list[Observation],
    shuffler: random.Random,
    is_without_policy: bool,  # noqa: FBT001
) -> None:
    """A record that the fold cannot digest stops every replica at every start, for ever: it must digest them all."""
    life = Life()
    life.live(steps)
    observations = [record.observation for record in life.records] + decisions
    stamps = [record.at_ms for record in life.records] + [life.now_ms] * len(decisions)
    shuffler.shuffle(observations)
    if not is_without_policy:
        observations = [life.records[1].observation, *observations]
        stamps = [START_MS, *stamps]
    state = State()
    for seq, (at_ms, observation) in enumerate(zip(stamps, observations, strict=True), start=1):
        fold(state, Record(seq=seq, at_ms=at_ms, observation=observation))
        decide(state, "a")
        next_deadline(state)
    assert decode(encode(state)) == state
