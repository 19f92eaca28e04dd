"""Keeps a restart short and the file small: snapshots, the daily checkpoint, and the end of what is too old."""

import asyncio
from collections.abc import Iterable
from typing import NoReturn

import structlog

from sidecar import clock
from sidecar.core.fold.checkpoints import checkpoint_of, is_due
from sidecar.core.fold.state import State, encode
from sidecar.journal.retention import RETENTION_MS
from sidecar.metrics.declarations import counted, gauge
from sidecar.ports import TASK_FAILURES, Actor, Journal, Part, SidecarError, Task

_LOOK_EVERY_S = 5.0
_TRIM_PAUSE_S = 0.02
"""Between two chunks of removals, so that commits go on."""
SNAPSHOT_AFTER = 10_000
"""Records since the last snapshot from which a new one is worth it: a tenth of a second of folding."""
_SNAPSHOT_PACE_S = 60.0
"""At most one snapshot per so many seconds: to encode the state takes the event loop's time."""


class Maintenance(Part):
    """The housekeeping of one replica's journal, and what the journal counts."""

    failures = TASK_FAILURES

    def __init__(
        self,
        journal: Journal,
        state: State,
        *,
        replica: str,
        retention_ms: int = RETENTION_MS,
    ) -> None:
        self._journal = journal
        self._state = state
        self._replica = replica
        self._retention_ms = retention_ms
        self._kept_seq = 0
        self._kept_s = float("-inf")

    @gauge("journal_waiting_appends", "Observations that were appended and are not durable yet.")
    def _waiting(self) -> float:
        return self._journal.backlog().waiting_count

    @gauge("journal_oldest_waiting_append_seconds", "Age of the oldest of them; 0: none waits.")
    def _oldest_waiting_s(self) -> float:
        return self._journal.backlog().oldest_ms / 1000

    @counted("journal_refused_appends", "Appends that were refused because too many were waiting.")
    def _refused(self) -> float:
        return self._journal.backlog().refused_count

    @counted("journal_commits", "Transactions that were made durable.")
    def _commits(self) -> float:
        return self._journal.backlog().commit_count

    @gauge("clock_offset_seconds", "Seconds that the journal's clock, which is monotonic, is ahead of the wall clock.")
    def _offset_s(self) -> float:
        return (self._journal.now_ms() - clock.wall_ms()) / 1000

    def tasks(self) -> Iterable[tuple[str, Actor]]:
        """Return the housekeeping, and the check of the whole journal, which ends."""
        yield "maintenance", self.run
        yield "check", self._journal.check

    async def run(self) -> NoReturn:
        """Keep house, for ever."""
        while True:
            try:
                await self.look()
            except SidecarError as error:  # whoever appends is told as well; here it is only late
                self.failures.inc(Task.MAINTENANCE)
                structlog.get_logger().warning("maintenance.failed", code=error.code.value, message=error.message)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Do what is due. Raises `SidecarError` if the journal cannot be written."""
        if is_due(self._state):
            await self._journal.append(checkpoint_of(self._state, self._replica))
            await self.trim()
        is_worth_it = self._state.seq - self._kept_seq >= SNAPSHOT_AFTER
        if is_worth_it and clock.monotonic_s() - self._kept_s >= _SNAPSHOT_PACE_S:
            await self.save()

    async def save(self) -> None:
        """Keep a snapshot of the state as it is, unless it has not moved since the last."""
        seq = self._state.seq
        if seq > self._kept_seq:
            self._kept_s = clock.monotonic_s()
            await self._journal.save_snapshot(seq, encode(self._state))
            self._kept_seq = seq

    async def trim(self) -> None:
        """Remove what is too old, little by little."""
        removed = 0
        while chunk := await self._journal.trim(self._journal.now_ms() - self._retention_ms):
            removed += chunk
            await asyncio.sleep(_TRIM_PAUSE_S)
        if removed:
            structlog.get_logger().info("journal.trimmed", records=removed)
