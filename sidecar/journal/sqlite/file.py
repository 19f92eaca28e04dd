"""Which statements write the journal's file?

Everything here blocks. The writer has one connection, which stays on the thread that opened it (`sqlite3` checks that).
"""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog

from sidecar.core.facts.chain import is_chained, link
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import Observation, Record
from sidecar.journal.snapshots import Snapshot
from sidecar.journal.sqlite import batches, links
from sidecar.journal.sqlite.damage import OPENED_AGAIN, Watch
from sidecar.journal.sqlite.failures import as_unavailable, damaged, unavailable
from sidecar.journal.sqlite.mark import ACCEPT, UNMARKED, Mark, Marks, mark_of, remove
from sidecar.journal.sqlite.opening import claim, connect, refuse_new, remove_files
from sidecar.journal.sqlite.reader import AFTER, LAST, TRIMMED, checkpoints, decoded, folded_seq_of
from sidecar.journal.sqlite.schema import CHECKED_FROM, pragma, prepare, version_of
from sidecar.ports import Appended, SidecarError

_ROWS = (250, 50, 10, 1)
"""Rows in one statement, the most first: each statement releases and takes the interpreter lock, which costs more than
a row."""
_SNAPSHOTS_MAX = 2
_LOG_PAGES_MAX = 16_000
"""Pages of the write-ahead log, 64 MB."""

