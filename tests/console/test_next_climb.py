"""The answer to "When?" in the headline, and what is not set up yet."""

from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, expect

from sidecar.console.page.next_climb import NextClimb, next_climb
from sidecar.console.page.setup import missing
from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.operator_actions import Held
from tests.console.stage import looking, shown
from tests.console.states import CASES
from tests.core.probed import probed
from tests.core.world import DAY, HOUR, MINUTE, World, on
from tests.shells.running import event, running
from tests.shells.test_flag import EASY
from tests.shells.test_operator import WHY

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop
NOW_MS = 1_800_000_000_000


async def _status(case_name: str) -> Any:
    case = next(case for case in CASES if case.name == case_name)
    async with shown(case) as it:
        return it.status()


def _gate(status: Any, name: str, **changes: Any) -> Any:
    gate = next((each for each in status.gates if each.name == name), status.gates[0])
    closed = {"passes": False, "needs": "more", "expected_ms": None, "expected_between_ms": None, **changes}
    return msgspec.structs.replace(gate, name=name, label=name, **closed)


async def _answer(*gates: tuple[str, dict[str, Any]]) -> NextClimb:
    status = await _status("climbing")
    closed = tuple(_gate(status, name, **changes) for name, changes in gates)
    return next_climb(msgspec.structs.replace(status, gates=closed, now_ms=NOW_MS))


SOAK = ("soak", {"expected_ms": NOW_MS + DAY})
COUNTED = (
    "evidence_payments",
    {"expected_ms": NOW_MS + 3 * DAY, "expected_between_ms": (NOW_MS + 2 * DAY, NOW_MS + 5 * DAY)},
)
SOON = ("evidence_reach", {"expected_ms": NOW_MS + HOUR, "expected_between_ms": (NOW_MS + MINUTE, NOW_MS + 9 * DAY)})
UNKNOWN = ("evidence_reach", {"needs": "a first report of a payer: none has come yet"})
APPROVAL: tuple[str, dict[str, Any]] = ("approval", {})
HOLD: tuple[str, dict[str, Any]] = ("hold", {})

# fmt: off
ANSWERS = [
    # gates that do not pass      the answer                                           of its basis
    ((),                          "now",                                               "Every gate passes."),
    ((SOAK,),                     "in 1 d",                                            "the last of 1"),
    ((SOAK, COUNTED),             "estimate: in 2 to 5 d",                             "At the rate of outcomes in this epoch"),
    ((SOAK, SOON),                "estimate: in 1 to 9 d",                             '"evidence_reach" takes longest'),
    ((SOAK, UNKNOWN),             "not known yet, and not before 1 d from now",        "none has come yet"),
    ((UNKNOWN, APPROVAL),         "not known yet",                                     "2 gates do not pass"),
    ((APPROVAL,),                 "when someone approves it",                          "1 gate does not pass"),
    ((HOLD, SOAK),                "when someone lifts the hold, and not before 1 d from now", "2 gates"),
]
# fmt: on


@pytest.mark.parametrize(("gates", "text", "basis"), ANSWERS)
async def test_the_last_gate_decides(gates: tuple[tuple[str, dict[str, Any]], ...], text: str, basis: str) -> None:
    """Exact times stay exact, counts give a range, and what no time brings is said."""
    found = await _answer(*gates)
    assert found.text == text
    assert basis in found.basis


async def test_the_top_has_nothing_to_climb() -> None:
    """The date of the removal is the other answer."""
    assert next_climb(await _status("top")).text == "nothing more to climb"


async def test_the_headline_answers_when(browser: Browser) -> None:
    """Beside the verdict, with the time and its basis, and again after an update."""
    case = next(case for case in CASES if case.name == "climbing")
    async with shown(case) as it, looking(browser, it.url) as page:
        when = page.locator("#verdict .when")
        await expect(when).to_contain_text(next_climb(it.status()).text)
        await expect(when).to_contain_text("Next: ")
        it.world.see(Held(actor="ann", reason="a fair"))
        it.live_updates.wake()
        await expect(when).to_contain_text(f"{sum(not gate.passes for gate in it.status().gates)} gates do not pass")
        await expect(page.locator("#served .facts")).to_contain_text("on hold by ann")
        await expect(when).to_contain_text(next_climb(it.status()).text)


async def test_a_fresh_journal_lists_what_is_not_set_up_with_a_command_for_each(browser: Browser) -> None:
    """What the sidecar has seen disappears from the list, without a reload."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        setup = page.locator("#setup")
        await expect(setup.locator("li")).to_have_count(3)
        for text in ("No webhook has come yet", "No ack of stage", "Reverb is not probed"):
            await expect(setup).to_contain_text(text)
        commands = await setup.locator("li > code:last-child").all_text_contents()
        assert commands == ["sidecar test-payment", "sidecar test-payment --wait", "sidecar doctor"]
        await sidecar.deliver(event())
        assert (await sidecar.act("hold", WHY))[0] == 200
        await expect(setup.locator("li")).to_have_count(2)


async def test_nothing_is_missing_where_everything_was_seen() -> None:
    """The list is for the first hour, and not a second list of warnings."""
    assert [step.name for step in missing(World().state)][:2] == ["Stripe's webhooks", "Acks of broadcasts"]
    assert "Stripe's webhooks" not in {step.name for step in missing(on(1).state)}
    world = probed(1)
    world.authorise("u1", UserAuth.OK)
    world.report(world.pay())
    world.wait(MINUTE)
    assert missing(world.state) == ()
