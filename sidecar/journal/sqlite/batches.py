"""Are the records those that were written? Each commit stores a checksum of its batch, chained to the one before.

The problem: SQLite checks the structure of its pages, and not the bytes of a record. A record that was changed or
removed folds into another state. One hash for each commit costs less than one for each record, and is enough: a batch
that does not match names its records, and `seq` is dense, so that a missing record is named too.

Old records are removed up to the end of a batch, whose checksum stays: the next one contains it. The links among them
are in the chain (`links`).
"""

import contextlib
import hashlib
import sqlite3
import struct
from collections.abc import Iterable, Iterator

import msgspec

from sidecar.journal.sqlite import links
from sidecar.journal.sqlite.failures import UNREADABLE_ROWS

BATCH_MAX = 1_000
"""The most records in one transaction, so that no caller waits for a whole long queue, and `trim` for no commit."""
DEFECTS_MAX = 5
BEGIN = bytes(32)
"""What the first batch of a journal contains in place of a checksum."""
_NO_KEY = 2**32 - 1
_frame = struct.Struct(">QQII").pack
"""`seq`, `at_ms`, and the lengths of key and body."""

Row = tuple[int, int, str | None, bytes | str]
"""(seq, at_ms, key, body) of a record."""

_ROWS = "SELECT seq, at_ms, key, body FROM observations WHERE seq > ? AND seq <= ? ORDER BY seq"
_STORED = "SELECT seq, digest FROM batches WHERE seq > ? ORDER BY seq LIMIT ?"
_INDEXED = """SELECT count(*) FROM json_each(?) AS wanted JOIN observations INDEXED BY sqlite_autoindex_observations_1
              ON observations.key = json_extract(wanted.value, '$[0]')
              AND observations.seq = json_extract(wanted.value, '$[1]')"""


def digest_of(before: bytes, rows: Iterable[Row]) -> bytes:
    """Return the checksum of a batch after the one `before`."""
    parts = [before]
    for seq, at_ms, key, body in rows:
        name, content = b"" if key is None else key.encode(), links.as_bytes(body)
        parts += (_frame(seq, at_ms, _NO_KEY if key is None else len(name), len(content)), name, content)
    return hashlib.sha256(b"".join(parts)).digest()


