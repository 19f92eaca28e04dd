"""Decisions over the API: the list, one decision with its explanation, and payment timelines."""

from typing import Any

import msgspec
import pytest

from tests.e2e.processes import until
from tests.shells.running import CONFIG, Running, event, running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_operator import WHY
from tests.shells.test_operator_actions import decisions, once


async def get(sidecar: Running, path: str) -> tuple[int, Any]:
    """Send a request to the operator listener."""
    async with sidecar.session.get(f"{sidecar.urls.operator}{path}") as response:
        return response.status, msgspec.json.decode(await response.read())


async def test_decisions_actions_and_policies_are_listed_newest_first_with_their_evidence() -> None:
    """A climb has the readings of its gates."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        await sidecar.act("hold", WHY)
        page = await decisions(sidecar)
        held, climbed, adopted = page["entries"]
        assert [each["kind"] for each in page["entries"]] == ["action", "decision", "policy"]
        assert (held["what"], held["who"], held["reason"]) == ("held", "ada", "term starts")
        assert (climbed["what"], climbed["to_rung"], climbed["is_in_force"]) == ("climbed", 1, True)
        assert all(gate["passes"] for gate in climbed["gates"])
        assert {"soak", "evidence_payments"} <= {gate["name"] for gate in climbed["gates"]}
        assert {each["policy_hash"] for each in page["entries"]} == {adopted["policy_hash"]}
        assert (page["head"], page["next_before"]) == (held["head"], None)
        assert (await sidecar.status())["chain"] == held["head"]


async def test_the_list_is_paginated() -> None:
    """Decisions are kept permanently."""
    async with running(EASY) as sidecar:
        for number in range(5):
            await sidecar.act("note", {"reason": f"n{number}"})
        seen, query = [], "?limit=2"
        while True:
            page = await decisions(sidecar, query)
            seen += [each["reason"] for each in page["entries"]]
            if page["next_before"] is None:
                break
            query = f"?limit=2&before={page['next_before']}"
        assert seen == ["n4", "n3", "n2", "n1", "n0", "a policy that this journal had not seen"]


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=201", "?limit=x", "?limit=-1", "?before=x", f"?before={'9' * 40}"]
)
async def test_an_invalid_query_is_refused(query: str) -> None:
    """The error does not echo the query."""
    async with running() as sidecar:
        status, answer = await get(sidecar, f"/api/decisions{query}")
        assert (status, answer["code"]) == (400, "context_invalid")


async def test_a_decision_has_its_policy_and_explanation() -> None:
    """Also after that policy was replaced; any other record is a 404."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        (climbed, adopted) = (await decisions(sidecar))["entries"]
        status, detail = await get(sidecar, f"/api/decisions/{climbed['seq']}")
        assert (status, detail["entry"]) == (200, climbed)
        assert detail["policy"]["environment"] == "test"
        assert (await get(sidecar, f"/api/decisions/{adopted['seq']}"))[1]["policy"] == detail["policy"]
        why = (await get(sidecar, f"/api/explanation?decision={climbed['seq']}"))[1]
        assert why["headline"].endswith("climbed to rung 1.")
        assert [gate["key"] for gate in why["gates"]] == [gate["name"] for gate in climbed["gates"]]
        for seq in (0, 1, 10**6):  # a start is no decision
            status, answer = await get(sidecar, f"/api/decisions/{seq}")
            assert (status, answer["code"]) == (404, "not_found")
            assert (await get(sidecar, f"/api/explanation?decision={seq}"))[0] == 404


async def test_the_present_state_is_explained_with_every_gate() -> None:
    """Over the API as on the command line."""
    async with running(EASY) as sidecar:
        await sidecar.act("freeze", once())
        why = (await get(sidecar, "/api/explanation"))[1]
        assert why["seq"] is None
        gates = [gate["name"] for gate in (await sidecar.status())["gates"]]
        assert [gate["key"] for gate in why["gates"]] == gates
        assert "frozen" in {point["key"] for point in why["points"]}


# --- one payment


async def test_the_timeline_of_a_payment_ends_with_its_outcome() -> None:
    """Also after the state forgot the payment: its minutes are folded again, with the same outcome."""
    config = msgspec.structs.replace(CONFIG, objective=EASY.objective)
    async with running(config) as sidecar:
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_wire"})
        await sidecar.deliver(event("pi_1"))
        await sidecar.ack({"stage": "paid", "payment_intent": "pi_1"})
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1", "release": "r7"})
        status, journey = await get(sidecar, "/api/payments/pi_1")
        assert status == 200
        assert [(each["stage"], each["source"]) for each in journey["stages"]] == [
            ("paid", "backend"),
            ("delivered", "backend"),
        ]
        assert journey["stages"][1]["release"] == "r7"
        assert journey["deciding_stage"] == "delivered"

        async def is_settled() -> bool:
            return bool((await get(sidecar, "/api/payments/pi_1"))[1]["outcome"] == "on_time")

        await until(is_settled, "it is on time")
        journey = (await get(sidecar, "/api/payments/pi_1"))[1]
        assert journey["text"].startswith("On time: the broadcast reached stage `delivered`")
        assert [step["name"] for step in journey["steps"]] == ["stripe_wait", "paid", "delivered"]
        assert (journey["unmeasured"], journey["left_out"], journey["report"]) == (None, None, None)


async def test_an_unknown_payment_is_a_404() -> None:
    """The message has the possible reasons."""
    async with running() as sidecar:
        for name in ("pi_none", "x" * 200, "%F0%9F%92%A9"):
            status, answer = await get(sidecar, f"/api/payments/{name}")
            assert (status, answer["code"]) == (404, "not_found")
            assert answer["message"].startswith("unknown payment")


async def test_a_payment_outside_the_filter_has_its_reason() -> None:
    """It counts in no figure."""
    async with running() as sidecar:
        await sidecar.deliver(event("pi_other", metadata={"user_id": "7"}))
        journey = (await get(sidecar, "/api/payments/pi_other"))[1]
        assert journey["text"] == "Outside the filter: `stripe.required_metadata` is not complete."
