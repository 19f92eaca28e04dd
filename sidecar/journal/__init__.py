"""What survives a restart, and how is it followed? Observations, in the order in which they were appended.

Each has a `seq` and a stamp of the journal's clock. `append` returns once the observation survives `kill -9`. A
follower reads the records after its last `seq`, waits for more, and reads again.

Backends, which pass the same contract tests: `sqlite` (one file, for one process) and `memory` (tests, simulations);
`unavailable` takes the place of a journal that cannot be opened. For every backend: `follower` folds the records,
`maintenance` saves snapshots and removes old records, `snapshots` selects the state to continue from, and `head` wakes
the followers.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from sidecar.config import JournalPlace, MemoryPlace, SqlitePlace
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import Journal

Open = Callable[[Any], Awaitable[Journal]]
Backends = Mapping[type, Open]


async def _open_sqlite(place: SqlitePlace) -> Journal:
    second_mark = Path(place.mark) if place.mark else None
    return await SqliteJournal.open(Path(place.path), second_mark=second_mark, must_exist=place.must_exist)


async def _open_memory(_: MemoryPlace) -> Journal:
    return MemoryJournal()


BACKENDS: Backends = {SqlitePlace: _open_sqlite, MemoryPlace: _open_memory}
"""The one table of backends, by the type of their places in the configuration (`sidecar.config.journals`)."""


async def open_journal(place: JournalPlace, backends: Backends = BACKENDS) -> Journal:
    """Open the journal at this place, and create it if there is none.

    Raises `SidecarError` with `journal_in_use` if another process has it, and `journal_unavailable` if it cannot be
    opened.
    """
    return await backends[type(place)](place)
