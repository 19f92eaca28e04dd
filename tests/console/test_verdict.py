"""The verdict of the console: never more optimistic than the release check, with reasons and the earliest time."""

import msgspec
import pytest

from sidecar.console.page.section import Tone
from sidecar.console.page.verdict import Verdict, question_of, verdict
from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.policy import LADDER_OFF, Mode
from sidecar.core.release.readiness import Answer
from tests.console.quarter import quarter
from tests.console.stage import Shown, shown
from tests.console.states import CASES, Case
from tests.core.world import DAY, LAX, MINUTE, World, counted

TOP = next(case for case in CASES if case.name == "90 days")


def _verdict(it: Shown) -> Verdict:
    state = it.world.state
    assert state.policy is not None
    return verdict(it.status(), state, it.readiness(question_of(state.policy)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_page_answers_yes_only_if_the_release_check_does(case: Case) -> None:
    """In every state."""
    async with shown(case) as it:
        assert it.world.state.policy is not None
        asked, result = it.readiness(question_of(it.world.state.policy)), _verdict(it)
        assert (result.answer == "Yes") == (asked.answer is Answer.YES)
        assert result.answer in {"Yes", "They are removed"} or result.reasons, "why not has an answer at any moment"


async def test_an_acute_problem_overrides_a_yes() -> None:
    """A broken isolation, an alarm or a lost lease outweighs the last weeks."""
    async with shown(TOP, quarter()) as it:
        assert _verdict(it).answer == "Yes"
        it.world.state.probing.isolation = IsolationOutcome.ALLOWED
        assert (_verdict(it).answer, _verdict(it).tone) == ("No", Tone.BAD)
        assert "Security: the probe user may subscribe to another user's channel." in _verdict(it).reasons


async def test_the_verdict_has_its_reasons_and_the_earliest_time() -> None:
    """Five reasons at once, and all of them in the list of checks."""
    async with shown(TOP, quarter()) as it:
        history = it.world.state.history
        history.since_ms = it.world.now_ms - 10 * DAY
        result = _verdict(it)
        assert result.answer == "Not yet"
        assert result.reasons == ("What was servable is known for the last 10 d only.",)
        assert result.again is not None
        assert result.again.at_ms == history.since_ms + 14 * DAY
        missing = [each.name for each in result.checks if each.passes is not True]
        assert missing == ["history"]


def test_the_question_is_about_the_best_mode_of_the_ladder() -> None:
    """Without a rung of `push_only`, it is about the safety net, and so is the command."""
    assert question_of(LAX).mode is Mode.PUSH_ONLY
    shorter = msgspec.structs.replace(LAX, ladder=LAX.ladder[:3])
    assert question_of(shorter).mode is Mode.PUSH_WITH_SAFETY_NET
    assert question_of(msgspec.structs.replace(LAX, ladder=LADDER_OFF)).mode is Mode.PUSH_WITH_SAFETY_NET


async def test_the_displayed_command_asks_the_same_question() -> None:
    """A user can verify the answer in a pipeline."""
    async with shown(TOP, quarter()) as it:
        assert _verdict(it).command == "sidecar gate --mode push_only --for 14d"


async def test_without_reports_the_answer_is_unknown() -> None:
    """Every payer could get 403 while all other checks pass."""
    case = next(case for case in CASES if case.name == "held")
    async with shown(case) as it:
        result = _verdict(it)
        assert result.answer == "Cannot know"
        assert result.reasons[0].startswith("No payer's browser reported a payment")
        assert result.again is None
        assert result.more > 0


async def test_a_fall_shows_the_end_of_the_cool_down() -> None:
    """It comes before the checks of the last two weeks."""
    world = World(LAX)
    world.climb_to(1)
    world.outage()
    world.wait(MINUTE)
    async with shown(TOP, world) as it:
        result = _verdict(it)
        assert result.answer == "No"
        assert result.reasons[-1].startswith("Push fell; the cool-down ends in 5")


async def test_reasons_use_the_labels_of_gates() -> None:
    """Not the names of the API."""
    async with shown(TOP, quarter()) as it:
        indicator = it.world.state.indicators["user_auth"]
        counted(indicator, 0)
        indicator.last_ms = 0
        result = _verdict(it)
        assert result.answer == "Not yet"
        assert result.reasons[0].startswith(
            '"Proven: payers\' channel auth" does not pass (0 good, 0 bad in epoch 1): it needs'
        )
