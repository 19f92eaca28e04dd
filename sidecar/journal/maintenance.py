"""What keeps a restart short and the file small? Snapshots, a daily checkpoint, and the removal of old records."""

import asyncio
from collections.abc import Iterable
from typing import NoReturn

import structlog

from sidecar import clock
from sidecar.core.fold.checkpoints import checkpoint_of, is_due
from sidecar.core.fold.state import State, encode
from sidecar.parts.metrics import counted, gauge
from sidecar.parts.part import TASK_FAILURES, Part, Task, TaskFunction
from sidecar.ports import Journal, SidecarError

RETENTION_MS = 35 * 24 * 3_600_000
"""Payments, acks, ticks and their keys are kept this long, and up to a day longer: a report of a month can be compared
with its payments, and Stripe repeats no event after 30 days (https://docs.stripe.com/api/events)."""

_CHECK_EVERY_S = 5.0
_RECHECK_EVERY_S = 2.0
_TRIM_PAUSE_S = 0.02
"""The pause between two chunks of removals, so that commits continue."""
SNAPSHOT_AFTER = 10_000
"""Records since the last snapshot that justify a new one: a tenth of a second of folding."""
_SNAPSHOT_PACE_S = 60.0
"""The shortest time between two snapshots: encoding the state blocks the event loop."""


class Maintenance(Part):
    """The maintenance of one replica's journal, with the metrics of the journal."""

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
        self._saved_seq = 0
        self._saved_s = float("-inf")

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

    @gauge(
        "journal_created_timestamp_seconds", "When the journal began: the Unix time of its first policy; 0: not yet."
    )
    def _created_s(self) -> float:
        return self._journal.creation().at_ms / 1000

    @gauge("clock_offset_seconds", "Seconds that the journal's clock, which is monotonic, is ahead of the wall clock.")
    def _offset_s(self) -> float:
        return (self._journal.now_ms() - clock.wall_ms()) / 1000

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the maintenance, and the check of the journal."""
        yield "maintenance", self.run
        yield "check", self.check

    async def run(self) -> NoReturn:
        """Maintain the journal for ever."""
        while True:
            try:
                await self.look()
            except SidecarError as error:  # appends report the error too; maintenance is only late
                self.failures.inc(Task.MAINTENANCE)
                structlog.get_logger().warning("maintenance.failed", code=error.code.value, message=error.message)
            await asyncio.sleep(_CHECK_EVERY_S)

    async def check(self) -> NoReturn:
        """Check the whole journal once, and then a little of it again and again. Raises `SidecarError` on damage."""
        await self._journal.check()
        while True:
            await asyncio.sleep(_RECHECK_EVERY_S)
            await self._journal.recheck()

    async def look(self) -> None:
        """Append a checkpoint and save a snapshot if they are due. Raises `SidecarError` if a write fails."""
        if is_due(self._state):
            await self._journal.append(checkpoint_of(self._state, self._replica))
            await self.trim()
        is_worthwhile = self._state.seq - self._saved_seq >= SNAPSHOT_AFTER
        if is_worthwhile and clock.monotonic_s() - self._saved_s >= _SNAPSHOT_PACE_S:
            await self.save()

    async def save(self) -> None:
        """Save a snapshot of the state, unless it is unchanged since the last."""
        seq = self._state.seq
        if seq > self._saved_seq:
            self._saved_s = clock.monotonic_s()
            await self._journal.save_snapshot(seq, encode(self._state))
            self._saved_seq = seq

    async def trim(self) -> None:
        """Remove old records in chunks."""
        removed = 0
        while chunk := await self._journal.trim(self._journal.now_ms() - self._retention_ms):
            removed += chunk
            await asyncio.sleep(_TRIM_PAUSE_S)
        if removed:
            structlog.get_logger().info("journal.trimmed", records=removed)
