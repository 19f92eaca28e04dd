"""The decision loop and our own sources: who is silent is named, and delays neither beats nor decisions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from sidecar import clock
from sidecar.core.facts.observations import (
    ClockJumped,
    Fell,
    Heartbeat,
    PolicyAdopted,
    Started,
)
from sidecar.core.facts.policy import Policy, policy_hash
from sidecar.core.fold.state import State
from sidecar.flags.controller import Controller
from sidecar.flags.lease import Lease
from sidecar.journal.follower import Follower
from sidecar.journal.memory import MemoryJournal
from sidecar.parts.part import Source
from tests.core.world import LAX
from tests.e2e.processes import until


class Well:
    """A source of our own that answers after a while, or never."""

    name = "well"

    def __init__(self, after_s: float | None) -> None:
        self._after_s = after_s
        self.asked: list[float] = []

    async def caught_up_since(self, asked_s: float) -> None:
        """Answer."""
        self.asked.append(asked_s)
        await asyncio.sleep(3600 if self._after_s is None else self._after_s)


class Deciding:
    """A controller with its follower on a journal in memory."""

    def __init__(self, sources: Sequence[Source], policy: Policy) -> None:
        self.journal, self.state = MemoryJournal(), State()
        self.lease = Lease("a")
        self.policy = policy
        self.controller = Controller(
            self.journal,
            self.state,
            self.lease,
            replica="a",
            policy_hash=policy_hash(policy),
            lease_ms=policy.lease_ms,
            sources=sources,
        )
        self.follower = Follower(
            self.journal,
            self.state,
            listeners=(lambda record, _: self.lease.folded(record), lambda _, __: self.controller.wake()),
        )

    async def adopt(self) -> None:
        """Adopt the policy."""
        await self.journal.append(Started(replica="a", version="0"))
        await self.journal.append(
            PolicyAdopted(
                policy=self.policy, policy_hash=policy_hash(self.policy), adoption=0, actor="ada", reason="test"
            )
        )
        await self.follower.catch_up(history_ends=1)

    async def facts(self, kind: type) -> list[tuple[int, object]]:
        """Return the stamps and facts of a kind."""
        records = await self.journal.read(0, 100_000)
        return [(record.at_ms, record.observation) for record in records if isinstance(record.observation, kind)]


@asynccontextmanager
async def deciding(*sources: Source, policy: Policy = LAX) -> AsyncIterator[Deciding]:
    """Decide until the end of the block."""
    it = Deciding(sources, policy)
    await it.adopt()
    tasks = [asyncio.create_task(it.follower.run()), asyncio.create_task(it.controller.run())]
    try:
        yield it
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def with_lease(lease_ms: int) -> Policy:
    """Return the lax policy with another lease."""
    fields = {name: getattr(LAX, name) for name in LAX.__struct_fields__}
    return Policy(**{**fields, "lease_ms": lease_ms})


@pytest.mark.parametrize(("after_s", "silent_sources"), [(0.05, ()), (None, ("well",))])
async def test_a_beat_names_the_sources_that_did_not_answer_in_time(
    after_s: float | None, silent_sources: tuple[str, ...]
) -> None:
    """And comes, whatever they do; each is asked anew for each beat."""
    well = Well(after_s)
    async with deciding(well, policy=with_lease(2_000)) as it:

        async def has_beaten() -> bool:
            return len(await it.facts(Heartbeat)) >= 4

        await until(has_beaten, "four beats")
        beats = await it.facts(Heartbeat)
    assert {fact.silent_sources for _, fact in beats if isinstance(fact, Heartbeat)} == {silent_sources}
    assert len(set(well.asked)) >= 4


async def test_the_lease_counts_from_before_the_sources_were_asked() -> None:
    """The time that they take is no time that we could vouch for."""
    async with deciding(Well(0.3), policy=with_lease(6_000)) as it:

        async def is_leased() -> bool:
            return it.lease.remaining_s(6.0, clock.monotonic_s()) > 0

        await until(is_leased, "the first beat is folded")
        assert it.lease.remaining_s(6.0, clock.monotonic_s()) < 6.0 - 0.3


async def test_a_silent_source_delays_no_fall() -> None:
    """What calls for a fall is decided at once, while the source is still being asked."""
    well = Well(None)
    async with deciding(well) as it:

        async def is_asked() -> bool:
            return bool(well.asked)

        await until(is_asked, "the source is asked")
        await it.journal.append(ClockJumped(replica="b", by_ms=25 * 3_600_000))

        async def has_fallen() -> bool:
            return bool(await it.facts(Fell))

        await until(has_fallen, "it has fallen")
        assert await it.facts(Heartbeat) == [], "the source is being asked still"
