"""How is a journal's file opened, and when may a new one be created?

A journal that is gone must not look like a first start: its alarms, holds and evidence would be forgotten. A new file
is created only if nothing says that there was one before, or if `sidecar journal init` says that it is intended.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from sidecar.journal.sqlite.failures import unavailable
from sidecar.journal.sqlite.lock import PRIVATE, lock, locked
from sidecar.journal.sqlite.mark import WAYS_BACK, Marks, behind

_MAGIC = b"SQLite format 3\x00"
"""The first bytes of every SQLite database (https://www.sqlite.org/fileformat.html#magic_header_string)."""

BUSY_TIMEOUT_S = 5.0
"""How long a commit waits for another program with a lock on the file, such as a backup."""


def claim(path: Path, marks: Marks, opened: contextlib.ExitStack, *, must_exist: bool) -> tuple[int, bool]:
    """Lock the file and create it if it does not exist; return a descriptor, and whether the file is new.

    Both are released with `opened`. A new file has mode 0600, where SQLite would make it readable.
    """
    if not path.parent.is_dir():
        raise unavailable(path, f"could not be opened: there is no folder {path.parent}", "create it, or name another")
    if path.is_dir():
        raise unavailable(path, "could not be opened: it is a folder")
    opened.enter_context(locked(path))
    marks.read()
    is_new = not path.exists()
    if is_new or path.stat().st_size == 0:
        refuse_new(path, marks, must_exist=must_exist)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
    opened.callback(os.close, descriptor)
    lock(path, descriptor)  # the same file may have another name
    begins = os.pread(descriptor, len(_MAGIC), 0)
    if begins not in (b"", _MAGIC):  # SQLite treats a file shorter than a page as empty
        raise unavailable(path, "could not be opened: it is not a SQLite database")
    return descriptor, is_new


def refuse_new(path: Path, marks: Marks, *, must_exist: bool) -> None:
    """Raise `journal_unavailable` for a journal without records, unless a new one may begin here."""
    if marks.seq:
        found = behind(0, marks.seq) if path.exists() else f"is missing, and its high-water mark says {_had(marks.seq)}"
        raise unavailable(path, found, WAYS_BACK)
    log = path.with_name(f"{path.name}-wal")
    if not (path.exists() and path.stat().st_size) and log.exists() and log.stat().st_size:
        raise unavailable(path, f"is missing or empty, and its log {log.name} is still there", WAYS_BACK)
    if must_exist and not marks.reason:
        found = "has no records" if path.exists() else "is missing"
        raise unavailable(path, f"{found}, and the configuration has `journal_must_exist: true`", WAYS_BACK)


def _had(seq: int) -> str:
    return f"that it had {seq} records"


def remove_files(path: Path) -> None:
    """Remove the file, its log and its shared memory; the lock file stays."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def connect(path: Path, opened: contextlib.ExitStack, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection, which is closed with `opened`."""
    place = f"{path.absolute().as_uri()}?mode=ro" if read_only else str(path)
    connection = sqlite3.connect(
        place, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=read_only, check_same_thread=not read_only
    )
    return opened.enter_context(contextlib.closing(connection))
