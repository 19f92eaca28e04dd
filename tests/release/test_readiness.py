"""The release check: a table of pasts with the verdict on each, on both sides of every limit."""

from collections.abc import Callable

import msgspec
import pytest

from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.policy import LADDER_OFF, Lifecycle, Mode
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.history import Condition, EventKind, History
from sidecar.core.fold.serving import Reason
from sidecar.core.fold.state import Suspension, Tally
from sidecar.core.release.checks import Process, Question
from sidecar.core.release.readiness import Answer, Readiness, readiness
from sidecar.core.statistics.coverage import Coverage
from sidecar.core.statistics.indicators import REACH
from tests.core.world import DAY, HOUR, MINUTE, SECOND, counted
from tests.release.prepared import NOW_MS, POLICY, Past, S, T

ASKED = Question(environment="test")
LIVE = Process(is_livemode=True, reason=Reason.CURRENT_RUNG)
FOR = 14 * DAY


def verdict(past: Past, question: Question = ASKED, process: Process = LIVE) -> Readiness:
    """Return the verdict."""
    return readiness(past.state, question, process)


def against(found: Readiness) -> list[str]:
    """Return the names of the checks that do not pass."""
    return [check.name for check in found.against]


def test_a_past_without_a_problem_is_a_yes() -> None:
    """The base case of this file."""
    found = verdict(Past())
    assert (found.answer, found.answer.exit_code, against(found), found.again_ms) == (Answer.YES, 0, [], None)
    assert (found.environment, found.from_ms, found.now_ms) == ("test", NOW_MS - FOR, NOW_MS)


Change = Callable[[Past], None]


def silent(past: Past, count: int) -> None:
    """Make so many of the last two hundred payers' browsers silent."""
    past.state.payer_coverage[REACH] = coverage = Coverage()
    for number in range(200):
        coverage.add(is_judged=number >= count, at_ms=past.state.now_ms)


def suspensions(count: int, lasting_ms: int = 10 * MINUTE) -> Change:
    """Add suspensions because of Reverb."""

    def change(past: Past) -> None:
        for number in range(count):
            past.interrupt((number + 1) * 2 * DAY, lasting_ms, Condition.REVERB_UNSTABLE)

    return change


