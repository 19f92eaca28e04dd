"""Append heartbeats in one loop, and decisions in another.

A decision is an observation, and moves the flag when it is folded. Decisions are safe if several replicas share a
journal; the SQLite backend allows one process.

Before a heartbeat the sources must confirm that all their facts are in the journal, and a silent source may delay it.
So decisions do not wait for heartbeats.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NoReturn

import structlog

from sidecar import clock
from sidecar.core.decision.decide import decide
from sidecar.core.facts.observations import ClockJumped, Record
from sidecar.core.fold.conclusions import Conclusion
from sidecar.core.fold.fold import next_deadline
from sidecar.core.fold.state import State
from sidecar.flags.lease import Lease
from sidecar.parts.part import TASK_FAILURES, Part, Source, Task, TaskFunction
from sidecar.ports import Journal, SidecarError

_BEATS_PER_LEASE = 6
_PACE_S = 0.05
"""Minimum seconds between two evaluations: records in between are decided together."""
_BEAT_PACE_S = 0.1
"""Minimum seconds between two heartbeats, however many deadlines there are."""
_ASK_MAX_S = 0.5
"""Maximum seconds to wait for all sources to confirm that their facts are in the journal. A healthy source takes about
0.1 s. A short lease lowers it to half the heartbeat interval, so that a silent source delays no heartbeat."""
_JUMP_MS = 1000
_RETRY_S = 1.0


class Controller(Part):
    """The heartbeat and decision loops of one replica."""

    failures = TASK_FAILURES

    def __init__(
        self,
        journal: Journal,
        state: State,
        lease: Lease,
        *,
        replica: str,
        policy_hash: str,
        lease_ms: int,
        sources: Sequence[Source] = (),
    ) -> None:
        self._journal = journal
        self._state = state
        self._lease = lease
        self._replica = replica
        self._policy_hash = policy_hash
        self._sources = sources
        self._beat_every_s = lease_ms / 1000 / _BEATS_PER_LEASE
        self._beaten_s = float("-inf")
        self._jumps = clock.JumpWatch()
        self._jumped_ms = 0
        self._ask_s = min(_ASK_MAX_S, self._beat_every_s / 2)
        self._to_beat, self._to_decide = asyncio.Event(), asyncio.Event()

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that runs both loops."""
        yield "controller", self.run

    def folded(self, _record: Record, _conclusions: list[Conclusion]) -> None:
        """Wake both loops: a record was folded."""
        self.wake()

    def wake(self) -> None:
        """Wake both loops."""
        self._to_beat.set()
        self._to_decide.set()

    async def run(self) -> NoReturn:
        """Append heartbeats and decisions, for ever. While the journal does not answer, the lease expires."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(Task.BEAT, self._beat, self._to_beat, self._until_next_beat_s), name="beat")
            group.create_task(self._repeat(Task.DECIDE, self._decide, self._to_decide, lambda: None), name="decide")
        raise AssertionError  # neither ends

    async def _repeat(
        self, task: Task, act: Callable[[], Awaitable[None]], woken: asyncio.Event, until_s: Callable[[], float | None]
    ) -> NoReturn:
        """Run `act`, and again when woken or when it is due."""
        while True:
            woken.clear()
            try:
                await act()
            except SidecarError as error:
                self.failures.inc(task)
                structlog.get_logger().warning("controller.failed", code=error.code.value, message=error.message)
                woken.set()  # it is tried again
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(_PACE_S)
            left_s = until_s()
            try:
                async with asyncio.timeout(None if left_s is None else max(0.0, left_s)):
                    await woken.wait()
            except TimeoutError:
                continue

    async def _beat(self) -> None:
        """Append a jump of the clock, and a heartbeat if it is due. The lease starts before the sources are asked."""
        moved_ms = self._jumps.moved_ms()
        if abs(moved_ms) > _JUMP_MS:
            self._jumped_ms = max(self._jumped_ms, moved_ms, key=abs)
        if self._jumped_ms:  # kept until it is appended: the journal may fail
            await self._journal.append(ClockJumped(replica=self._replica, by_ms=self._jumped_ms))
            self._jumped_ms = 0
        if self._until_next_beat_s() <= 0:
            now_s = clock.monotonic_s()
            self._beaten_s = now_s
            silent_sources = await self._silent_sources(now_s)
            await self._journal.append(self._lease.next_heartbeat(now_s, silent_sources))

    async def _decide(self) -> None:
        """Append the decision, unless the policy in force is not that of this configuration."""
        if self._state.policy_hash == self._policy_hash:
            decision = decide(self._state, self._replica).decision
            if decision is not None:
                await self._journal.append(decision)

    async def _silent_sources(self, now_s: float) -> tuple[str, ...]:
        """Return the sources that did not confirm in time that all from before `now_s` is in the journal."""
        if not self._sources:
            return ()
        asked = {asyncio.ensure_future(source.caught_up_since(now_s)): source.name for source in self._sources}
        try:
            _, silent = await asyncio.wait(asked, timeout=self._ask_s)
        finally:
            for each in asked:
                each.cancel()
        return tuple(sorted(asked[each] for each in silent))

    def _until_next_beat_s(self) -> float:
        """Return the seconds until a heartbeat is due, by the lease or by a deadline of the state."""
        since_s = clock.monotonic_s() - self._beaten_s
        until_s = self._beat_every_s - since_s
        deadline_ms = next_deadline(self._state)
        if deadline_ms is not None:
            until_deadline_s = (deadline_ms - self._journal.now_ms()) / 1000
            until_s = min(until_s, max(until_deadline_s, _BEAT_PACE_S - since_s))
        return until_s
