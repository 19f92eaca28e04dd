"""Notes and freezes over the operator API: effects, errors and records."""

import asyncio
from typing import Any

import msgspec
import pytest

from sidecar import clock
from sidecar.console.operator_actions import ApproveRequest, OperatorAction, fact_of, read_request
from sidecar.core.fold.freezes import FREEZES_MAX
from sidecar.ports import ErrorCode, SidecarError
from tests.core.probed import probed
from tests.shells.running import Running, running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_operator import WHY

DAY = 86_400_000


def once(from_ms: int = -DAY, until_ms: int = DAY) -> dict[str, Any]:
    """Return a freeze with one window around now."""
    now_ms = clock.wall_ms()
    window = {"type": "once", "from_ms": now_ms + from_ms, "until_ms": now_ms + until_ms}
    return {**WHY, "name": "term", "window": window}


def weekly(expires_ms: int | None = DAY, **window: object) -> dict[str, Any]:
    """Return a valid weekly freeze, with these changes."""
    right = {"type": "weekly", "days": [4], "from_minute": 0, "lasts_minutes": 60, "utc_offset_minutes": 60}
    expires = {} if expires_ms is None else {"expires_ms": clock.wall_ms() + expires_ms}
    return {**WHY, "name": "term", "window": {**right, **window}, **expires}


async def test_a_freeze_forbids_climbing_until_it_is_thawed() -> None:
    """The status and the gate name it with its author."""
    async with running(EASY) as sidecar:
        status, done = await sidecar.act("freeze", once())
        assert (status, done["action"], done["actor"]) == (200, "freeze", "ada")
        with pytest.raises(AssertionError, match="not within"):
            await climb(sidecar, within_s=1.5)
        status_of = await sidecar.status()
        (freeze,) = status_of["freezes"]
        assert (freeze["freeze"]["actor"], freeze["is_in_force"]) == ("ada", True)
        assert freeze["until_ms"] == freeze["freeze"]["expires_ms"] > status_of["now_ms"]
        gate = next(each for each in status_of["gates"] if each["name"] == "freeze")
        assert (gate["passes"], gate["value"]) == (False, "term, by ada: term starts")
        assert (await sidecar.act("thaw", {**WHY, "name": "term"}))[0] == 200
        await climb(sidecar)


