"""Which statements read and write the journal's file?

Everything here blocks. `Writer` and `Reader` have one connection each, which stays on the thread that opened it
(`sqlite3` checks that). In WAL mode neither waits for the other.
"""

import contextlib
import functools
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog

from sidecar.core.facts.chain import is_chained, link
from sidecar.core.facts.identities import CHECKPOINT_KEYS
from sidecar.core.facts.observations import UNREADABLE, Checkpoint, Observation, Record
from sidecar.core.facts.wire import decode
from sidecar.core.fold.state import State
from sidecar.journal.snapshots import Snapshot, latest_state
from sidecar.journal.sqlite import links
from sidecar.journal.sqlite.damage import Watch
from sidecar.journal.sqlite.failures import as_unavailable, unavailable
from sidecar.journal.sqlite.mark import Mark, Marks, mark_of, remove
from sidecar.journal.sqlite.opening import claim, connect, refuse_new, remove_files
from sidecar.journal.sqlite.schema import prepare, version_of
from sidecar.ports import Appended, Link, SidecarError

_ROWS = (250, 50, 10, 1)
"""Rows in one statement, the most first: each statement releases and takes the interpreter lock, which costs more than
a row."""
_TRIM_MAX = 1_000
"""Records in one transaction of `trim`."""
_SNAPSHOTS_MAX = 2
_LOG_PAGES_MAX = 16_000
"""Pages of the write-ahead log, 64 MB."""

_LAST = "SELECT seq, at_ms FROM observations ORDER BY seq DESC LIMIT 1"
_KNOWN = """SELECT observations.key, observations.seq, at_ms, body
            FROM json_each(?) AS wanted JOIN observations ON observations.key = wanted.value"""
_AFTER = "SELECT seq, at_ms, body FROM observations WHERE seq > ? ORDER BY seq LIMIT ?"
_FIND = "SELECT seq, at_ms, body FROM observations WHERE key = ?"
_LINKS = """SELECT seq, at_ms, body, hex(head) FROM chain JOIN observations USING (seq)
            WHERE seq < ? ORDER BY seq DESC LIMIT ?"""
