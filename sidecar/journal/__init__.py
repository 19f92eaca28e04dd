"""What survives a restart, and how is it followed? Observations do, and by their number.

They keep the order in which they were appended, each with its `seq` and its stamp on the journal's clock.
`append` returns once the observation would survive `kill -9`; a follower reads what comes after the last
`seq` that it knows, waits for more, and reads again. `sqlite` keeps one file, for one process; `memory` keeps
nothing, for tests and simulations. Both pass the same contract tests.
"""

from pathlib import Path

from sidecar.config import JournalPlace, SqlitePlace
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import Journal


async def open_journal(place: JournalPlace) -> Journal:
    """Open the journal at this place, and make it where there is none.

    Raises `SidecarError` with `journal_in_use` if another process has the file, and `journal_unavailable` if it
    cannot be opened.
    """
    if isinstance(place, SqlitePlace):
        return await SqliteJournal.open(Path(place.path))
    return MemoryJournal()
