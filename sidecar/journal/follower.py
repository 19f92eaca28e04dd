"""How does the state follow the journal? Each record is folded in order, and listeners get the conclusions."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

import structlog

from sidecar.core.facts.observations import Record
from sidecar.core.fold.conclusions import Conclusion
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State, assign
from sidecar.parts.part import TASK_FAILURES, Part, Task, TaskFunction
from sidecar.ports import Journal, SidecarError

_READ_MAX = 500
_LOG_EVERY = 100_000
_RETRY_S = 1.0

Listener = Callable[[Record, list[Conclusion]], None]


class Follower(Part):
    """Keeps a state in step with a journal."""

    failures = TASK_FAILURES

    def __init__(self, journal: Journal, state: State, listeners: Sequence[Listener] = ()) -> None:
        self._journal = journal
        self._state = state
        self._listeners = listeners
        self.has_caught_up = False
        """Whether the journal was read to its end once; since then the state is at most a moment behind."""

    async def catch_up(self, history_ends: int) -> None:
        """Load the snapshot, and fold all records after it.

        Listeners get no record before `history_ends`: they got it when it was new. Raises `SidecarError` if the journal
        cannot be read.
        """
        assign(self._state, await self._journal.load_snapshot())
        while records := await self._journal.read(self._state.seq, _READ_MAX):
            for record in records:
                self._fold(record, is_new=record.seq >= history_ends)
            if self._state.seq // _LOG_EVERY != (self._state.seq - len(records)) // _LOG_EVERY:
                structlog.get_logger().info("journal.replaying", seq=self._state.seq, until=history_ends)
        self.has_caught_up = True

    async def follow(self) -> bool:
        """Fold the new records; return whether there were any. Raises `SidecarError` like `catch_up`."""
        records = await self._journal.read(self._state.seq, _READ_MAX)
        for record in records:
            self._fold(record, is_new=True)
        return bool(records)

    def _fold(self, record: Record, *, is_new: bool) -> None:
        conclusions = fold(self._state, record)
        if is_new:
            for listener in self._listeners:
                listener(record, conclusions)

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that follows."""
        yield "follower", self.run

    async def run(self) -> NoReturn:
        """Fold new records for ever. While the journal cannot be read, the state is unchanged and the lease expires."""
        while True:
            try:
                if await self.follow():
                    await asyncio.sleep(0)  # reading from memory does not yield to other tasks
                else:
                    await self._journal.wait(self._state.seq)
            except SidecarError as error:
                self.failures.inc(Task.FOLLOWER)
                structlog.get_logger().warning("journal.failed", code=error.code.value, message=error.message)
                await asyncio.sleep(_RETRY_S)
