"""Adopting `lifecycle: removed`: what a start does with it, on journals of every kind."""

import msgspec
import pytest
from structlog.testing import capture_logs

from sidecar.composition import Adoption, Sidecar
from sidecar.config import Config, Objective, policy_of
from sidecar.core.facts.observations import PolicyAdopted
from sidecar.core.facts.policy import Lifecycle, Mode, policy_hash
from sidecar.journal.memory import MemoryJournal
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, Journal, SidecarError
from tests.core.world import LAX, World, on
from tests.shells import running
from tests.shells.running import SECRETS

CONFIG = msgspec.structs.replace(running.CONFIG, objective=Objective())
REMOVED = msgspec.structs.replace(CONFIG, lifecycle=Lifecycle.REMOVED)
WORD = Adoption(actor="ann", reason="back to what we had")


async def journal_of(world: World) -> MemoryJournal:
    """Return a journal that holds what a world saw, at the times when it saw it."""
    now_ms = world.records[0].at_ms
    journal = MemoryJournal(lambda: now_ms)
    for record in world.records:
        now_ms = record.at_ms
        await journal.append(record.observation)
    return journal


async def begun(journal: Journal, config: Config, adoption: Adoption | None = None) -> Sidecar:
    """Start a sidecar on a journal, as far as adopting its policy."""
    sidecar = Sidecar(config, SECRETS, journal, lines=LineCounts())
    await sidecar.is_fresh()
    await sidecar.announce()
    await sidecar.begin(adoption)
    return sidecar


def at_the_top() -> World:
    """Return a world that holds the last rung of its ladder."""
    world = on(2)
    world.change(ladder=LAX.ladder[:3])
    return world


async def test_it_is_adopted_while_the_last_rung_is_held_and_restarts_with_whatever_is_held() -> None:
    """A restart during a cool-down must find its policy in force: it was accepted once."""
    world = at_the_top()
    journal = await journal_of(world)
    status = (await begun(journal, REMOVED)).wiring.status()
    assert (status.lifecycle, status.why_not_removed) == (Lifecycle.REMOVED, None)
    assert [rung.mode for rung in status.ladder] == [Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET]
    assert status.rung == 1
    world.adopt(policy_of(REMOVED))
    world.outage()
    with capture_logs() as lines:
        again = (await begun(await journal_of(world), REMOVED)).wiring.status()
    assert (again.lifecycle, again.rung, [line for line in lines if line["log_level"] == "error"]) == (
        Lifecycle.REMOVED,
        0,
        [],
    )
    assert "the hand-written timers are removed" in " ".join(again.warnings)


async def test_where_another_rung_is_held_the_process_answers_timers_and_says_why_in_log_and_status() -> None:
    """It takes webhooks and acks all the same: what is measured goes on."""
    journal = await journal_of(on(1))
    with capture_logs() as lines:
        sidecar = await begun(journal, REMOVED)
    (said,) = [line for line in lines if line["event"] == "policy.refused"]
    assert "that is rung 3 (push_only), and the current one is rung 1 (push_with_safety_net)" in said["why"]
    status = sidecar.wiring.status()
    assert (status.served.mode, status.lifecycle) == (Mode.TIMER_POLLING, Lifecycle.MIGRATING)
    assert status.warnings[0] == f"{said['why']} Until then this process serves timers and makes no decisions."
    assert status.why_not_removed == said["why"]
    adopted = [each for each in await journal.read(0, 10_000) if isinstance(each.observation, PolicyAdopted)]
    assert len(adopted) == 1


async def test_an_empty_journal_is_refused_before_anything_is_written() -> None:
    """A lost disk, or a wrong path: the start must fail, and leave no trace that makes the next one look legitimate."""
    journal = MemoryJournal()
    sidecar = Sidecar(REMOVED, SECRETS, journal, lines=LineCounts())
    with pytest.raises(SidecarError, match="this journal was never on it") as caught:
        await sidecar.is_fresh()
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert await journal.read(0, 10) == []


async def test_a_journal_without_any_policy_is_refused_too() -> None:
    """A first start that was killed between its first two records."""
    journal = MemoryJournal()
    await Sidecar(CONFIG, SECRETS, journal, lines=LineCounts()).announce()
    with pytest.raises(SidecarError, match="begin with `lifecycle: migrating`"):
        await begun(journal, REMOVED)


async def test_going_back_and_forth_needs_a_persons_word() -> None:
    """A replica that was left behind with an old file must take nobody back, in either direction."""
    world = at_the_top()
    world.adopt(policy_of(CONFIG))
    world.change(ladder=LAX.ladder[:3])
    world.adopt(policy_of(REMOVED))
    journal = await journal_of(world)
    with capture_logs() as lines:
        left_behind = await begun(journal, CONFIG)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["policy.superseded"]
    assert left_behind.wiring.status().lifecycle is Lifecycle.REMOVED
    back = (await begun(journal, CONFIG, WORD)).wiring.status()
    assert (back.lifecycle, back.rung) == (Lifecycle.MIGRATING, 2)
    with capture_logs() as lines:
        forth = await begun(journal, REMOVED, WORD)
    assert "and the current one is rung 2 (push_with_safety_net)" in next(
        each["why"] for each in lines if "why" in each
    )
    assert forth.wiring.state.policy_hash == policy_hash(policy_of(CONFIG))
