"""The operator API: permissions, the effect of each action, and its record."""

import pytest

from sidecar.console.operator_actions import OperatorAction
from tests.e2e.processes import READ_TOKEN, until
from tests.shells.running import running
from tests.shells.test_flag import EASY, climb

WHY = {"reason": "term starts"}
ACTIONS = tuple(OperatorAction)


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_action_needs_a_token_with_the_role_operate(action: str) -> None:
    """A missing, a wrong and a read token are refused."""
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
        {"reason": "\u200b\u200c\u200d\ufeff"},
        {"reason": "\u3164\u115f\uffa0"},
        {"reason": "\u2800 \u00ad"},
        {"reason": "..."},
        [],
        {"why": "x"},
    ],
)
async def test_an_action_needs_a_reason(body: object) -> None:
    """It is part of the record."""
    async with running(EASY) as sidecar:
        status, answer = await sidecar.act("hold", body)
        assert (status, answer["code"]) == (400, "body_invalid")


async def test_a_hold_stops_climbing_until_it_is_lifted() -> None:
    """Even if every other gate passes."""
    async with running(EASY) as sidecar:
        done = (await sidecar.act("hold", WHY))[1]
        assert (done["action"], done["actor"]) == ("hold", "ada")
        with pytest.raises(AssertionError, match="not within"):
            await climb(sidecar, within_s=1.5)
        assert (await sidecar.status())["verdict"] == "stay: hold"
        assert (await sidecar.act("resume", WHY))[0] == 200
        await climb(sidecar)
        assert (await sidecar.act("resume", WHY))[1]["code"] == "conflict"


async def test_an_action_is_in_force_when_its_response_arrives() -> None:
    """A script may hold and resume at once."""
    async with running(EASY) as sidecar:
        for _ in range(5):
            assert (await sidecar.act("hold", WHY))[0] == 200
            assert (await sidecar.status())["holds"][0]["actor"] == "ada"
            assert (await sidecar.act("resume", WHY))[0] == 200
            assert (await sidecar.status())["holds"] == []


async def test_a_rollback_serves_timers_at_once_and_holds() -> None:
    """It needs no evidence."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        assert (await sidecar.act("rollback", WHY))[0] == 200

        async def is_back() -> bool:
            status = await sidecar.status()
            return bool(status["rung"] == 0 and status["holds"][0]["actor"] == "ada")

        await until(is_back, "the bottom rung, held")


async def test_an_approval_names_the_next_rung_and_the_epoch() -> None:
    """It is refused if the next rung needs none."""
    async with running(EASY) as sidecar:
        assert (await sidecar.act("approve", WHY))[1]["code"] == "conflict"
        await climb(sidecar)
        assert (await sidecar.act("approve", WHY))[0] == 200

        async def is_approved() -> object:
            return (await sidecar.status())["approval"]

        approval = await until(is_approved, "the approval is in the status")
        assert approval == {"actor": "ada", "reason": "term starts", "at_ms": approval["at_ms"], "rung": 2, "epoch": 1}


async def test_a_reset_begins_a_new_epoch() -> None:
    """The evidence starts at zero, with less risk left to spend."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        assert (await sidecar.act("reset", WHY))[0] == 200

        async def is_anew() -> bool:
            indicator = (await sidecar.status())["indicators"][0]
            return (indicator["epoch"], indicator["good"]) == (2, 0)

        await until(is_anew, "epoch 2, empty")


async def test_gates_that_do_not_pass_have_a_need() -> None:
    """As a sentence."""
    async with running() as sidecar, sidecar.session.get(f"{sidecar.urls.operator}/api/gates") as response:
        gates = await response.json()
        assert all(bool(gate["needs"]) != gate["passes"] for gate in gates)