TABLE: list[tuple[str, Past | Callable[[], Past], Change, list[str]]] = [
    ("held 13 d 23 h", lambda: Past(served_ms=FOR - HOUR), lambda _: None, ["served"]),
    ("held all but 0.1 %", lambda: Past(served_ms=FOR - FOR // 1000), lambda _: None, []),
    ("held all but 0.1 % and a millisecond", lambda: Past(served_ms=FOR - FOR // 1000 - 1), lambda _: None, ["served"]),
    ("one fall on day 3", Past, lambda past: past.fall(11 * DAY), ["falls"]),
    ("one fall before", Past, lambda past: past.fall(FOR + 1), []),
    ("one fall in the first millisecond", Past, lambda past: past.fall(FOR), ["falls"]),
    ("four suspensions", Past, suspensions(4), []),
    ("five suspensions", Past, suspensions(5), ["suspensions"]),
    ("two suspensions of 1 % together", Past, suspensions(2, FOR // 200), []),
    ("two suspensions of more", Past, suspensions(2, FOR // 200 + 1), ["suspended"]),
    ("suspensions of 0.1 %", Past, lambda past: past.interrupt(2 * DAY, FOR // 1000, Condition.SUSPENDED), []),
    (
        "suspensions of more",
        Past,
        lambda past: past.interrupt(2 * DAY, FOR // 1000 + 1, Condition.SUSPENDED),
        ["served"],
    ),
    ("blind for an hour", Past, lambda past: past.interrupt(2 * DAY, HOUR, Condition.BLIND), ["served"]),
    ("an hour of the safety net", Past, lambda past: past.interrupt(2 * DAY, HOUR, Condition.SERVING, S), ["served"]),
    ("coverage 95 %", Past, lambda past: past.fill(16, 95, uncovered=5), []),
    ("coverage 94 %", Past, lambda past: past.fill(16, 94, uncovered=6), ["coverage"]),
    ("50 payments", lambda: quiet(50), lambda _: None, []),
    ("49 payments", lambda: quiet(49), lambda _: None, ["payments"]),
    ("no payment since the release", Past, lambda past: past.release(1 * MINUTE, "2026.48", 0), []),
    ("no reports", Past, lambda past: past.fill(16, 40, reported=False), ["reports"]),
    ("a history of 14 d", Past, lambda past: known_for(past, FOR), []),
    ("a history of less", Past, lambda past: known_for(past, FOR - 1), ["history"]),
    (
        "isolation breaches",
        Past,
        lambda past: setattr(past.state.probing, "isolation", IsolationOutcome.ALLOWED),
        ["isolation"],
    ),
    ("proof lost", Past, lambda past: counted(past.state.indicators["payments"], 100), ["evidence_payments"]),
    (
        "payers refused",
        Past,
        lambda past: counted(past.state.indicators["user_auth"], 9),
        ["evidence_user_auth"],
    ),
    ("payers not reached", Past, lambda past: counted(past.state.indicators["reach"], 9000, 999), ["evidence_reach"]),
    ("silent payers", Past, lambda past: silent(past, 81), ["payer_coverage"]),
    ("payers of whom 60 % answer", Past, lambda past: silent(past, 80), []),
    ("acks without names", Past, lambda past: past.state.first_named_ack_ms.clear(), ["exact"]),
]


ON_RELEASE: list[tuple[str, int | None, Change, bool | None]] = [
    ("nothing is asked", None, lambda past: past.release(1 * HOUR, "2026.48", 0), True),
    ("20 of 20", 20, lambda past: past.release(1 * DAY, "2026.48", 20), True),
    ("19 of 20", 20, lambda past: past.release(1 * DAY, "2026.48", 19), False),
    ("0 of 0", 0, lambda past: past.release(1 * DAY, "2026.48", 0), True),
    ("no release, nothing is asked", None, lambda _: None, True),
    ("no release, and 20 are asked", 20, lambda _: None, None),
]


@pytest.mark.parametrize(
    ("asked", "change", "passes"), [row[1:] for row in ON_RELEASE], ids=[row[0] for row in ON_RELEASE]
)
def test_payments_since_the_release_are_information_unless_a_number_is_asked(
    *, asked: int | None, change: Change, passes: bool | None
) -> None:
    """An app that is released every hour never had 20 of them; whoever asks for N must know of a release."""
    past = Past()
    change(past)
    found = verdict(past, msgspec.structs.replace(ASKED, on_release=asked))
    check = next(each for each in found.checks if each.name == "since_release")
    assert (check.passes, check.is_information) == (passes, asked is None and bool(past.state.history.release))
    assert against(found) == ([] if passes else ["since_release"])
    expected = {True: Answer.YES, False: Answer.NOT_YET, None: Answer.CANNOT_KNOW}[passes]
    assert (found.answer, bool(check.why)) == (expected, not passes)


def test_an_app_that_is_released_every_hour_passes() -> None:
    """Asked 80 times in as many hours, each time within minutes of a release: it was no, 80 times."""
    past = Past()
    answers = set()
    for hour in range(80):
        past.release(2 * MINUTE, f"web-{hour}", 1)
        answers.add(verdict(past).answer)
    assert answers == {Answer.YES}


def quiet(payments: int) -> Past:
    """Return a past with payments in one hour only."""
    past = Past(per_hour=0)
    hour = past.state.history.hours[-30]
    hour.outcomes.on_time = payments
    hour.reported[Mode.PUSH_ONLY.rank] = 1
    return past


def known_for(past: Past, span_ms: int) -> None:
    """Shorten the history."""
    past.state.history.since_ms = NOW_MS - span_ms


@pytest.mark.parametrize(("made", "change", "names"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_verdict_on_each_past_is_as_in_the_table(
    made: Callable[[], Past], change: Change, names: list[str]
) -> None:
    """Each reason alone, on both sides of its limit."""
    past = made()
    change(past)
    found = verdict(past)
    assert against(found) == names
    expected = Answer.YES if not names else Answer.CANNOT_KNOW if names == ["reports"] else Answer.NOT_YET
    assert found.answer is expected
    assert all(check.why and not check.why.endswith(".") for check in found.against)
    assert not any(check.why for check in found.checks if check.passes)


@pytest.mark.parametrize(
    ("question", "process", "policy", "name"),
    [
        (msgspec.structs.replace(ASKED, environment="production"), LIVE, POLICY, "environment"),
        (msgspec.structs.replace(ASKED, environment=None), LIVE, POLICY, None),
        (ASKED, msgspec.structs.replace(LIVE, is_livemode=False), POLICY, "livemode"),
        (ASKED, msgspec.structs.replace(LIVE, reason=Reason.NO_LEASE), POLICY, "replica"),
        (ASKED, msgspec.structs.replace(LIVE, reason=Reason.STARTING), POLICY, "replica"),
        (ASKED, msgspec.structs.replace(LIVE, reason=Reason.POLICY_DIFFERS), POLICY, "replica"),
        (ASKED, msgspec.structs.replace(LIVE, reason=Reason.SUSPENDED), POLICY, None),
        (ASKED, LIVE, msgspec.structs.replace(POLICY, dry_run=True), "dry_run"),
    ],
)
def test_what_cannot_be_known_is_never_a_yes(
    question: Question, process: Process, policy: object, name: str | None
) -> None:
    """Another environment, a dry run, test payments, or a replica without a lease."""
    past = Past()
    past.state.policy = policy  # type: ignore[assignment]
    found = verdict(past, question, process)
    assert against(found) == ([name] if name else [])
    assert found.answer is (Answer.CANNOT_KNOW if name else Answer.YES)
    assert found.answer.exit_code == (2 if name else 0)


def test_unknown_checks_come_before_failed_ones() -> None:
    """Otherwise a pipeline would wait for the wrong sidecar."""
    past = Past(served_ms=1 * DAY)
    found = verdict(past, process=msgspec.structs.replace(LIVE, is_livemode=False))
    assert (found.answer, against(found)) == (Answer.CANNOT_KNOW, ["livemode", "served"])


def test_reports_may_be_waived_with_a_reason() -> None:
    """Every verdict repeats the reason."""
    past = Past()
    past.fill(16, 40, reported=False)
    assert past.state.policy is not None
    past.state.policy = msgspec.structs.replace(past.state.policy, reach_not_required="a kiosk")
    counted(past.state.indicators["reach"], 0)
    found = verdict(past)
    assert found.answer is Answer.YES
    assert "not required: a kiosk" in [check.value for check in found.checks]


def test_a_lesser_mode_may_be_asked_for_and_a_better_one_counts_for_it() -> None:
    """Time at `push_only` counts for `push_with_safety_net`."""
    question = msgspec.structs.replace(ASKED, mode=S)
    past = Past(served_ms=1 * DAY)
    assert verdict(past, question).answer is Answer.YES
    counted(past.state.indicators["user_auth"], 0)
    assert verdict(past, question).answer is Answer.YES


def test_a_rung_for_some_users_is_not_enough() -> None:
    """At 50 % half of the payers still need their timers."""
    past = Past()
    past.state.history.spans[-1].for_all = T
    assert against(verdict(past)) == ["now", "served"]


def test_a_ladder_that_ends_below_everybody_is_a_no() -> None:
    """The timers of half the users cannot be removed."""
    past = Past()
    assert past.state.policy is not None
    ladder = past.state.policy.ladder
    half = (*ladder[:-1], msgspec.structs.replace(ladder[-1], share_ppm=500_000))
    past.state.policy = msgspec.structs.replace(past.state.policy, ladder=half)
    assert against(verdict(past)) == ["ladder"]


def test_the_share_is_of_the_time_outside_suspensions() -> None:
    """Suspended time is left out of both sides of the ratio."""
    past = Past()
    past.interrupt(8 * DAY, FOR // 100, Condition.REVERB_UNSTABLE)
    past.interrupt(4 * DAY, (FOR - FOR // 100) // 1000, Condition.SUSPENDED)
    assert verdict(past).answer is Answer.YES
    past.interrupt(2 * DAY, 1 * SECOND, Condition.SUSPENDED)
    assert against(verdict(past)) == ["served"]


def test_a_ladder_without_the_mode_is_a_no_at_once() -> None:
    """Not only after two weeks."""
    past = Past()
    assert past.state.policy is not None
    past.state.policy = msgspec.structs.replace(past.state.policy, ladder=LADDER_OFF, lifecycle=Lifecycle.REMOVED)
    assert "ladder" in against(verdict(past))
    assert "ladder" not in against(verdict(past, msgspec.structs.replace(ASKED, mode=S)))


def test_a_suspension_at_this_moment_is_a_no() -> None:
    """However good the last two weeks were."""
    past = Past()
    past.interrupt(2 * MINUTE, 1 * MINUTE, Condition.REVERB_UNSTABLE)
    past.state.history.spans.pop()
    past.state.flag.suspension = Suspension(began_ms=NOW_MS - 2 * MINUTE, until_ms=NOW_MS + 8 * MINUTE)
    found = verdict(past)
    assert against(found) == ["now"]
    assert found.again_ms == NOW_MS + 8 * MINUTE


def test_time_beyond_the_lease_is_not_served() -> None:
    """A journal without records proves nothing."""
    past = Past()
    past.state.history.lease_until_ms = NOW_MS - HOUR
    assert against(verdict(past)) == ["served"]


# --- when to ask again


@pytest.mark.parametrize(
    ("made", "change"),
    [
        (lambda: Past(served_ms=FOR - HOUR), lambda _: None),
        (Past, lambda past: past.fall(11 * DAY)),
        (Past, suspensions(5)),
        (Past, suspensions(3, FOR // 200)),
        (Past, lambda past: past.interrupt(9 * DAY, 2 * HOUR, Condition.SUSPENDED)),
        (Past, lambda past: known_for(past, FOR - DAY)),
    ],
)
def test_the_earliest_time_is_the_first_moment_of_a_yes(made: Callable[[], Past], change: Change) -> None:
    """Not a millisecond before."""
    past = made()
    change(past)
    again_ms = verdict(past).again_ms
    assert again_ms is not None
    assert verdict_at(past, again_ms - 1) is Answer.NOT_YET
    assert verdict_at(past, again_ms) is Answer.YES


def verdict_at(past: Past, at_ms: int) -> Answer:
    """Return the verdict at a later time without further problems."""
    past.state.now_ms = at_ms
    past.state.history.lease_until_ms = at_ms
    for number, hour in enumerate(past.state.history.hours[-400:]):
        hour.hour = at_ms // HOUR - 400 + number
    return verdict(past).answer


def test_coverage_returns_when_the_bad_hours_have_left() -> None:
    """The hour in which the period begins counts in full."""
    past = Past()
    bad = past.state.history.hours[-100]
    bad.outcomes.unmeasured, bad.unmeasured = 2000, {"cut_off": 2000}
    found = verdict(past)
    assert against(found) == ["coverage"]
    assert found.again_ms == (bad.hour + 1) * HOUR + FOR


def test_after_two_falls_the_earliest_time_is_that_of_the_second() -> None:
    """The first leaves the period before."""
    past = Past()
    past.fall(11 * DAY)
    past.fall(2 * DAY)
    assert verdict(past).again_ms == NOW_MS + 12 * DAY + 1


def test_without_a_good_hour_coverage_has_no_earliest_time() -> None:
    """A period without payments is not covered."""
    past = Past()
    past.fill(16, 0, uncovered=5)
    assert {check.name: check.again_ms for check in verdict(past).against}["coverage"] is None


def test_payments_since_a_release_are_expected_at_the_rate_of_the_period() -> None:
    """One is missing, at 40 an hour: in a minute and a half."""
    past = Past()
    past.release(1 * DAY, "2026.48", 19)
    again_ms = verdict(past, msgspec.structs.replace(ASKED, on_release=20)).again_ms
    assert again_ms is not None
    assert again_ms - NOW_MS == pytest.approx(90 * SECOND, rel=0.05)


def test_too_few_payments_have_no_earliest_time() -> None:
    """Two more weeks at the same rate are not enough either."""
    assert verdict(quiet(49)).again_ms is None


# --- a suspension across the border


@pytest.mark.parametrize(("ago_ms", "counted"), [(FOR + 5 * MINUTE, 1), (FOR + 10 * MINUTE, 0), (FOR, 1), (FOR - 1, 1)])
def test_a_suspension_at_the_begin_of_the_period_counts(ago_ms: int, counted: int) -> None:
    """Once, and only with its time within the period."""
    past = Past(served_ms=15 * DAY)
    past.interrupt(ago_ms, 10 * MINUTE, Condition.REVERB_UNSTABLE)
    found = {check.name: check.value for check in verdict(past).checks}
    assert found["suspensions"] == str(counted)
    assert found["suspended"] == {FOR + 5 * MINUTE: "5 min", FOR + 10 * MINUTE: "0 s"}.get(ago_ms, "10 min")


def test_a_suspension_attributed_within_the_period_counts_once() -> None:
    """Its alarm was raised before the period began."""
    past = Past(served_ms=15 * DAY)
    past.interrupt(FOR + 30 * SECOND, 10 * MINUTE, Condition.REVERB_UNSTABLE)
    past.state.history.events = [
        mark for mark in past.state.history.events if mark.kind is not EventKind.SUSPENSION_BEGAN
    ]
    past.mark(FOR - 30 * SECOND, EventKind.SUSPENSION_BEGAN, SuspensionReason.REVERB_UNSTABLE)
    assert {check.name: check.value for check in verdict(past).checks}["suspensions"] == "1"


def test_without_history_the_answer_is_not_yet() -> None:
    """A process that has read an older checkpoint, and nothing since."""
    past = Past()
    past.state.history = History()
    past.state.tally = Tally()
    found = verdict(past)
    assert found.answer is Answer.CANNOT_KNOW
    assert {"reports", "now", "served", "coverage", "payments"} <= set(against(found))


def test_the_verdict_is_a_pure_function_of_the_state() -> None:
    """Page, pipeline and report agree."""
    past = Past()
    before = msgspec.json.encode(past.state)
    assert verdict(past) == verdict(past)
    assert msgspec.json.encode(past.state) == before
