"""Metrics say what the core says: each value beside its threshold, and each state under its own name."""

import math

import pytest

from sidecar import clock
from sidecar.core.decision.gates import gates
from sidecar.core.facts.observations import SkipReason
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.core.fold.state import State
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import (
    INDICATORS,
    PAYMENTS,
    ROUND_TRIPS,
    alpha_of,
    bank_of,
    clean_needed,
    row_of,
)
from sidecar.flags.answers import Answers
from sidecar.flags.lease import Lease
from sidecar.journal.follower import Follower
from sidecar.journal.maintenance import Maintenance
from sidecar.journal.memory import MemoryJournal
from sidecar.logs import LineCounts
from sidecar.parts.part import Task
from sidecar.ports import Backlog
from tests.core.world import HOUR, LAX, World
from tests.shells.metrics_view import Scrape, exposition_of

NANO = 1_000_000_000


def wired(goods: int, bads: int) -> World:
    """Return a world where so many payments did well, and then so many did not; nobody decides."""
    world = World(LAX, decides=False)
    world.wire()
    world.good(goods)
    world.bad(bads)
    world.wait(60_000)
    return world


@pytest.mark.parametrize("goods", [0, 5, 200])
def test_the_capital_reaches_what_is_needed_exactly_when_the_evidence_gate_holds(goods: int) -> None:
    """The capital and its threshold stand side by side, as the gate compares them."""
    state = wired(goods, 1).state
    scrape = Scrape(exposition_of(state))
    indicator, row = state.indicators[PAYMENTS], row_of(PAYMENTS)
    assert state.policy is not None
    capital, needed = (
        scrape(name, indicator=PAYMENTS) for name in ("evidence_log_capital", "evidence_log_capital_needed")
    )
    counted = evidence.log_capital(0.9, indicator.good, indicator.bad)
    assert capital <= min(counted, needed + evidence.MARGIN_NATS) + 1e-4
    assert capital == pytest.approx(counted, abs=1e-4) or counted > needed + evidence.MARGIN_NATS - 5
    assert needed == -math.log(alpha_of(indicator, state.policy))
    assert (capital >= needed) == next(gate.passes for gate in gates(state) if gate.name == "evidence_payments")
    assert scrape("evidence_clean_outcomes_needed", indicator=PAYMENTS) == clean_needed(indicator, row, state.policy)
    assert scrape("evidence_target_ratio", indicator=PAYMENTS) == 0.9
    assert scrape("evidence_outcomes", indicator=PAYMENTS, verdict="good") == indicator.good
    assert scrape("evidence_outcomes", indicator=PAYMENTS, verdict="bad") == 1
    assert scrape("judged_outcomes_total", indicator=PAYMENTS, verdict="bad") == 1


def test_while_no_epoch_runs_there_is_no_capital_and_the_next_epoch_needs_more() -> None:
    """What was proven before a fall proves nothing after it."""
    world = World(LAX)
    world.climb_to(1)
    before = Scrape(exposition_of(world.state))
    world.outage()
    after = Scrape(exposition_of(world.state))
    assert world.state.indicators[PAYMENTS].awaits_epoch
    assert before("evidence_log_capital", indicator=PAYMENTS) > after("evidence_log_capital", indicator=PAYMENTS) == 0
    needed = [scrape("evidence_log_capital_needed", indicator=PAYMENTS) for scrape in (before, after)]
    assert needed == [-math.log(evidence.epoch_alpha(0.05, epoch)) for epoch in (1, 2)]
    assert after("flag_strikes") == 1
    assert after("flag_cooldown_until_timestamp_seconds") * 1000 == world.state.flag.cooldown_until_ms > world.now_ms


@pytest.mark.parametrize("bads", [0, 2, 9])
def test_an_alarm_is_latched_exactly_when_a_level_has_reached_the_threshold(bads: int) -> None:
    """Each CUSUM by its degree, the highest as a share, and the one threshold of all."""
    state = wired(50, bads).state
    scrape = Scrape(exposition_of(state))
    assert state.policy is not None
    bank, indicator = bank_of(row_of(PAYMENTS), state.policy), state.indicators[PAYMENTS]
    threshold = scrape("alarm_threshold_nats", indicator=PAYMENTS)
    levels = [
        scrape("alarm_level_nats", indicator=PAYMENTS, degree=degree) for degree in ("unacceptable", "0.5", "0.1")
    ]  # LAX calls 80 % unacceptable: there is no other CUSUM for it
    assert levels == [level / NANO for level in indicator.levels]
    assert threshold == bank[0].threshold / NANO
    assert scrape("alarm_level_ratio", indicator=PAYMENTS) == pytest.approx(max(levels) / threshold)
    assert (max(levels) >= threshold) == (scrape("alarm_latched", indicator=PAYMENTS) == 1) == (bads == 9)
    assert scrape("alarm_level_nats", indicator=ROUND_TRIPS, degree="twice_allowed") == 0, "from the start, at rest"