_KNOWN = """SELECT observations.key, observations.seq, at_ms, body
            FROM json_each(?) AS wanted JOIN observations ON observations.key = wanted.value"""


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
        self._unmarked = ""
        """Why the mark could not be written the last time; empty: it was."""
        self._damage: SidecarError | None = None
        """What another program did to the files: nothing is written any more until they were opened again."""
        with as_unavailable(path, "opened"), contextlib.ExitStack() as opened:
            opened.callback(self._leave_nothing)
            database, self._is_new = claim(path, self._marks, opened, must_exist=must_exist)
            self._connection = connect(path, opened)
            if not self._is_new:
                self._compare_with_mark(must_exist=must_exist)
            prepare(path, self._connection, page_count_max)
            self._marks.check(self._connection)
            self._now = mark_of(self._connection)
            if self._now.seq:  # every copy can be written
                self._marks.write(self._now)
            self.last_seq, self.last_ms = self._last()
            self.created_ms = links.created_ms(self._connection)
            self.created_reason = "" if self.last_seq else self._marks.reason
            self._watch = Watch(path, database)
            self._version = pragma(self._connection, "data_version")
            guard = connect(path, opened, read_only=True)
            guard.execute(LAST).fetchone()  # from here on it has the file's shared lock
            self._opened = opened.pop_all()

    def _compare_with_mark(self, *, must_exist: bool) -> None:
        """Refuse an existing file without records or without a mark, before anything is written to it."""
        version = version_of(self._path, self._connection)
        if not version or self._connection.execute(LAST).fetchone() is None:
            refuse_new(self._path, self._marks, must_exist=must_exist)
        elif not self._marks.found and version >= CHECKED_FROM:
            raise unavailable(self._path, UNMARKED, ACCEPT)
        elif not self._marks.found:  # before the file is one that must have a mark
            self._marks.write(Mark())

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

    def look(self) -> None:
        """Raise `journal_unavailable` if another program changed the files since the last transaction."""
        with as_unavailable(self._path, "read"), self._noting_damage():
            self._watch.check()
            self._check_version()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with as_unavailable(self._path, "written"):
            with self._noting_damage():
                self._watch.check()
            try:
                with self._connection:  # commits, or rolls back on an exception
                    self._connection.execute("BEGIN IMMEDIATE")
                    with self._noting_damage():
                        self._check_version()
                    yield
            except BaseException:
                with contextlib.suppress(SidecarError, OSError), self._noting_damage():
                    self._watch.observe()
                raise
            with self._noting_damage():
                self._watch.observe()

    @contextlib.contextmanager
    def _noting_damage(self) -> Iterator[None]:
        if self._damage is not None:
            raise SidecarError(self._damage.code, self._damage.message) from self._damage
        try:
            yield
        except SidecarError as error:
            self._damage = error
            self.mark()  # at once: the process may be killed before it closes the journal
            raise

    def _check_version(self) -> None:
        """Raise if another program committed: `data_version` changes with commits of other connections only."""
        if pragma(self._connection, "data_version") != self._version:
            raise unavailable(self._path, "was written by another program while it was in use", OPENED_AGAIN)

    def mark(self) -> None:
        """Write the high-water mark, if it is behind; a failure is logged once, since the previous mark stays valid.

        It is what was made durable, not what the file has now: a file that lost records is refused by the next start.
        """
        if not self._now.seq:
            return
        why = ""
        try:
            self._marks.write(self._now)
        except OSError as error:
            why = str(error)
        if why and why != self._unmarked:
            structlog.get_logger().warning("journal.unmarked", why=why)
        self._unmarked = why

    def close(self) -> None:
        """Close the file and release the lock.

        The last connection that is closed copies the log into the file. After damage it must not, since the log may be
        what is damaged: the connection that only reads is then closed last, and the next start examines what is there.
        """
        self.mark()
        if self._damage is not None:
            self._watch.resize_shared_memory()
            self._connection.close()
        self._opened.close()

    def _insert(self, drafts: Sequence[Draft]) -> tuple[list[Appended], Mark]:
        """Insert what is new; return the result of each draft, and the mark after it."""
        seq, _ = self._last()
        if seq != self._now.seq:
            with self._noting_damage():
                raise damaged(self._path, f"it ends at record {seq}, and the last that was written is {self._now.seq}")
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
        return appended, self._mark_after(seq, heads, values)

    def _mark_after(self, seq: int, heads: list[tuple[int, str]], values: Sequence[Any]) -> Mark:
        """Store the checksum of a batch; return the mark after it."""
        if seq == self._now.seq:
            return self._now
        before = bytes.fromhex(self._now.records) if self._now.records else batches.BEGIN
        digest = batches.digest_of(before, zip(*[iter(values)] * 4, strict=True))
        batches.store(self._connection, seq, digest)
        journal, head = (
            (self._now.journal or heads[0][1], heads[-1][1]) if heads else (self._now.journal, self._now.head)
        )
        return Mark(journal=journal, seq=seq, head=head, records=digest.hex())

    def _known(self, drafts: Sequence[Draft]) -> dict[str, Record]:
        """Return the existing records of these facts, by key."""
        keys = msgspec.json.encode([draft.key for draft in drafts if draft.key is not None])
        rows = self._connection.execute(_KNOWN, (keys.decode(),)).fetchall()
        known = {key: decoded(self._path, (seq, at_ms, body)) for key, seq, at_ms, body in rows}
        for key, record in known.items():
            if identity(record.observation) != key:  # a damaged index: the new fact would be lost as a duplicate
                with self._noting_damage():
                    raise damaged(self._path, f"record {record.seq} is not the one with its key")
        return known

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
            (trimmed_seq,) = self._connection.execute(TRIMMED).fetchone()
            old = [each for each in checkpoints(self._path, self._connection) if each.at_ms <= before_ms]
            if not old:
                return 0
            upto_seq = folded_seq_of(old[-1])
            rows = self._connection.execute(AFTER, (trimmed_seq, batches.BATCH_MAX)).fetchall()
            upto_seq, _ = batches.last(self._connection, min(upto_seq, rows[-1][0]) if rows else 0)
            rows = [row for row in rows if row[0] <= upto_seq]  # whole batches
            removed = [(seq,) for seq, _, body in rows if not links.is_link(body, if_unreadable=True)]
            self._connection.executemany("DELETE FROM observations WHERE seq = ?", removed)
            if rows:
                self._connection.execute("UPDATE trimmed SET seq = ?", (upto_seq,))
                batches.forget(self._connection, upto_seq)
            return len(rows)

    def _last(self) -> tuple[int, int]:
        seq, at_ms = self._connection.execute(LAST).fetchone() or (0, 0)
        if not isinstance(at_ms, int):
            raise damaged(self._path, f"record {seq} has no stamp")
        return seq, at_ms


@functools.cache
def _insert_statement(rows: int) -> str:
    return f"INSERT INTO observations (seq, at_ms, key, body) VALUES {', '.join(['(?, ?, ?, ?)'] * rows)}"  # noqa: S608
