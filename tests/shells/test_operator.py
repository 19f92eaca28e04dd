"""The operator API: who may action, what each action does, and that it stands in the record."""

import pytest

from sidecar.console.operator_actions import OperatorAction
from tests.e2e.processes import READ_TOKEN, until
from tests.shells.running import running
from tests.shells.test_flag import EASY, climb

WHY = {"reason": "term starts"}
ACTIONS = tuple(OperatorAction)


@pytest.mark.parametrize("action", ACTIONS)
async def test_nothing_changes_without_a_token_that_may_operate(action: str) -> None:
    """No token, a wrong one and a read token are refused, each in words."""
    async with running(EASY) as sidecar:
        assert (await sidecar.act(action, WHY, token=""))[0] == 401
        assert (await sidecar.act(action, WHY, token="guessed"))[0] == 401
        status, answer = await sidecar.act(action, WHY, token=READ_TOKEN)
        assert (status, answer["code"]) == (403, "role_insufficient")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "  "},
        {"reason": "x" * 501},
        {"reason": 7},
        {"reason": "a\x1b[2Jb"},
        {"reason": "\r"},
        [],
        {"why": "x"},
    ],
)
async def test_an_act_needs_a_reason(body: object) -> None:
    """The record has to say why."""
    async with running(EASY) as sidecar:
        status, answer = await sidecar.act("hold", body)
        assert (status, answer["code"]) == (400, "body_invalid")


async def test_a_hold_stops_climbing_until_it_is_lifted() -> None:
    """Also when everything else speaks for the climb."""
    async with running(EASY) as sidecar:
        done = (await sidecar.act("hold", WHY))[1]
        assert (done["action"], done["actor"]) == ("hold", "ada")
        with pytest.raises(AssertionError, match="not within"):
            await climb(sidecar, within_s=1.5)
        assert (await sidecar.status())["verdict"] == "stay: hold"
        assert (await sidecar.act("resume", WHY))[0] == 200
        await climb(sidecar)
        assert (await sidecar.act("resume", WHY))[1]["code"] == "conflict"


async def test_an_act_is_in_force_when_it_is_answered() -> None:
    """A script that holds and resumes at once must not be told that there is no hold, and leave it behind."""
    async with running(EASY) as sidecar:
        for _ in range(5):
            assert (await sidecar.act("hold", WHY))[0] == 200
            assert (await sidecar.status())["hold"]["actor"] == "ada"
            assert (await sidecar.act("resume", WHY))[0] == 200
            assert (await sidecar.status())["hold"] is None


async def test_a_rollback_is_timers_at_once_and_holds() -> None:
    """A person may always make it safer, without a proof."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        assert (await sidecar.act("rollback", WHY))[0] == 200

        async def is_back() -> bool:
            status = await sidecar.status()
            return bool(status["rung"] == 0 and status["hold"]["actor"] == "ada")

        await until(is_back, "the bottom rung, held")


async def test_an_approval_names_the_next_rung_and_the_epoch() -> None:
    """And is refused where nothing needs it."""
    async with running(EASY) as sidecar:
        assert (await sidecar.act("approve", WHY))[1]["code"] == "conflict"
        await climb(sidecar)
        assert (await sidecar.act("approve", WHY))[0] == 200

        async def is_approved() -> object:
            return (await sidecar.status())["approval"]

        approval = await until(is_approved, "the approval is in the status")
        assert approval == {"actor": "ada", "reason": "term starts", "at_ms": approval["at_ms"], "rung": 2, "epoch": 1}


async def test_a_reset_begins_a_new_epoch() -> None:
    """What was proven must be proven again, with less risk left to spend."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        assert (await sidecar.act("reset", WHY))[0] == 200

        async def is_anew() -> bool:
            indicator = (await sidecar.status())["indicators"][0]
            return (indicator["epoch"], indicator["good"]) == (2, 0)

        await until(is_anew, "epoch 2, empty")


async def test_the_gates_say_what_they_need() -> None:
    """In words, for each gate that does not hold."""
    async with running() as sidecar, sidecar.session.get(f"{sidecar.urls.operator}/api/gates") as response:
        gates = await response.json()
        assert all(bool(gate["needs"]) != gate["passes"] for gate in gates)
