"""The operator API keeps what people did: holds by id, names of freezes, and who came first."""

import asyncio
from typing import Any

import msgspec
import pytest

from sidecar.console.operator_actions import ActionRequest, OperatorAction, fact_of, overtaken_by
from sidecar.core.facts.observations import Record
from sidecar.core.facts.operator_actions import (
    Approved,
    Held,
    Resumed,
    Thawed,
)
from sidecar.core.facts.windows import Once
from sidecar.core.fold.holds import HOLDS_MAX
from sidecar.core.fold.standing import Approval, Hold
from sidecar.core.statistics.indicators import PAYMENTS
from sidecar.ports import Appended, SidecarError
from tests.core.world import DAY, World, on
from tests.shells.running import Running, running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_operator import WHY
from tests.shells.test_operator_actions import decisions, once


async def held(sidecar: Running) -> list[dict[str, Any]]:
    """Return the holds of the status."""
    holds: list[dict[str, Any]] = (await sidecar.status())["holds"]
    return holds


async def test_of_two_holds_one_must_be_named_and_the_other_stands() -> None:
    """The error lists both with the command for each; no name may mean the other person's hold."""
    async with running(EASY) as sidecar:
        first = (await sidecar.act("hold", {"reason": "launch day"}))[1]
        second = (await sidecar.act("hold", {"reason": "looking at something"}))[1]
        assert f"`sidecar resume --hold {second['seq']} --reason '...'`" in second["message"]
        assert [each["id"] for each in await held(sidecar)] == [first["seq"], second["seq"]]
        status, refused = await sidecar.act("resume", WHY)
        assert (status, refused["code"]) == (409, "conflict")
        assert refused["message"] == (
            f"there are 2 holds, so name one: `sidecar resume --hold {first['seq']} --reason '...'` lifts that of ada: launch day; "
            f"`sidecar resume --hold {second['seq']} --reason '...'` lifts that of ada: looking at something"
        )
        status, refused = await sidecar.act("resume", {**WHY, "hold": second["seq"] + 1})
        assert (status, refused["message"].startswith(f"there is no hold {second['seq'] + 1}: ")) == (409, True)
        status, done = await sidecar.act("resume", {**WHY, "hold": first["seq"]})
        assert (status, done["message"]) == (200, f"the hold {first['seq']} of ada is lifted; 1 more stands")
        assert [each["reason"] for each in await held(sidecar)] == ["looking at something"]
        assert (await sidecar.act("resume", {**WHY, "hold": first["seq"]}))[0] == 409
        assert (await sidecar.act("resume", WHY))[0] == 200
        entry = (await decisions(sidecar))["entries"][0]
        assert (entry["what"], entry["hold"], entry["text"]) == (
            "resumed",
            second["seq"],
            f"lifted the hold {second['seq']}",
        )
        await climb(sidecar)


async def test_the_hold_of_a_rollback_is_lifted_only_by_its_id() -> None:
    """A script that ends its own hold must not end a rollback."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        done = (await sidecar.act("rollback", WHY))[1]
        assert f"`sidecar resume --hold {done['seq']} --reason '...'`" in done["message"]
        status, refused = await sidecar.act("resume", WHY)
        assert (status, "the hold of a rollback, so name it" in refused["message"]) == (409, True)
        assert [each["is_rollback"] for each in await held(sidecar)] == [True]
        assert (await sidecar.act("resume", {**WHY, "hold": done["seq"]}))[0] == 200
        assert await held(sidecar) == []


async def test_two_who_lift_the_same_hold_at_once_are_one_record() -> None:
    """The journal stores the first; the others get a conflict, and lift nothing else."""
    async with running(EASY) as sidecar:
        hold = (await sidecar.act("hold", WHY))[1]["seq"]
        body = {**WHY, "hold": hold}
        answers = await asyncio.gather(*(sidecar.act("resume", body) for _ in range(4)))
        assert sorted(status for status, _ in answers) == [200, 409, 409, 409]
        entries = (await decisions(sidecar))["entries"]
        assert sum(entry["what"] == "resumed" for entry in entries) == 1


async def test_the_number_of_holds_is_limited() -> None:
    """The error says how many there are; a rollback is taken all the same."""
    async with running(EASY) as sidecar:
        race = await asyncio.gather(*(sidecar.act("hold", WHY) for _ in range(HOLDS_MAX + 3)))
        assert sorted(status for status, _ in race) == [200] * HOLDS_MAX + [409] * 3
        status, refused = await sidecar.act("hold", WHY)
        assert (status, refused["message"]) == (409, "there are 20 holds, and at most 20 are kept; lift one first")
        assert (await sidecar.act("rollback", WHY))[0] == 200
        assert (await sidecar.act("rollback", WHY))[0] == 409
        assert len(await held(sidecar)) == HOLDS_MAX + 1


async def test_a_freeze_of_an_existing_name_is_refused_unless_it_replaces_it() -> None:
    """The record of the new one has the actor and the reason of the old one."""
    async with running(EASY) as sidecar:
        first = (await sidecar.act("freeze", {**once(), "reason": "pupils return"}))[1]
        status, refused = await sidecar.act("freeze", once())
        assert (status, refused["code"]) == (409, "conflict")
        assert refused["message"].startswith("ada has the freeze term already, until ")
        assert refused["message"].endswith("pupils return; take another name, or replace it with --replace")
        (freeze,) = (await sidecar.status())["freezes"]
        assert freeze["freeze"]["reason"] == "pupils return"
        status, done = await sidecar.act("freeze", {**once(), "reason": "exams", "replace": True})
        assert (status, "in place of that of ada" in done["message"]) == (200, True)
        entry = (await decisions(sidecar))["entries"][0]
        assert entry["replaced"] == {"id": first["seq"], "actor": "ada", "reason": "pupils return"}
        assert entry["text"].endswith(f"in place of that of ada (record {first['seq']}: pupils return)")
        (freeze,) = (await sidecar.status())["freezes"]
        assert (freeze["freeze"]["id"], freeze["freeze"]["reason"]) == (done["seq"], "exams")


async def test_of_freezes_with_one_name_at_the_same_moment_one_is_taken() -> None:
    """Also of those that replace: each names the one that it replaces."""
    async with running(EASY) as sidecar:
        race = await asyncio.gather(*(sidecar.act("freeze", once()) for _ in range(4)))
        assert sorted(status for status, _ in race) == [200, 409, 409, 409]
        again = {**once(), "replace": True}
        race = await asyncio.gather(*(sidecar.act("freeze", again) for _ in range(4)))
        assert sorted(status for status, _ in race) == [200, 409, 409, 409]
        thaw = {**WHY, "name": "term"}
        race = await asyncio.gather(*(sidecar.act("thaw", thaw) for _ in range(4)))
        assert sorted(status for status, _ in race) == [200, 409, 409, 409]
        assert (await sidecar.act("freeze", again))[0] == 200


async def test_a_second_approval_of_the_same_climb_is_a_conflict() -> None:
    """It would take the name of whoever approved first."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        race = await asyncio.gather(*(sidecar.act("approve", WHY) for _ in range(3)))
        assert sorted(status for status, _ in race) == [200, 409, 409]
        status, refused = await sidecar.act("approve", WHY)
        assert (status, "ada has approved rung 2 in epoch 1 already" in refused["message"]) == (409, True)


