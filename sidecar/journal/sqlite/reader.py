"""Which statements read the journal's file?

Everything here blocks. A reader has a connection of its own; in WAL mode it and the writer do not wait for each other.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Self

from sidecar.core.facts.chain import is_chained
from sidecar.core.facts.identities import CHECKPOINT_KEYS, identity
from sidecar.core.facts.observations import UNREADABLE, Checkpoint, Record
from sidecar.core.facts.wire import decode
from sidecar.core.fold.state import State
from sidecar.journal.snapshots import Snapshot, latest_state
from sidecar.journal.sqlite import batches, links
from sidecar.journal.sqlite.failures import as_unavailable, damaged, unavailable
from sidecar.journal.sqlite.opening import connect
from sidecar.ports import Link

LAST = "SELECT seq, at_ms FROM observations ORDER BY seq DESC LIMIT 1"
AFTER = "SELECT seq, at_ms, body FROM observations WHERE seq > ? ORDER BY seq LIMIT ?"
_FIND = "SELECT seq, at_ms, body FROM observations WHERE key = ?"
_LINKS = """SELECT seq, at_ms, body, hex(head) FROM chain JOIN observations USING (seq)
            WHERE seq < ? ORDER BY seq DESC LIMIT ?"""
TRIMMED = "SELECT seq FROM trimmed"
_CHECKPOINTS = "SELECT seq, at_ms, body FROM observations WHERE key >= ? AND key < ? ORDER BY seq"


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
        return [decoded(self._path, row) for row in self._rows(AFTER, after, limit)]

    def load_snapshot(self) -> State:
        """Return the state from which a process continues, after which all records are as they were written.

        Raises `SidecarError` with `journal_unavailable`.
        """
        with as_unavailable(self._path, "read"):
            state = latest_state(
                self.snapshots(),
                self.checkpoints(),
                last_seq=next((seq for seq, _ in self._rows(LAST)), 0),
                trimmed_seq=self.trimmed_seq(),
                head_at=self.head_at,
            )
            for defect in batches.defects(self._connection, state.seq):
                raise damaged(self._path, defect)
        if state.chain != self.head_at(state.seq):
            raise damaged(self._path, f"the chain does not match the state of record {state.seq}")
        return state

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
        found = next((decoded(self._path, row) for row in self._rows(_FIND, key)), None)
        if found is not None and identity(found.observation) != key:
            raise damaged(self._path, f"record {found.seq} is not the one with its key")
        return found

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
        ((seq,),) = self._rows(TRIMMED)
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
    except (*UNREADABLE, TypeError) as error:
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
