"""How far was a journal, as noted outside of it? The high-water mark, a small file beside the journal.

The problem: a journal whose end was cut off, or that was replaced by an older one, is a sound file, and a journal that
is gone looks like a first start. The mark has the first and the last head of the chain and the last record, at most a
second late. A journal that is behind its mark is refused. A second copy may be kept elsewhere (`journal_mark`), for the
case that both files beside each other are lost or put back together.
"""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from sidecar.journal.sqlite import batches, links
from sidecar.journal.sqlite.failures import unavailable
from sidecar.journal.sqlite.lock import PRIVATE
from sidecar.ports import SidecarError

SUFFIX = ".mark"
WAYS_BACK = (
    "restore a backup (`sidecar restore FILE --replace --reason '...'`), or begin a new journal without its alarms, "
    "holds and evidence (`sidecar journal init --replace --reason '...'`)"
)
UNMARKED = "has records and no high-water mark, so that nothing says whether its last records are missing"
"""Of a journal with checksums, which has had a mark since its first record."""
ACCEPT = (
    "run `sidecar verify --head HEAD` with a head that you noted; then accept the journal as it is, with a hold "
    "(`sidecar restore JOURNAL --replace --reason '...'`)"
)
_FIRST = "SELECT hex(head) FROM chain ORDER BY seq LIMIT 1"
_LAST = "SELECT coalesce(max(seq), 0) FROM observations"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of a journal."""

    journal: str = ""
    """The head of the first link of the chain, which no other journal has; empty: there is no link yet."""
    seq: int = 0
    """The last record; 0: none was written yet."""
    head: str = ""
    """The head of the chain after it."""
    records: str = ""
    """The checksum of the batch that ends with it, in hex (`batches`); empty: of a version without them."""
    reason: str = ""
    """Why a new journal is intended (`sidecar journal init`); only before its first record."""


class Marks:
    """The copies of the mark of one journal."""

    def __init__(self, journal: Path, second: Path | None = None) -> None:
        self._journal = journal
        self.places = (journal.with_name(journal.name + SUFFIX), *((second,) if second else ()))
        self.found: tuple[Mark, ...] = ()
        """The marks that `read` found, the furthest last."""

    def read(self) -> None:
        """Read all copies. Raises `SidecarError` if none can be used and one is damaged."""
        found: list[Mark] = []
        damaged: list[SidecarError] = []
        for place in self.places:
            try:
                mark = read(place)
            except SidecarError as error:
                damaged.append(error)
            else:
                found += [mark] if mark else []
        if damaged and not found:
            raise damaged[0]
        for each in damaged:
            structlog.get_logger().warning("journal.unmarked", why=each.message)
        self.found = tuple(sorted(found, key=lambda mark: mark.seq))

    @property
    def seq(self) -> int:
        """The last record according to the furthest copy; 0: there is none, or no record was written."""
        return self.found[-1].seq if self.found else 0

    @property
    def reason(self) -> str:
        """Why a new journal is intended; empty: it is not."""
        return "" if self.seq else next((mark.reason for mark in self.found), "")

    def write(self, mark: Mark) -> None:
        """Replace all copies, unless they have this mark. Raises `OSError` after it tried each."""
        if self.found == (mark,) * len(self.places):
            return
        failures = []
        for place in self.places:
            try:
                _write(place, mark)
            except OSError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        self.found = (mark,) * len(self.places)

    def check(self, connection: sqlite3.Connection) -> None:
        """Raise `journal_unavailable` if the journal is behind one of its marks, or is another one."""
        for defect in self.contradictions(connection):
            raise unavailable(self._journal, defect, WAYS_BACK)

    def contradictions(self, connection: sqlite3.Connection) -> list[str]:
        """Return how the journal contradicts its marks, as what follows "The journal PATH"."""
        return list(dict.fromkeys(filter(None, (contradiction(connection, mark) for mark in self.found))))


def mark_of(connection: sqlite3.Connection) -> Mark:
    """Return the present mark of a journal."""
    first = connection.execute(_FIRST).fetchone()
    ((seq,),) = connection.execute(_LAST)
    _, digest = batches.last(connection)
    head = links.head_at(connection)
    return Mark(journal=first[0].lower() if first else "", seq=seq, head=head, records=digest.hex() if seq else "")


def contradiction(connection: sqlite3.Connection, mark: Mark) -> str:
    """Return how a journal contradicts its mark, as what follows "The journal PATH"; empty: it does not."""
    found = mark_of(connection)
    if found.seq < mark.seq:
        return behind(found.seq, mark.seq)
    if mark.journal and found.journal != mark.journal:
        return "is not the journal of its high-water mark"
    if links.head_at(connection, mark.seq) != mark.head:
        return f"has other links up to record {mark.seq} than its high-water mark says"
    end, digest = batches.last(connection, mark.seq)
    if mark.records and (end, digest.hex()) != (mark.seq, mark.records):
        return f"has other records up to {mark.seq} than its high-water mark says"
    return ""


def behind(seq: int, marked_seq: int) -> str:
    """Return the defect of a journal that ends before its mark."""
    return f"has {seq or 'no'} records, and its high-water mark says that it had {marked_seq}"


def _write(place: Path, mark: Mark) -> None:
    """Replace one copy; after a power cut either the previous or the new one is there."""
    is_new = not place.exists()
    body = msgspec.json.encode(mark)
    part = place.with_name(f"{place.name}.part")
    part.unlink(missing_ok=True)  # not written through: it may be a symbolic link
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(place)
    if is_new:
        sync(place.parent)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(place: Path) -> Mark | None:
    """Return one copy of a mark; None: there is none. Raises `SidecarError` if it is damaged."""
    try:
        body, _, rest = place.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unavailable(place, f"could not be read: {error.strerror}", "allow this user to read it") from error
    if rest != hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise unavailable(place, "is a high-water mark that is damaged", ACCEPT)
    with contextlib.suppress(msgspec.MsgspecError):
        return msgspec.json.decode(body, type=Mark)
    raise unavailable(place, "is a high-water mark of another version", "run the version that wrote it")


def remove(places: Sequence[Path]) -> None:
    """Remove copies of a mark."""
    for place in places:
        place.unlink(missing_ok=True)
