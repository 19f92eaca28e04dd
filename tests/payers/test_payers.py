"""No payer is left with "Pay now": the cost of each fault to a payer, in real browsers, and their reports."""

import pytest

from sidecar.core.facts.policy import SCHEDULES, Mode
from sidecar.core.facts.reports import WATCHED_MS, Reading, Verdict, verdict_of
from tests.payers.scenarios import SCENARIOS, Scenario
from tests.payers.stage import Result

"""The first test that needs a result waits for all scenarios, a minute or more."""
_NEAR_MS = 400
"""So far two looks at the page's clock may lie apart on a busy machine, """
_APART_MS = 1500
"""and the page's clock and the backend's."""

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.key for scenario in SCENARIOS])


def result_of(scenario: Scenario, results: dict[str, Result]) -> Result:
    """Return the result of a scenario, which must have been played to its end."""
    result = results[scenario.key]
    assert not result.failure, result.failure
    return result


def reading_of(scenario: Scenario, results: dict[str, Result]) -> Reading:
    """Return what the page reported."""
    result = result_of(scenario, results)
    reading = result.sent or result.taken
    assert reading is not None, "nothing was reported"
    return reading


@every_scenario
def test_pay_now_goes_away(scenario: Scenario, results: dict[str, Result]) -> None:
    """In each scenario it is cleared within the bounds of the table."""
    cleared_ms = result_of(scenario, results).cleared_ms
    assert cleared_ms is not None
    earliest_s, before_s = scenario.cleared_s
    assert earliest_s <= cleared_ms / 1000 < before_s


@every_scenario
def test_a_payment_costs_so_many_requests(scenario: Scenario, results: dict[str, Result]) -> None:
    """The backend counts the expected refetches with the expected results."""
    found = "".join("+" if is_paid else "-" for is_paid in result_of(scenario, results).found)
    assert found == scenario.found


@every_scenario
def test_the_report_says_what_happened(scenario: Scenario, results: dict[str, Result]) -> None:
    """The report agrees with backend and page on cause, time, refetches, subscription and push."""
    result, reading = result_of(scenario, results), reading_of(scenario, results)
    assert reading.cleared_by in scenario.by
    assert (reading.flow, reading.mode, reading.subscription) == (
        scenario.flow,
        scenario.follows,
        scenario.subscription,
    )
    assert reading.refetches == len(result.found)
    assert (reading.subscribed_ms is not None) == (scenario.subscription == "confirmed")
    assert reading.cleared_ms is not None
    assert result.cleared_ms is not None
    assert abs(reading.cleared_ms - result.cleared_ms) < _NEAR_MS
    assert (reading.pushed_ms is not None) == scenario.is_pushed
    if reading.pushed_ms is not None:
        assert result.broadcast_ms is not None
        assert abs(reading.pushed_ms - result.broadcast_ms) < _APART_MS


@every_scenario
def test_a_payment_is_reported_once_and_after_thirty_seconds(scenario: Scenario, results: dict[str, Result]) -> None:
    """Or earlier, when the page is left; by a clock that stands still while the machine sleeps."""
    result, reading = result_of(scenario, results), reading_of(scenario, results)
    assert result.reports <= 1
    assert (reading.watched_ms >= WATCHED_MS) != scenario.is_cut_short


@every_scenario
def test_the_sidecar_keeps_what_was_sent(scenario: Scenario, results: dict[str, Result]) -> None:
    """The token is valid, the beacon crosses origins, and the journal has the same report where a sidecar runs."""
    result = result_of(scenario, results)
    if scenario.records:
        assert result.taken is None
    else:
        assert result.taken is not None
        assert result.sent in {None, result.taken}


@pytest.mark.parametrize("mode", Mode)
def test_requests_per_payment_are_those_of_the_schedule(mode: Mode, results: dict[str, Result]) -> None:
    """Without a fault: 3 with timers; with push 2, or 1 if the first found it paid."""
    key = {Mode.TIMER_POLLING: "timers", Mode.PUSH_WITH_SAFETY_NET: "net", Mode.PUSH_ONLY: "push"}[mode]
    assert len(results[key].found) == SCHEDULES[mode].requests_per_payment
    assert len(results["at_once"].found) == 1


UNREACHED = [scenario for scenario in SCENARIOS if scenario.subscription != "confirmed"]


@pytest.mark.parametrize("scenario", UNREACHED, ids=[scenario.key for scenario in UNREACHED])
def test_our_own_socket_is_green_while_a_payer_is_not_reached(scenario: Scenario, results: dict[str, Result]) -> None:
    """It signs itself and does not use the auth endpoint; only the payer's report shows that push did not arrive."""
    assert result_of(scenario, results).is_delivered
    assert verdict_of(reading_of(scenario, results)) is Verdict.BAD


VERDICTS = [
    ("push", Verdict.GOOD),
    ("timers", Verdict.GOOD),
    ("before", Verdict.GOOD),
    ("stale", Verdict.GOOD),
    ("left", Verdict.GOOD),
    ("lost", Verdict.BAD),
    ("lost_net", Verdict.BAD),
    ("flip", Verdict.BAD),
    ("frozen", Verdict.GONE),
    ("asleep", Verdict.GONE),
]


@pytest.mark.parametrize(("key", "verdict"), VERDICTS)
def test_the_sidecar_concludes_what_is_true(key: str, verdict: Verdict, results: dict[str, Result]) -> None:
    """From the report alone: push was enough, was not, or is undecided because the page was away."""
    scenario = next(each for each in SCENARIOS if each.key == key)
    assert verdict_of(reading_of(scenario, results)) is verdict


@pytest.mark.parametrize("key", ["lost", "lost_net", "timers_lost"])
def test_what_reverb_loses_our_own_socket_misses_too(key: str, results: dict[str, Result]) -> None:
    """Both channels are in one API call, so both get the broadcast or neither does."""
    assert not results[key].is_delivered
