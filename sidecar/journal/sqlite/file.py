"""The journal's file: what is in it, who may open it, and the few statements that touch it.

Everything here blocks. `Writer` and `Reader` have one connection each, and each stays on the thread that made
it (`sqlite3` checks that); in WAL mode neither waits for the other.
"""

import contextlib
import functools
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from sidecar.core.facts.chain import is_chained, link
from sidecar.core.facts.identities import CHECKPOINT_KEYS
from sidecar.core.facts.observations import UNREADABLE, Checkpoint, Observation, Record
from sidecar.core.facts.wire import decode
from sidecar.core.fold.state import State
from sidecar.journal.retention import is_kept_for_ever
from sidecar.journal.snapshots import Snapshot, state_to_go_on_from
from sidecar.journal.sqlite import links
from sidecar.journal.sqlite.failures import told, unavailable
from sidecar.journal.sqlite.lock import PRIVATE, locked
from sidecar.journal.sqlite.schema import prepare
from sidecar.ports import Appended, Link

_MAGIC = b"SQLite format 3\x00"
"""How every SQLite database begins (https://www.sqlite.org/fileformat.html#magic_header_string)."""

BUSY_TIMEOUT_S = 5.0
"""How long a commit waits for another program, such as a backup, that has locked the file."""

_ROWS = (250, 50, 10, 1)
"""In one statement, most first: each lets go of the interpreter and takes it back, which costs more than a row."""
_TRIM_MAX = 1_000
"""Records that are looked at in one transaction of `trim`."""
_SNAPSHOTS_MAX = 2
_LOG_PAGES_MAX = 16_000
"""Of the write-ahead log, 64 MB."""

_LAST = "SELECT seq, at_ms FROM observations ORDER BY seq DESC LIMIT 1"
_KNOWN = """SELECT observations.key, observations.seq, at_ms, body
            FROM json_each(?) AS wanted JOIN observations ON observations.key = wanted.value"""
_AFTER = "SELECT seq, at_ms, body FROM observations WHERE seq > ? ORDER BY seq LIMIT ?"
_FIND = "SELECT seq, at_ms, body FROM observations WHERE key = ?"
_LINKS = """SELECT seq, at_ms, body, hex(head) FROM chain JOIN observations USING (seq)
            WHERE seq < ? ORDER BY seq DESC LIMIT ?"""
_CHECKPOINTS = "SELECT seq, at_ms, body FROM observations WHERE key >= ? AND key < ? ORDER BY seq"


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
            self._connection = connect(path, opened)
            prepare(path, self._connection, page_count_max)
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
        known = self._known(drafts)
        appended: list[Appended] = []
        chain = _Chain(self._connection)
        values: list[int | str | bytes | None] = []
        for draft in drafts:
            if draft.key is not None and draft.key in known:
                appended.append(Appended(record=known[draft.key], duplicate=True))
                continue
            seq += 1
            is_link = is_chained(draft.observation)
            record = Record(
                seq=seq, at_ms=draft.at_ms, observation=draft.observation, kept=draft.body if is_link else None
            )
            if is_link:
                chain.add(record)
            if draft.key is not None:
                known[draft.key] = record
            values += (seq, draft.at_ms, draft.key, draft.body)
            appended.append(Appended(record=record, duplicate=False))
        self._insert_rows(values)
        chain.keep()
        return appended

    def _known(self, drafts: Sequence[Draft]) -> dict[str, Record]:
        """Return what is in the file already, by key."""
        keys = msgspec.json.encode([draft.key for draft in drafts if draft.key is not None])
        rows = self._connection.execute(_KNOWN, (keys.decode(),)).fetchall()
        return {key: decoded(self._path, (seq, at_ms, body)) for key, seq, at_ms, body in rows}

    def _insert_rows(self, values: Sequence[int | str | bytes | None]) -> None:
        start = 0
        for rows in _ROWS:
            while len(values) - start >= 4 * rows:
                self._connection.execute(_insert_statement(rows), values[start : start + 4 * rows])
                start += 4 * rows

    def leave_tidying(self) -> None:
        """Let somebody else bring the write-ahead log into the file; do it here only where that falls behind."""
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES_MAX}")

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and the one before it in case this one is damaged."""
        with told(self._path, "written"):
            self._see_that_it_is_ours()
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(
                    "INSERT OR REPLACE INTO snapshots (seq, fold_version, digest, body) VALUES (?, ?, ?, ?)",
                    (snapshot.seq, snapshot.fold_version, snapshot.digest, snapshot.body),
                )
                self._connection.execute(
                    "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                    (_SNAPSHOTS_MAX,),
                )

    def trim(self, before_ms: int) -> int:
        """Look at the next old records that a checkpoint stands for, remove those that need not be kept for ever.

        Return at how many it looked; 0: there are no more. A checkpoint stands for what is in it once it is older than
        `before_ms`, in Unix milliseconds.
        """
        with told(self._path, "written"):
            self._see_that_it_is_ours()
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                (trimmed_seq,) = self._connection.execute("SELECT seq FROM trimmed").fetchone()
                old = [each for each in checkpoints(self._path, self._connection) if each.at_ms <= before_ms]
                if not old:
                    return 0
                upto_seq = folded_seq_of(old[-1])
                rows = self._connection.execute(_AFTER, (trimmed_seq, _TRIM_MAX)).fetchall()
                rows = [row for row in rows if row[0] <= upto_seq]
                gone = [(seq,) for seq, _, body in rows if not is_kept_for_ever(body)]
                self._connection.executemany("DELETE FROM observations WHERE seq = ?", gone)
                if rows:
                    self._connection.execute("UPDATE trimmed SET seq = ?", (rows[-1][0],))
                return len(rows)

    def _last(self) -> tuple[int, int]:
        return self._connection.execute(_LAST).fetchone() or (0, 0)


class _Chain:
    """What one transaction adds to the chain."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._heads: list[tuple[int, str]] = []

    def add(self, record: Record) -> None:
        head = self._heads[-1][1] if self._heads else links.head_at(self._connection)
        self._heads.append((record.seq, link(head, record)))

    def keep(self) -> None:
        if self._heads:
            links.keep(self._connection, self._heads)


