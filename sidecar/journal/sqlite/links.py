"""How is the chain stored in the journal's file? The head after each decision, operator action and policy is a row.

`core.facts.chain` defines a head. With every head stored, the change of a single byte is found at its record.
"""

import sqlite3
from collections.abc import Iterator

import msgspec

from sidecar.core.facts.chain import link_of
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import UNREADABLE, Chained
from sidecar.core.facts.wire import decode

_HEX = 64
_LAST = "SELECT hex(head) FROM chain WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
_FIRST = "SELECT at_ms FROM chain JOIN observations USING (seq) ORDER BY seq LIMIT 1"
_KINDS = frozenset(fact.__struct_config__.tag for fact in Chained.__args__)
_SEQ_MAX = 2**63 - 1

DEFECTS_MAX = 5


class _Typed(msgspec.Struct):
    type: str


_type_of = msgspec.json.Decoder(_Typed).decode


class ChainReading(msgspec.Struct, kw_only=True):
    """The result of reading the whole chain."""

    before: str = ""
    """The head before the next link."""
    head: str = ""
    """The computed head after the last link, in hex; empty: there is no link."""
    links: int = 0
    noted_seq: int | None = None
    """The record after which the head was the given former head; None: it never was."""
    defects: list[str] = []
    """A sentence for each defect, up to `DEFECTS_MAX`."""

    def compare(self, seq: int, at_ms: int | None, key: str | None, body: bytes | str | None, kept: str) -> None:
        """Compare the next link with its record, and with the stored head."""
        if at_ms is None or body is None:
            self.add(f"record {seq} is missing: the chain has it")
            self.before = kept
            return
        self.links += 1
        self.head = link_of(self.before, seq=seq, at_ms=at_ms, body=as_bytes(body))
        if self.head != kept:
            self.add(f"record {seq} is not as it was written, or a link before it is not: the chain breaks here")
        elif not _has_its_key(key, as_bytes(body)):
            self.add(f"record {seq} does not match its key: the key was changed")
        self.before = kept if len(kept) == _HEX else self.head

    def add(self, defect: str) -> None:
        """Add a defect, up to the limit."""
        if len(self.defects) < DEFECTS_MAX:
            self.defects.append(defect)


def is_link(body: bytes, *, if_unreadable: bool = False) -> bool:
    """Return whether an observation, as JSON, is a link of the chain; `if_unreadable` if it cannot be decoded."""
    try:
        return _type_of(body).type in _KINDS
    except UNREADABLE:
        return if_unreadable


def as_bytes(body: bytes | str) -> bytes:
    """Return a body as bytes: another program may have written it as text."""
    return body if isinstance(body, bytes) else body.encode()


def head_at(connection: sqlite3.Connection, seq: int = _SEQ_MAX) -> str:
    """Return the head after the last link up to this record, in hex; empty: there is no link."""
    row = connection.execute(_LAST, (seq,)).fetchone()
    return "" if row is None else str(row[0]).lower()


def created_ms(connection: sqlite3.Connection) -> int:
    """Return the stamp of the first link, which every journal keeps, in Unix milliseconds; 0: there is none."""
    row = connection.execute(_FIRST).fetchone()
    return 0 if row is None else int(row[0])


def store(connection: sqlite3.Connection, heads: list[tuple[int, str]]) -> None:
    """Store the heads after these records."""
    rows = [(seq, bytes.fromhex(head)) for seq, head in heads]
    connection.executemany("INSERT INTO chain (seq, head) VALUES (?, ?)", rows)


def fill(connection: sqlite3.Connection) -> None:
    """Store the heads of a file from a version without the chain. Takes as long as reading the file."""
    head, heads = "", []
    for seq, at_ms, body in connection.execute("SELECT seq, at_ms, body FROM observations ORDER BY seq"):
        if is_link(body):
            head = link_of(head, seq=seq, at_ms=at_ms, body=body)
            heads.append((seq, head))
    store(connection, heads)


def read_chain(connection: sqlite3.Connection, noted: str = "") -> ChainReading:
    """Compare the chain with the records, and return the defects.

    After a break the reading continues from the stored head, so that each changed record is named, and no other.
    """
    found = ChainReading()
    for (seq,) in connection.execute("SELECT seq FROM chain EXCEPT SELECT seq FROM observations ORDER BY seq"):
        found.add(f"record {seq} is missing: the chain has it")
    for seq, at_ms, key, body, kept in _rows(connection):
        found.compare(seq, at_ms, key, body, kept)
        if noted and found.head.startswith(noted):
            found.noted_seq = seq
    return found


def read_links(
    connection: sqlite3.Connection, after: int, limit: int
) -> list[tuple[int, int | None, str | None, bytes | None, str]]:
    """Return the next links with their stored heads, as `ChainReading.compare` takes them."""
    rows = connection.execute(
        "SELECT chain.seq, at_ms, key, body, lower(hex(head)) FROM chain LEFT JOIN observations USING (seq) "
        "WHERE chain.seq > ? ORDER BY chain.seq LIMIT ?",
        (after, limit),
    )
    return rows.fetchall()


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[int, int, str | None, bytes, str]]:
    """Yield each link, and each record with a stored head: (seq, at_ms, key, body, the stored head)."""
    rows = connection.execute(
        "SELECT observations.seq, at_ms, key, body, hex(head) FROM observations LEFT JOIN chain USING (seq) "
        "ORDER BY observations.seq"
    )
    for seq, at_ms, key, body, head in rows:
        if head or is_link(as_bytes(body)):
            yield seq, at_ms, key, as_bytes(body), str(head).lower()


def _has_its_key(key: str | None, body: bytes) -> bool:
    try:
        return key == identity(decode(body))
    except UNREADABLE:
        return True  # the fold reports it
