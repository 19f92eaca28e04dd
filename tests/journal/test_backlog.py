"""The backlog of the journal: the number of appends, the age of the oldest, and the refusals."""

import asyncio
from pathlib import Path

import pytest

from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import Appended, Backlog, ErrorCode, SidecarError

from .samples import heartbeat


async def test_waiting_appends_are_counted_and_the_oldest_is_timed(tmp_path: Path) -> None:
    """The batch in progress counts; once all appends are durable, the backlog is empty."""
    journal = await SqliteJournal.open(tmp_path / "journal.db", waiting_max=3)
    began_ms = journal.now_ms()

    async def appended(number: int, after_ms: int) -> asyncio.Future[Appended]:
        journal._clock.now_ms = lambda: began_ms + after_ms  # type: ignore[method-assign]
        appending = asyncio.ensure_future(journal.append(heartbeat(number)))
        await asyncio.sleep(0)
        return appending

    try:
        assert journal.backlog() == Backlog()
        first = await appended(1, after_ms=0)
        assert journal.backlog() == Backlog(waiting_count=1)
        others = [await appended(2, after_ms=300), await appended(3, after_ms=700)]
        assert journal.backlog() == Backlog(waiting_count=3, oldest_ms=700), "the first is being committed"
        with pytest.raises(SidecarError) as refused:
            await journal.append(heartbeat(4))
        assert refused.value.code is ErrorCode.JOURNAL_OVERLOADED
        await first
        assert journal.backlog() == Backlog(waiting_count=2, oldest_ms=400, refused_count=1, commit_count=1)
        await asyncio.sleep(0)  # from now on the second is being committed, with the third
        assert journal.backlog() == Backlog(waiting_count=2, oldest_ms=400, refused_count=1, commit_count=1)
        await asyncio.gather(*others)
        journal._clock.now_ms = lambda: began_ms + 9000  # type: ignore[method-assign]
        assert journal.backlog() == Backlog(refused_count=1, commit_count=2)
    finally:
        await journal.close()


async def test_a_journal_in_memory_has_no_backlog() -> None:
    """No append waits for a disk."""
    journal = MemoryJournal()
    await journal.append(heartbeat(1))
    assert journal.backlog() == Backlog()
