"""How far was a journal, as noted outside of it? The high-water mark, a small file beside the journal.

The problem: a journal whose end was cut off, or that was replaced by an older one, is a sound file. The mark has the
first and the last head of the chain and the last record, at most a second late. A journal that is behind its mark is
refused. A missing mark is written again: a journal of an earlier version has none.
"""

import contextlib
import hashlib
import os
import sqlite3
from pathlib import Path

import msgspec

from sidecar.journal.sqlite import links
from sidecar.journal.sqlite.failures import unavailable
from sidecar.journal.sqlite.lock import PRIVATE

SUFFIX = ".mark"
_REMEDY = (
    "restore a backup (`sidecar restore FILE --replace --reason '...'`); "
    "to begin anew without its alarms, holds and evidence, move the journal and its .mark file away"
)
_FIRST = "SELECT hex(head) FROM chain ORDER BY seq LIMIT 1"
_LAST = "SELECT coalesce(max(seq), 0) FROM observations"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of a journal."""

    journal: str
    """The head of the first link of the chain, which no other journal has; empty: there is no link yet."""
    seq: int
    """The last record."""
    head: str
    """The head of the chain after it."""


def mark_of(connection: sqlite3.Connection) -> Mark:
    """Return the present mark of a journal."""
    first = connection.execute(_FIRST).fetchone()
    ((seq,),) = connection.execute(_LAST)
    return Mark(journal=first[0].lower() if first else "", seq=seq, head=links.head_at(connection))


def write(path: Path, mark: Mark) -> None:
    """Replace the mark of the journal at `path`; after a power cut either the previous or the new one is there."""
    body = msgspec.json.encode(mark)
    place = path.with_name(path.name + SUFFIX)
    part = place.with_name(f"{place.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(place)


def read(path: Path) -> Mark | None:
    """Return the mark of the journal at `path`; None: there is none. Raises `SidecarError` if it is damaged."""
    place = path.with_name(path.name + SUFFIX)
    try:
        body, _, rest = place.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if rest != hashlib.sha256(body).hexdigest().encode() + b"\n":
        advice = "run `sidecar verify --head` with a head that you noted, then remove the mark: it is written again"
        raise unavailable(place, "is a high-water mark that is damaged", advice)
    with contextlib.suppress(msgspec.MsgspecError):
        return msgspec.json.decode(body, type=Mark)
    raise unavailable(place, "is a high-water mark of another version", "run the version that wrote it")


def check(path: Path, connection: sqlite3.Connection, mark: Mark | None) -> None:
    """Raise `journal_unavailable` if the journal is behind its mark, or is another one."""
    if mark is None:
        return
    found = mark_of(connection)
    if found.seq < mark.seq:
        defect = f"has {found.seq or 'no'} records, and its high-water mark says that it had {mark.seq}"
        raise unavailable(path, defect, _REMEDY)
    if mark.journal and found.journal != mark.journal:
        raise unavailable(path, "is not the journal of its high-water mark", _REMEDY)
    if links.head_at(connection, mark.seq) != mark.head:
        raise unavailable(path, f"has other links up to record {mark.seq} than its high-water mark says", _REMEDY)
