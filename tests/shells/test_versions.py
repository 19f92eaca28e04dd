"""The versions of the flag: each has its number, its author, and what changed."""

import msgspec

from sidecar.console.versions import FlagVersion, versions_of
from tests.core.world import MINUTE, World, on
from tests.shells.running import running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_lifecycle import journal_of
from tests.shells.test_operator import WHY


async def _versions(world: World) -> tuple[FlagVersion, ...]:
    return await versions_of(await journal_of(world), world.state)


async def test_every_version_of_a_life_has_its_number_and_its_change() -> None:
    """A policy, two climbs, another policy, a rollback: the newest first, without a gap."""
    world = on(2)
    world.change(payers_on_rung=7)
    world.roll_back("bob", "payers wait")
    world.wait(MINUTE)
    found = await _versions(world)
    assert [each.version for each in found] == list(range(world.state.flag.version, 0, -1))
    assert [each.what for each in found] == ["rolled_back", "policy_adopted", "climbed", "climbed", "policy_adopted"]
    rolled, policy, second, first, adopted = found
    assert (rolled.who, rolled.reason) == ("bob", "payers wait")
    moves = [
        [(change.name, change.before, change.after) for change in each.changes] for each in (rolled, second, first)
    ]
    assert moves == [[("rung", "2", "0")], [("rung", "1", "2")], [("rung", "0", "1")]]
    (change,) = policy.changes
    assert (change.name, change.after) == ("payers_on_rung", "7")
    assert change.before not in {"", "7"}
    assert {change.before for change in adopted.changes} == {""}


async def test_what_changed_nothing_is_no_version() -> None:
    """A hold, a note and a rollback on the bottom rung leave the answer and its number."""
    world = on(1)
    before = await _versions(world)
    world.hold()
    assert await _versions(world) == before
    world = on(0)
    before = await _versions(world)
    world.roll_back()
    assert await _versions(world) == before


async def test_a_fall_has_its_cause() -> None:
    """And a version after it is numbered on."""
    world = on(2)
    world.outage()
    fell, *_ = await _versions(world)
    assert (fell.what, fell.version) == ("fell", world.state.flag.version)
    assert fell.reason


async def test_the_api_and_the_page_show_what_the_flag_answers() -> None:
    """The newest version is the one in the answers."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        await sidecar.act("rollback", WHY)
        async with sidecar.session.get(f"{sidecar.urls.public}/flags/payment-refresh") as answer:
            version = (await answer.json())["version"]
        async with sidecar.session.get(f"{sidecar.urls.operator}/api/versions") as answer:
            newest, *_ = msgspec.json.decode(await answer.read(), type=list[FlagVersion])
        assert (newest.version, newest.what, newest.who) == (version, "rolled_back", "ada")
        async with sidecar.session.get(f"{sidecar.urls.operator}/versions") as answer:
            page = await answer.text()
        assert "<code>rung</code>: 1 → 0" in page
        assert "ada: rolled back" in page
