"""The journals that the contract tests run against."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.config import MemoryPlace, SqlitePlace
from sidecar.journal import open_journal
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import Journal

from .files import close
from .samples import heartbeat

HOUR_MS = 3_600_000


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    """Open an empty journal of each kind."""
    place = MemoryPlace() if request.param == "memory" else SqlitePlace(path=str(tmp_path / "journal.db"))
    opened = await open_journal(place)
    yield opened
    await close(opened)


@pytest.fixture(params=["memory", "sqlite"])
async def set_back(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    """Open a journal of each kind with one record, after which the wall clock was set back by an hour."""
    opened = await (_memory_set_back() if request.param == "memory" else _sqlite_set_back(tmp_path / "journal.db"))
    yield opened
    await close(opened)


async def _memory_set_back() -> Journal:
    wall_ms = [HOUR_MS]
    journal = MemoryJournal(now_ms=lambda: wall_ms[-1])
    await journal.append(heartbeat(0))
    wall_ms.append(0)
    return journal


async def _sqlite_set_back(path: Path) -> Journal:
    journal = await SqliteJournal.open(path)
    await journal.append(heartbeat(0))
    await journal.close()
    # The same file, had the wall clock been an hour ahead when it was written.
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE observations SET at_ms = at_ms + ?", (HOUR_MS,))
    return await SqliteJournal.open(path)