def appended(fact: Held | Approved | Resumed | Thawed, world: World, *, is_duplicate: bool = False) -> Appended:
    """Return the result of an append at the world's last record."""
    record = Record(seq=world.state.seq, at_ms=world.state.now_ms, observation=fact)
    return Appended(record=record, duplicate=is_duplicate)


def test_the_later_of_two_operators_learns_who_came_first() -> None:
    """The other one acted on another replica."""
    world = on(1)
    theirs = Resumed(actor="bob", reason="launched", hold=3)
    mine = Resumed(actor="ann", reason="done", hold=3)
    words = overtaken_by(mine, appended(theirs, world, is_duplicate=True), world.state)
    assert words == "bob has lifted it at the same moment: launched"
    assert overtaken_by(mine, appended(mine, world), world.state) is None
    world.state.flag.approval = Approval(actor="bob", reason="good", at_ms=1, rung=2, epoch=1)
    approved = Approved(actor="ann", reason="fine", rung=2, epoch=1)
    words = overtaken_by(approved, appended(approved, world), world.state)
    assert words == "bob has approved it at the same moment: good"


def test_an_operator_learns_that_an_action_came_too_late_to_have_an_effect() -> None:
    """A freeze that was replaced meanwhile stands, and an approval is void once the flag has moved."""
    world = on(1)
    world.freeze("fair", Once(from_ms=world.now_ms, until_ms=world.now_ms + DAY))
    old = world.state.flag.freezes[0].id
    world.freeze("fair", Once(from_ms=world.now_ms, until_ms=world.now_ms + DAY))
    thawed = Thawed(actor="ann", reason="done", name="fair", freeze=old)
    world.see(thawed)
    assert overtaken_by(thawed, appended(thawed, world), world.state) == (
        "another freeze has taken its name at the same moment, and stands: see `sidecar status`"
    )
    thawed = msgspec.structs.replace(thawed, freeze=world.state.flag.freezes[0].id)
    world.see(thawed)
    assert overtaken_by(thawed, appended(thawed, world), world.state) is None
    epoch = world.state.indicators[PAYMENTS].epoch
    approved = Approved(actor="ann", reason="fine", rung=2, epoch=epoch)
    world.see(approved)
    assert overtaken_by(approved, appended(approved, world), world.state) is None
    world.state.flag.rung = 2
    assert overtaken_by(approved, appended(approved, world), world.state) is None, "it has been used"
    world.state.flag.rung = 0
    words = overtaken_by(approved, appended(approved, world), world.state)
    assert words == f"the flag has moved at the same moment: rung 1 in epoch {epoch} is next"


def test_a_rollback_from_a_push_rung_is_never_refused() -> None:
    """Whatever holds stand: payers wait."""
    world = on(2)
    hold = Hold(id=1, actor="ann", reason="a fair", at_ms=1, is_rollback=True)
    world.state.flag.holds = [hold] * (HOLDS_MAX + 1)
    fact_of(OperatorAction.ROLLBACK, ActionRequest(reason="x"), "ann", world.state, world.now_ms)
    world.state.flag.rung = 0
    with pytest.raises(SidecarError, match="at most 20 are kept"):
        fact_of(OperatorAction.ROLLBACK, ActionRequest(reason="x"), "ann", world.state, world.now_ms)