def test_coverage_is_exposed_as_counts_beside_its_thresholds() -> None:
    """A share of three payments and one of three thousand are not the same evidence."""
    world = wired(3, 1)
    scrape = Scrape(exposition_of(world.state))
    counts = {judged: scrape("coverage_payments", judged=judged) for judged in ("true", "false")}
    assert (counts["true"], counts["true"] + counts["false"]) == world.state.coverage.counts()
    assert scrape("coverage_ratio") == counts["true"] / sum(counts.values())
    assert scrape("coverage_threshold_ratio", threshold="climb") == 0.95
    assert scrape("coverage_threshold_ratio", threshold="suspend") == 0.8


def test_the_thresholds_of_the_policy_are_exposed() -> None:
    """So that no rule and no dashboard repeats a number of the configuration."""
    scrape = Scrape(exposition_of(wired(1, 0).state))
    assert scrape("objective_seconds", objective="on_time_within") == 2
    assert scrape("objective_seconds", objective="missed_after") == 30
    assert (scrape("flag_lease_seconds"), scrape("flag_top_rung")) == (30, 3)


@pytest.mark.parametrize("reason", [each for each in SuspensionReason if each is not SuspensionReason.REVERB_UNSTABLE])
def test_the_reason_of_a_suspension_is_the_one_in_force(reason: SuspensionReason) -> None:
    """One series per reason is 1, and none while push is not suspended."""
    world = wired(1, 0)
    assert Scrape(exposition_of(world.state)).ones("suspended", "reason") == []
    world.state.visibility.suspension = reason
    assert Scrape(exposition_of(world.state)).ones("suspended", "reason") == [reason]


def test_a_hold_is_exposed() -> None:
    """Climbing that a person forbids needs no search for a cause."""
    world = wired(1, 0)
    assert Scrape(exposition_of(world.state))("flag_held") == 0
    world.hold()
    assert Scrape(exposition_of(world.state))("flag_held") == 1


class FixedAnswers(Answers):
    """Answers that a test sets."""

    def __init__(self, answer: Served | None = None, remaining_s: float = 0.0) -> None:
        super().__init__(
            State(), Lease("a"), flag="flag", environment="test", lease_ms=3000, policy_hash="", now_ms=clock.wall_ms
        )
        self._answer = answer
        self._remaining = remaining_s

    def served_to_all(self, now_s: float) -> Served:
        """Return the answer."""
        return self._answer or super().served_to_all(now_s)

    def lease_remaining_s(self, now_s: float) -> float:  # noqa: ARG002 - as the test wants it
        """Return the remaining time."""
        return self._remaining


@pytest.mark.parametrize("reason", list(Reason))
def test_the_flag_has_one_reason_and_one_mode(reason: Reason) -> None:
    """Whether push is served, and if not, why."""
    mode = Mode.PUSH_ONLY if reason is Reason.CURRENT_RUNG else Mode.TIMER_POLLING
    scrape = Scrape(exposition_of(State(), FixedAnswers(Served(mode=mode, reason=reason))))
    assert scrape.ones("flag_reason", "reason") == [reason]
    assert scrape.ones("flag_mode", "mode") == [mode]


def test_what_the_core_serves_has_a_reason_of_the_set() -> None:
    """As in a world that has climbed."""
    world = World(LAX)
    world.climb_to(2)
    scrape = Scrape(exposition_of(world.state, FixedAnswers(served(world.state, 0))))
    assert scrape.ones("flag_reason", "reason") == [Reason.CURRENT_RUNG]


@pytest.mark.parametrize(("left_s", "reported_s"), [(12.5, 12.5), (0.0, 0.0), (-3.0, 0.0)])
def test_a_lease_that_has_lapsed_has_nothing_left(left_s: float, reported_s: float) -> None:
    """The instant goes on to say since when."""
    scrape = Scrape(exposition_of(State(), FixedAnswers(remaining_s=left_s)))
    assert scrape("flag_lease_remaining_seconds") == reported_s


@pytest.mark.parametrize("others", [0, 40])
def test_the_oldest_unmatched_payment_is_the_oldest_that_waits(others: int) -> None:
    """Those that are decided, and acks without a payment, wait for nothing."""
    world = wired(others, 0)
    assert Scrape(exposition_of(world.state))("oldest_unmatched_payment_timestamp_seconds") == 0
    world.ack("pi_not_come_yet")
    world.wait(1000)
    at_ms = world.now_ms
    world.pay()
    world.wait(500)
    world.pay()
    scrape = Scrape(exposition_of(world.state))
    assert scrape("oldest_unmatched_payment_timestamp_seconds") == at_ms / 1000
    assert scrape("waiting_acks") == world.state.waiting_acks > 0
    assert scrape("kept_payments") == len(world.state.journeys)
    assert scrape("last_record_timestamp_seconds") == world.state.now_ms / 1000
    world.wait(HOUR)
    assert Scrape(exposition_of(world.state))("oldest_unmatched_payment_timestamp_seconds") == 0