_TRIMMED = "SELECT seq FROM trimmed"
_CHECKPOINTS = "SELECT seq, at_ms, body FROM observations WHERE key >= ? AND key < ? ORDER BY seq"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A stamped and encoded observation that has no `seq` yet."""

    at_ms: int
    key: str | None
    """Its identity; None: every append is a new fact."""
    observation: Observation
    body: bytes
    """The observation as JSON."""


class Writer:
    """The only writer of the file: it has the lock, and commits one batch after the other.

    `second_mark` is the place of a second copy of the high-water mark; `must_exist`: no new journal may begin here.
    Raises `SidecarError` with `journal_in_use` or `journal_unavailable` if the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        page_count_max: int | None = None,
        *,
        second_mark: Path | None = None,
        must_exist: bool = False,
    ) -> None:
        self._path = path
        self._marks = Marks(path, second_mark)
        self._is_new = False
        self._now = Mark()
        with as_unavailable(path, "opened"), contextlib.ExitStack() as opened:
            opened.callback(self._leave_nothing)
            database, self._is_new = claim(path, self._marks, opened, must_exist=must_exist)
            self._connection = connect(path, opened)
            if not self._is_new and not self._has_records():
                refuse_new(path, self._marks, must_exist=must_exist)
            prepare(path, self._connection, page_count_max)
            self._marks.check(self._connection)
            self._now = mark_of(self._connection)
            self.last_seq, self.last_ms = self._last()
            self.created_ms = links.created_ms(self._connection)
            self.created_reason = "" if self.last_seq else self._marks.reason
            self._watch = Watch(path, database)
            self._opened = opened.pop_all()

    def _has_records(self) -> bool:
        """Return whether the file has a record, before anything is written to it."""
        if not version_of(self._path, self._connection):
            return False
        return self._connection.execute(_LAST).fetchone() is not None

    def _leave_nothing(self) -> None:
        """Remove the file that this writer created if it got no record: a failed start leaves no empty journal."""
        if self._is_new and not self._now.seq:
            remove_files(self._path)
            if not self._marks.reason:
                remove(self._marks.places)

    def commit(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Make all drafts durable in one transaction, or none; return the result of each."""
        if not self._marks.found:  # before the first record: a journal with records had a mark
            with as_unavailable(self._path, "marked"):
                self._marks.write(Mark())
        with self._transaction():
            appended, now = self._insert(drafts)
        self._now = now
        return appended

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with as_unavailable(self._path, "written"):
            self._watch.check()
            try:
                with self._connection:  # commits, or rolls back on an exception
                    self._connection.execute("BEGIN IMMEDIATE")
                    yield
            except BaseException:
                with contextlib.suppress(SidecarError, OSError):  # the next `check` raises it
                    self._watch.observe()
                raise
            self._watch.observe()

    def mark(self) -> None:
        """Write the high-water mark, if it is behind; a failure is logged, since the previous mark stays valid.

        It is what was made durable, not what the file has now: a file that lost records is refused by the next start.
        """
        if not self._now.seq:
            return
        try:
            self._marks.write(self._now)
        except OSError as error:
            structlog.get_logger().warning("journal.unmarked", why=str(error))

    def close(self) -> None:
        """Close the file and release the lock."""
        self.mark()
        self._opened.close()

    def _insert(self, drafts: Sequence[Draft]) -> tuple[list[Appended], Mark]:
        """Insert what is new; return the result of each draft, and the mark after it."""
        seq, _ = self._last()
        if seq != self._now.seq:
            raise unavailable(self._path, f"ends at record {seq}, and the last that was written is {self._now.seq}")
        known = self._known(drafts)
        appended: list[Appended] = []
        heads: list[tuple[int, str]] = []
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
                heads.append((seq, link(heads[-1][1] if heads else self._now.head, record)))
            if draft.key is not None:
                known[draft.key] = record
            values += (seq, draft.at_ms, draft.key, draft.body)
            appended.append(Appended(record=record, duplicate=False))
        self._insert_rows(values)
        links.store(self._connection, heads)
        return appended, self._mark_after(seq, heads)

    def _mark_after(self, seq: int, heads: list[tuple[int, str]]) -> Mark:
        if not heads:
            return Mark(journal=self._now.journal, seq=seq, head=self._now.head)
        return Mark(journal=self._now.journal or heads[0][1], seq=seq, head=heads[-1][1])

    def _known(self, drafts: Sequence[Draft]) -> dict[str, Record]:
        """Return the existing records of these facts, by key."""
        keys = msgspec.json.encode([draft.key for draft in drafts if draft.key is not None])
        rows = self._connection.execute(_KNOWN, (keys.decode(),)).fetchall()
        return {key: decoded(self._path, (seq, at_ms, body)) for key, seq, at_ms, body in rows}

    def _insert_rows(self, values: Sequence[int | str | bytes | None]) -> None:
        start = 0
        for rows in _ROWS:
            while len(values) - start >= 4 * rows:
                self._connection.execute(_insert_statement(rows), values[start : start + 4 * rows])
                start += 4 * rows

    def leave_checkpoints(self) -> None:
        """Leave it to `Reader.checkpoint_log` to copy the write-ahead log into the file, unless that falls behind."""
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES_MAX}")

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Store a snapshot; keep the one before it in case this one is damaged."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO snapshots (seq, fold_version, digest, body) VALUES (?, ?, ?, ?)",
                (snapshot.seq, snapshot.fold_version, snapshot.digest, snapshot.body),
            )
            self._connection.execute(
                "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                (_SNAPSHOTS_MAX,),
            )

    def trim(self, before_ms: int) -> int:
        """Remove the next old records that a checkpoint replaces, except links and what cannot be decoded.

        Return the number of records that were read; 0: there are no more. A checkpoint replaces the records before it
        once it is older than `before_ms`, in Unix milliseconds.
        """
        with self._transaction():
            (trimmed_seq,) = self._connection.execute(_TRIMMED).fetchone()
            old = [each for each in checkpoints(self._path, self._connection) if each.at_ms <= before_ms]
            if not old:
                return 0
            upto_seq = folded_seq_of(old[-1])
            rows = self._connection.execute(_AFTER, (trimmed_seq, _TRIM_MAX)).fetchall()
            rows = [row for row in rows if row[0] <= upto_seq]
            removed = [(seq,) for seq, _, body in rows if not links.is_link(body, if_unreadable=True)]
            self._connection.executemany("DELETE FROM observations WHERE seq = ?", removed)
            if rows:
                self._connection.execute("UPDATE trimmed SET seq = ?", (rows[-1][0],))
            return len(rows)

    def _last(self) -> tuple[int, int]:
        return self._connection.execute(_LAST).fetchone() or (0, 0)


class Reader:
    """Reads a file through its own connection, beside a `Writer` or without one."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def beside(cls, path: Path) -> Self:
        """Return a reader of a file that a `Writer` has opened."""
        with as_unavailable(path, "opened"), contextlib.ExitStack() as opened:
            connection = connect(path, opened)
            opened.pop_all()
        return cls(path, connection)

    def read(self, after: int, limit: int) -> list[Record]:
        """Return up to `limit` records with a `seq` greater than `after`, in order."""
        return [decoded(self._path, row) for row in self._rows(_AFTER, after, limit)]

    def load_snapshot(self) -> State:
        """Return the state from which a process continues. Raises `SidecarError` with `journal_unavailable`."""
        last_seq = next((seq for seq, _ in self._rows(_LAST)), 0)
        return latest_state(
            self.snapshots(),
            self.checkpoints(),
            last_seq=last_seq,
            trimmed_seq=self.trimmed_seq(),
            head_at=self.head_at,
        )

    def head_at(self, seq: int) -> str:
        """Return the head of the chain after the last link up to this record, in hex; empty: there is no link."""
        with as_unavailable(self._path, "read"):
            return links.head_at(self._connection, seq)

    def read_chain(self, noted: str) -> links.ChainReading:
        """Compare the chain with the records; `noted` is a former head to look for."""
        with as_unavailable(self._path, "read"):
            return links.read_chain(self._connection, noted)

    def links(self, before: int, limit: int) -> list[Link]:
        """Return up to `limit` links of the chain whose `seq` is less than `before`, newest first."""
        rows = self._rows(_LINKS, before, limit)
        return [Link(record=decoded(self._path, row[:3]), head=row[3].lower()) for row in rows]

    def find(self, key: str) -> Record | None:
        """Return the record with this key; None: it does not exist, or was removed."""
        return next((decoded(self._path, row) for row in self._rows(_FIND, key)), None)

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots, newest first; `journal.snapshots` decides whether they are used."""
        rows = self._rows("SELECT seq, fold_version, digest, body FROM snapshots ORDER BY seq DESC")
        return [Snapshot(seq=row[0], fold_version=row[1], digest=row[2], body=row[3]) for row in rows]

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, oldest first."""
        with as_unavailable(self._path, "read"):
            facts = [record.observation for record in checkpoints(self._path, self._connection)]
        return [fact for fact in facts if isinstance(fact, Checkpoint)]

    def trimmed_seq(self) -> int:
        """Return the last record up to which old ones were removed; 0: none."""
        ((seq,),) = self._rows(_TRIMMED)
        return int(seq)

    def _rows(self, statement: str, *values: int | str) -> list[Any]:
        with as_unavailable(self._path, "read"):
            return self._connection.execute(statement, values).fetchall()

    def checkpoint_log(self) -> None:
        """Copy the write-ahead log into the file, without blocking a commit."""
        with as_unavailable(self._path, "written"):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def decoded(path: Path, row: tuple[int, int, bytes]) -> Record:
    """Return the record in a row (seq, at_ms, body). Raises `SidecarError` if it cannot be decoded."""
    seq, at_ms, body = row
    try:
        observation = decode(body)
    except UNREADABLE as error:
        found = f"has a record {seq} that cannot be read: {error}"
        raise unavailable(path, found, "run the version that wrote it, or restore the file from a backup") from error
    kept = links.as_bytes(body) if is_chained(observation) else None
    return Record(seq=seq, at_ms=at_ms, observation=observation, kept=kept)


def checkpoints(path: Path, connection: sqlite3.Connection) -> list[Record]:
    """Return the records with checkpoints, oldest first."""
    after_all = CHECKPOINT_KEYS[:-1] + chr(ord(CHECKPOINT_KEYS[-1]) + 1)
    return [decoded(path, row) for row in connection.execute(_CHECKPOINTS, (CHECKPOINT_KEYS, after_all))]


def folded_seq_of(record: Record) -> int:
    """Return the last record in the state of a checkpoint."""
    assert isinstance(record.observation, Checkpoint)  # noqa: S101 - its key says so
    return record.observation.folded_seq


@functools.cache
def _insert_statement(rows: int) -> str:
    return f"INSERT INTO observations (seq, at_ms, key, body) VALUES {', '.join(['(?, ?, ?, ?)'] * rows)}"  # noqa: S608
