"""The journal's file: what is in it, who may open it, and the few statements that touch it.

Everything here blocks. `Writer` and `Reader` have one connection each, and each stays on the thread that made
it (`sqlite3` checks that); in WAL mode neither waits for the other.
"""

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sidecar.core.observations import Observation, Record
from sidecar.journal.failures import told, unavailable
from sidecar.journal.lock import PRIVATE, locked
from sidecar.ports import Appended

APPLICATION_ID = 0x52765363
"""Marks the file as ours (`file` and `PRAGMA application_id` show it): "RvSc" in ASCII."""

_MAGIC = b"SQLite format 3\x00"
"""How every SQLite database begins (https://www.sqlite.org/fileformat.html#magic_header_string)."""

SCHEMA_VERSION = 1
"""What `PRAGMA user_version` says of a file that this code reads and writes."""

BUSY_TIMEOUT_S = 5.0
"""How long a commit waits for another program, such as a backup, that has locked the file."""

_SCHEMA = """
CREATE TABLE observations (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  key TEXT UNIQUE,
  body BLOB NOT NULL
)"""
_INSERT = "INSERT INTO observations (seq, at_ms, key, body) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
_LAST = "SELECT seq, at_ms FROM observations ORDER BY seq DESC LIMIT 1"
_BY_KEY = "SELECT seq, at_ms, body FROM observations WHERE key = ?"
_AFTER = "SELECT seq, at_ms, body FROM observations WHERE seq > ? ORDER BY seq LIMIT ?"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An observation on its way into the journal: stamped and encoded, but not numbered."""

    at_ms: int
    key: str | None
    """Its identity; None: always a new fact."""
    observation: Observation
    body: bytes
    """The observation as JSON."""


class Writer:
    """The only one who writes the file: it holds the lock, and commits batch after batch.

    Raises `SidecarError` with `journal_in_use` or `journal_unavailable` if the file cannot be had.
    """

    def __init__(self, path: Path, page_count_max: int | None = None) -> None:
        self._path = path
        with told(path, "opened"), contextlib.ExitStack() as opened:
            _claim(path, opened)
            self._connection = _connect(path, opened)
            _prepare(path, self._connection, page_count_max)
            self.last_seq, self.last_ms = self._last()
            self._inodes: dict[Path, tuple[int, int]] = {}
            self._see_that_it_is_ours()
            self._opened = opened.pop_all()

    def commit(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Make all of the drafts durable in one transaction, or none; return what became of each."""
        with told(self._path, "written"):
            self._see_that_it_is_ours()
            with self._connection:  # which commits, or rolls back whatever went wrong
                self._connection.execute("BEGIN IMMEDIATE")
                return self._insert(drafts)

    def _see_that_it_is_ours(self) -> None:
        """Refuse to write into files that nobody will find: removed, or replaced by others of the same name.

        The system would let us go on, and all that was kept would be gone with this process.
        """
        for suffix in ("", ".lock", "-wal"):
            path = self._path.with_name(self._path.name + suffix)
            try:
                status = path.stat()
            except FileNotFoundError:
                inode = (0, 0)
                if path not in self._inodes:
                    continue  # the write-ahead log comes with the first commit
            else:
                inode = (status.st_dev, status.st_ino)
            if self._inodes.setdefault(path, inode) != inode:
                raise unavailable(path, "was removed or replaced while it was in use", "restart the sidecar")

    def close(self) -> None:
        """Close the file and release the lock."""
        self._opened.close()

    def _insert(self, drafts: Sequence[Draft]) -> list[Appended]:
        # The last seq comes from the file, so that nothing that failed before can have put it wrong.
        seq, _ = self._last()
        cursor = self._connection.cursor()
        appended: list[Appended] = []
        for draft in drafts:
            cursor.execute(_INSERT, (seq + 1, draft.at_ms, draft.key, draft.body))
            if cursor.rowcount:
                seq += 1
                record = Record(seq=seq, at_ms=draft.at_ms, observation=draft.observation)
                appended.append(Appended(record=record, duplicate=False))
            else:
                row = cursor.execute(_BY_KEY, (draft.key,)).fetchone()
                appended.append(Appended(record=_record(self._path, row), duplicate=True))
        return appended

    def _last(self) -> tuple[int, int]:
        return self._connection.execute(_LAST).fetchone() or (0, 0)


class Reader:
    """Reads the file that a `Writer` has opened, beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with told(path, "opened"), contextlib.ExitStack() as opened:
            self._connection = _connect(path, opened)
            self._connection.execute("PRAGMA query_only = ON")
            self._opened = opened.pop_all()

    def read(self, after: int, limit: int) -> list[Record]:
        """Return up to `limit` records with a `seq` greater than `after`, in order."""
        with told(self._path, "read"):
            rows = self._connection.execute(_AFTER, (after, limit)).fetchall()
        return [_record(self._path, row) for row in rows]

    def close(self) -> None:
        """Close the connection."""
        self._opened.close()


_decode = msgspec.json.Decoder[Observation](Observation).decode


def _record(path: Path, row: tuple[int, int, bytes]) -> Record:
    seq, at_ms, body = row
    try:
        return Record(seq=seq, at_ms=at_ms, observation=_decode(body))
    except msgspec.DecodeError as error:
        found = f"holds a record {seq} that cannot be read: {error}"
        raise unavailable(path, found, "run the version that wrote it, or restore the file from a backup") from error


def _claim(path: Path, opened: contextlib.ExitStack) -> None:
    """Lock the file, and make it if it is not there: private, where SQLite would let everyone read it."""
    if not path.parent.is_dir():
        raise unavailable(path, f"could not be opened: there is no folder {path.parent}", "create it, or name another")
    if path.is_dir():
        raise unavailable(path, "could not be opened: it is a folder")
    opened.enter_context(locked(path))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        begins = os.pread(descriptor, len(_MAGIC), 0)
    finally:
        os.close(descriptor)
    if begins not in (b"", _MAGIC):  # SQLite itself takes a file that is shorter than a page for an empty one
        raise unavailable(path, "could not be opened: it is not a SQLite database")


def _connect(path: Path, opened: contextlib.ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    return opened.enter_context(contextlib.closing(connection))


def _prepare(path: Path, connection: sqlite3.Connection, page_count_max: int | None) -> None:
    """Look whose file it is before the first change to it; set it up if it is empty."""
    application_id, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    fresh = (application_id, version, tables) == (0, 0, 0)
    if not fresh and application_id != APPLICATION_ID:
        raise unavailable(path, "could not be opened: it is a database of another application")
    if not fresh and version != SCHEMA_VERSION:
        found = f"has schema version {version}, and this sidecar reads version {SCHEMA_VERSION}"
        raise unavailable(path, found, "run the version that wrote it, or name another file under `journal:`")
    if _pragma(connection, "journal_mode = WAL") != "wal":
        raise unavailable(path, "is on a file system that cannot hold it (SQLite's WAL mode needs shared memory)")
    connection.execute("PRAGMA synchronous = FULL")
    if page_count_max is not None:
        connection.execute(f"PRAGMA max_page_count = {page_count_max}")
    if fresh:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int | str:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    found: int | str = value
    return found