def last(connection: sqlite3.Connection, upto: int = 2**63 - 1) -> tuple[int, bytes]:
    """Return the end and the checksum of the last batch that ends by this record; (0, …) before the first."""
    row = connection.execute("SELECT seq, digest FROM batches WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (upto,))
    seq, digest = row.fetchone() or (0, BEGIN)
    return int(seq), _as_digest(digest)


def _as_digest(value: object) -> bytes:
    """Return a stored checksum; a damaged one may have another type, and then matches nothing."""
    return value if isinstance(value, bytes) else b""


def store(connection: sqlite3.Connection, seq: int, digest: bytes) -> None:
    """Store the checksum of the batch that ends with this record."""
    connection.execute("INSERT INTO batches (seq, digest) VALUES (?, ?)", (seq, digest))


def fill(connection: sqlite3.Connection) -> None:
    """Store the checksums of a file from a version without them. Takes as long as reading the file."""
    ((trimmed_seq,),) = connection.execute("SELECT seq FROM trimmed")
    ((last_seq,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM observations")
    digest = BEGIN
    if trimmed_seq:
        store(connection, trimmed_seq, digest)
    for start in range(trimmed_seq, last_seq, BATCH_MAX):
        end = min(start + BATCH_MAX, last_seq)
        digest = digest_of(digest, connection.execute(_ROWS, (start, end)))
        store(connection, end, digest)


def forget(connection: sqlite3.Connection, upto: int) -> None:
    """Remove the checksums of batches that were removed, except that of the last one."""
    connection.execute("DELETE FROM batches WHERE seq < ?", (upto,))


class Verifier:
    """Compares records, checksums, keys and the chain, a slice at a time, from one record to the end.

    After a batch that does not match it continues from the stored checksum, so that each changed batch is named.
    """

    def __init__(self, connection: sqlite3.Connection, after: int = 0) -> None:
        self._connection = connection
        self._seq, self._before = last(connection, after)
        self._link_seq, self._head = 0, ""
        if after:
            self._link_seq, self._head = self._seq, links.head_at(connection, self._seq)

    def slice(self, records_max: int) -> tuple[bool, list[str]]:
        """Verify about as many records; return whether there may be more, and a sentence for each defect."""
        with _moment(self._connection):
            try:
                return self._slice(records_max)
            except UNREADABLE_ROWS as error:
                return False, [f"a row after record {self._seq} cannot be read: {error}"]

    def _slice(self, records_max: int) -> tuple[bool, list[str]]:
        found: list[str] = []
        ((trimmed_seq,),) = self._connection.execute("SELECT seq FROM trimmed")
        if trimmed_seq > self._seq:  # records were removed since the last slice
            self._seq, self._before = last(self._connection, trimmed_seq)
            if self._seq != trimmed_seq:
                found.append(f"the checksum of record {trimmed_seq}, the last that was removed, is missing")
        budget = records_max
        batches = self._connection.execute(_STORED, (self._seq, records_max)).fetchall()
        for seq, digest in batches:
            rows = self._connection.execute(_ROWS, (self._seq, seq)).fetchall()
            found += self._batch_defects(seq, _as_digest(digest), rows)
            self._seq, self._before = seq, _as_digest(digest)
            budget -= max(1, len(rows))
            if budget <= 0:
                return True, found
        is_done = len(batches) < records_max
        if is_done:
            found += self._unchecked()
        more, broken = self._links(records_max)
        return more or not is_done, found + broken

    def _batch_defects(self, seq: int, digest: bytes, rows: list[Row]) -> Iterator[str]:
        missing = seq - self._seq - len(rows)
        if missing:
            there = {row[0] for row in rows}
            first = next((each for each in range(self._seq + 1, seq + 1) if each not in there), seq)
            yield f"record {first} is missing" + (f", and {missing - 1} more up to {seq}" if missing > 1 else "")
        elif digest_of(self._before, rows) != digest:
            which = f"record {seq}" if len(rows) == 1 else f"one of the records {self._seq + 1} to {seq}"
            yield f"{which} is not as it was written, or its checksum is not"
        elif self._lost_keys(rows):
            yield f"the index of keys does not match the records up to {seq}"

    def _lost_keys(self, rows: list[Row]) -> bool:
        keys = [(key, seq) for seq, _, key, _ in rows if key is not None]
        if not keys:
            return False
        ((found,),) = self._connection.execute(_INDEXED, (msgspec.json.encode(keys).decode(),))
        return bool(found != len(keys))

    def _unchecked(self) -> Iterator[str]:
        row = self._connection.execute("SELECT min(seq) FROM observations WHERE seq > ?", (self._seq,)).fetchone()
        if row[0] is not None:
            yield f"record {row[0]} has no checksum: another program wrote it"

    def _links(self, links_max: int) -> tuple[bool, list[str]]:
        """Verify some links of the chain; return whether there are more."""
        chain = links.read_links(self._connection, self._link_seq, links_max)
        found = links.ChainReading(before=self._head)
        for row in chain:
            found.compare(*row)
            self._link_seq = row[0]
        self._head = found.before
        return len(chain) == links_max, found.defects


@contextlib.contextmanager
def _moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Make all reads see one moment, while another connection writes."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.rollback()


def defects(connection: sqlite3.Connection, after: int = 0) -> list[str]:
    """Return the defects of all records after this one, up to `DEFECTS_MAX`."""
    verifier, found, more = Verifier(connection, after), list[str](), True
    while more and len(found) < DEFECTS_MAX:
        more, some = verifier.slice(BATCH_MAX)
        found += some
    return found[:DEFECTS_MAX]
