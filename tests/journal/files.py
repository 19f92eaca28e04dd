"""Journals, opened for as long as a test needs them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from sidecar.core.facts.observations import Record
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import Journal

LIMIT_S = 300.0
"""Much more than any wait here takes: a test that waits in vain fails with a message."""


async def close(journal: Journal) -> None:
    """Close the journal, or say that it does not end."""
    await asyncio.wait_for(journal.close(), LIMIT_S)


@contextlib.asynccontextmanager
async def opened(path: Path, **limits: Any) -> AsyncIterator[SqliteJournal]:
    """Open the journal, and close it at the end."""
    journal = await SqliteJournal.open(path, **limits)
    try:
        async with asyncio.timeout(LIMIT_S):
            yield journal
    finally:
        await close(journal)


async def everything(path: Path) -> Sequence[Record]:
    """Return all records of a file that nobody has open."""
    async with opened(path) as journal:
        return await journal.read(0, 1_000_000)