async def test_a_freeze_outside_its_window_allows_climbing() -> None:
    """A weekend freeze has no effect on a Tuesday."""
    async with running(EASY) as sidecar:
        assert (await sidecar.act("freeze", once(from_ms=DAY // 2)))[0] == 200
        await climb(sidecar)
        (freeze,) = (await sidecar.status())["freezes"]
        assert (freeze["is_in_force"], freeze["until_ms"]) == (False, None)
        assert freeze["begins_ms"] == freeze["freeze"]["window"]["from_ms"]


# fmt: off
FAULTS: list[tuple[dict[str, Any], str]] = [
    (once(from_ms=2, until_ms=2),                           "must end after it begins"),
    (once(from_ms=-2 * DAY, until_ms=-DAY),                 "ends after now"),
    (once(from_ms=-401 * DAY),                              "more than 400 days ago"),
    (once(from_ms=-(10**25)),                               "more than 400 days ago"),
    (once(until_ms=401 * DAY),                              "within 400 days"),
    ({**once(), "name": "a b"},                             "send JSON"),
    ({**once(), "name": ""},                                "send JSON"),
    ({**once(), "reason": " "},                             "send JSON"),
    ({**once(), "until": 7},                                "send JSON"),
    (WHY,                                                   "send JSON"),
    (weekly(days=[]),                                       "`days`"),
    (weekly(days=[7]),                                      "`days`"),
    (weekly(days=[-1]),                                     "`days`"),
    (weekly(days=[4, 4]),                                   "`days`"),
    (weekly(from_minute=1440),                              "`from_minute`"),
    (weekly(from_minute=-1),                                "`from_minute`"),
    (weekly(lasts_minutes=0),                               "`lasts_minutes`"),
    (weekly(lasts_minutes=10_081),                          "`lasts_minutes`"),
    (weekly(utc_offset_minutes=841),                        "`utc_offset_minutes`"),
    (weekly(expires_ms=None),                               "`expires_ms`"),
    (weekly(expires_ms=-1),                                 "ends after now"),
    (weekly(expires_ms=401 * DAY),                          "within 400 days"),
]
# fmt: on


async def test_an_invalid_freeze_is_refused() -> None:
    """Its window would never begin, never end, or be ambiguous."""
    async with running(EASY) as sidecar:
        for body, words in FAULTS:
            status, answer = await sidecar.act("freeze", body)
            assert (status, answer["code"], words in answer["message"]) == (400, "body_invalid", True), (body, answer)
        assert (await sidecar.act("freeze", weekly(days=[0, 6], lasts_minutes=10_080)))[0] == 200


async def test_the_number_of_freezes_is_limited_and_an_unknown_one_cannot_be_thawed() -> None:
    """The errors name the limit and the existing freezes."""
    async with running(EASY) as sidecar:
        status, answer = await sidecar.act("thaw", {**WHY, "name": "term"})
        assert (status, answer["message"]) == (409, "unknown freeze; there are none")
        freezes = [{**once(), "name": f"f{number}"} for number in range(FREEZES_MAX)]
        assert {status for status, _ in await asyncio.gather(*(sidecar.act("freeze", each) for each in freezes))} == {
            200
        }
        status, answer = await sidecar.act("freeze", once())
        assert (status, answer["code"]) == (409, "conflict")
        await sidecar.act("thaw", {**WHY, "name": "f0"})
        race = [sidecar.act("freeze", {**once(), "name": f"r{number}"}) for number in range(5)]
        assert sorted(status for status, _ in await asyncio.gather(*race)) == [200, 409, 409, 409, 409]
        assert (await sidecar.act("freeze", {**once(), "name": "f3", "replace": True}))[0] == 200
        assert (await sidecar.act("thaw", {**WHY, "name": "f"}))[1]["message"].startswith("unknown freeze")


async def test_a_note_is_in_the_record_with_its_release() -> None:
    """It changes nothing else."""
    async with running(EASY) as sidecar:
        version = (await sidecar.status())["version"]
        status, done = await sidecar.act("note", {"reason": "a new booking form", "release": "2027.1+b7"})
        assert (status, done["message"]) == (200, "the release 2027.1+b7 is noted")
        entry = (await decisions(sidecar))["entries"][0]
        reported = (entry["what"], entry["who"], entry["reason"], entry["release"], entry["seq"])
        assert reported == ("noted", "ada", "a new booking form", "2027.1+b7", done["seq"])
        assert (await sidecar.status())["version"] == version
        for release in ("", "a b", "x" * 101, 7, "2027.1\n"):
            assert (await sidecar.act("note", {"reason": "x", "release": release}))[0] == 400
        assert (await sidecar.act("note", WHY))[1]["message"] == "noted"


async def decisions(sidecar: Running, query: str = "") -> dict[str, Any]:
    """Return a page of decisions."""
    async with sidecar.session.get(f"{sidecar.urls.operator}/api/decisions{query}") as response:
        answer: dict[str, Any] = msgspec.json.decode(await response.read())
        return answer


@pytest.mark.parametrize("seen", [{"rung": 0}, {"epoch": 0}, {"rung": 0, "epoch": 0}, {"rung": 2}, {"epoch": 2}])
def test_an_approval_of_another_rung_is_a_conflict_even_if_it_is_0(seen: dict[str, int]) -> None:
    """Zero is a value, not a missing field."""
    world = probed(2)
    with pytest.raises(SidecarError) as refused:
        fact_of(OperatorAction.APPROVE, ApproveRequest(reason="x", **seen), "ann", world.state, world.now_ms)
    assert refused.value.code is ErrorCode.CONFLICT
    assert all(f"{name} {number}" in refused.value.message for name, number in seen.items())
    fact, _ = fact_of(OperatorAction.APPROVE, ApproveRequest(reason="x", rung=3), "ann", world.state, world.now_ms)
    assert (getattr(fact, "rung", None), getattr(fact, "epoch", None)) == (3, 1)


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\u202e", "\u2066", "\u2028"])
def test_a_reason_has_no_control_characters_and_no_bidirectional_overrides(sign: str) -> None:
    """It is shown on other people's pages and terminals."""
    for action, more in (
        (OperatorAction.HOLD, {}),
        (OperatorAction.APPROVE, {}),
        (OperatorAction.NOTE, {}),
        (OperatorAction.THAW, {"name": "term"}),
    ):
        body = msgspec.json.encode({"reason": f"the {sign}fair", **more})
        with pytest.raises(SidecarError) as refused:
            read_request(action, body)
        assert refused.value.code is ErrorCode.BODY_INVALID
        assert read_request(action, body.replace(msgspec.json.encode(sign)[1:-1], "ü".encode())).reason == "the üfair"