class Reader:
    """Reads a file through a connection of its own, beside a `Writer` or without one."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def beside(cls, path: Path) -> Self:
        """Open the file that a `Writer` has opened."""
        with told(path, "opened"), contextlib.ExitStack() as opened:
            connection = connect(path, opened)
            opened.pop_all()
        return cls(path, connection)

    def read(self, after: int, limit: int) -> list[Record]:
        """Return up to `limit` records with a `seq` greater than `after`, in order."""
        with told(self._path, "read"):
            rows = self._connection.execute(_AFTER, (after, limit)).fetchall()
        return [decoded(self._path, row) for row in rows]

    def load_snapshot(self) -> State:
        """Return the state that a process goes on from. Raises `SidecarError` with `journal_unavailable`."""
        with told(self._path, "read"):
            last_seq, _ = self._connection.execute(_LAST).fetchone() or (0, 0)
        return state_to_go_on_from(
            self.snapshots(),
            self.checkpoints(),
            last_seq=last_seq,
            trimmed_seq=self.trimmed_seq(),
            head_at=self.head_at,
        )

    def head_at(self, seq: int) -> str:
        """Return the chain's head after the last link up to this record, in hex; empty: there is none."""
        with told(self._path, "read"):
            return links.head_at(self._connection, seq)

    def read_chain(self, noted: str) -> links.ChainReading:
        """Go along the chain, and say where it is not what it was, or `noted`, which somebody noted, never was."""
        with told(self._path, "read"):
            return links.read_chain(self._connection, noted)

    def links(self, before: int, limit: int) -> list[Link]:
        """Return up to `limit` links of the chain whose `seq` is less than `before`, newest first."""
        with told(self._path, "read"):
            rows = self._connection.execute(_LINKS, (before, limit)).fetchall()
        return [Link(record=decoded(self._path, row[:3]), head=row[3].lower()) for row in rows]

    def find(self, key: str) -> Record | None:
        """Return the record with this key; None: there is none, or not any more."""
        with told(self._path, "read"):
            row = self._connection.execute(_FIND, (key,)).fetchone()
        return None if row is None else decoded(self._path, row)

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots, newest first; whether they can be believed is for `starting` to say."""
        with told(self._path, "read"):
            rows = self._connection.execute("SELECT seq, fold_version, digest, body FROM snapshots ORDER BY seq DESC")
            return [
                Snapshot(seq=seq, fold_version=fold_version, digest=digest, body=body)
                for seq, fold_version, digest, body in rows
            ]

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, oldest first."""
        with told(self._path, "read"):
            facts = [record.observation for record in checkpoints(self._path, self._connection)]
        return [fact for fact in facts if isinstance(fact, Checkpoint)]

    def trimmed_seq(self) -> int:
        """Return up to which record old ones were removed; 0: none was."""
        with told(self._path, "read"):
            (seq,) = self._connection.execute("SELECT seq FROM trimmed").fetchone()
        found: int = seq
        return found

    def tidy(self) -> None:
        """Bring what is in the write-ahead log into the file, without keeping a commit waiting."""
        with told(self._path, "written"):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def decoded(path: Path, row: tuple[int, int, bytes]) -> Record:
    """Return the record in a row (seq, at_ms, body). Raises `SidecarError` if this version cannot read it."""
    seq, at_ms, body = row
    try:
        observation = decode(body)
    except UNREADABLE as error:
        found = f"holds a record {seq} that cannot be read: {error}"
        raise unavailable(path, found, "run the version that wrote it, or restore the file from a backup") from error
    kept = links.as_bytes(body) if is_chained(observation) else None
    return Record(seq=seq, at_ms=at_ms, observation=observation, kept=kept)


def checkpoints(path: Path, connection: sqlite3.Connection) -> list[Record]:
    """Return the records that are checkpoints, oldest first."""
    after_all = CHECKPOINT_KEYS[:-1] + chr(ord(CHECKPOINT_KEYS[-1]) + 1)
    return [decoded(path, row) for row in connection.execute(_CHECKPOINTS, (CHECKPOINT_KEYS, after_all))]


def folded_seq_of(record: Record) -> int:
    """Return the last record that is in a checkpoint."""
    assert isinstance(record.observation, Checkpoint)  # noqa: S101 - its key says so
    return record.observation.folded_seq


@functools.cache
def _insert_statement(rows: int) -> str:
    return f"INSERT INTO observations (seq, at_ms, key, body) VALUES {', '.join(['(?, ?, ?, ?)'] * rows)}"  # noqa: S608


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


def connect(path: Path, opened: contextlib.ExitStack, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection that is closed with `opened`."""
    place = f"{path.absolute().as_uri()}?mode=ro" if read_only else str(path)
    connection = sqlite3.connect(
        place, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=read_only, check_same_thread=not read_only
    )
    return opened.enter_context(contextlib.closing(connection))