def test_a_payment_that_was_known_first_and_delivered_last_is_not_the_oldest() -> None:
    """An ack that names a stage before the deciding one came before its webhook, and another payment in between."""
    world = wired(1, 0)
    world.ack("pi_1000", Stage.PAID)
    world.wait(300)
    first_ms = world.now_ms
    world.pay(name="pi_2000")
    world.wait(300)
    world.pay(name="pi_1000")
    assert Scrape(exposition_of(world.state))("oldest_unmatched_payment_timestamp_seconds") == first_ms / 1000


def test_a_payment_that_was_left_out_waits_for_nothing() -> None:
    """The backend had nothing to broadcast, so no ack will come; it is kept for a while all the same."""
    world = wired(1, 0)
    name = world.pay()
    world.ack(name, Stage.SKIPPED, SkipReason.NO_BOOKING)
    world.wait(3000)
    world.beat()
    assert world.state.journeys[name].excused_until_ms is not None
    assert Scrape(exposition_of(world.state))("oldest_unmatched_payment_timestamp_seconds") == 0


def test_the_last_end_of_each_probe_is_exposed() -> None:
    """A probe that has gone silent is found by its own instant."""
    state = wired(0, 0).state
    state.probing.round_trip_ms, state.probing.auth_probe_ms = 7000, 9000
    scrape = Scrape(exposition_of(state))
    ends = {probe: scrape("last_probe_timestamp_seconds", probe=probe) for probe in ("round_trip", "channel_auth")}
    assert ends == {"round_trip": 7, "channel_auth": 9}


class CountingJournal(MemoryJournal):
    """A journal with a backlog and a clock that a test sets."""

    ahead_ms = 0

    def backlog(self) -> Backlog:
        """Return the backlog."""
        return Backlog(waiting_count=5, oldest_ms=1500, refused_count=6, commit_count=7)

    def now_ms(self) -> int:
        """Return the present."""
        return clock.wall_ms() + self.ahead_ms


def test_what_the_process_counts_is_exposed() -> None:
    """Lines by level, failures by task of all parts together, and what waits for the journal."""
    lines = LineCounts()
    lines.dropped = 4
    lines.by_level["warning"] = 3
    maintenance = Maintenance(CountingJournal(), State(), replica="a")
    follower = Follower(MemoryJournal(), State())
    maintenance.failures.inc(Task.MAINTENANCE, by=2)
    follower.failures.inc(Task.MAINTENANCE)
    follower.failures.inc(Task.FOLLOWER)
    scrape = Scrape(exposition_of(State(), lines, maintenance, follower))
    assert (scrape("log_lines_dropped_total"), scrape("log_lines_total", level="warning")) == (4, 3)
    assert scrape("task_failures_total", task="maintenance") == 3
    assert scrape("task_failures_total", task="follower") == 1
    assert scrape("task_failures_total", task="decide") == 0
    assert (scrape("journal_waiting_appends"), scrape("journal_oldest_waiting_append_seconds")) == (5, 1.5)
    assert (scrape("journal_refused_appends_total"), scrape("journal_commits_total")) == (6, 7)


@pytest.mark.parametrize("ahead_ms", [-90_000, 90_000])
def test_the_clocks_offset_is_exposed_with_its_sign(ahead_ms: int) -> None:
    """Ahead: the wall clock was set back since the start; stamps go on regardless."""
    journal = CountingJournal()
    journal.ahead_ms = ahead_ms
    scrape = Scrape(exposition_of(State(), Maintenance(journal, State(), replica="a")))
    assert scrape("clock_offset_seconds") == pytest.approx(ahead_ms / 1000, abs=60)


def test_before_the_first_policy_what_depends_on_one_is_absent() -> None:
    """A threshold of zero would be a lie."""
    values = Scrape(exposition_of(State())).values
    names = {name for name, _ in values}
    assert not any(name.startswith(("reverb_sidecar_evidence_", "reverb_sidecar_alarm_")) for name in names)
    assert "reverb_sidecar_payment_outcomes_total" in names


def test_every_stream_has_its_row() -> None:
    """Also those that nothing feeds yet."""
    scrape = Scrape(exposition_of(wired(1, 0).state))
    for row in INDICATORS:
        assert scrape("evidence_target_ratio", indicator=row.name) > 0
