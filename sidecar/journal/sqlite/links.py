"""The chain in the journal's file: the head after each decision, act and policy, beside their records.

`core.facts.chain` says what a head is. Here they are kept, so that a change of a single byte is found at its record,
and not only that something is otherwise.
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
_KINDS = frozenset(fact.__struct_config__.tag for fact in Chained.__args__)
_SEQ_MAX = 2**63 - 1

FINDINGS_MAX = 5


class _Typed(msgspec.Struct):
    type: str


_type_of = msgspec.json.Decoder(_Typed).decode


class ChainReading(msgspec.Struct, kw_only=True):
    """What going along the whole chain found."""

    head: str = ""
    """As it must be after the last link, in hex; empty: there is none."""
    links: int = 0
    noted_seq: int | None = None
    """The record after which the head was the one that somebody noted; None: it never was."""
    defects: list[str] = []
    """What is wrong, a sentence each; at most a few."""

    def find(self, defect: str) -> None:
        """Note what is wrong, unless enough is."""
        if len(self.defects) < FINDINGS_MAX:
            self.defects.append(defect)


def is_link(body: bytes) -> bool:
    """Say whether an observation, as JSON, is a link of the chain."""
    try:
        return _type_of(body).type in _KINDS
    except UNREADABLE:
        return False


def as_bytes(body: bytes | str) -> bytes:
    """Return a body, which somebody may have written back as text."""
    return body if isinstance(body, bytes) else body.encode()


def head_at(connection: sqlite3.Connection, seq: int = _SEQ_MAX) -> str:
    """Return the head after the last link up to this record, in hex; empty: there is none."""
    row = connection.execute(_LAST, (seq,)).fetchone()
    return "" if row is None else str(row[0]).lower()


def keep(connection: sqlite3.Connection, heads: list[tuple[int, str]]) -> None:
    """Keep the heads after these records."""
    rows = [(seq, bytes.fromhex(head)) for seq, head in heads]
    connection.executemany("INSERT INTO chain (seq, head) VALUES (?, ?)", rows)


def fill(connection: sqlite3.Connection) -> None:
    """Keep the heads of a file that was written before there was a chain. Takes as long as reading it."""
    head, heads = "", []
    for seq, at_ms, body in connection.execute("SELECT seq, at_ms, body FROM observations ORDER BY seq"):
        if is_link(body):
            head = link_of(head, seq=seq, at_ms=at_ms, body=body)
            heads.append((seq, head))
    keep(connection, heads)


def read_chain(connection: sqlite3.Connection, noted: str = "") -> ChainReading:
    """Go along the chain, and say where it is not what it was.

    After a break it goes on from the head that is kept, so that each changed record is named, and no other.
    """
    found, before = ChainReading(), ""
    for (seq,) in connection.execute("SELECT seq FROM chain EXCEPT SELECT seq FROM observations ORDER BY seq"):
        found.find(f"record {seq} is missing: the chain has it")
    for seq, at_ms, key, body, kept in _rows(connection):
        found.links += 1
        head = link_of(before, seq=seq, at_ms=at_ms, body=body)
        if head != kept:
            found.find(f"record {seq} is not as it was written, or what led to it is not: the chain breaks here")
        elif not _has_its_key(key, body):
            found.find(f"record {seq} is not what its key says: the key was changed")
        before = kept if len(kept) == _HEX else head
        found.head = head
        if noted and head.startswith(noted):
            found.noted_seq = seq
    return found


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[int, int, str | None, bytes, str]]:
    """Yield all that is a link, or is kept as one: (seq, at_ms, key, body, the head that is kept)."""
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
        return True  # the fold says so
