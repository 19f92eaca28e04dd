"""What waits for the journal is told: how much, for how long, and what was refused."""

import asyncio
from pathlib import Path

import pytest

from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite import SqliteJournal
from sidecar.ports import Backlog, ErrorCode, SidecarError

from .samples import heartbeat


async def test_what_waits_for_the_disk_is_counted_and_the_oldest_is_timed(tmp_path: Path) -> None:
    """The batch under way included; and once all is durable nothing waits."""
    journal = await SqliteJournal.open(tmp_path / "journal.db", waiting_max=2)
    try:
        assert journal.backlog() == Backlog()
        now_ms = journal.now_ms()
        journal._clock.now_ms = lambda: now_ms  # type: ignore[method-assign]
        first = asyncio.ensure_future(journal.append(heartbeat(1)))
        await asyncio.sleep(0)
        assert journal.backlog() == Backlog(waiting_count=1)
        journal._clock.now_ms = lambda: now_ms + 700  # type: ignore[method-assign]
        second = asyncio.ensure_future(journal.append(heartbeat(2)))
        await asyncio.sleep(0)  # by now the first is being committed, or waits
        assert journal.backlog() == Backlog(waiting_count=2, oldest_ms=700)
        with pytest.raises(SidecarError) as refused:
            await journal.append(heartbeat(3))
        assert refused.value.code is ErrorCode.JOURNAL_OVERLOADED
        assert journal.backlog().refused_count == 1
        await asyncio.gather(first, second)
        done = journal.backlog()
        assert (done.waiting_count, done.oldest_ms) == (0, 0)
        assert done.commit_count == journal.commits > 0
    finally:
        await journal.close()


async def test_in_memory_nothing_waits() -> None:
    """There is no disk to wait for."""
    journal = MemoryJournal()
    await journal.append(heartbeat(1))
    assert journal.backlog() == Backlog()
