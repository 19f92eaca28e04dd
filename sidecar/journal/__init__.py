"""What survives a restart, and how is it followed? Observations do, and by their number.

They keep the order in which they were appended, each with its `seq` and its stamp on the journal's clock.
`append` returns once the observation would survive `kill -9`; a follower reads what comes after the last
`seq` that it knows, waits for more, and reads again. `sqlite` keeps one file, for one process; `memory` keeps
nothing, for tests and simulations. Both pass the same contract tests.
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
    return await SqliteJournal.open(Path(place.path))


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
